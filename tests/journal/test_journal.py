"""The journal without a bot, on SQLite and on a real PostgreSQL server: locked, full, gone, crashed."""

import gc
import random
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from journals import (
    PAIR_TRADE,
    PLAN,
    SIZING,
    StepClock,
    crash,
    fill,
    locked,
    make_journal,
    make_order,
    send_exit,
    stored,
)
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from pairbot_ext.journal import store
from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.journal.reader import NOT_DURABLE_FROM
from pairbot_ext.journal.tables import EventRow
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Goal, OrderStatus, PairState, Role
from pairbot_ext.support.errors import PairbotError


@pytest.fixture
def engine(db_url: str) -> Iterator[Engine]:
    """Freqtrade's engine of an empty database."""
    engine = create_engine(db_url)
    yield engine
    engine.dispose()


@pytest.fixture
def intents(tmp_path: Path) -> Path:
    """Where the intent file lies."""
    return tmp_path / "intents.dat"


@pytest.fixture
def journal(engine: Engine, intents: Path) -> Iterator[Journal]:
    """A journal with one pair trade whose legs are both held."""
    journal = make_journal(engine, intents)
    journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
    for leg in Leg:
        order = make_order(Role.ENTRY, leg=leg)
        journal.add_order(order)
        journal.change_order(
            order.client_id, status=OrderStatus.FILLED, filled=order.amount, order_id=f"7{leg}"
        )
    journal.change_pair_trade(PAIR_TRADE, state=PairState.HEDGED, was_hedged=True, hedged_ms=1)
    journal.flush()
    yield journal
    crash(journal)


