"""Orders that leave together, with real threads: at once, each on a connection of its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import ccxt
import pytest
import requests

from pairbot_ext.host.access import with_own_connections
from pairbot_ext.orders import lanes as module
from pairbot_ext.orders.lanes import LANES, MOST_LANES, WARM_MS, Lanes

WAIT_SECS = 10.0


class Clock:
    """A clock that is told the time."""

    ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, secs: float) -> None:
        self.ms += round(secs * 1000)


class Client:
    """What a lane carries; counts its questions."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.is_closed = False

    def fetch_time(self) -> int:
        self.asked.release()
        return 0

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened() -> list[Client]:
    return []


@pytest.fixture
def lanes(clock: Clock, opened: list[Client]) -> Iterator[Lanes]:
    def open_client() -> Client:
        opened.append(Client())
        return opened[-1]

    with closing(Lanes(open_client, lambda client: client, clock)) as made:
        yield made


def test_neither_waits_for_the_other(lanes: Lanes) -> None:
    """Each ends only when the other is under way too, on another client."""
    both = threading.Barrier(2)
    used: list[Any] = []

    def work(client: Any) -> int:
        used.append(client)
        return both.wait(WAIT_SECS)

    assert sorted(outcome for _, outcome in lanes.run([work, work])) == [0, 1]
    assert len(set(used)) == 2


def test_an_answer_is_heard_while_the_other_is_out(lanes: Lanes) -> None:
    is_heard = threading.Event()

    def slow(_client: Any) -> bool:
        return is_heard.wait(WAIT_SECS)

    heard = []
    for number, outcome in lanes.run([slow, lambda _client: "quick"]):
        heard.append((number, outcome))
        is_heard.set()
    assert heard == [(1, "quick"), (0, True)]


def test_what_one_raises_is_its_own(lanes: Lanes) -> None:
    def refused(_client: Any) -> None:
        raise ccxt.InvalidOrder("no")

    outcomes = dict(lanes.run([refused, lambda _client: "filled"]))
    assert isinstance(outcomes[0], ccxt.InvalidOrder)
    assert outcomes[1] == "filled"


def test_ctrl_c_waits_for_the_answers(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice: while the first is awaited, and again."""
    wait, interrupts = module.wait, [KeyboardInterrupt(), KeyboardInterrupt()]
    go_on = threading.Event()

    def interrupted(futures: Any, **options: Any) -> Any:
        if interrupts:
            raise interrupts.pop()
        go_on.set()
        return wait(futures, **options)

    monkeypatch.setattr(module, "wait", interrupted)
    heard: list[bool | Exception] = []
    outcomes = lanes.run([lambda _client: go_on.wait(WAIT_SECS)] * 2)
    with pytest.raises(KeyboardInterrupt):
        heard.extend(outcome for _, outcome in outcomes)
    assert heard == [True, True]


def test_whoever_leaves_early_leaves_nothing_on_its_way(lanes: Lanes) -> None:
    """The caller is interrupted while it records the first answer."""
    done: list[int] = []
    may_end = threading.Event()

    def slow(_client: Any) -> None:
        may_end.wait(WAIT_SECS)
        done.append(1)

    with closing(lanes.run([slow, lambda _client: None])) as outcomes:
        next(outcomes)
        may_end.set()
    assert done == [1]


def test_an_order_needs_no_thread_to_leave(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: Any) -> Future[Any]:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(lanes._threads, "submit", no_more)

    def refused(_client: Any) -> None:
        raise ccxt.InvalidOrder("no")

    outcomes = dict(lanes.run([lambda _client: "filled", refused]))
    assert outcomes[0] == "filled"
    assert isinstance(outcomes[1], ccxt.InvalidOrder)


def test_an_order_that_left_without_a_thread_is_not_sent_again(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has queued it before it finds no thread; a thread that comes later meets it there."""
    sent: list[str] = []

    def no_more() -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short_of_threads:
        short_of_threads.setattr(lanes._threads, "_adjust_thread_count", no_more)
        list(lanes.run([lambda _client: sent.append("A"), lambda _client: sent.append("B")]))
    list(lanes.run([lambda _client: sent.append("later")]))
    lanes.close()
    assert sent == ["A", "B", "later"]


def test_connections_are_kept_warm_and_none_is_waited_for(
    lanes: Lanes, clock: Clock, opened: list[Client]
) -> None:
    lanes.keep_warm()
    assert len(opened) == LANES
    assert all(client.asked.acquire(timeout=WAIT_SECS) for client in opened)
    wait_for(lambda: len(lanes._idle) == LANES)
    clock.ms += WARM_MS - 1
    lanes.keep_warm()
    assert not any(client.asked.acquire(blocking=False) for client in opened)
    clock.ms += 1
    never = threading.Event()
    for client in opened:
        client.fetch_time = lambda: never.wait(WAIT_SECS)  # type: ignore[method-assign, assignment, return-value]
    lanes.keep_warm()
    # The venue does not answer what keeps them warm: orders have connections all the same.
    assert [outcome for _, outcome in lanes.run([lambda _client: "out"] * 2)] == ["out"] * 2
    never.set()
    lanes.keep_warm()


def test_questions_without_an_answer_take_no_thread_from_orders(
    lanes: Lanes, clock: Clock, opened: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many loops it lasts."""
    never, both = threading.Event(), threading.Barrier(3)
    with monkeypatch.context() as silent:
        silent.setattr(Client, "fetch_time", lambda _self: never.wait(WAIT_SECS))
        for _ in range(MOST_LANES):
            lanes.keep_warm()
            clock.ms += WARM_MS
        exits = [lambda _client: both.wait(WAIT_SECS / 2)] * 2
        orders = threading.Thread(target=lambda: list(lanes.run(exits)))
        orders.start()
        try:
            both.wait(WAIT_SECS / 2)
        finally:
            never.set()
            orders.join()
    assert len(opened) == 2 * LANES
    wait_for(lambda: len(lanes._idle) == 2 * LANES and not lanes._asking)
    clock.ms += WARM_MS
    lanes.keep_warm()
    wait_for(lambda: sum(client.asked.acquire(blocking=False) for client in opened) > 0)


def wait_for(reached: Callable[[], bool]) -> None:
    """Wait for a condition, with a bound."""
    for _ in range(1_000):
        if reached():
            return
        threading.Event().wait(WAIT_SECS / 1_000)
    raise AssertionError("not reached")


def test_nothing_is_left_when_the_bot_ends(clock: Clock) -> None:
    for _ in range(20):
        clients: list[Client] = []

        def open_client(clients: list[Client] = clients) -> Client:
            clients.append(Client())
            return clients[-1]

        before = set(threading.enumerate())
        made = Lanes(open_client, lambda client: client, clock)
        assert len(list(made.run([lambda _client: 1] * 2))) == 2
        made.close()
        assert set(threading.enumerate()) <= before
        assert all(client.is_closed for client in clients)


def test_a_copy_of_a_client_shares_no_connection_and_every_setting() -> None:
    client = ccxt.binance({"apiKey": "made-up", "secret": "made-up", "timeout": 1234})
    twin = with_own_connections(client)
    assert isinstance(twin.session, requests.Session)
    assert twin.session is not client.session
    assert twin.session.trust_env == client.session.trust_env
    assert (twin.apiKey, twin.timeout, twin.options) == (client.apiKey, 1234, client.options)
    twin.fetch2 = lambda path, *_, **__: path
    assert twin.fapiPrivatePostOrder({}) == "order", "its requests are its own"
    assert "fetch2" not in vars(client)
