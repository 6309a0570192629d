"""The protocols under everything at once: lost, late, refused and repeated answers, crashes, silence, hands.

Hypothesis drives the real journal, guard, coordinator, reconciler, checks and gates, without Freqtrade,
against a model venue (model_venue.py) whose truth the machine owns. After every step and at rest it holds
I1 (intent first), I2, I3 (only the venue settles), I4 (a second pass does nothing), I5 (exits always go),
I6 (bounded), I7 (one pair per symbol), I8 (reduce-only), I9 (venue = Freqtrade = journal), I12 (gates fail
closed). I11 is the decision table's; I10 belongs to the signals.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from model_gates import PAIRS, STAKE, Gates, freqtrade_calls, plan_of
from model_venue import STEPS, Answer, Crash, Fate, ModelBot, ModelBridge, ModelClock, ModelVenue
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from pairbot_ext.entry.both_legs import BothLegs
from pairbot_ext.journal.intentfile import IntentFile
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal, JournalUnavailableError
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Goal, OrderStatus, PairState, Role
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.pairtrade.decide import CAPPED_ENTRIES_OF_B
from pairbot_ext.pairtrade.facts import Knowledge
from pairbot_ext.pairtrade.missing import MissingAmounts
from pairbot_ext.pairtrade.native import NativeOrders
from pairbot_ext.pairtrade.performer import Performer
from pairbot_ext.pairtrade.prices import Prices
from pairbot_ext.pairtrade.retries import MAX_REDUCES
from pairbot_ext.pairtrade.situation import is_hedged
from pairbot_ext.recovery.reconciler import Reconciler

T0 = 1_769_994_000_000
CLEAR = [Fate()] * 4
FATES = st.builds(
    Fate,
    st.sampled_from([*[Answer.CLEAR] * 6, *Answer]),
    st.sampled_from(["1", "1", "1", "0.6", "0.05", "0"]),
    st.sampled_from([-2019, -1008, -2020]),
)
LISTS_OF_FATES = st.lists(FATES, max_size=6)
MOSTLY = st.sampled_from([True, True, True, False])
IS_CHAOS = bool(os.environ.get("PAIRBOT_CHAOS"))


class Protocol(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ModelClock(T0)
        self.venue = ModelVenue(self.clock)
        self.venue.before_send = self.check_before_send
        self.bot = ModelBot(self.venue)
        self.bot.on_fill = self.filled
        self.folder = tempfile.TemporaryDirectory()
        self.database = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        self.is_locked = False
        event.listen(self.database, "before_cursor_execute", self._refuse_writes)
        self.rng = np.random.default_rng(7)
        self.exits: set[str] = set()
        self.foreign: dict[str, Decimal] = {}
        self.delivery = "once"
        self.late_fills: list[tuple[str, str]] = []
        self.boot()

    def _refuse_writes(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self.is_locked and not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            raise OperationalError(statement, None, Exception("database is locked"))

    def boot(self) -> None:
        """A new process on the same database, venue and Freqtrade, wired as `TradeDesk` does it."""
        bridge: Any = ModelBridge(self.venue)
        broker: Any = self.bot
        self.journal = Journal(self.database, self.clock, IntentFile(Path(self.folder.name) / "intents.dat"))
        self.journal.open()
        intents = Intents(self.journal, self.clock, self.rng)
        self.known = Knowledge(bridge, broker, self.journal, self.clock, intents)
        prices = Prices(bridge, broker, self.clock)
        self.native = NativeOrders(self.journal, self.known, intents, prices, is_dry_run=False)
        self.guard = OrderGuard(self.journal, self.venue, self.clock, self.native.take_over_exit)
        self.coordinator = Coordinator(
            bridge, broker, self.journal, self.clock, self.guard, self.known,
            Performer(broker, self.journal, self.known, intents, prices, self.guard, self.clock),
            MissingAmounts(broker, self.journal, self.known, self.clock),
            lambda before, after: None,
        )  # fmt: skip
        self.reconciler = Reconciler(self.journal, broker, self.coordinator, self.clock, bridge.deferred)
        self.preflight = BothLegs(bridge, broker, self.journal, leverage=1)
        self.gates = Gates(self)
        self.bot.guard = self.guard

    # -- what happens ------------------------------------------------------------------------------

    def surviving(self, fates: list[Fate], work: Callable[[], object]) -> None:
        """Do it with these fates for the orders it sends; a crash is followed by a restart."""
        self.venue.fates = list(fates)
        try:
            work()
        except Crash:
            self.venue.fates = []
            self.restart()
        except (ccxt.BaseError, JournalUnavailableError):
            pass  # Freqtrade or a person is told
        self.venue.fates = []

    def filled(self, symbol: str, order_id: str) -> None:
        """Freqtrade's order_filled: lost, delayed or repeated as it pleases."""
        if self.delivery == "late":
            self.late_fills.append((symbol, order_id))
        for _ in range({"once": 1, "twice": 2}.get(self.delivery, 0)):
            self.deliver(symbol, order_id)

    def deliver(self, symbol: str, order_id: str) -> None:
        """As TradeDesk.on_order_filled."""
        known = self.journal.order_by_venue_id(symbol, order_id)
        owner = self.journal.owner_of(symbol)
        pair_trade_id = known.pair_trade_id if known else owner.id if owner else None
        if pair_trade_id is not None:
            self.coordinator.advance(pair_trade_id)

    def loop(self) -> None:
        """One loop of the bot: reconcile, then the exits the model wants."""
        self.guard.disarm()
        self.gates.refused_symbols.clear()
        self.journal.recover()
        self.reconciler.run()
        for trade in self.journal.open_pair_trades():
            if trade.plan.pair_id in self.exits and trade.was_hedged and trade.goal is Goal.OPEN:
                self.coordinator.advance(trade.id, exit_reason="pair_reverted")

    def calm(self) -> None:
        """Nothing is in the way any more."""
        self.venue.can_query, self.is_locked, self.bot.running = True, False, True
        self.bot.locked.clear()

    @initialize(fates=LISTS_OF_FATES)
    def begin(self, fates: list[Fate]) -> None:
        self.enter("A-B", fates, None, calmly=True)
        assert self.venue.sent, "with nothing in the way leg A is sent: else this machine proves nothing"

    @rule(pair_id=st.sampled_from(list(PAIRS)), fates=LISTS_OF_FATES, calmly=MOSTLY,
          broken=st.sampled_from([None, None, None, "stake", "confirm"]))  # fmt: skip
    def enter(self, pair_id: str, fates: list[Fate], broken: str | None, calmly: bool) -> None:
        """A signal: Freqtrade asks the gates, then sends leg A."""
        plan = plan_of(pair_id)
        self.exits.discard(pair_id)
        if calmly:
            self.calm()
            self.journal.recover()
        sent = len(self.venue.sent)
        stake = freqtrade_calls(self.gates.custom_stake_amount, STAKE, plan.leg_a, plan, broken)
        if not stake:
            return
        is_let_in = freqtrade_calls(self.gates.confirm_trade_entry, True, plan.leg_a, plan, broken)
        assert not (broken and is_let_in), "I12: a gate that raised has let the entry through"
        assert len(self.venue.sent) == sent
        if not is_let_in:
            return

        def execute_entry() -> None:
            order = self.guard.armed(plan.leg_a)
            assert order is not None
            trade = self.journal.pair_trade(order.pair_trade_id)
            assert trade is not None
            with suppress(ccxt.BaseError):  # Freqtrade logs it and goes on
                self.bot.enter(order, trade)
            self.coordinator.native_entry_done(plan.leg_a)

        self.surviving(fates, execute_entry)

    @rule(fates=LISTS_OF_FATES, calmly=MOSTLY)
    def wake(self, fates: list[Fate], calmly: bool) -> None:
        if calmly:
            self.calm()
        self.surviving(fates, self.loop)

    @rule(fates=LISTS_OF_FATES)
    def fill_again(self, fates: list[Fate]) -> None:
        """order_filled comes late, or once more for an order of long ago (I4)."""
        again = self.late_fills or [(o.symbol, o.order_id) for o in self.venue.orders.values()][-2:]
        self.late_fills = []
        self.surviving(fates, lambda: [self.deliver(*each) for each in again])

    @rule(delivery=st.sampled_from(["once", "once", "twice", "lost", "late"]))
    def deliver_fills(self, delivery: str) -> None:
        self.delivery = delivery

    @rule(pair_id=st.sampled_from(list(PAIRS)))
    def want_out(self, pair_id: str) -> None:
        self.exits.add(pair_id)

    @rule(symbol=st.sampled_from(list(STEPS)), fates=LISTS_OF_FATES)
    def force_exit(self, symbol: str, fates: list[Fate]) -> None:
        self.surviving(fates, lambda: self.bot.force_exit(symbol))

    @rule(secs=st.integers(min_value=0, max_value=90))
    def wait(self, secs: int) -> None:
        self.clock.sleep(secs)

    @rule(nuisance=st.sampled_from(["cut off", "database locked", "paused"]))
    def disturb(self, nuisance: str) -> None:
        """Until somebody calms it."""
        self.venue.can_query = self.venue.can_query and nuisance != "cut off"
        self.is_locked = self.is_locked or nuisance == "database locked"
        self.bot.running = self.bot.running and nuisance != "paused"

    @rule()
    def restart(self) -> None:
        """kill -9 between two steps, then a start; a start needs the database."""
        self.journal.release()
        self.is_locked = False
        self.boot()
        self.reconciler.request()
        self.surviving([], self.loop)

    @rule(symbol=st.sampled_from(list(STEPS)), share=st.sampled_from(["0.5", "1"]))
    def hand_reduces(self, symbol: str, share: str) -> None:
        """Somebody closes a leg, or half of it, at the website."""
        held = self.venue.held(symbol)
        step = STEPS[symbol]
        amount = abs(held) * Decimal(share) // step * step
        if amount and self.journal.owner_of(symbol):
            self.venue.by_hand(symbol, -amount if held > 0 else amount)

    @rule(symbol=st.sampled_from(list(STEPS)))
    def hand_trades(self, symbol: str) -> None:
        """Somebody opens, or closes, a position of his own where no pair is."""
        if self.journal.owner_of(symbol) is None and not self.is_in_flight():
            size = -self.foreign.pop(symbol, Decimal(0)) or Decimal(7)
            self.venue.by_hand(symbol, size)
            if size > 0:
                self.foreign[symbol] = size

    def is_in_flight(self) -> bool:
        """Whether an order is still on its way."""
        return any(order.due_ms for order in self.venue.orders.values())

    @rule(pair_id=st.sampled_from(list(PAIRS)), locked=st.booleans())
    def exit_under_fire(self, pair_id: str, locked: bool) -> None:
        """I5: paused, every symbol locked, the venue unreadable, the database perhaps not writable: a whole
        pair is closed in one pass all the same."""
        trade = next((t for t in self.whole_pairs() if t.plan.pair_id == pair_id), None)
        if trade is None:
            return
        before = (self.bot.running, self.venue.can_query, self.is_locked)
        self.bot.running, self.venue.can_query, self.is_locked = False, False, locked
        self.bot.locked |= set(trade.symbols)
        self.surviving(CLEAR, lambda: self.coordinator.advance(trade.id, exit_reason="pair_stop"))
        held = [self.venue.held(symbol) for symbol in trade.symbols]
        assert held == [0, 0], f"I5: {trade.id} was to be closed, {held} are left"
        self.bot.running, self.venue.can_query, self.is_locked = before

    @rule(pair_id=st.sampled_from(list(PAIRS)))
    def exit_behind_an_unknown_exit(self, pair_id: str) -> None:
        """I5: the exits are lost and the venue cannot be asked; within 2 s another reduce-only order goes."""
        trade = next((t for t in self.whole_pairs() if t.plan.pair_id == pair_id), None)
        if trade is None:
            return
        was_readable, self.venue.can_query = self.venue.can_query, False
        lost = [Fate(Answer.LOST_BEFORE)] * 2
        self.surviving(lost, lambda: self.coordinator.advance(trade.id, exit_reason="pair_stop"))
        self.clock.sleep(2.0)
        self.surviving(CLEAR, lambda: self.coordinator.advance(trade.id))
        held = [self.venue.held(symbol) for symbol in trade.symbols]
        assert held == [0, 0], f"I5: the exits of {trade.id} are lost, {held} are left 2 s later"
        self.venue.can_query = was_readable

    def whole_pairs(self) -> list[PairTrade]:
        """Hedged, nothing in doubt, and the venue holds just that."""
        whole = []
        for trade in self.journal.open_pair_trades():
            facts = self.coordinator.facts_of(trade)
            agrees = all(
                abs(self.venue.held(trade.plan.symbol(leg.leg))) == leg.held and not leg.unbooked
                for leg in facts.legs
            )
            is_calm = not any(leg.unsettled or leg.reduces for leg in facts.legs)
            if trade.state is PairState.HEDGED and trade.goal is Goal.OPEN and agrees and is_calm:
                whole.append(trade)
        return whole

    # -- what must hold ----------------------------------------------------------------------------

    def check_before_send(self, order: OrderRecord) -> None:
        """I1, I7 and I8 at the very moment an order leaves the process."""
        with self.database.connect() as connection:
            query = text("SELECT count(*) FROM pairbot_orders WHERE client_id = :id")
            is_stored = connection.execute(query, {"id": order.client_id}).scalar()
        if not (is_stored or self._is_in_file(order.client_id)):
            self.venue.complaints.append(f"I1: {order.client_id} has no durable intent")
        if order.reduce_only == order.role.increases:
            self.venue.complaints.append(f"I8: {order.client_id}, reduce-only {order.reduce_only}")
        trade = self.journal.pair_trade(order.pair_trade_id)
        if order.role is Role.ENTRY and order.leg is Leg.A and trade is not None:
            held = {symbol: self.venue.held(symbol) for symbol in trade.symbols}
            if any(held.values()):
                self.venue.complaints.append(f"I7: {order.client_id} is sent into {held}")

    def _is_in_file(self, client_id: str) -> bool:
        reader = IntentFile(Path(self.folder.name) / "intents.dat")
        handle = os.open(reader.path, os.O_RDONLY)
        try:
            reader._read(handle)
        finally:
            os.close(handle)
        return reader.has(client_id)

    @invariant()
    def one_pair_per_symbol(self) -> None:
        taken = [symbol for trade in self.journal.open_pair_trades() for symbol in trade.symbols]
        assert len(taken) == len(set(taken)), f"I7: {taken}"

    @invariant()
    def nothing_forbidden_was_sent(self) -> None:
        assert not self.venue.complaints, self.venue.complaints

    @invariant()
    def only_the_venue_settles(self) -> None:
        """I3: what the journal calls settled is what the venue did."""
        for order in self.journal._orders.values():
            if ClientOrderId.parse(order.client_id) is None:
                continue
            truth = self.venue.orders.get(order.client_id)
            if not order.status.is_settled:
                continue
            if order.status in (OrderStatus.VOID, OrderStatus.REJECTED):
                assert truth is None, f"I3: {order.client_id} is {order.status}, the venue has {truth}"
            else:
                assert truth is not None, f"I3: {order.client_id} is {order.status}, the venue has nothing"
                assert truth.filled == order.filled, f"I3: {order.client_id} {order.filled}, {truth}"

    @invariant()
    def entered_once_and_bounded(self) -> None:
        """One leg A per pair trade, a bounded chase of leg B, never more than planned; bounded exits (I6)."""
        counts: dict[tuple[str, Leg, bool], int] = {}
        entered: dict[tuple[str, Leg], Decimal] = {}
        for order in self.venue.sent:
            key = (order.pair_trade_id, order.leg, order.role.increases)
            counts[key] = counts.get(key, 0) + 1
            truth = self.venue.orders.get(order.client_id)
            if truth is not None and order.role.increases:
                entered[key[:2]] = entered.get(key[:2], Decimal(0)) + truth.filled
        for (pair_trade_id, leg, is_entry), count in counts.items():
            most = (1 if leg is Leg.A else CAPPED_ENTRIES_OF_B + 1) if is_entry else 3 * MAX_REDUCES
            assert count <= most, f"I6: {count} orders of leg {leg} of {pair_trade_id}, entries {is_entry}"
        for (pair_trade_id, leg), amount in entered.items():
            trade = self.journal.pair_trade(pair_trade_id)
            if trade is not None:
                sizing = trade.sizing[leg]
                assert amount <= sizing.amount + sizing.step, (
                    f"{amount} of leg {leg}, planned {sizing.amount}"
                )

    def teardown(self) -> None:
        """Whatever happened: left alone, every pair ends whole or flat, and a second pass does nothing."""
        try:
            self.calm()
            self.delivery = "once"
            for _ in range(8):
                self.clock.sleep(61)
                self.surviving([], self.loop)
            self.check_rest()
            before = self.everything()
            self.clock.sleep(61)
            self.loop()
            assert self.everything() == before, "I4: a second pass has done something"
            self.nothing_forbidden_was_sent()
            self.only_the_venue_settles()
            self.entered_once_and_bounded()
        finally:
            self.journal.release()
            self.folder.cleanup()

    def check_rest(self) -> None:
        """I2 and I9."""
        expected = dict(self.foreign)
        for trade in self.journal.open_pair_trades():
            facts = self.coordinator.facts_of(trade)
            shown = f"{trade.id} {trade.state} {trade.reason}: A {facts.leg_a.held}, B {facts.leg_b.held}"
            assert trade.state is PairState.HEDGED, f"not at rest: {shown}"
            assert is_hedged(trade.plan.model.beta, *facts.legs), f"I2: {shown}"
            for leg in facts.legs:
                symbol = trade.plan.symbol(leg.leg)
                sign = 1 if trade.plan.side(leg.leg) == "long" else -1
                expected[symbol] = expected.get(symbol, Decimal(0)) + sign * leg.held
        assert self.venue.positions() == expected, f"I9: venue {self.venue.positions()}, journal {expected}"
        trades = {t.symbol: -t.amount if t.is_short else t.amount for t in self.bot.trades if t.amount}
        ours = {symbol: amount for symbol, amount in expected.items() if symbol not in self.foreign}
        assert trades == ours, f"I9: Freqtrade {trades}, journal {ours}"

    def everything(self) -> Any:
        """All that a pass could change."""
        with self.database.connect() as connection:
            events = connection.execute(text("SELECT count(*) FROM pairbot_events")).scalar()
        orders = {key: replace(order) for key, order in self.journal._orders.items()}
        return events, orders, dict(self.journal._trades), len(self.venue.sent), len(self.bot.told)


Protocol.TestCase.settings = settings(
    max_examples=1_000 if IS_CHAOS else 40,
    stateful_step_count=30,
    deadline=None,
    derandomize=not IS_CHAOS,
    print_blob=True,
    # A mutant has to be noticed, not explained: no shrinking there.
    phases=(Phase.generate,) if os.environ.get("PAIRBOT_MUTANT") else tuple(Phase),
    suppress_health_check=list(HealthCheck),
)
TestProtocol = Protocol.TestCase
