"""Two legs in a backtest: neither opens unless both can.

Freqtrade's backtesting handles one symbol after the other within a candle, in an order that depends on the
whitelist and on what is open. Whichever leg comes first must therefore be sure that the other can follow on
this very candle; `BacktestDesk` asks everything that could stop it before the first leg opens, and reserves
the slot and the money until the second has come.

Each leg is sized from the pair's planned notional at its own price, not from the other leg's rounded
amount, so that the trades do not depend on which leg came first.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Protocol

from freqtrade.persistence import LocalTrade, Order, Trade

from pairbot_ext.backtest.funnel import Funnel
from pairbot_ext.backtest.shadow import ShadowPairs
from pairbot_ext.model.entry_ask import EntryAsk, OrderAsk, StakeAsk
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.registry import Coins, coins_of, leaves_armed
from pairbot_ext.model.sizing import (
    Leg,
    MarketLimits,
    leg_notional,
    nearest_amount,
    refusal,
    stake_for,
    stakes_at_most,
    within_means,
)
from pairbot_ext.model.spans import DataSpan
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.risk.rules import max_pairs_verdict, told
from pairbot_ext.settings import Settings
from pairbot_ext.signals.rules import PairRules

logger = logging.getLogger(__name__)

STAKE_RESERVE = 0.5
"""Freqtrade raises a stake silently to the venue's minimum plus reserves, which it caps at 50 %."""


class BacktestPort(Protocol):
    """What the desk asks of the strategy it serves."""

    def is_locked(self, symbol: str, candle: datetime, side: str) -> bool: ...
    def market_limits(self, symbol: str, stake: float) -> MarketLimits: ...
    def max_stake(self, symbol: str, price: float) -> float: ...
    def available_stake(self) -> float: ...
    def whitelist(self) -> list[str]: ...


@dataclass
class OpenPair:
    """A pair trade of which at least one leg was planned.

    :param stakes: at most this much of each leg, rounding to a step included, quote currency.
    :param amounts: of the legs that were asked for so far, base currency.
    """

    plan: EntryPlan
    pair_notional: float
    stakes: Mapping[Leg, float]
    amounts: dict[Leg, float]


