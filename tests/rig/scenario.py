"""What a scenario is made of: symbols, pairs, a market of fixed prices, scripted signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.registry import Coins
from pairbot_ext.model.thresholds import LONG_SPREAD, Thresholds
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.sim.market.fixed import FixedMarket

HERE = Path(__file__).resolve().parent
REPO_ROOT = HERE.parents[1]
START = datetime(2026, 2, 2, 1, 0, 5, tzinfo=UTC)
PRICES = {
    "ADAUSDT": "0.7320", "ALGOUSDT": "0.2110", "XRPUSDT": "2.1000", "DOGEUSDT": "0.20000",
    "LINKUSDT": "15.000", "AVAXUSDT": "22.000", "DOTUSDT": "4.000", "LTCUSDT": "90.00",
}  # fmt: skip
PAIRS = {
    "ADA-ALGO": ("ADAUSDT", "ALGOUSDT", 1.2),
    "XRP-DOGE": ("XRPUSDT", "DOGEUSDT", 0.8),
    "LINK-AVAX": ("LINKUSDT", "AVAXUSDT", 1.0),
    "DOT-LTC": ("DOTUSDT", "LTCUSDT", 0.9),
    "ADA-XRP": ("ADAUSDT", "XRPUSDT", 1.0),
}
SIGMA = 0.02
THRESHOLDS = Thresholds(entry=2.0, exit=0.3, stop=4.0, max_half_lives=4.0)

UNCLEAR = [
    "read_timeout",
    "reset",
    "unknown_503_msg",
    "unknown_503_code_0",
    "unknown_503_code_1000",
    "html_502",
    "html_503",
    "html_504",
    "unexpected_1006",
    "timeout_1007",
    "empty_200",
    "truncated_200",
]
"""Answers that leave open whether an order was executed: forms of fault of the simulated exchange."""

FOUR = ("ADAUSDT", "ALGOUSDT", "XRPUSDT", "DOGEUSDT")


class ShortHistory(FixedMarket):
    """Answers with few candles: the script gives the signals, and candles are most of a loop's work."""

    def klines(self, symbol: str, interval: str, start_ms: Any, end_ms: Any, limit: int, now_ms: int,
               *, mark: bool) -> Any:  # fmt: skip
        """At most the latest 12 hours."""
        if start_ms is not None:
            start_ms = max(start_ms, now_ms - 12 * 3_600_000)
        return super().klines(symbol, interval, start_ms, end_ms, min(limit, 12), now_ms, mark=mark)


def unified(symbol: str) -> str:
    """ADAUSDT -> ADA/USDT:USDT."""
    return f"{symbol.removesuffix('USDT')}/USDT:USDT"


@dataclass
class Script:
    """The signals of a test: who wants what now. Implements desk.Signals."""

    market: FixedMarket
    clock: VirtualTime
    seed: int = 7
    leverage: int = 2
    wishes: dict[str, int] = field(default_factory=dict)
    exits: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    still_out: set[str] = field(default_factory=set)
    """Pairs whose z has not been back inside exit_z since their stop."""
    last_words: list[str] = field(default_factory=list)
    z: float = 2.5

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def __deepcopy__(self, memo: dict[int, Any]) -> Script:
        return self

    def reset(self) -> None:
        """Nobody wants anything any more."""
        self.wishes.clear()
        self.exits.clear()
        self.broken.clear()

    def call(self, name: str) -> None:
        """Every callback passes here: an injected exception is raised once."""
        if name in self.broken:
            self.broken.discard(name)
            raise RuntimeError(f"injected into {name}")

    def wish(self, symbol: str) -> tuple[str, str] | None:
        """Leg A's entry column."""
        for pair_id, direction in self.wishes.items():
            if unified(PAIRS[pair_id][0]) == symbol:
                return ("long" if direction == LONG_SPREAD else "short"), pair_id
        return None

    def plain_wish(self, symbol: str) -> str | None:
        """Either leg's side, for a strategy without an engine."""
        for pair_id, direction in self.wishes.items():
            leg_a, leg_b, _ = PAIRS[pair_id]
            if symbol in (unified(leg_a), unified(leg_b)):
                return "long" if (direction == LONG_SPREAD) == (symbol == unified(leg_a)) else "short"
        return None

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """See desk.Signals."""
        if pair_id not in self.wishes:
            return None
        direction = self.wishes[pair_id]
        leg_a, leg_b, beta = PAIRS[pair_id]
        z = -direction * self.z
        alpha = log(self.market.prices[leg_a]) - beta * log(self.market.prices[leg_b]) - z * SIGMA
        return EntryPlan(
            pair_id=pair_id,
            leg_a=unified(leg_a),
            leg_b=unified(leg_b),
            direction=direction,
            model=EntryModel(alpha=alpha, beta=beta, mu=0.0, sigma=SIGMA, half_life_candles=20.0),
            thresholds=THRESHOLDS,
            candle=now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1),
            z=z,
        )

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """See desk.Signals."""
        return self.exits.get(plan.pair_id)

    def missing_candles(self, plan: EntryPlan, now: datetime) -> dict[str, float]:
        """See Signals: a script has its candles in its head."""
        return {}

    def entry_breach(self, plan: EntryPlan, now: datetime) -> None:
        """See plan.Signals: a script has no candles to judge."""

    def exit_breach(self, plan: EntryPlan, opened_at: datetime, now: datetime, reason: str) -> None:
        """See plan.Signals."""

    def gauges(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> list[Any]:
        """See plan.Signals."""
        return []

    def has_recovered(self, coins: Coins, left_at: datetime, candle: datetime) -> bool:
        """See desk.Signals."""
        return all(set(coins) != {unified(name) for name in PAIRS[each][:2]} for each in self.still_out)
