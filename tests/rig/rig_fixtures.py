"""What tests that run bots may ask for; the top-level conftest.py offers it to every room."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import arb
import pytest
from harness import Rig, rig
from postgres import Server, running_server
from processes import Stage
from scenario import PRICES, START
from stage_hand import StageHand

from pairbot_ext.rehearse.caught import caught
from pairbot_ext.rehearse.clock import VirtualTime

TWO = ("ADAUSDT", "ALGOUSDT")
ENGINE_ALONE = {
    "risk": {
        "max_api_error_percent": None,
        "max_naked_secs": None,
        "max_blind_secs": None,
        "break_stop": None,
    }
}
"""The engine is judged here without the risk rules that answer to faults, which have tests of their own: they
would stop a shared bot for what its earlier cases went through. Flat candles have no relation to test."""
MOST_CASES = 20
"""Of one shared bot: its tables grow, and are read whole by every verdict. Past these cases reading what the
earlier ones left costs more than a new bot."""
FAILED = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def nothing_is_swallowed(request: pytest.FixtureRequest) -> Iterator[None]:
    """A case fails on what was caught and only logged: not on what says "injected", as what these tests raise
    on purpose does, nor on what its marker `swallows` names."""
    found: list[str] = []
    with caught(found):
        yield
    own = ["injected", *(text for marker in request.node.iter_markers("swallows") for text in marker.args)]
    unexpected = [text for text in found if not any(each in text for each in own)]
    assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """A real bot in front of the simulated venue; `dry_run=True` for the dry-run port."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(rig(tmp_path, **options))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note a failure on the item: a bot that has failed a case serves no other."""
    yield
    if call.excinfo is not None:
        item.stash[FAILED] = True


class _Keeper:
    """One bot for many cases of a module, each on a candle of its own: starting one costs as much as half a
    case. It is built anew for other options, after a case that failed, and after `MOST_CASES`."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories
        self._name = ""
        self._cases = 0
        self._rig: Rig | None = None

    def case(self, name: str, options: Callable[[Path], dict[str, Any]]) -> Rig:
        """The bot called `name` at the start of a case. Only one lives at a time, and no other bot
        may have been started meanwhile."""
        is_fit = self._name == name and Rig.latest is self._rig and self._cases < MOST_CASES
        if self._rig is None or not is_fit:
            self.drop()
            self._name, self._cases = name, 0
            directory = self._directories.mktemp(name)
            made = {"symbols": TWO, **options(directory)}
            made["pairbot"] = {**made.get("pairbot", {}), **ENGINE_ALONE}
            (directory / "user_data").mkdir()
            clock = VirtualTime(START)
            with clock.running():
                self._rig = Rig(directory, clock, **made)
        self._cases += 1
        return self._rig

    def drop(self) -> None:
        """The next case gets a new one."""
        if self._rig is not None:
            with self._rig.clock.running():
                self._rig.kill()
        self._rig = None


@pytest.fixture(scope="module")
def _keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Keeper]:
    keeper = _Keeper(tmp_path_factory)
    yield keeper
    keeper.drop()


def _case(
    keeper: _Keeper, request: pytest.FixtureRequest, name: str, options: Callable[[Path], dict[str, Any]]
) -> Iterator[Rig]:
    made = keeper.case(name, options)
    with made.clock.running():
        made.set_mark()
        yield made
        made.gateway.faults.clear()
        made.gateway.stream_faults.clear()
        made.script.reset()
        # What a case did to its pair is none of the next one's business.
        made.desk.registry._pairs.clear()
        made.told.clear()
        made.market.prices.update({name: Decimal(PRICES[name]) for name in made.symbols})
        made.next_candle()
        is_resting = made.venue.engine.open_orders or made.venue.conditional.open_orders()
        is_left = made.positions() or made.trades() or is_resting
        is_clean = FAILED not in request.node.stash and not is_left
    if not is_clean:
        keeper.drop()


@pytest.fixture
def shared(_keeper: _Keeper, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A bot with dry_run false that this module's cases share."""
    yield from _case(_keeper, request, "live", lambda _: {"dry_run": False})


@pytest.fixture
def shared_heard(_keeper: _Keeper, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The same with streams on."""
    options = {"dry_run": False, "pairbot": {"streams": True}}
    yield from _case(_keeper, request, "heard", lambda _: options)


@pytest.fixture
def shared_dry(_keeper: _Keeper, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The same with dry_run true."""
    yield from _case(_keeper, request, "dry", lambda _: {"dry_run": True})


@pytest.fixture
def shared_mode(_keeper: _Keeper, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Parametrize it indirectly with "live" or "dry"."""
    yield from _case(_keeper, request, request.param, lambda _: {"dry_run": request.param == "dry"})


@pytest.fixture
def shared_arb(_keeper: _Keeper, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """PairsArb itself, dry_run false; its pair ADA-ALGO wants to be entered at the start of each case."""
    yield from _case(
        _keeper, request, "arb", lambda path: {"dry_run": False, **arb.options(path, arb.pair("ADA-ALGO"))}
    )


@pytest.fixture
def live(make_rig: Callable[..., Rig]) -> Any:
    """A bot with dry_run false."""
    return make_rig()


@pytest.fixture
def dry(make_rig: Callable[..., Rig]) -> Any:
    """A bot with dry_run true."""
    return make_rig(dry_run=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; skipped where none is installed."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trades.sqlite'}"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def stage_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageHand]:
    """Real processes; one exchange per test process, started when the first case asks for it."""
    hand = StageHand(lambda: tmp_path_factory.mktemp("stage"))
    try:
        yield hand
    finally:
        hand.stop()


@pytest.fixture
def stage(stage_hand: StageHand) -> Iterator[Stage]:
    """A running bot without positions, faults or signals, shared with other cases."""
    with stage_hand.ready() as ready:
        yield ready