def kinds(engine: Engine) -> list[str]:
    """The events in the database, in order."""
    with Session(engine) as session:
        return [row.kind for row in session.scalars(select(EventRow).order_by(EventRow.id))]


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """Every write to a file fails, to the database and to the intent file: the kernel refuses it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_stored_is_read_back_exactly(journal: Journal, engine: Engine, intents: Path) -> None:
    order = send_exit(journal)
    journal.change_order(
        order.client_id,
        status=OrderStatus.PARTIAL,
        filled=Decimal("0.000000010000"),
        average=0.1 + 0.2,
        sent_ms=2**41,
        error="Zeit überschritten 超时",
    )
    journal.change_pair_trade(PAIR_TRADE, state=PairState.CLOSING, goal=Goal.CLOSE, reason="pair_stop")
    journal.add_event(PAIR_TRADE, "closing", z=1.5, amount=Decimal("0.10"))
    journal.flush()
    trades, orders = journal.open_pair_trades(), journal.orders_of(PAIR_TRADE)
    journal.close()
    again = make_journal(engine, intents)
    assert again.open_pair_trades() == trades
    assert again.orders_of(PAIR_TRADE) == orders
    assert kinds(engine) == ["planned", "closing"]
    again.close()


@pytest.mark.parametrize("character", ["\0", "\ud800", "😀", "\x1b", "'"])
def test_no_character_of_a_message_stops_the_journal(
    journal: Journal, engine: Engine, character: str
) -> None:
    reason = character * 300
    order = journal.add_order(replace(make_order(), reason=reason))
    journal.change_order(order.client_id, status=OrderStatus.REJECTED, error=f"refused {reason}")
    journal.change_pair_trade(PAIR_TRADE, reason=reason)
    journal.add_event(PAIR_TRADE, "rejected", error=reason)
    journal.flush()
    assert not journal.is_degraded
    assert stored(engine)[order.client_id].status is OrderStatus.REJECTED
    assert len(stored(engine)[order.client_id].reason) == 255
    assert kinds(engine)[-1] == "rejected"


def test_what_waits_for_the_database_grows_older_until_it_is_there(
    journal: Journal, engine: Engine, intents: Path
) -> None:
    assert journal.lag_secs == 0, "all is stored"
    journal.add_event(PAIR_TRADE, "closing")
    first = journal.lag_secs
    journal.change_pair_trade(PAIR_TRADE, state=PairState.CLOSING, goal=Goal.CLOSE)
    assert 0 < first < journal.lag_secs, "the oldest counts"
    journal.flush()
    assert journal.lag_secs == 0
    with locked(engine):
        exits = [send_exit(journal, leg) for leg in Leg]
        journal.change_order(exits[0].client_id, status=OrderStatus.FILLED, filled=exits[0].amount)
        waiting = journal.lag_secs
        assert not journal.recover()
        assert 0 < waiting < journal.lag_secs
    assert journal.recover()
    assert journal.lag_secs == 0


def test_a_locked_database_stops_entries_only(journal: Journal, engine: Engine, intents: Path) -> None:
    with locked(engine):
        # Not before something fails is the lock known; then not gone before something succeeds.
        assert journal.recover()
        with pytest.raises(JournalUnavailableError, match="Nothing new is opened"):
            journal.add_order(make_order(Role.TOP_UP))
        with pytest.raises(JournalUnavailableError):
            journal.add_pair_trade("another00000", PLAN, SIZING, dry_run=False)
        assert journal.is_degraded
        assert not journal.recover()
        exits = [send_exit(journal, leg) for leg in Leg]
        journal.change_order(
            exits[0].client_id, status=OrderStatus.FILLED, filled=exits[0].amount, order_id="8"
        )
        journal.change_pair_trade(PAIR_TRADE, state=PairState.CLOSING, goal=Goal.CLOSE)
        journal.add_event(PAIR_TRADE, "closing")
        assert not journal.recover(), "it is still locked"
        assert [order.client_id for order in exits] == sorted(journal._file._slot_of)
    known = journal.orders_of(PAIR_TRADE)
    assert journal.recover()
    assert not journal.is_degraded
    assert stored(engine) == {order.client_id: order for order in known}
    assert kinds(engine) == ["planned", "closing"]
    assert journal._file.is_empty
    crash(journal)
    again = make_journal(engine, intents)
    assert again.open_pair_trades()[0].goal is Goal.CLOSE
    again.close()


def test_a_restarted_bot_finds_what_the_database_missed(
    journal: Journal, engine: Engine, intents: Path
) -> None:
    with locked(engine):
        sent, unsent = (send_exit(journal, leg) for leg in Leg)
        filled = fill(journal, sent)
        crash(journal)
        # Whoever holds the database holds up the start too, with a message.
        with pytest.raises(PairbotError, match="cannot be opened"):
            make_journal(engine, intents)
    again = make_journal(engine, intents)
    assert again.order(sent.client_id) == filled
    # It may have been sent: only the venue knows.
    left = again.order(unsent.client_id)
    assert left is not None
    assert left.status is OrderStatus.UNKNOWN
    # What the exits were for is known too, though the goal was never stored.
    assert again.open_pair_trades()[0].goal is Goal.CLOSE
    assert again.open_pair_trades()[0].reason == "pair_stop"
    assert {order.status for order in stored(engine).values()} == {OrderStatus.FILLED, OrderStatus.UNKNOWN}
    assert again._file.is_empty
    again.close()


def test_older_news_in_the_file_does_not_undo_the_database(
    journal: Journal, engine: Engine, intents: Path
) -> None:
    # The process ends between the commit and the freeing of the slot; or the slot could not be freed.
    with locked(engine):
        order = send_exit(journal)
    journal._file.drop = lambda client_id: (_ for _ in ()).throw(OSError("injected"))  # type: ignore[method-assign]
    assert journal.recover()
    filled = fill(journal, order)
    assert stored(engine)[order.client_id] == filled
    crash(journal)
    again = make_journal(engine, intents)
    assert again.order(order.client_id) == filled
    assert stored(engine)[order.client_id] == filled
    assert again._file.is_empty
    again.close()


def test_where_nothing_can_be_written_exits_go_out_and_entries_do_not(tmp_path: Path) -> None:
    engine, intents = create_engine(f"sqlite:///{tmp_path / 'trades.sqlite'}"), tmp_path / "intents.dat"
    journal = make_journal(engine, intents)
    journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
    with nothing_can_be_written():
        with pytest.raises(JournalUnavailableError):
            journal.add_order(make_order(Role.ENTRY))
        first, second = send_exit(journal), send_exit(journal)
        fill(journal, first)
    for order in (first, second):
        parsed = ClientOrderId.parse(order.client_id)
        assert parsed is not None
        assert parsed.attempt == order.attempt >= NOT_DURABLE_FROM
    assert first.client_id != second.client_id
    assert journal.next_attempt(PAIR_TRADE, Leg.A, Role.EXIT) == 1
    # A process that ends now has left nothing of them; the next one does not use their ids.
    after_crash = make_order(attempt=1)
    assert after_crash.client_id not in (first.client_id, second.client_id)
    assert journal.recover()
    assert stored(engine)[first.client_id].status is OrderStatus.FILLED
    assert stored(engine)[second.client_id].status is OrderStatus.INTENT
    assert kinds(engine).count("not_durable") == 2
    journal.close()
    engine.dispose()


def test_numbers_apart_are_never_given_twice(tmp_path: Path) -> None:
    # Not even at the same second, at the end of the range, or when the ordinary numbers arrive there.
    engine = create_engine("sqlite://", poolclass=StaticPool)
    clock = StepClock(now_ms=4_999_000)
    journal = Journal(engine, clock, IntentFile(tmp_path / "intents.dat"))
    journal.open()
    journal._file.close()
    journal.is_degraded = True
    given = [send_exit(journal).attempt for _ in range(20)]
    assert len(set(given)) == 20
    assert min(given) >= NOT_DURABLE_FROM
    assert max(given) == 9_999
    journal.is_degraded = False
    journal.add_order(make_order(attempt=NOT_DURABLE_FROM - 1))
    assert journal.next_attempt(PAIR_TRADE, Leg.A, Role.EXIT) not in given


def check_nothing_is_lost(engine: Engine, journal: Journal, given: dict[str, OrderRecord]) -> None:
    """Database and a new process's memory hold every order ever given, with what was last known of it."""
    found = stored(engine)
    assert set(found) == set(given)
    for client_id, order in given.items():
        known = journal.order(client_id)
        assert known is not None
        if order.status.is_settled:
            assert found[client_id] == known == order
        else:
            assert known.status is OrderStatus.UNKNOWN
            assert found[client_id].status in (order.status, OrderStatus.UNKNOWN)


