"""The rules on closed candles, in a running PairsArb whose candles are made for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import Rig
from scenario import REPO_ROOT, START, unified

from pairbot_ext.model.findings import Rule
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.risk.state import RiskState
from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.market.fixed import FixedMarket

MakeRig = Callable[..., Rig]
LEGS = ("ADAUSDT", "ALGOUSDT")
HOUR_MS = 3_600_000
HALF_LIFE = 6.0
FORMATION = 270
AFTER = 60
SIGMA = 0.02
BETA = 1.2
LOG_B = math.log(0.25)
NO_BREAK = {"max_half_life_ratio": None, "max_beta_drift_percent": None, "test_level_percent": None}


class PathMarket(FixedMarket):
    """One price per hour: `log_prices` by Binance id, from the hour of `first_ms` on."""

    def __init__(self, log_prices: dict[str, np.ndarray], first_ms: int) -> None:
        self._path = {
            name: [Decimal(f"{math.exp(value):.5f}") for value in path] for name, path in log_prices.items()
        }
        self._first_ms = first_ms
        super().__init__({name: path[0] for name, path in self._path.items()}, level_amount=Decimal(100_000))

    def _at(self, symbol: str, at_ms: int) -> Decimal:
        row = (at_ms - self._first_ms) // HOUR_MS
        return self._path[symbol][min(max(row, 0), len(self._path[symbol]) - 1)]

    def price(self, symbol: str, now_ms: int) -> Decimal:
        """Of the running hour."""
        self.prices[symbol] = self._at(symbol, now_ms)
        return self.prices[symbol]

    def mark_price(self, symbol: str, now_ms: int) -> Decimal:
        """The last price."""
        return self.price(symbol, now_ms)

    def book(self, symbol: str, now_ms: int) -> Any:
        """Around the price of the running hour."""
        self.price(symbol, now_ms)
        return super().book(symbol, now_ms)

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int,
        *, mark: bool,
    ) -> list[Kline]:  # fmt: skip
        """Flat within the hour, so that close and live book agree."""
        return [
            Kline(k.open_ms, *(self._at(symbol, k.open_ms),) * 4, k.volume, k.close_ms, k.quote_volume, 10)
            for k in super().klines(symbol, interval, start_ms, end_ms, limit, now_ms, mark=mark)
        ]


def healthy(rng: np.random.Generator, candles: int) -> np.ndarray:
    """z of an AR(1) with the model's half-life, kept inside the entry threshold."""
    rho = 0.5 ** (1 / HALF_LIFE)
    z = np.zeros(candles)
    for row in range(1, candles):
        z[row] = rho * z[row - 1] + math.sqrt(1 - rho**2) * rng.standard_normal()
    return np.clip(z, -1.8, 1.8)


@dataclass(frozen=True)
class Case:
    """:param after: z on the candles after the formation; the first of them, 2.5, enters.
    :param drift_b: log return of leg B per candle after the entry.
    """

    rule: Rule
    after: list[float]
    reason: str
    max_half_lives: float = 50.0
    break_stop: dict[str, Any] | None = None
    drift_b: float = 0.0


STAYS = [2.5] + [2.5 + 0.02 * (row % 3) for row in range(AFTER - 1)]
CASES = [
    Case(Rule.Z_STOP, [2.5, 2.6, 4.3, 4.3, 1.0], "pair_stop"),
    Case(Rule.TIME_STOP, STAYS, "pair_time_stop", max_half_lives=0.5),
    Case(Rule.BREAK_HALF_LIFE, STAYS, "pair_break_stop", break_stop={"max_half_life_ratio": 2.0}),
    Case(Rule.BREAK_TEST, STAYS, "pair_break_stop", break_stop={"test_level_percent": 1}),
    Case(
        Rule.BREAK_BETA,
        [2.5, *np.linspace(2.4, 0.7, AFTER - 1)],
        "pair_break_stop",
        break_stop={"max_beta_drift_percent": 29.5},
        drift_b=-0.004,
    ),
]


