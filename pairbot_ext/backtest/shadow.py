"""Pair trades as the signals alone would make them, for the validators that re-run one symbol alone.

`freqtrade lookahead-analysis` repeats each trade with a whitelist of its symbol only and calls every
difference a bias. Whether a pair is entered depends on what its two symbols are doing in other pairs, which
such a run cannot see. So all pairs are followed here on paper, candle by candle, from the same signals and
exit rules, without slots and money, which the validator lifts as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.registry import Coins, coins_of, leaves_armed
from pairbot_ext.model.spans import DataSpan
from pairbot_ext.signals.rules import PairRules


@dataclass(frozen=True)
class PaperTrade:
    """A pair trade on paper. `closed_at` is None while it is open."""

    plan: EntryPlan
    opened_at: datetime
    closed_at: datetime | None = None


class ShadowPairs:
    """Follows every pair on paper.

    :param pair_ids: of every pair of the pairs file.
    :param spans: per symbol, which candles can be traded.
    """

    def __init__(
        self,
        rules: PairRules,
        pair_ids: Callable[[], list[str]],
        spans: Callable[[], Mapping[str, DataSpan]],
    ) -> None:
        self._rules = rules
        self._pair_ids = pair_ids
        self._spans = spans
        self._trades: dict[str, PaperTrade] = {}
        self._left_at: dict[Coins, datetime] = {}
        self._next: datetime | None = None

    def advance(self, now: datetime) -> None:
        """Go on to the candle that opens at `now`; a step back in time starts anew."""
        step = self._rules.timeframe
        if self._next is None or now < self._next - step:
            self._trades.clear()
            self._left_at.clear()
            self._next = min((span.first for span in self._spans().values()), default=now)
        while self._next <= now:
            self._candle(self._next)
            self._next += step

    def opened(self, pair_id: str, now: datetime) -> bool:
        """Whether this pair is entered on the candle that opens at `now`."""
        return any(
            trade.plan.pair_id == pair_id and trade.opened_at == now for trade in self._trades.values()
        )

    def _candle(self, now: datetime) -> None:
        self._trades = {
            symbol: self._left(trade, now)
            for symbol, trade in self._trades.items()
            if trade.closed_at is None
        }
        for pair_id in self._pair_ids():
            plan = self._rules.entry_plan(pair_id, now)
            if plan is not None and self._is_free(plan, now):
                trade = PaperTrade(plan, now)
                self._trades |= {plan.leg_a: trade, plan.leg_b: trade}

    def _left(self, trade: PaperTrade, now: datetime) -> PaperTrade:
        reason = self._rules.model_exit(trade.plan, trade.opened_at, now)
        if reason is not None and not leaves_armed(reason):
            self._left_at[coins_of(trade.plan.leg_a, trade.plan.leg_b)] = now
        spans = self._spans()
        ends = min(spans[symbol].last for symbol in (trade.plan.leg_a, trade.plan.leg_b))
        is_over = reason is not None or now >= ends
        return PaperTrade(trade.plan, trade.opened_at, now) if is_over else trade

    def _is_free(self, plan: EntryPlan, now: datetime) -> bool:
        spans = self._spans()
        for symbol in (plan.leg_a, plan.leg_b):
            # A trade that was closed on this candle still holds its symbol.
            if symbol in self._trades or not spans[symbol].first <= now < spans[symbol].last:
                return False
        if self._rules.entry_breach(plan, now) is not None:
            return False
        coins = coins_of(plan.leg_a, plan.leg_b)
        left_at = self._left_at.get(coins)
        return left_at is None or self._rules.has_recovered(coins, left_at, plan.candle)
