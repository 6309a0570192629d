"""How long something has been so: a leg without its mate, a cause that is gone."""

from collections.abc import Callable

from pairbot_ext.model.findings import Reading, Rule, Verdict, above
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.states import PairState
from pairbot_ext.pairtrade.situation import Facts
from pairbot_ext.risk.rules import ENDS_AFTER_SECS
from pairbot_ext.settings.risk import RiskSettings
from pairbot_ext.support.clock import Clock


class NakedWatch:
    """For how long each pair trade has held one leg alone.

    :param facts_of: what is known of a pair trade without asking the venue.
    """

    def __init__(self, limits: RiskSettings, clock: Clock, facts_of: Callable[[PairTrade], Facts]) -> None:
        self._limits = limits
        self._clock = clock
        self._facts_of = facts_of
        self._since_ms: dict[str, int] = {}

    def judge(self, trade: PairTrade) -> Verdict:
        """Whether one leg is held without its mate, and for how long."""
        if trade.state is PairState.HEDGED:
            self._since_ms.pop(trade.id, None)
            return None
        facts = self._facts_of(trade)
        if bool(facts.leg_a.held) == bool(facts.leg_b.held):
            self._since_ms.pop(trade.id, None)
            return None
        now_ms = self._clock.now_ms()
        fills = [order.settled_ms for leg in facts.legs for order in leg.entries if order.filled]
        first_ms = min([ms for ms in fills if ms], default=now_ms)
        since_ms = self._since_ms.setdefault(trade.id, now_ms if trade.was_hedged else first_ms)
        held = facts.leg_a if facts.leg_a.held else facts.leg_b
        return above(
            Rule.NAKED,
            (now_ms - since_ms) / 1000,
            self._limits.max_naked_secs,
            "s",
            f"leg {held.leg} ({held.held} {trade.plan.symbol(held.leg)}) held without its mate for",
        )

    def reading(self, trade: PairTrade) -> Reading:
        """For display."""
        now_ms = self._clock.now_ms()
        secs = (now_ms - self._since_ms.get(trade.id, now_ms)) / 1000
        return Reading(Rule.NAKED, secs, self._limits.max_naked_secs, "s", trade.plan.pair_id)

    def forget(self, open_ids: set[str]) -> None:
        """Drop what is closed."""
        self._since_ms = {key: ms for key, ms in self._since_ms.items() if key in open_ids}


class Calm:
    """Whether a cause has been gone for long enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_ms: int | None = None

    def reset(self) -> None:
        """Nothing is waited for."""
        self._since_ms = None

    def has_lasted(self, *, is_on: bool) -> bool:
        """Asked once per loop. `is_on`: the cause is there now."""
        if is_on:
            self._since_ms = None
            return False
        now_ms = self._clock.now_ms()
        self._since_ms = self._since_ms or now_ms
        if now_ms - self._since_ms < ENDS_AFTER_SECS * 1000:
            return False
        self._since_ms = None
        return True