def make(make_rig: MakeRig, tmp_path: Path, case: Case) -> Rig:
    """A bot on PairsArb at the end of a healthy formation."""
    rng = np.random.default_rng(5)
    start = START.replace(minute=0, second=0)
    z = np.concatenate([healthy(rng, FORMATION + 400), case.after])
    steps = np.concatenate(
        [0.004 * rng.standard_normal(FORMATION + 400), np.full(len(case.after), case.drift_b)]
    )
    log_b = LOG_B + np.cumsum(steps) - np.cumsum(steps)[FORMATION + 399]
    log_a = BETA * log_b + SIGMA * z
    first_ms = int((start - timedelta(hours=FORMATION + 400)).timestamp() * 1000)
    pair = Pair(
        id="ADA-ALGO", leg_a=unified(LEGS[0]), leg_b=unified(LEGS[1]), hedge_ratio=BETA, alpha=0.0, mu=0.0,
        sigma=SIGMA, half_life_hours=HALF_LIFE, adf_p=0.01, coint_p=0.01, entry_z=2.0, exit_z=0.5, stop_z=4.0,
        max_half_lives=case.max_half_lives,
    )  # fmt: skip
    epoch = Epoch(
        valid_from=start, formation_start=start - timedelta(hours=FORMATION), formation_end=start,
        pairs=(pair,),
    )  # fmt: skip
    path = tmp_path / "pairs.json"
    write_pairs_file(
        path,
        PairsFile(
            pairs=symbols_of([epoch]), refresh_period=300, generated_at=start, exchange="binance",
            timeframe="1h", scan=Scan(rule="made for a test"), epochs=(epoch,),
        ),
    )  # fmt: skip
    break_stop = None if case.break_stop is None else {**NO_BREAK, **case.break_stop}
    return make_rig(
        market=PathMarket(dict(zip(LEGS, (log_a, log_b), strict=True)), first_ms),
        symbols=LEGS,
        strategy="PairsArb",
        strategy_path=str(REPO_ROOT / "strategies"),
        pairbot={"pairs_file": str(path), "leverage": 2, "risk": {"break_stop": break_stop}},
    )


@pytest.mark.parametrize("case", CASES, ids=[str(case.rule) for case in CASES])
def test_a_candle_rule_closes_the_pair(make_rig: MakeRig, tmp_path: Path, case: Case) -> None:
    rig = make(make_rig, tmp_path, case)
    rig.loop()
    assert not rig.states()
    rig.next_candle()
    rig.bot.process()
    assert rig.states() == ["HEDGED"]
    for _ in range(len(case.after) - 2):
        rig.next_candle()
        # The bound: the first loop after the candle.
        rig.bot.process()
        if rig.states() == ["CLOSED"]:
            break
    rig.check_flat()
    assert rig.pair_trades()[0].reason == case.reason
    rig.loop()
    told = [text for text in rig.told if f"rule {case.rule}" in text]
    assert len(told) == 1, rig.told
    assert "limit" in told[0]
    assert "ADA-ALGO" in told[0]
    assert [e.kind for e in rig.events()].count("risk_trip") == 1
    assert rig.desk.risk.state is RiskState.ACTIVE

    # Not entered again before z has come back, over a restart too.
    rig.restart()
    rig.loop()
    assert rig.states() == ["CLOSED"]


def test_a_broken_pair_is_not_entered(make_rig: MakeRig, tmp_path: Path) -> None:
    case = Case(Rule.BREAK_BETA, STAYS, "", break_stop={"max_beta_drift_percent": 0.01})
    rig = make(make_rig, tmp_path, case)
    rig.next_candle()
    rig.loop(2)
    assert not rig.posts()
    refused = [e.detail for e in rig.events() if e.kind == "refused"]
    assert len(refused) == 1
    assert "risk_break_beta" in refused[0]
