"""One bot plays one scenario: the user's configuration and pair, a market, and everything that goes wrong."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from pairbot_ext.host.person import give, is_active
from pairbot_ext.model.commands import Command
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, PairState
from pairbot_ext.pairs import Pair, write_pairs_file
from pairbot_ext.rehearse import schedule as plan
from pairbot_ext.rehearse.caught import caught
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.course import Course, GoneError, Killed
from pairbot_ext.rehearse.machine import Machine
from pairbot_ext.rehearse.market import RehearsalMarket
from pairbot_ext.rehearse.observer import Observer
from pairbot_ext.rehearse.setup import (
    DATABASE,
    LEFT_OUT,
    START,
    Setup,
    bot_configuration,
    chosen,
    write_pairs,
)
from pairbot_ext.rehearse.trouble import Spoiling, impatient_sqlite, rewrite_pairs
from pairbot_ext.rehearse.verdict import books_disagree
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.venue.actions import Transfer
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)

ROUND_TRIP_MS = 40
RESTART_SECS = 10.0
MOST_SECS = {"entry": 900.0, "held": 300.0, "exit": 900.0}
"""A phase goes on for so long at most, beside what is timed in it."""
MOST_STARTS, PERSON_COMES = 60, 30
CALM_SECS = 900.0
"""After the last thing that goes wrong a pair has so long to come to rest."""
STILL_LOOPS = 3
"""A phase is over when it has been so for so many loops: nothing is expected to move any more."""
_DEPTH_USDT = 20_000.0


class Stage(Machine):
    """See the module. One scenario each; under `VirtualTime`.

    :param pair: of the setup, which the scenario is about.
    :param sign: 1 where its spread stands above its mean, -1 below.
    :param depth_usdt: at the best price of every book, quote.
    """

    def __init__(
        self, directory: Path, clock: VirtualTime, setup: Setup, pair: Pair, scenario: plan.Scenario, *,
        seed: int, depth_usdt: float = _DEPTH_USDT,
    ) -> None:  # fmt: skip
        self.setup, self.pair, self.scenario = setup, pair, scenario
        self.seed = seed
        self.sign = 1 if seed % 2 else -1
        traded = chosen(setup, pair)
        self.legs = setup.legs(pair)
        self.all_legs = [setup.legs(each) for each in traded]
        # The pair the scenario is about stands out; its neighbour, too: two signals at once.
        market = RehearsalMarket(
            self.all_legs,
            setup.prices,
            timeframe=setup.timeframe,
            start_ms=int(START.timestamp() * 1000),
            seed=seed,
            signs={each.pair_id: self.sign for each in self.all_legs},
            shape=BookShape(top_notional=depth_usdt),
        )
        options = VenueOptions(deposit=Decimal(str(round(setup.wallet, 8))))
        super().__init__(directory, clock, market, options=options, round_trip_ms=ROUND_TRIP_MS)
        self.pairs_path = directory / "pairs.json"
        (directory / "user_data").mkdir(parents=True, exist_ok=True)
        self.document = write_pairs(setup, traded, self.pairs_path)
        self.observer = Observer(self.venue, self.all_legs, clock.now_ms)
        self.began_ms = clock.now_ms()
        self.failures: list[str] = []
        self.refusal = ""
        self.kills = self.crashes = 0
        self.transport.watcher = self
        self._course = Course(scenario.steps)
        self._spoiling = Spoiling(directory / DATABASE)
        self._said: list[tuple[Command, str | None]] = []
        self.is_dead = self.is_over = self._is_down = False
        self._phase, self._phase_ms = "start", self.began_ms
        self._grave: Path | None = None

    # -- the bot -----------------------------------------------------------------------------------

    def raw_configuration(self) -> dict[str, Any]:
        raw = bot_configuration(self.setup, self.directory, self.pairs_path, self.document.pairs)
        if self.scenario.streams:
            raw["pairbot"] = {**raw["pairbot"], "streams": True}
        return raw

    def configuration(self) -> dict[str, Any]:
        with self._spoiling.lifted():
            config = super().configuration()
        # Whatever an environment variable says, nobody is told of a rehearsal.
        for name in LEFT_OUT:
            config.pop(name, None)
        return config

    # -- the course of a pair trade ----------------------------------------------------------------

    def play(self) -> None:
        """The whole scenario, from a bot that starts to a pair at rest."""
        with impatient_sqlite(), caught(self.failures):
            self._play()

    def _play(self) -> None:
        self._phase = "before"
        self._due()
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 - a bot that refuses to start is an outcome
            self.refusal = _short(error)
            return
        self.set_mark()
        self.observer.look()
        try:
            self._run("entry", self._is_settled)
            self._run("held", self._has_noticed)
            self._hold()
            self._come_back()
            self._run("exit", self._is_over)
            self._calm()
        except GoneError:
            logger.info("The rehearsal ends without its bot")
        finally:
            self.is_over = True
            self._course.end()
            self.observer.look()

    def _begin(self) -> None:
        try:
            self.start()
        except Killed:
            self._revive()

    def end(self) -> None:
        """Leave nothing behind in this process."""
        with suppress(Exception):
            self.kill()

    def _run(self, phase: str, is_done: Callable[[], bool]) -> None:
        self._phase, self._phase_ms = phase, self.clock.now_ms()
        longest_secs = MOST_SECS[phase] + self._course.last_timed_secs(phase)
        still = 0
        while self._elapsed() < longest_secs:
            try:
                self._due()
            except Killed:
                self._revive()
            self._one_loop()
            still = still + 1 if is_done() and not self._course.is_pending(phase) else 0
            if still >= STILL_LOOPS:
                return

    def _hold(self) -> None:
        for _ in range(self.scenario.held_hours):
            self.next_candle()
            self._one_loop()
            self._one_loop()

    def _come_back(self) -> None:
        """The spread closes; the bot sees so on the next closed candle."""
        for legs in self.all_legs:
            self.market.put_z(legs.pair_id, 0.0, self.clock.now_ms())
        candle_ms = self.market.candle_ms
        self.clock.advance(candle_ms - self.clock.now_ms() % candle_ms + 5_000)

    def _calm(self) -> None:
        """Nothing goes wrong any more: what is left must come to rest."""
        self._course.end()
        self.gateway.faults.clear()
        self.gateway.stream_faults.clear()
        self._phase, self._phase_ms = "calm", self.clock.now_ms()
        for _ in range(2):
            self._one_loop()
        while self._elapsed() < CALM_SECS and not self._is_at_rest():
            self._one_loop()

    def _elapsed(self) -> float:
        return (self.clock.now_ms() - self._phase_ms) / 1000

    def _one_loop(self) -> None:
        try:
            self._hear_people_out()
            if is_active(self.bot):
                self.work(pause_secs=self.setup.pause_secs)
            else:
                self.pause_for(self.setup.pause_secs)
                self.bot.process_stopped()
        except Killed:
            self._revive()
        except Exception as error:  # noqa: BLE001 - whatever it is, Freqtrade's process ends with it
            self._crashed(error)
        self.observer.look()

    def _hear_people_out(self) -> None:
        """What people have said since: a command waits for the loop's lock."""
        while self._said:
            give(self.bot, *self._said.pop(0), self.start)

    # -- when a phase is over ----------------------------------------------------------------------

    def _open_states(self) -> list[PairState]:
        return [trade.state for trade in self.desk.journal.open_pair_trades()]

    def _is_settled(self) -> bool:
        return all(state is PairState.HEDGED for state in self._open_states())

    def _has_noticed(self) -> bool:
        """Whether the bot knows what the venue holds: an hour is not jumped over before it does."""
        return self._is_settled() and not any(books_disagree(self, {}))

    def _is_over(self) -> bool:
        return not self._open_states() and not self.positions()

    def _is_at_rest(self) -> bool:
        return all(state in (PairState.HEDGED, PairState.NEEDS_OPERATOR) for state in self._open_states())

    # -- what goes wrong ---------------------------------------------------------------------------

    def _due(self) -> None:
        """Play what is timed and due, and end what has lasted long enough."""
        self._course.end_what_is_over(self.clock.now_ms())
        for effect in self._course.due(self._phase, self._elapsed()):
            self._apply(effect)

    def before(self, request: Request) -> None:
        """See sim.inprocess.Watcher."""
        self._due()
        self._met(request, "before")

    def after(self, request: Request) -> None:
        """See sim.inprocess.Watcher."""
        self.observer.look()
        self._met(request, "after")

    def _met(self, request: Request, moment: str) -> None:
        if self.is_dead:
            raise Killed
        order = ClientOrderId.parse(request.client_id) if request.client_id else None
        if order is None:
            return
        for effect in self._course.met(order, moment):
            self._apply(effect)

    def _symbol(self, leg: Leg) -> str:
        return self.legs.leg_a if leg is Leg.A else self.legs.leg_b

    def _apply(self, effect: plan.Effect) -> None:
        now_ms = self.clock.now_ms()
        match effect:
            case plan.Fault():
                self.fault_for(effect)
            case plan.StreamFault():
                self.gateway.stream_faults.add(effect.rule)
            case plan.Act():
                action = effect.action
                if effect.leg is not None:
                    action = action.model_copy(update={"symbol": self._symbol(effect.leg)})
                self.act(action)
            case plan.Move():
                self.market.move(self._symbol(effect.leg), effect.percent, now_ms)
            case plan.Spread():
                z = self.legs.stop_z * 1.1 if effect.z == "stop" else effect.z
                self.market.put_z(self.pair.id, self.sign * z, now_ms)
            case plan.Book():
                self.market.shapes[self._symbol(effect.leg)] = BookShape(
                    top_notional=effect.depth_usdt, growth=1.0
                )
            case plan.Funding():
                # Whoever holds the pair pays on the leg that is bigger.
                self.market.funding_rate = Decimal(str(effect.percent)) / 100
            case plan.Money():
                self._pay(float(self.venue.account.wallet) * effect.share)
            case plan.Person():
                symbol = self.pair.leg_a if effect.leg is Leg.A else self.pair.leg_b
                self._said.append((effect.command, symbol))
                if effect.lasts_secs is not None:
                    self._until(effect.lasts_secs, lambda: self._said.append((Command.START, None)))
            case plan.Kill():
                if self._phase != "before":
                    self.die()
            case plan.Database():
                self._spoiling.begin(effect.how)
                self._until(effect.lasts_secs, partial(self._spoiling.end, effect.how))
            case plan.PairsFile():
                with self._spoiling.lifted():
                    rewrite_pairs(self.pairs_path, self.document, effect.how)
            case plan.SecondBot() if not self._is_down:
                self._start_another()
        self.exchange.tick()
        self.observer.look()

    def fault_for(self, effect: plan.Fault) -> None:
        """Install a rule about requests, and its end."""
        rule = effect.rule.model_copy()  # a step may happen again before this ends
        self.gateway.faults.add(rule)
        if effect.lasts_secs is not None:
            self._until(effect.lasts_secs, lambda: self.gateway.faults.remove(rule))

    def _until(self, secs: float, undo: Callable[[], None]) -> None:
        self._course.until(self.clock.now_ms() + round(secs * 1000), undo)

    def _start_another(self) -> None:
        first = self.bot
        try:
            self.transport.watcher = None
            self.start()
        except (PairbotError, Exception) as error:  # noqa: BLE001 - that it is refused is what is shown
            self.hear(f"The second bot was not started: {_short(error)}")
        else:
            self.failures.append("a second bot was started on the same database")
        finally:
            self.transport.watcher = self
            self.bot = first

    # -- death -------------------------------------------------------------------------------------

    def die(self) -> None:
        """What is on the disk now is what the next process finds: whatever still runs here is lost."""
        self.kills += 1
        self._grave = self.directory.with_name(f"{self.directory.name}-grave")
        shutil.rmtree(self._grave, ignore_errors=True)
        with self._spoiling.lifted():
            shutil.copytree(self.directory, self._grave)
        self.is_dead = True
        raise Killed

    def _revive(self) -> None:
        self.kill()
        assert self._grave is not None
        shutil.rmtree(self.directory)
        self._grave.rename(self.directory)
        self.is_dead = False
        self.observer.look()
        self._start_again()

    def _start_again(self) -> None:
        """As a supervisor does, every ten seconds. Meanwhile nothing keeps others from starting."""
        self._is_down = True
        for number in range(MOST_STARTS):
            self.clock.sleep(RESTART_SECS)
            if number >= PERSON_COMES and not self.positions():
                self._mend()
            try:
                self._due()
                self.start()
            except Killed:
                self._revive()
            except Exception as error:  # noqa: BLE001 - tried again, and told where it never works
                reason = _short(error)
                self.end()
                continue
            self._is_down = False
            return
        self.failures.append(f"the bot could not be started again: {reason}")
        raise GoneError

    def _mend(self) -> None:
        """What a person does when a start is refused: a broken pairs file and too little money are, where
        nothing is open. Where something is, neither may be."""
        write_pairs_file(self.pairs_path, self.document)
        if self.observer.paid_in < 0:
            self._pay(-self.observer.paid_in)

    def _pay(self, amount: float) -> None:
        self.act(Transfer(amount=Decimal(str(round(amount, 2)))))
        self.observer.paid_in += round(amount, 2)

    def _crashed(self, error: Exception) -> None:
        """Freqtrade's main loop knows only its own exceptions: with any other the process ends."""
        self.crashes += 1
        self.hear(f"Freqtrade has ended: {_short(error)}")
        self.end()
        self._start_again()


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