class BacktestDesk:
    """Decides entries and exits of both legs for one backtest.

    :param spans: per symbol, which candles can be traded.
    :param max_open_trades: Freqtrade's slots; infinite allowed.
    :param fixed_stake: configured stake amount, or None when it is "unlimited".
    :param shadow: for analysis commands, which re-run one symbol alone: there the link to a mate that is not
        in the whitelist is relaxed, because the tool would take the missing leg for a look into the future,
        and the pair trades on paper say whether both symbols are free.
    """

    def __init__(
        self,
        port: BacktestPort,
        rules: PairRules,
        settings: Settings,
        spans: Callable[[], Mapping[str, DataSpan]],
        *,
        max_open_trades: float,
        fixed_stake: float | None,
        shadow: ShadowPairs | None = None,
    ) -> None:
        self._port = port
        self._rules = rules
        self._settings = settings
        self._timeframe = rules.timeframe
        self._spans = spans
        self._max_open_trades = max_open_trades
        self._fixed_stake = fixed_stake
        self._shadow = shadow
        self._open: dict[tuple[str, datetime], OpenPair] = {}
        self._this_candle: dict[tuple[str, datetime], OpenPair] = {}
        self._left_at: dict[Coins, datetime] = {}
        self._now: datetime | None = None
        self.funnel: Funnel | None = None

    def on_loop_start(self, now: datetime) -> None:
        """Start of a candle. A step back in time is a new run (hyperopt reuses the strategy)."""
        if self._now is not None and now < self._now:
            self._open.clear()
            self._left_at.clear()
        self._this_candle.clear()
        self._now = now
        if self._shadow is not None:
            self._shadow.advance(now)
        if self.funnel is not None:
            self.funnel.candle(now)

    def leverage(self, max_leverage: float) -> float:
        """The configured leverage; where the symbol allows less, the entry is refused in `stake`."""
        return float(min(self._settings.leverage, int(max_leverage)))

    def stake(self, ask: StakeAsk) -> float:
        """Stake of one leg, or 0 where the pair cannot be opened as a whole."""
        symbol, now = ask.symbol, ask.now
        # With a detail timeframe Freqtrade repeats the signal within the candle; by then the mate may have
        # had its turn, or a leg have closed: pairs are opened at the candle's open or not at all.
        if now != self._rules.candle_start(now):
            return 0.0
        plan = self._rules.entry_plan(ask.pair_id or "", now)
        if plan is None or symbol not in (plan.leg_a, plan.leg_b):
            return 0.0
        leg = plan.leg_of(symbol)
        if plan.side(leg) != ask.side or ask.leverage != self._settings.leverage:
            return 0.0
        key = (plan.pair_id, now)
        opened = self._open.get(key)
        if opened is None:
            planned = self._plan_pair(plan, ask)
            if isinstance(planned, str):
                logger.debug("%s at %s not opened: %s", plan.pair_id, now, planned)
                self._count(plan, now, planned)
                return 0.0
            opened = self._open[key] = self._this_candle[key] = planned
        elif self._open_trade(plan.symbol(leg.mate), key) is None:
            # The first leg was refused after its stake was set, or liquidated on this candle.
            return 0.0
        limits = self._port.market_limits(symbol, ask.proposed_stake)
        amount = nearest_amount(
            leg_notional(opened.pair_notional, plan.model.beta, leg), ask.price, limits.amount_step
        )
        stake = stake_for(amount, limits.amount_step, ask.price, ask.leverage)
        if not ask.min_stake <= stake <= ask.max_stake:
            self._count(plan, now, "the stake is below Freqtrade's minimum or above its maximum")
            return 0.0
        opened.amounts[leg] = float(amount)
        return stake

    def _count(self, plan: EntryPlan, now: datetime, why: str) -> None:
        if self.funnel is not None:
            self.funnel.refused(plan.pair_id, now, why)

    def entry_price(self, ask: EntryAsk) -> float:
        """The proposed price: backtesting fills at the limit and would charge a slippage cap each time."""
        return ask.price

    def confirm_entry(self, ask: OrderAsk) -> bool:
        """Whether Freqtrade is about to open the amount that was planned."""
        opened = self._open.get((ask.pair_id or "", ask.now))
        if opened is None:
            return False
        planned = opened.amounts.get(opened.plan.leg_of(ask.symbol), 0.0)
        is_planned = planned > 0 and abs(ask.amount - planned) <= 1e-9 * planned
        if is_planned and self.funnel is not None:
            self.funnel.opened(opened.plan.pair_id, ask.now)
        elif not is_planned:
            self._count(
                opened.plan, ask.now, "Freqtrade changed the amount, below a minimum or for want of money"
            )
        return is_planned

    def exit_reason(self, trade: Trade, now: datetime) -> ExitReason | None:
        """Why this leg is to be closed now. Both legs get the same answer on the same candle."""
        reason = self._exit_reason(trade, now)
        self._remember(trade, reason, now)
        real = self._open_trade(trade.pair, (trade.enter_tag or "", trade.open_date_utc))
        if reason is not None and real is not None:
            # Freqtrade rounds the exit to the tick it saw in the month of the entry. Where the tick has
            # become finer since, the rounded price can lie off the candle and the leg stays open, alone. The
            # open of a candle has been traded as it is and needs no rounding.
            real.price_precision = None
        return reason

    def _exit_reason(self, trade: Trade, now: datetime) -> ExitReason | None:
        key = (trade.enter_tag or "", trade.open_date_utc)
        opened = self._open.get(key)
        candle_now = self._rules.candle_start(now)
        if opened is None:
            return None
        plan = opened.plan
        leg = plan.leg_of(trade.pair)
        mate = plan.symbol(leg.mate)
        # On the candle of the entry the mate may still be to come.
        is_mate_due = candle_now > trade.open_date_utc or leg.mate in opened.amounts
        is_mate_gone = is_mate_due and self._open_trade(mate, key) is None
        if candle_now <= trade.open_date_utc:
            return ExitReason.MATE_GONE if is_mate_gone else None
        reason = self._rules.model_exit(plan, trade.open_date_utc, now)
        if reason is not None:
            return reason
        # Before the question for the mate: of two legs that end together the second would find it gone.
        spans = self._spans()
        following = candle_now + self._timeframe
        if any(
            spans[each].is_split_within(candle_now, following) for each in (trade.pair, mate) if each in spans
        ):
            # What the next candle would book is no price anybody traded at.
            return ExitReason.DATA_END
        ends = min(spans[symbol].last for symbol in (trade.pair, mate) if symbol in spans)
        if candle_now >= ends and ends < max(span.last for span in spans.values()):
            return ExitReason.DATA_END
        return ExitReason.MATE_GONE if is_mate_gone and not self._is_alone_by_design(mate) else None

    def confirm_exit(self, trade: Trade) -> bool:
        """Every exit goes."""
        return True

    def on_order_filled(self, trade: Trade, order: Order, now: datetime) -> None:
        """Nothing: the mate has its own turn on this candle."""

    def cleanup(self) -> list[str]:
        """Nothing is left behind by a backtest."""
        return []

    def _is_alone_by_design(self, mate: str) -> bool:
        return self._shadow is not None and mate not in self._port.whitelist()

    def _open_trade(self, symbol: str, key: tuple[str, datetime]) -> LocalTrade | None:
        pair_id, opened_at = key
        for trade in Trade.get_trades_proxy(pair=symbol, is_open=True):
            if trade.enter_tag == pair_id and trade.open_date_utc == opened_at:
                return trade
        return None

    def _plan_pair(self, plan: EntryPlan, ask: StakeAsk) -> OpenPair | str:
        """Both legs' sizes, or why this pair cannot be opened as a whole on this candle."""
        now = ask.now
        is_alone = self._is_alone_by_design(plan.symbol(plan.leg_of(ask.symbol).mate))
        if is_alone and self._shadow is not None and not self._shadow.opened(plan.pair_id, now):
            return "another pair has one of its symbols, or it was stopped"
        if not is_alone and (reason := self._leg_refusal(plan, now) or self._still_left(plan)):
            return reason
        if not is_alone and (reason := self._risk_refusal(plan, now)):
            return reason
        pair_notional = self._pair_notional(plan, ask)
        if not pair_notional > 0:
            return f"no money left for a stake: {ask.proposed_stake:.2f} proposed"
        stakes = self._stakes_at_most(plan, ask, pair_notional)
        if not is_alone and (
            reason := self._size_refusal(plan, ask, pair_notional, stakes)
            or self._slots_and_money_refusal(now, list(stakes.values()))
        ):
            return reason
        return OpenPair(plan, pair_notional, stakes, {})

    def _leg_refusal(self, plan: EntryPlan, now: datetime) -> str | None:
        """What keeps either leg from being opened on this candle."""
        whitelist, spans, closed = self._port.whitelist(), self._spans(), _closed_since(now)
        for symbol in (plan.leg_a, plan.leg_b):
            if symbol not in whitelist:
                return f"{symbol} is not in the whitelist"
            if symbol not in spans or not spans[symbol].first <= now < spans[symbol].last:
                return f"{symbol} has no tradable candle after this one"
            if spans[symbol].is_split_within(now - self._timeframe, now + 2 * self._timeframe):
                return f"the prices of {symbol} make a step no market makes"
            if symbol in closed:
                return f"{symbol} was closed on this candle"
            if Trade.get_trades_proxy(pair=symbol, is_open=True):
                return f"{symbol} is open in another pair trade"
            if self._port.is_locked(symbol, now - self._timeframe, plan.side(plan.leg_of(symbol))):
                return f"{symbol} is locked"
        return None

    def _risk_refusal(self, plan: EntryPlan, now: datetime) -> str | None:
        """The risk rules that make sense without a venue and a wallet that lives on."""
        # A pair of which one leg is still to come on this candle counts as open.
        open_pairs = (Trade.get_open_trade_count() + 1) // 2
        verdict = self._rules.entry_breach(plan, now) or max_pairs_verdict(open_pairs, self._settings.risk)
        return None if verdict is None else told(verdict)

    def _remember(self, trade: Trade, reason: ExitReason | None, now: datetime) -> None:
        """A pair that is left without its spread having come back waits for that (I13)."""
        opened = self._open.get((trade.enter_tag or "", trade.open_date_utc))
        if reason is None or opened is None:
            return
        coins = coins_of(opened.plan.leg_a, opened.plan.leg_b)
        if not leaves_armed(reason):
            self._left_at[coins] = self._rules.candle_start(now)
        elif self._left_at.get(coins) != self._rules.candle_start(now):
            self._left_at.pop(coins, None)

    def _still_left(self, plan: EntryPlan) -> str | None:
        coins = coins_of(plan.leg_a, plan.leg_b)
        left_at = self._left_at.get(coins)
        if left_at is None:
            return None
        if self._rules.has_recovered(coins, left_at, plan.candle):
            del self._left_at[coins]
            return None
        return f"left at {left_at} and not back inside exit_z since"

    def _pair_notional(self, plan: EntryPlan, ask: StakeAsk) -> float:
        """Twice the proposed stake. An "unlimited" stake is a share of the wallet, not a wish for an exact
        amount, so there the pair takes what is left when both shares and their rounding do not fit."""
        wanted = 2.0 * ask.proposed_stake * self._settings.leverage
        if self._fixed_stake is not None or not wanted > 0:
            return wanted
        free, coming = self._port.available_stake(), sum(self._stakes_to_come(ask.now))
        excess = sum(self._stakes_at_most(plan, ask, wanted).values()) - (free - coming)
        return within_means(wanted, excess, free, self._settings.leverage)

    def _stakes_to_come(self, now: datetime) -> list[float]:
        """Of legs whose mate has opened on this candle and which have not had their turn."""
        return [
            opened.stakes[leg]
            for key, opened in self._this_candle.items()
            if key[1] == now
            for leg in Leg
            if leg not in opened.amounts and self._open_trade(opened.plan.symbol(leg.mate), key) is not None
        ]

    def _prices(self, plan: EntryPlan, ask: StakeAsk) -> dict[Leg, float]:
        # The mate's open of this candle is not known while this leg is handled; its last close is.
        known = {ask.symbol: ask.price}
        symbols = {each: plan.symbol(each) for each in Leg}
        return {each: known.get(name) or self._rules.close(name, ask.now) for each, name in symbols.items()}

    def _limits(self, plan: EntryPlan, pair_notional: float) -> dict[Leg, MarketLimits]:
        # Freqtrade asks for the bracket of the proposed stake, half of the pair, whatever the leg needs.
        return {
            each: self._port.market_limits(
                plan.symbol(each),
                max(leg_notional(pair_notional, plan.model.beta, each), pair_notional / 2.0)
                / self._settings.leverage,
            )
            for each in Leg
        }

    def _stakes_at_most(self, plan: EntryPlan, ask: StakeAsk, pair_notional: float) -> dict[Leg, float]:
        prices, limits = self._prices(plan, ask), self._limits(plan, pair_notional)
        steps = {each: limits[each].step_notional(prices[each]) for each in Leg}
        return stakes_at_most(pair_notional, plan.model.beta, steps, self._settings.leverage)

    def _size_refusal(
        self, plan: EntryPlan, ask: StakeAsk, pair_notional: float, stakes: Mapping[Leg, float]
    ) -> str | None:
        prices, limits = self._prices(plan, ask), self._limits(plan, pair_notional)
        for each in Leg:
            most = self._port.max_stake(plan.symbol(each), prices[each])
            if stakes[each] > most:
                return f"leg {each} needs a stake of {stakes[each]:.2f}, the venue takes {most:.2f} at most"
        return refusal(
            pair_notional,
            plan.model.beta,
            (prices[Leg.A], prices[Leg.B]),
            (limits[Leg.A], limits[Leg.B]),
            self._settings.leverage,
            STAKE_RESERVE,
        )

    def _slots_and_money_refusal(self, now: datetime, own_stakes: list[float]) -> str | None:
        """Slots and money left after every leg that is still to come on this candle."""
        coming = self._stakes_to_come(now)
        free_slots = self._max_open_trades - Trade.get_open_trade_count() - len(coming)
        if free_slots < 2:
            return f"{free_slots:g} of the 2 slots needed are free"
        available = self._port.available_stake()
        left = available - sum(coming) - sum(own_stakes)
        # With a fixed stake Freqtrade refuses a leg unless the whole configured stake is free, even where
        # the leg needs less. Whichever leg comes last must still find that much.
        needed = max(0.0, (self._fixed_stake or 0.0) - min([*own_stakes, *coming]))
        if left < needed:
            return (
                f"both legs need {sum(own_stakes):.2f}, legs still to come on this candle {sum(coming):.2f}, "
                f"a configured stake of {self._fixed_stake or 0.0:.2f} must stay in reach, "
                f"available is {available:.2f}"
            )
        return None


def _closed_since(now: datetime) -> set[str]:
    """Symbols of trades that were closed at `now` or later."""
    # A backtest's closed trades lie in the order of their closing: all of them are not looked at each time.
    latest = takewhile(
        lambda trade: trade.close_date_utc is not None and trade.close_date_utc >= now,
        reversed(Trade.get_trades_proxy(is_open=False)),
    )
    return {trade.pair for trade in latest}
