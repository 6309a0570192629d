"""One replay from its inputs to its result: the bot in virtual time, the backtest beside it."""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from freqtrade.exceptions import FreqtradeException

from pairbot_ext.journal.tables import EventRow
from pairbot_ext.rehearse.books import ZERO, second_opinion
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.replay.compare import Comparison, compare
from pairbot_ext.rehearse.replay.inputs import Inputs, when_text
from pairbot_ext.rehearse.replay.ledger import Ledger, read_ledger
from pairbot_ext.rehearse.replay.machine import (
    LOOP_AFTER_MS,
    ReplayMachine,
    StoppedError,
    venue_market,
)
from pairbot_ext.rehearse.replay.missed import Missed
from pairbot_ext.rehearse.replay.offline import Backtest
from pairbot_ext.rehearse.replay.state import Kept, put_away, read_state, take_out
from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.support.errors import PairbotError

Progress = Callable[[int, int], None]


@dataclass
class Counted:
    """What is counted over all stretches."""

    weight: Counter[int] = field(default_factory=Counter)
    mishaps: Counter[str] = field(default_factory=Counter)
    loops: int = 0

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Counted:
        """As a state has it."""
        weight = Counter({int(minute): int(used) for minute, used in kept["weight"].items()})
        return cls(weight, Counter(kept["mishaps"]), int(kept["loops"]))

    def plus(self, machine: ReplayMachine) -> Counted:
        """With this stretch."""
        return Counted(
            self.weight + machine.weight, self.mishaps + machine.mishaps, self.loops + machine.loops
        )

    def to_json(self) -> dict[str, Any]:
        """For a state."""
        return {"weight": dict(self.weight), "mishaps": dict(self.mishaps), "loops": self.loops}


@dataclass(frozen=True)
class Replayed:
    """What came of it. Times are epoch ms.

    :param begin_ms: where the first stretch began. :param reached_ms: the last candle done.
    :param stopped: why it ended before the time range did; "" where it did not.
    :param refused: entries the bot's checks refused, by code.
    :param doubts: what a second account of the same trades says against the venue's.
    :param wall_secs, candles: of this stretch.
    """

    inputs: Inputs
    terms: Terms
    begin_ms: int
    reached_ms: int
    ledger: Ledger
    comparison: Comparison | None
    counted: Counted
    refused: Counter[str]
    weight_limit: int
    doubts: list[str]
    stopped: str
    is_interrupted: bool
    wall_secs: float
    candles: int


def replay(
    inputs: Inputs,
    terms: Terms,
    *,
    state: Path | None = None,
    with_backtest: bool = True,
    progress: Progress = lambda _done, _wanted: None,
) -> Replayed:
    """Play the candles. Ctrl+C ends it after the running one, with what is done so far.

    :raises PairbotError: the bot refuses to start, or the state is of something else.
    """
    kept = read_state(state, inputs, terms) if state is not None else None
    begin_ms = inputs.begin_ms if kept is None else kept.begin_ms
    with tempfile.TemporaryDirectory(prefix="pairbot-replay-") as folder:
        backtest = (
            Backtest(inputs, Path(folder) / "backtest", begin_ms=begin_ms, end_ms=inputs.end_ms)
            if with_backtest
            else None
        )
        try:
            played = _play(inputs, terms, Path(folder) / "bot", kept, state, progress)
            if backtest is None:
                return played[0]
            if played[0].reached_ms != inputs.end_ms:
                # What is done so far is compared with as much of a backtest.
                backtest.close()
                backtest = Backtest(
                    inputs, Path(folder) / "shorter", begin_ms=begin_ms, end_ms=played[0].reached_ms
                )
            return _beside(played[0], played[1], backtest)
        finally:
            if backtest is not None:
                backtest.close()


def _play(
    inputs: Inputs,
    terms: Terms,
    directory: Path,
    kept: Kept | None,
    state: Path | None,
    progress: Progress,
) -> tuple[Replayed, Missed]:
    (directory / "user_data").mkdir(parents=True)
    market = venue_market(inputs, terms)
    from_ms, now_ms = (
        (inputs.begin_ms, inputs.begin_ms + LOOP_AFTER_MS) if kept is None else (kept.reached_ms, kept.now_ms)
    )
    clock = VirtualTime(datetime.fromtimestamp(now_ms / 1000, UTC))
    begun, stopped = time.monotonic(), ""
    wanted = (inputs.end_ms - from_ms) // inputs.candle_ms
    reached = [from_ms]
    with _quiet(), _interruptible() as interrupt, clock.running():
        venue = None if kept is None else take_out(kept, market, clock, directory)
        machine = ReplayMachine(directory, clock, inputs, terms, market, venue)

        def after(opened_ms: int) -> bool:
            reached[0] = opened_ms
            progress((opened_ms - from_ms) // inputs.candle_ms, wanted)
            return not interrupt.is_set()

        _start(machine)
        try:
            machine.run(from_ms, inputs.end_ms, after)
        except StoppedError as error:
            stopped = f"{error} ({when_text(clock.now_ms())})"
        begin_ms = inputs.begin_ms if kept is None else kept.begin_ms
        counted = (Counted() if kept is None else Counted.of(kept.counted)).plus(machine)
        ledger = read_ledger(machine, reached[0])
        missed = Missed(machine.rows(EventRow), ledger.trades, inputs.candle_ms)
        machine.kill()
        if state is not None and not stopped:
            put_away(state, machine, begin_ms=begin_ms, reached_ms=reached[0], counted=counted.to_json())
        doubts = second_opinion(machine.venue, mark_slack=ZERO)
    return (
        Replayed(
            inputs, terms, begin_ms, reached[0], ledger, None, counted, missed.codes(),
            machine.gateway.limits.weight_limit, doubts, stopped,
            is_interrupted=interrupt.is_set(), wall_secs=time.monotonic() - begun,
            candles=(reached[0] - from_ms) // inputs.candle_ms,
        ),
        missed,
    )  # fmt: skip


def _start(machine: ReplayMachine) -> None:
    try:
        machine.start()
    except (FreqtradeException, PairbotError) as error:
        raise PairbotError(
            f"The bot does not start at {when_text(machine.clock.now_ms())}: {error}",
            remedy="`pairbot preflight` shows what else it would refuse",
        ) from error


def _beside(played: Replayed, missed: Missed, backtest: Backtest) -> Replayed:
    with _quiet():
        trades, profit = backtest.results()
    inputs = played.inputs
    comparison = compare(
        trades,
        played.ledger.trades,
        profits=(profit, played.ledger.change),
        elsewhere=played.ledger.elsewhere,
        candle_ms=inputs.candle_ms,
        open_price=inputs.open_price,
        end_ms=played.reached_ms,
        why_missed=missed.why,
    )
    return replace(played, comparison=comparison)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl+C is noted, a second one is raised."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        if event.is_set():
            signal.default_int_handler(number, frame)
        event.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Freqtrade's log of months is nobody's reading; what matters of it is in the result."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