@pytest.mark.parametrize("seed", range(12))
def test_no_id_is_given_twice_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Locks, recoveries and crashes in any order, on one database and one small intent file.
    monkeypatch.setattr(store, "SQLITE_BUSY_TIMEOUT_SECS", 0.0)
    engine = create_engine(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    rng = random.Random(seed)
    clock = StepClock()

    def start() -> Journal:
        journal = Journal(engine, clock, IntentFile(tmp_path / "intents.dat", slots=3))
        journal.open()
        return journal

    journal = start()
    journal.add_pair_trade(PAIR_TRADE, PLAN, SIZING, dry_run=False)
    given: dict[str, OrderRecord] = {}
    lock: Any = None
    for _ in range(60):
        match rng.choice(["exit", "exit", "entry", "change", "change", "recover", "lock", "unlock", "crash"]):
            case "exit" | "entry" as wish:
                role = rng.choice([Role.EXIT, Role.TRIM, Role.UNWIND] if wish == "exit" else [Role.TOP_UP])
                leg = rng.choice(list(Leg))
                order = make_order(role, journal.next_attempt(PAIR_TRADE, leg, role), leg=leg)
                assert order.client_id not in given
                try:
                    given[order.client_id] = journal.add_order(order)
                except JournalUnavailableError:
                    assert role.increases
                    assert lock is not None
            case "change" if given:
                client_id = rng.choice(sorted(given))
                if not given[client_id].status.is_settled:
                    change: dict[str, Any] = rng.choice(
                        [{"status": OrderStatus.UNKNOWN, "sent_ms": 5},
                         {"status": OrderStatus.FILLED, "filled": Decimal(7), "order_id": client_id[-9:]},
                         {"status": OrderStatus.VOID}]
                    )  # fmt: skip
                    given[client_id] = journal.change_order(client_id, **change)
            case "recover":
                was_degraded = journal.is_degraded
                assert journal.recover() or lock is not None
                # Whole again while another holds the lock: only if nothing had failed and nothing waits.
                assert journal.is_degraded == (lock is not None and was_degraded)
            case "lock" if lock is None:
                lock = locked(engine)
                lock.__enter__()
            case "unlock" | "crash" as what:
                if lock is not None:
                    lock.__exit__(None, None, None)
                    lock = None
                if what == "crash":
                    crash(journal)
                    journal = start()
    if lock is not None:
        lock.__exit__(None, None, None)
    crash(journal)
    journal = start()
    check_nothing_is_lost(engine, journal, given)
    assert journal._file.is_empty
    journal.close()
    engine.dispose()


def test_an_event_added_while_others_are_stored_is_not_lost(journal: Journal, engine: Engine) -> None:
    adders: list[threading.Thread] = []

    def add_another(_connection: object) -> None:
        # Another thread, at the very moment the first event has been written and is not yet forgotten.
        if not adders:
            adders.append(threading.Thread(target=journal.add_event, args=(None, "second")))
            adders[0].start()
            adders[0].join(timeout=0.2)

    event.listen(journal._engine, "commit", add_another)
    journal.add_event(None, "first")
    journal.flush()
    adders[0].join()
    journal.flush()
    assert kinds(engine)[-2:] == ["first", "second"]


def test_closing_releases_everything(engine: Engine, intents: Path) -> None:
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("needs /proc")
    make_journal(engine, intents).close()
    engine.dispose()
    gc.collect()
    before = len(list(fds.iterdir()))
    journals = []
    for _ in range(5):
        journal = make_journal(engine, intents)
        journal.set_setting("n", 1)
        journal.close()
        journals.append(journal)
    engine.dispose()
    assert len(list(fds.iterdir())) == before
    assert all(journal._engine is not engine for journal in journals)


def test_a_shared_connection_is_left_to_its_owner(intents: Path) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    make_journal(engine, intents).close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version FROM pairbot_schema")).scalar_one() >= 2


def test_a_refused_start_releases_everything(engine: Engine, intents: Path) -> None:
    make_journal(engine, intents).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE pairbot_schema SET version = 99"))
    for _ in range(2):
        with pytest.raises(PairbotError, match="schema version 99"):
            make_journal(engine, intents)
    with engine.begin() as connection:
        connection.execute(text("UPDATE pairbot_schema SET version = 2"))
    make_journal(engine, intents).close()


def test_a_second_bot_is_refused(journal: Journal, engine: Engine, intents: Path) -> None:
    # A server knows both bots, wherever they keep their files; of a SQLite file the lock lies beside it.
    theirs = intents if engine.dialect.name == "sqlite" else intents.with_name("elsewhere.dat")
    with pytest.raises(PairbotError, match="another bot has this bot's database"):
        make_journal(engine, theirs)
    assert send_exit(journal).attempt == 1
    assert not journal.is_degraded
    crash(journal)
    make_journal(engine, theirs).close()
