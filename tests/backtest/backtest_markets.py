"""Small markets for the backtests: planted pairs with shared coins, gaps, ragged ends, a crash."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from backtest_harness import HOUR, WINDOW_CANDLES, Candles, pair, pairs_document, read_candles, symbol
from backtest_oracle import regression
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from pairbot_ext.pairs import Epoch, Pair, PairsFile
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

START = datetime(2025, 1, 20, tzinfo=UTC)
CANDLES = 900
# LINK, DOT and ALGO are shared; ALGO is leg A of one pair and leg B of another.
PLANTED = (
    PlantedPair("ADA", "LINK", 0.8, 3.0, 0.010),
    PlantedPair("SOL", "DOT", 1.2, 4.0, 0.012),
    PlantedPair("AVAX", "LINK", 0.9, 3.5, 0.011),
    PlantedPair("ALGO", "DOT", 0.6, 3.0, 0.010),
    PlantedPair("AAVE", "ALGO", 1.4, 4.5, 0.013),
    PlantedPair("ACE", "ALT", 1.0, 3.0, 0.010),
)
COINS = ("ADA", "LINK", "SOL", "DOT", "AVAX", "ALGO", "AAVE", "ACE", "ALT")
IDS = tuple((f"{planted.a}_{planted.b}", planted.a, planted.b) for planted in PLANTED)


@dataclass(frozen=True)
class MarketFiles:
    """A data directory and what the test reads of it."""

    datadir: Path
    candles: Candles


def _write(path: Path, seed: int, **more: float) -> None:
    write_synthetic_datadir(
        path, seed=seed, symbols=COINS, planted=PLANTED, start=START, candles=CANDLES, **more
    )


def calm(path: Path) -> MarketFiles:
    """Every candle traded."""
    _write(path, 11)
    return MarketFiles(path, read_candles(path, [symbol(coin) for coin in COINS]))


def gappy(path: Path) -> MarketFiles:
    """Candles without a row and candles without a trade."""
    _write(path, 12, zero_volume_share=0.015, gap_share=0.015)
    return MarketFiles(path, read_candles(path, [symbol(coin) for coin in COINS]))


def ragged(path: Path) -> MarketFiles:
    """Two coins are listed later, two are delisted earlier, and there are gaps."""
    _write(path, 13, zero_volume_share=0.01, gap_share=0.01)
    cut(path, "ADA", first=200)
    cut(path, "ALT", first=77)
    cut(path, "DOT", last=700)
    cut(path, "AAVE", last=833)
    return MarketFiles(path, read_candles(path, [symbol(coin) for coin in COINS]))


MARKETS: dict[str, Callable[[Path], MarketFiles]] = {"calm": calm, "gappy": gappy, "ragged": ragged}


def cut(path: Path, coin: str, first: int = 0, last: int = CANDLES - 1) -> None:
    """Drop the candles before row `first` and after row `last` of one coin."""
    begin, end = START + first * HOUR, START + last * HOUR
    edit(path, coin, lambda frame: frame[(frame["date"] >= begin) & (frame["date"] <= end)])


def edit(
    path: Path, coin: str, change: Callable[[pd.DataFrame], pd.DataFrame], timeframe: str = "1h"
) -> None:
    """Rewrite one coin's futures candles."""
    frame = pd.read_feather(path / "futures" / f"{coin}_USDT_USDT-{timeframe}-futures.feather")
    changed = change(frame).reset_index(drop=True)
    get_datahandler(path, "feather").ohlcv_store(symbol(coin), timeframe, changed, CandleType.FUTURES)


def rolling_file(chosen: Sequence[str] = (), **more: float) -> PairsFile:
    """The planted pairs of these ids (default: all), no model in the file, one open-ended epoch."""
    pairs = tuple(pair(i, a, b, **more) for i, a, b in IDS if not chosen or i in chosen)
    start = START + WINDOW_CANDLES * HOUR
    return pairs_document([Epoch(valid_from=start, formation_start=START, formation_end=start, pairs=pairs)])


