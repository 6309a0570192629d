"""The book: what it says of a candle depends on that candle and earlier ones only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.model.registry import coins_of
from pairbot_ext.model.sizing import Leg
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of
from pairbot_ext.settings import Settings, VolatilityGate
from pairbot_ext.signals.book import SignalBook, build_grid

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIZE = 260
WINDOW = 60
A, B, C = "AAA/USDT:USDT", "BBB/USDT:USDT", "CCC/USDT:USDT"


def frame(log_price: np.ndarray, start: datetime = START) -> pd.DataFrame:
    close = np.exp(log_price)
    opening = np.concatenate((close[:1] * 1.001, close[:-1]))
    return pd.DataFrame(
        {
            "date": pd.date_range(start, periods=close.size, freq="1h"),
            "open": opening,
            "high": np.maximum(opening, close) * 1.002,
            "low": np.minimum(opening, close) * 0.998,
            "close": close,
            "volume": np.full(close.size, 10.0),
        }
    )


def market(seed: int = 1, size: int = SIZE) -> dict[str, pd.DataFrame]:
    """A and C both revert to B."""
    rng = np.random.default_rng(seed)
    log_b = 2.0 + np.cumsum(rng.normal(0, 0.006, size))
    frames = {B: frame(log_b)}
    for name, beta in ((A, 0.8), (C, 1.2)):
        u = np.zeros(size)
        for t in range(1, size):
            u[t] = 0.75 * u[t - 1] + rng.normal(0, 0.006)
        frames[name] = frame(1.0 + beta * log_b + u)
    return frames


def pair(leg_a: str = A, leg_b: str = B, **more) -> Pair:
    values = {
        "hedge_ratio": 1.0,
        "adf_p": 0.01,
        "coint_p": 0.01,
        "entry_z": 1.5,
        "exit_z": 0.4,
        "stop_z": 3.0,
    }
    return Pair(id=f"{leg_a[:3]}_{leg_b[:3]}", leg_a=leg_a, leg_b=leg_b, **{**values, **more})


FROZEN = {"alpha": 1.0, "sigma": 0.009, "mu": 0.0, "hedge_ratio": 0.8}


def epoch(begin: int, end: int | None, *pairs: Pair) -> Epoch:
    return Epoch(
        valid_from=START + begin * HOUR,
        valid_to=None if end is None else START + end * HOUR,
        formation_start=START + (begin - WINDOW) * HOUR,
        formation_end=START + begin * HOUR,
        pairs=pairs,
    )


def pairs_file(*epochs: Epoch) -> PairsFile:
    return PairsFile(
        pairs=symbols_of(epochs), refresh_period=300, generated_at=START, exchange="binance",
        timeframe="1h", scan=Scan(rule="test"), epochs=epochs,
    )  # fmt: skip


def book(
    frames: dict[str, pd.DataFrame], file: PairsFile, gate: VolatilityGate | None = None, **more
) -> SignalBook:
    chosen = Settings(rolling_window_candles=WINDOW, rearm_lookback_candles=24, volatility_gate=gate)
    return SignalBook(file, chosen, 3600, frames, fee=0.0005, **more)


ROLLING = pairs_file(epoch(WINDOW, None, pair(), pair(C)))
MIXED = pairs_file(
    epoch(WINDOW, 140, pair(**FROZEN), pair(C)), epoch(150, None, pair(), pair(C, half_life_hours=3.0))
)


def test_the_grid_is_the_union_of_dates_with_missing_candles() -> None:
    frames = {A: frame(np.zeros(5)), B: frame(np.ones(6), START + 3 * HOUR)}
    frames[A] = frames[A].drop(index=2)
    quiet = frames[B].index == 1
    frames[B].loc[quiet, ["open", "high", "low"]] = frames[B].loc[quiet, "close"].iloc[0]
    frames[B].loc[quiet, "volume"] = 0.0
    grid = build_grid(frames, 3600)
    assert (grid.size, grid.start) == (9, START)
    assert np.flatnonzero(np.isfinite(grid.log_close[A])).tolist() == [0, 1, 3, 4]
    assert np.flatnonzero(np.isfinite(grid.log_close[B])).tolist() == [3, 5, 6, 7, 8]
    assert grid.row(START + 4 * HOUR) == 4
    assert grid.row(START + 4.5 * HOUR) is None
    assert grid.row(START + 9 * HOUR) is None
    assert grid.row(START - HOUR) is None
    assert grid.candle(4) == START + 4 * HOUR
    assert [grid.rows_closed_by(START + hours * HOUR) for hours in (-1, 0, 1, 1.9, 2, 99)] == [
        0,
        0,
        1,
        1,
        2,
        9,
    ]


def test_no_candles_make_an_empty_grid() -> None:
    empty = book({A: frame(np.zeros(0))}, ROLLING)
    assert empty.grid.size == 0
    assert empty.entries(A)[0].size == 0
    assert empty.plan("AAA_BBB", START) is None
    assert np.isnan(empty.close(A, START))


@pytest.mark.parametrize("file", [ROLLING, MIXED], ids=["rolling", "mixed"])
@given(seed=st.integers(0, 2**31), now=st.integers(WINDOW, SIZE - 2))
@settings(max_examples=15, deadline=None)
def test_nothing_said_of_a_candle_depends_on_later_ones(file, seed, now) -> None:
    frames = market(3)
    rng = np.random.default_rng(seed)
    other = {}
    for name, candles in frames.items():
        noise = frame(rng.normal(2, 0.5, SIZE))
        other[name] = pd.concat([candles.iloc[: now + 1], noise.iloc[now + 1 :]]).reset_index(drop=True)
    gate = VolatilityGate(period_candles=5, max_natr_percent=1.3)
    this, that = book(frames, file, gate), book(other, file, gate)
    for name in frames:
        assert this.columns(name).keys() == that.columns(name).keys()
        for column, values in this.columns(name).items():
            np.testing.assert_array_equal(values[: now + 1], that.columns(name)[column][: now + 1])
        for mine, theirs in zip(this.entries(name), that.entries(name), strict=True):
            assert mine[: now + 1].tolist() == theirs[: now + 1].tolist()
    for row in range(now - 20, now + 1):
        candle = START + row * HOUR
        for pair_id in file.pair_ids():
            mine, theirs = this.plan(pair_id, candle), that.plan(pair_id, candle)
            assert (mine is None) == (theirs is None)
            assert mine is None or mine.to_json() == theirs.to_json()
            coins = next(coins_of(*path.pair.symbols) for path in this.paths if path.pair.id == pair_id)
            assert this.has_come_back(coins, START, candle) == that.has_come_back(coins, START, candle)


def test_both_legs_enter_together_in_opposite_directions_under_one_tag() -> None:
    made = book(market(), pairs_file(epoch(WINDOW, None, pair())))
    (side_a, tag_a), (side_b, tag_b) = made.entries(A), made.entries(B)
    assert np.count_nonzero(side_a) > 10
    assert side_a.tolist() == (-side_b).tolist()
    assert tag_a.tolist() == tag_b.tolist()
    assert {tag for tag, side in zip(tag_a, side_a, strict=True) if side} == {"AAA_BBB"}
    assert {tag for tag, side in zip(tag_a, side_a, strict=True) if not side} == {None}
    assert made.entries(B, (Leg.A,))[0].any() == np.False_
    assert made.entries(A, (Leg.A,))[0].tolist() == side_a.tolist()


def test_a_shared_symbol_is_given_to_one_pair_at_a_time() -> None:
    made = book(market(), ROLLING)
    alone = {
        each: book(market(), pairs_file(epoch(WINDOW, None, pair(each)))).entries(each)[0] for each in (A, C)
    }
    both = (alone[A] != 0) & (alone[C] != 0)
    assert both.any()
    won_a, won_c = made.entries(A)[0] != 0, made.entries(C)[0] != 0
    assert not (won_a & won_c).any()
    assert ((won_a | won_c) == ((alone[A] != 0) | (alone[C] != 0))).all()
    tags = made.entries(B)[1]
    assert {tags[row] for row in np.flatnonzero(won_a)} == {"AAA_BBB"}
    assert {tags[row] for row in np.flatnonzero(won_c)} == {"CCC_BBB"}


def test_entries_follow_the_close_of_a_candle_within_the_epoch() -> None:
    # So small a sigma that every candle is far out.
    always = pair(stop_z=1e9, **{**FROZEN, "sigma": 1e-9})
    whole = epoch(100, 140, always)
    rows = np.flatnonzero(book(market(), pairs_file(whole)).entries(A)[0])
    # The candle that opens at 99 h closes at 100 h, when the epoch begins; that of 138 h is the last to close
    # before it ends.
    assert rows.tolist() == list(range(99, 139))
    late = whole.model_copy(update={"valid_from": START + 100.1 * HOUR})
    rows = np.flatnonzero(book(market(), pairs_file(late)).entries(A)[0])
    assert rows.tolist() == list(range(100, 139))


def test_no_z_and_no_entry_on_a_missing_candle_and_z_right_after_it() -> None:
    whole = book(market(), pairs_file(epoch(WINDOW, None, pair())))
    rows = np.flatnonzero(whole.entries(A)[0])
    row = int(rows[rows > WINDOW + 20][0])
    for name in (A, B):
        frames = market()
        frames[name] = frames[name].drop(index=row)
        made = book(frames, pairs_file(epoch(WINDOW, None, pair())))
        assert np.isnan(made.columns(A)["z_AAA_BBB"][row])
        assert made.entries(A)[0][row] == made.entries(B)[0][row] == 0
        assert np.isfinite(made.columns(A)["z_AAA_BBB"][[row - 1, row + 1]]).all()
        assert made.plan("AAA_BBB", START + row * HOUR) is None


def test_the_plan_holds_the_model_of_its_candle() -> None:
    made = book(market(), MIXED)
    for row in range(SIZE):
        plan = made.plan("AAA_BBB", START + row * HOUR)
        assert (plan is not None) == (made.entries(A)[0][row] != 0)
        if plan is None:
            continue
        prices = [np.log(market()[name]["close"].iloc[row]) for name in (A, B)]
        assert plan.z == pytest.approx(plan.model.z(*prices), abs=1e-9)
        assert made.z(plan, plan.candle) == pytest.approx(plan.z, abs=1e-9)
        assert plan.direction == -np.sign(plan.z) == made.entries(A)[0][row]
        assert (plan.model.beta == 0.8) == (row < 140)
        assert plan.candle == START + row * HOUR
    frozen = next(p for r in range(140) if (p := made.plan("AAA_BBB", START + r * HOUR)))
    assert np.isnan(made.z(frozen, START + SIZE * HOUR))
    assert type(frozen).from_json(frozen.to_json()).to_json() == frozen.to_json()


def test_overrides_replace_every_pairs_thresholds_and_can_be_taken_back() -> None:
    made = book(market(), ROLLING)
    before = made.entries(B)[0].copy()
    made.apply_overrides({"entry": 1.0, "stop": 2.0})
    z = np.abs(made.columns(A)["z_AAA_BBB"][made.entries(A)[0] != 0])
    assert z.min() >= 1.0
    assert z.max() < 2.0
    made.apply_overrides({})
    assert made.entries(B)[0].tolist() == before.tolist()


def test_overrides_that_contradict_a_pair_take_its_entries_away() -> None:
    made = book(market(), pairs_file(epoch(WINDOW, None, pair(), pair(C, stop_z=2.2))))
    made.apply_overrides({"entry": 2.5})
    assert made.thresholds(pair(C, stop_z=2.2)) is None
    assert not made.entries(C)[0].any()
    assert made.thresholds(pair()) is not None


def test_the_volatility_gate_vetoes_entries_of_either_leg() -> None:
    frames = market()
    free = book(frames, ROLLING)
    row = int(np.flatnonzero(free.entries(A)[0])[-1])
    wild = {name: candles.copy() for name, candles in frames.items()}
    wild[B].loc[row - 2, "high"] *= 1.2
    gate = VolatilityGate(period_candles=5, max_natr_percent=3.0)
    assert free.entries(A)[0][row] != 0
    assert book(frames, ROLLING, gate).entries(A)[0].tolist() == free.entries(A)[0].tolist()
    assert book(wild, ROLLING, gate).entries(A)[0][row] == 0


def test_a_pair_without_candles_of_one_leg_is_left_out() -> None:
    frames = market()
    del frames[C]
    made = book(frames, ROLLING)
    assert [path.pair.id for path in made.paths] == ["AAA_BBB"]
    assert made.entries(A)[0].any()


def test_coming_back_is_asked_after_the_stop_only() -> None:
    made = book(market(), pairs_file(epoch(WINDOW, None, pair())))
    z = np.abs(made.columns(A)["z_AAA_BBB"])
    for since in range(WINDOW + 10, WINDOW + 60):
        for until in (since, since + 1, since + 4):
            # A stop at the open of row `since`: the closes from there on count.
            expected = bool((z[since : until + 1] <= 0.4).any())
            assert made.has_come_back((A, B), START + since * HOUR, START + until * HOUR) == expected
