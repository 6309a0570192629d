"""The gate of entries: leg A of a signal gets a stake only if both legs may be opened, in that very size.

What `stake` has checked `confirm` lets pass, and nothing else: no native entry of leg B, no forced entry of
a leg, no entry Freqtrade has resized. A refusal locks the pair until the next candle.
"""

import logging
from datetime import datetime, timedelta
from typing import Protocol

from pairbot_ext.entry.both_legs import BothLegs, Cleared, slippage_cap
from pairbot_ext.entry.pair_gate import PairGate
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import JournalUnavailableError
from pairbot_ext.model.entry_ask import EntryAsk, OrderAsk, StakeAsk
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import Sizing
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.sizing import Leg, stake_for
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.pairtrade.native import NativeOrders
from pairbot_ext.signals.port import Signals
from pairbot_ext.voice.watch import Watch

logger = logging.getLogger(__name__)


class RiskGate(Protocol):
    """What is asked of the risk desk."""

    def check_entry(self, plan: EntryPlan, now: datetime) -> None:
        """Raises RefusedError where a rule forbids this pair now."""
        ...

    def check_size(self, plan: EntryPlan, sizing: Sizing) -> None:
        """Raises RefusedError where a rule forbids this pair in this size."""
        ...


class EntryGate:
    """See the module. Methods may raise: the strategy's gates turn that into a refusal (I12).

    :param leverage: configured; the same for both legs.
    :param timeframe_secs: length of a candle.
    """

    def __init__(
        self,
        signals: Signals,
        broker: Broker,
        guard: OrderGuard,
        limiter: WeightLimiter,
        both_legs: BothLegs,
        native: NativeOrders,
        watch: Watch,
        risk: RiskGate,
        pairs: PairGate,
        *,
        leverage: int,
        timeframe_secs: int,
    ) -> None:
        self._signals = signals
        self._broker = broker
        self._guard = guard
        self._limiter = limiter
        self._both_legs = both_legs
        self._native = native
        self._watch = watch
        self._risk = risk
        self._pairs = pairs
        self._leverage = leverage
        self._timeframe_secs = timeframe_secs
        self._cleared: dict[str, tuple[EntryPlan, Cleared]] = {}
        self.refused_because: RefusedError | None = None
        """Set while this bot enters nothing: a start that only open pairs allowed, a pairs file too old."""
        self.is_waiting = False
        """For a short while nothing is entered, and no signal is lost by it."""

    def forget(self) -> None:
        """What was checked in an earlier loop is worth nothing now."""
        self._cleared.clear()

    def leverage(self, max_leverage: float) -> float:
        """The configured leverage; where the symbol allows less, the entry is refused in `stake`."""
        return float(min(self._leverage, int(max_leverage)))

    def price(self, ask: EntryAsk) -> float:
        """Limit of an entry: the price proposed, plus the slippage cap. Of planned orders: their own."""
        if self._guard.armed(ask.symbol) is not None:
            return ask.price
        plan = self._signals.entry_plan(ask.pair_id or "", ask.now)
        if plan is None:
            return ask.price
        reach = slippage_cap(plan)
        return ask.price * (1 + reach if ask.side == "long" else 1 - reach)

    def stake(self, ask: StakeAsk) -> float:
        """Stake of leg A, or 0 where the pair is refused; then it is locked until the next candle."""
        symbol, now = ask.symbol, ask.now
        if self._guard.armed(symbol) is not None:
            return ask.proposed_stake
        self._cleared.pop(symbol, None)
        plan = self._signals.entry_plan(ask.pair_id or "", now)
        if plan is None or plan.leg_a != symbol or plan.side(Leg.A) != ask.side:
            return 0.0
        if self.is_waiting:
            return 0.0
        self._watch.received(plan)
        try:
            if self.refused_because is not None:
                raise self.refused_because.with_traceback(None)
            self._risk.check_entry(plan, now)
            self._pairs.check(plan)
            self._check_fresh(plan)
            if ask.leverage != self._leverage:
                raise RefusedError(
                    "leverage",
                    f"{symbol} allows leverage {ask.leverage:g}, configured is {self._leverage}",
                )
            if not self._limiter.has_room_for_entries:
                raise RefusedError("weight", f"{self._limiter.used_text} are used")
            cleared = self._both_legs.clear(plan, ask.proposed_stake, now)
            self._risk.check_size(plan, cleared.sizing)
            self._pairs.rehearse(plan, cleared.sizing)
            sizing = cleared.sizing[Leg.A]
            stake = stake_for(sizing.amount, sizing.step, ask.price, ask.leverage)
            if not ask.min_stake <= stake <= ask.max_stake:
                raise RefusedError(
                    "size",
                    f"leg A needs a stake of {stake:.2f}, Freqtrade allows {ask.min_stake:.2f} to "
                    f"{ask.max_stake:.2f}",
                )
        except RefusedError as refused:
            self._refuse(plan, refused, now)
            return 0.0
        except Exception as error:
            # The strategy's gate refuses this entry; without the lock the next loop would ask again.
            self._refuse(plan, RefusedError("fault", f"{type(error).__name__}: {error}"), now)
            raise
        self._cleared[symbol] = (plan, cleared)
        return stake

    def confirm(self, ask: OrderAsk) -> bool:
        """The last gate: only leg A by signal, in the amount that was checked, and the engine's own orders.
        Stores the pair trade and the intent of its leg A."""
        if self._guard.armed(ask.symbol) is not None:
            return True
        plan, cleared = self._cleared.pop(ask.symbol, (None, None))
        if plan is None or cleared is None or plan.pair_id != ask.pair_id:
            logger.info(
                f"An entry of {ask.symbol} ({ask.pair_id}) is refused: no pair has been checked for it"
            )
            return False
        sizing = cleared.sizing[Leg.A]
        if abs(ask.amount - float(sizing.amount)) >= float(sizing.step):
            refused = RefusedError(
                "resized", f"Freqtrade would order {ask.amount}, checked were {sizing.amount}"
            )
            self._refuse(plan, refused, ask.now)
            return False
        try:
            order = self._native.plan_entry(plan, cleared.sizing, ask.price, ask.order_type, cleared.books)
        except JournalUnavailableError as error:
            self._refuse(plan, RefusedError("journal", str(error)), ask.now)
            return False
        self._watch.statistics.accepted += 1
        self._guard.arm(order.client_id)
        return True

    def _check_fresh(self, plan: EntryPlan) -> None:
        """No symbol is entered again on the candle it was closed on, as in a backtest: the signal is the one
        the close was decided on."""
        candle_start = plan.candle + timedelta(seconds=self._timeframe_secs)
        for symbol in (plan.leg_a, plan.leg_b):
            if self._broker.was_closed_since(symbol, candle_start):
                raise RefusedError("just_closed", f"{symbol} was closed on this candle")

    def _refuse(self, plan: EntryPlan, refused: RefusedError, now: datetime) -> None:
        self._watch.refused(plan, refused)
        # Freqtrade would ask again every loop, 12 weight each.
        self._broker.lock(plan.leg_a, now, f"pairbot: {refused.code}")
