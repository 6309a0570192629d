"""Bad series never reach the statistics, and each says why."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.candles.files import available_symbols, floor_to_candle, last_close, load_candles
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.support.errors import DataError

END = datetime(2025, 1, 26, tzinfo=UTC)  # the market has 600 candles: exactly 25 days
WINDOW = Window("1h", 500, END)


def _replace(frame: pd.DataFrame, row: int, **values: float) -> pd.DataFrame:
    frame = frame.copy()
    for column, value in values.items():
        frame.loc[row, column] = value
    return frame


def _fill(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    """The candle Freqtrade invents for a gap."""
    before = frame.loc[row - 1, "close"]
    return _replace(frame, row, open=before, high=before, low=before, close=before, volume=0.0)


BAD_SERIES = {
    "NaN close": (lambda f: _replace(f, 300, close=np.nan), "1 closes are NaN"),
    "infinite close": (lambda f: _replace(f, 300, close=np.inf), "1 closes are NaN, infinite"),
    "zero close": (lambda f: _replace(f, 300, close=0.0), "not positive"),
    "gap": (lambda f: f.drop(index=[300, 301]), "2 of 500 candles missing, the first 2025-01-13 12:00"),
    "zero-volume fill": (lambda f: _fill(f, 300), "1 of 500 candles are zero-volume fills"),
    "constant": (lambda f: f.assign(close=3.0, high=3.1), "constant price"),
    "starts late": (lambda f: f.iloc[101:], "too short: candles begin 2025-01-05 05:00"),
    "ends early": (lambda f: f.iloc[:-1], "too short: candles end 2025-01-25 23:00"),
    "empty": (lambda f: f.iloc[:0], "no candles"),
    "other timeframe": (
        lambda f: pd.concat([f, f.assign(date=f["date"] + timedelta(minutes=30))]).sort_values("date"),
        "500 candles lie off the 1h grid",
    ),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_a_bad_series_is_rejected_with_its_reason_and_the_others_stay(case, market):
    damage, reason = BAD_SERIES[case]
    market["WALK3/USDT:USDT"] = damage(market["WALK3/USDT:USDT"]).reset_index(drop=True)
    data = cut_window(market, WINDOW)
    assert set(data.rejected) == {"WALK3/USDT:USDT"}
    assert reason in data.rejected["WALK3/USDT:USDT"]
    assert "WALK3/USDT:USDT" not in data.symbols
    assert data.log_prices.shape == (500, 6)
    assert np.isfinite(data.log_prices).all()


@pytest.mark.parametrize("case", ["NaN close", "gap", "zero-volume fill"])
def test_damage_outside_the_window_does_not_matter(case, market):
    damage, _ = BAD_SERIES[case]
    market["WALK3/USDT:USDT"] = damage(market["WALK3/USDT:USDT"]).reset_index(drop=True)
    window = Window("1h", 200, END)  # rows 400 to 599; the damage is at row 300
    assert not cut_window(market, window).rejected


def test_the_window_ends_before_the_candle_that_opens_at_its_end(market):
    data = cut_window(market, Window("1h", 100, END - timedelta(hours=50)))
    frame = market["THIN/USDT:USDT"]
    column = data.symbols.index("THIN/USDT:USDT")
    assert np.array_equal(data.log_prices[:, column], np.log(frame["close"].to_numpy()[450:550]))
    assert data.quote_volume[column] == pytest.approx((frame["close"] * frame["volume"])[450:550].sum())


def test_fewer_than_two_usable_symbols_is_an_error_that_says_why(market):
    frames = {"THIN/USDT:USDT": market["THIN/USDT:USDT"], "WALK0/USDT:USDT": market["WALK0/USDT:USDT"][:50]}
    with pytest.raises(DataError, match=r"two symbols.*1 of 2; WALK0/USDT:USDT: too short"):
        cut_window(frames, WINDOW)


def test_candles_pass_through_freqtrade_unchanged_and_gaps_stay_gaps(market, store_candles):
    market["WALK3/USDT:USDT"] = market["WALK3/USDT:USDT"].drop(index=[300]).reset_index(drop=True)
    datadir = store_candles(market)
    symbols = available_symbols(datadir, "1h")
    assert symbols == sorted(market)
    loaded = load_candles(datadir, "1h", symbols)
    for symbol, frame in market.items():
        assert np.array_equal(loaded[symbol]["close"].to_numpy(), frame["close"].to_numpy())


def test_a_coin_of_any_script_is_a_coin(market, store_candles):
    market["币安人生/USDT:USDT"] = market["WALK3/USDT:USDT"]
    datadir = store_candles(market)
    symbols = available_symbols(datadir, "1h")
    assert "币安人生/USDT:USDT" in symbols
    data = cut_window(load_candles(datadir, "1h", symbols), WINDOW)
    assert data.rejected == {}
    assert "币安人生/USDT:USDT" in data.symbols


@pytest.mark.parametrize(
    "name", ["WALK3/USDT:USDT-260327", "WALK3/USDT", "WA LK/USDT:USDT", "../x/USDT:USDT"]
)
def test_what_a_pairs_file_cannot_name_is_rejected_by_name(market, store_candles, name: str):
    datadir = store_candles(market)
    frames = load_candles(datadir, "1h", available_symbols(datadir, "1h"))
    frames[name] = frames["WALK3/USDT:USDT"]
    data = cut_window(frames, WINDOW)
    assert "a pairs file cannot name it" in data.rejected[name]


def test_missing_directory_and_missing_timeframe_name_what_is_there(tmp_path, market, store_candles):
    with pytest.raises(DataError, match="has no futures/ folder"):
        available_symbols(tmp_path, "1h")
    datadir = store_candles(market)
    with pytest.raises(DataError, match=r"no 4h futures candles.*timeframes there: 1h"):
        available_symbols(datadir, "4h")


@pytest.mark.swallows("ArrowInvalid")
def test_a_torn_file_is_rejected_by_name(market, store_candles):
    datadir = store_candles(market)
    (datadir / "futures" / "THIN_USDT_USDT-1h-futures.feather").write_bytes(b"torn")
    data = cut_window(load_candles(datadir, "1h", available_symbols(datadir, "1h")), WINDOW)
    assert data.rejected == {"THIN/USDT:USDT": "no candles: its file is missing, empty or unreadable"}


def test_the_newest_close_is_that_of_most_symbols(market):
    assert last_close(market, "1h") == END
    market["WALK1/USDT:USDT"] = market["WALK1/USDT:USDT"].iloc[:-200]
    later = market["WALK2/USDT:USDT"]
    market["WALK2/USDT:USDT"] = pd.concat(
        [later, later.iloc[-5:].assign(date=later["date"].iloc[-5:] + timedelta(hours=5))]
    )
    assert last_close(market, "1h") == END
    with pytest.raises(DataError, match="no candles found"):
        last_close({"A": later.iloc[:0]}, "1h")


@pytest.mark.parametrize("timeframe", ["1w", "1M", "h", "", "0h", "-1h", "1x"])
def test_timeframes_without_a_fixed_grid_are_refused(timeframe):
    with pytest.raises(DataError, match="timeframe"):
        floor_to_candle(END, timeframe)


def test_floor_to_candle_keeps_the_grid_of_the_exchange():
    when = datetime(2026, 2, 1, 20, 40, 21, tzinfo=UTC)
    assert floor_to_candle(when, "1h") == datetime(2026, 2, 1, 20, tzinfo=UTC)
    assert floor_to_candle(when, "4h") == datetime(2026, 2, 1, 20, tzinfo=UTC)
    assert floor_to_candle(when, "1d") == datetime(2026, 2, 1, tzinfo=UTC)
    assert floor_to_candle(END, "1h") == END
