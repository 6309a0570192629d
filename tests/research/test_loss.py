"""The loss of a hyperopt of pairs: whole pairs, weeks, costs twice, a penalty that grows with the tries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.research.costs import CostModel
from pairbot_ext.research.evidence import best_of_chance
from pairbot_ext.research.loss import WORST, pair_trades_of, pairs_loss

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
END = BEGIN + timedelta(weeks=8) - timedelta(hours=1)
WALLET = 10_000.0


def legs(nets: list[float], pair_id: str = "A_B") -> pd.DataFrame:
    """One pair trade a week of 500 a leg, leg A making 100 more than the pair and leg B losing them."""
    rows = []
    for week, net in enumerate(nets):
        opened = BEGIN + week * timedelta(weeks=1)
        for symbol, profit in (("A", net + 100.0), ("B", -100.0)):
            rows.append(
                {
                    "pair": symbol, "enter_tag": pair_id, "open_date": opened, "amount": 5.0,
                    "open_rate": 100.0, "close_rate": 100.0, "fee_open": 0.0005, "fee_close": 0.0005,
                    "funding_fees": 0.1, "profit_abs": profit,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_two_legs_are_one_trade_and_costs_are_taken_twice() -> None:
    made = pair_trades_of(legs([3.0]))
    assert len(made) == 1
    assert made.loc[0, ["notional", "fees", "funding"]].tolist() == pytest.approx([1000.0, 1.0, 0.2])
    assert made.loc[0, "gross"] == pytest.approx(3.0 + 1.0 - 0.2)
    nets = [3.0] * 8
    # Fees of 1 once more, slippage and legging of 1.5 bp a fill and two fills, twice: 0.6 of 1,000.
    expected = 100.0 * (3.0 - 1.0 - 0.6) / WALLET
    assert -pairs_loss(legs(nets), BEGIN, END, WALLET, trials=1) == pytest.approx(expected)
    free = CostModel(0.0, 0.0)
    assert -pairs_loss(legs(nets), BEGIN, END, WALLET, 1, free) == pytest.approx(100.0 * 2.0 / WALLET)


def test_the_penalty_grows_with_the_tries_and_with_the_scatter() -> None:
    rng = np.random.default_rng(1)
    even, wild = [4.0] * 8, list(4.0 + rng.permutation([-20.0, 20.0] * 4))
    losses = [pairs_loss(legs(wild), BEGIN, END, WALLET, trials) for trials in (1, 10, 100, 1000)]
    assert losses == sorted(losses)
    assert losses[0] < 0 < losses[2]
    same = [pairs_loss(legs(even), BEGIN, END, WALLET, trials) for trials in (1, 1000)]
    assert same[0] == pytest.approx(same[1])
    assert pairs_loss(legs(even), BEGIN, END, WALLET, 100) < losses[2]


def test_a_week_without_a_trade_counts() -> None:
    half, whole = legs([4.0] * 4), legs([4.0] * 8)
    assert pairs_loss(half, BEGIN, END, WALLET, 1) > pairs_loss(whole, BEGIN, END, WALLET, 1)


def test_nothing_to_judge_is_no_result() -> None:
    assert pairs_loss(legs([]).reindex(columns=["enter_tag"]), BEGIN, END, WALLET, 10) == WORST
    assert pairs_loss(legs([5.0]), BEGIN, BEGIN + timedelta(days=2), WALLET, 10) == WORST
    # Freqtrade takes a loss below 100 for a result.
    assert WORST > 100


@pytest.mark.parametrize("trials", [10, 1000])
def test_the_best_of_chance_is_the_mean_of_the_best(trials: int) -> None:
    best = np.random.default_rng(3).standard_normal((4_000, trials)).max(axis=1)
    assert best_of_chance(trials) == pytest.approx(best.mean(), abs=0.06)
    assert best_of_chance(1) == 0.0
