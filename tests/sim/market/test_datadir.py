"""The synthetic data directory: real names, Freqtrade's format, the planted law, reproducible."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.sim.datadir import SyntheticDatadir, write_synthetic_datadir
from pairbot_ext.sim.market.paths import GARCH_ALPHA, PlantedPair, garch_t_shocks, simulate
from pairbot_ext.sim.market.universe import DEFAULT_PLANTED
from pairbot_ext.sim.symbols import load_symbols
from pairbot_ext.support.errors import PairbotError

SEED = 20250101


def read(written: SyntheticDatadir, symbol: str, kind: str) -> pd.DataFrame:
    from freqtrade.data.history import load_pair_history
    from freqtrade.enums import CandleType

    return load_pair_history(
        symbol, "1h", written.path, candle_type=CandleType(kind), fill_up_missing=False, drop_incomplete=False
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticDatadir:
    print(f"seed {SEED}")
    return write_synthetic_datadir(tmp_path_factory.mktemp("market"), seed=SEED, candles=3600)


def test_freqtrade_reads_all_three_kinds_of_file(written: SyntheticDatadir) -> None:
    assert len(written.symbols) == 14
    specs = {spec.ccxt_symbol: spec for spec in load_symbols().values()}
    for symbol in written.symbols:
        assert symbol in specs
        futures, mark = read(written, symbol, "futures"), read(written, symbol, "mark")
        funding = read(written, symbol, "funding_rate")
        assert len(futures) == len(mark) == 3600
        assert futures["date"].iloc[0] == pd.Timestamp(written.start)
        assert futures["date"].iloc[-1] == pd.Timestamp(written.end) - pd.Timedelta(hours=1)
        assert (futures["date"].diff().dropna() == pd.Timedelta(hours=1)).all()
        for frame in (futures, mark):
            assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
            assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
            assert (frame["low"] > 0).all()
        assert (futures["volume"] > 0).all()
        assert (mark["close"] / futures["close"] - 1).abs().max() < 0.002
        assert len(funding) == 450
        assert set(funding["date"].dt.hour) == {0, 8, 16}
        assert funding["funding_rate"].abs().max() <= 0.003


def test_planted_relations_are_recovered_over_the_whole_period(written: SyntheticDatadir) -> None:
    closes = {
        symbol.split("/")[0]: np.log(read(written, symbol, "futures")["close"].to_numpy())
        for symbol in written.symbols
    }
    for pair in DEFAULT_PLANTED:
        a, b = closes[pair.a], closes[pair.b]
        design = np.column_stack([np.ones(len(b)), b])
        (alpha, beta), *_ = np.linalg.lstsq(design, a, rcond=None)
        u = a - alpha - beta * b
        half_life = -np.log(2) / np.log(u[1:] @ u[:-1] / (u[:-1] @ u[:-1]))
        assert beta == pytest.approx(pair.beta, abs=0.05), pair.pair_id
        assert alpha == pytest.approx(written.alpha[pair.pair_id], abs=0.35), pair.pair_id
        # 3600 candles of a half-life near 6: the estimate's standard error is about 9 %.
        assert half_life == pytest.approx(pair.half_life_candles, rel=0.35), pair.pair_id
        assert u.std() == pytest.approx(pair.sigma, rel=0.25), pair.pair_id


def test_leg_a_of_every_planted_pair_is_the_thinner_market(written: SyntheticDatadir) -> None:
    notional = {}
    for symbol in written.symbols:
        frame = read(written, symbol, "futures")
        notional[symbol.split("/")[0]] = (frame["volume"] * frame["close"]).median()
    for pair in DEFAULT_PLANTED:
        assert notional[pair.a] < notional[pair.b]


def test_same_seed_same_files_and_another_seed_others(tmp_path: Path) -> None:
    kwargs = {"symbols": ("ADA", "LINK", "AAVE"), "planted": (), "candles": 100}
    first = write_synthetic_datadir(tmp_path / "1", seed=5, **kwargs)
    write_synthetic_datadir(tmp_path / "2", seed=5, **kwargs)
    write_synthetic_datadir(tmp_path / "3", seed=6, **kwargs)
    for symbol in first.symbols:
        name = f"futures/{symbol.split('/')[0]}_USDT_USDT-1h-futures.feather"
        one, two, three = (pd.read_feather(tmp_path / n / name) for n in "123")
        pd.testing.assert_frame_equal(one, two)
        assert not one["close"].equals(three["close"])


def test_adding_a_coin_changes_no_other() -> None:
    pair = PlantedPair("A", "B", beta=1.0, half_life_candles=5.0, sigma=0.01)
    small = simulate({"A": 1.0, "B": 2.0}, [pair], candles=50, candle_volatility=0.01, seed=1)
    large = simulate({"C": 3.0, "A": 1.0, "B": 2.0}, [pair], candles=50, candle_volatility=0.01, seed=1)
    np.testing.assert_array_equal(small.log_price, large.log_price[:, 1:])


def test_gaps_are_missing_rows_and_untraded_candles_are_flat(tmp_path: Path) -> None:
    written = write_synthetic_datadir(
        tmp_path,
        seed=3,
        symbols=("ADA", "LINK"),
        planted=(),
        candles=2000,
        zero_volume_share=0.05,
        gap_share=0.03,
    )
    for symbol in written.symbols:
        frame = read(written, symbol, "futures")
        assert 20 < 2000 - len(frame) < 120
        flat = frame["volume"] == 0
        assert 50 < flat.sum() < 160
        assert (
            frame.loc[flat, ["open", "high", "low"]].to_numpy() == frame.loc[flat, ["close"]].to_numpy()
        ).all()
        steps = frame["date"].diff() == pd.Timedelta(hours=1)
        assert (frame["open"] == frame["close"].shift())[steps].all()
        assert len(read(written, symbol, "mark")) == 2000


def test_shocks_cluster_with_unit_variance() -> None:
    shocks, sd = garch_t_shocks(np.random.default_rng(11), 60_000)
    assert shocks.var() == pytest.approx(1.0, rel=0.15)
    squares = shocks**2 - (shocks**2).mean()
    autocorrelation = (squares[1:] * squares[:-1]).mean() / squares.var()
    assert autocorrelation > GARCH_ALPHA / 2  # independent shocks: 0 ± 0.004
    assert (shocks / sd).std() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("planted", "says"),
    [
        ([("ADA", "LINK"), ("ADA", "AAVE")], "leg A of two"),
        ([("ADA", "LINK"), ("LINK", "ADA")], "circle"),
        ([("ADA", "SOL")], "outside the market"),
        ([("ADA", "ADA")], "two coins"),
    ],
)
def test_contradictory_plans_are_refused(tmp_path: Path, planted: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(PairbotError, match=says):
        write_synthetic_datadir(
            tmp_path,
            seed=1,
            symbols=("ADA", "LINK", "AAVE"),
            planted=[PlantedPair(a, b, beta=1.0, half_life_candles=5.0, sigma=0.01) for a, b in planted],
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", ["beta", "half_life_candles", "sigma"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_planted_pair_needs_positive_numbers(field: str, value: float) -> None:
    numbers = {"beta": 1.0, "half_life_candles": 5.0, "sigma": 0.01} | {field: value}
    with pytest.raises(PairbotError, match=field):
        PlantedPair("ADA", "LINK", **numbers)


def test_unknown_coins_and_crooked_starts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PairbotError, match="NOSUCHCOIN"):
        write_synthetic_datadir(tmp_path, seed=1, symbols=("NOSUCHCOIN",), planted=())
    with pytest.raises(PairbotError, match="full hour"):
        write_synthetic_datadir(tmp_path, seed=1, start=datetime(2025, 1, 1, 0, 30, tzinfo=UTC))
    assert not list(tmp_path.iterdir())