def epochs_file(candles: Candles, rng: np.random.Generator, count: int, frozen_share: float) -> PairsFile:
    """`count` consecutive epochs, each with its own choice of pairs, models and thresholds.

    A frozen model is estimated on the formation window alone, the last `WINDOW_CANDLES` before the epoch.
    """
    bounds = np.linspace(WINDOW_CANDLES + 40, CANDLES + 50, count + 1).astype(int)
    epochs = []
    for number, (begin, end) in enumerate(itertools.pairwise(bounds)):
        # Half the epochs begin a while after their formation ended; not all on the full hour.
        formation_end = begin - int(rng.integers(0, 2)) * int(rng.integers(1, 12))
        chosen = [ids for ids in IDS if count == 1 or rng.random() < 0.85] or list(IDS)
        rng.shuffle(chosen)
        late = pd.Timedelta(minutes=int(rng.integers(0, 2)) * 20)
        epochs.append(
            Epoch(
                valid_from=START + int(begin) * HOUR + late,
                valid_to=None if number == count - 1 else START + int(end) * HOUR,
                formation_start=START + (formation_end - WINDOW_CANDLES) * HOUR,
                formation_end=START + formation_end * HOUR,
                pairs=tuple(
                    _pair(candles, rng, ids, formation_end, rng.random() < frozen_share) for ids in chosen
                ),
            )
        )
    return pairs_document(epochs)


def _pair(
    candles: Candles, rng: np.random.Generator, ids: tuple[str, str, str], end: int, is_frozen: bool
) -> Pair:
    pair_id, a, b = ids
    thresholds = {
        "entry_z": float(rng.choice([1.4, 1.6, 1.8])),
        "exit_z": float(rng.choice([0.0, 0.3, 0.5])),
        "stop_z": float(rng.choice([2.6, 3.2, 4.0])),
        "max_half_lives": float(rng.choice([2.0, 4.0])),
    }
    part = slice(end - WINDOW_CANDLES, end)
    model = regression(np.log(candles.close[symbol(a)][part]), np.log(candles.close[symbol(b)][part]))
    half_life = float(rng.choice([2.0, 3.5, 5.0]))
    if not is_frozen or model is None or model.beta <= 0:
        more = {"half_life_hours": half_life} if rng.random() < 0.3 else {}
        return pair(pair_id, a, b, **thresholds, **more)
    return pair(
        pair_id, a, b, hedge_ratio=model.beta, alpha=model.alpha, sigma=model.sigma,
        mu=float(rng.choice([0.0, 0.0005])), half_life_hours=half_life, **thresholds,
    )  # fmt: skip


def clone(files: MarketFiles, path: Path) -> Path:
    """A copy of a market that a test may change."""
    shutil.copytree(files.datadir, path)
    return path


def spike(path: Path, coin: str, row: int, price: float, timeframe: str = "1h") -> None:
    """Let the candle that opens with `row` touch `price` and come back: its close stays as it was."""
    when = START + row * HOUR

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        is_hit = frame["date"] == when
        frame.loc[is_hit, "low"] = frame.loc[is_hit, "low"].clip(upper=round(price, 6))
        frame.loc[is_hit, "high"] = frame.loc[is_hit, "high"].clip(lower=round(price, 6))
        return frame

    edit(path, coin, change, timeframe)


def write_detail(path: Path, coins: tuple[str, ...], timeframe: str, parts: int) -> None:
    """Candles of `timeframe`, `parts` to the hour: the first carries the whole move, the others are quiet."""
    step = HOUR / parts
    for coin in coins:
        frame = pd.read_feather(path / "futures" / f"{coin}_USDT_USDT-1h-futures.feather")
        pieces = []
        for part in range(parts):
            piece = frame.copy()
            piece["date"] += part * step
            piece["volume"] /= parts
            if part:
                for column in ("open", "high", "low"):
                    piece[column] = piece["close"]
            pieces.append(piece)
        detail = pd.concat(pieces).sort_values("date").reset_index(drop=True)
        get_datahandler(path, "feather").ohlcv_store(symbol(coin), timeframe, detail, CandleType.FUTURES)
