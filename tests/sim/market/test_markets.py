"""Markets a user can open: replay equals the files, generated ones follow their law, scripts keep time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, load_pairs_file, symbols_of, write_pairs_file
from pairbot_ext.sim.datadir import SyntheticDatadir
from pairbot_ext.sim.market import open_market
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.sim.market.candles import CandleArrays
from pairbot_ext.sim.market.pairs import market_pairs_file
from pairbot_ext.sim.market.replay import (
    OBSERVED,
    Recording,
    load_datadir,
    recorded_timeframe,
    replay_market,
)
from pairbot_ext.sim.market.scripted import DEMO_PLANTED, script_z
from pairbot_ext.sim.market.series import HOUR_MS, MINUTE_MS
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.market.times import TimeMap
from pairbot_ext.sim.market.universe import DEFAULT_PLANTED
from pairbot_ext.sim.symbols import load_symbol
from pairbot_ext.support.errors import PairbotError

NOW = 1_763_829_999_123
SEED = 17


def symbol_of(ccxt_symbol: str) -> str:
    return ccxt_symbol.replace("/USDT:USDT", "USDT")


def stamp(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def files(datadir: Path, kind: str) -> Iterator[tuple[str, pd.DataFrame]]:
    for path in sorted((datadir / "futures").glob(f"*-1h-{kind}.feather")):
        yield path.name.split("_")[0] + "USDT", pd.read_feather(path)


def assert_replay_equals_files(market: CandleMarket, datadir: Path) -> None:
    """Every recorded number comes back, exactly, at its own time."""
    for kind, mark in (("futures", False), ("mark", True)):
        for symbol, frame in files(datadir, kind):
            if symbol not in market.symbols:
                continue
            served = market.klines(symbol, "1h", 0, None, 100_000, market.end_ms, mark=mark)
            assert [k.open_ms for k in served] == [stamp(when) for when in frame["date"]]
            for name in ("open", "high", "low", "close", "volume"):
                assert [float(getattr(k, name)) for k in served] == frame[name].to_list(), (
                    symbol,
                    kind,
                    name,
                )
    for symbol, frame in files(datadir, "funding_rate"):
        if symbol not in market.symbols:
            continue
        served_rates = market.funding_rates(symbol, 0, None, 100_000, market.end_ms)
        assert [(ms, float(rate)) for ms, rate in served_rates] == [
            (stamp(when), rate) for when, rate in zip(frame["date"], frame["funding_rate"], strict=True)
        ]


def test_replay_under_a_virtual_clock_equals_the_files(small_datadir: SyntheticDatadir) -> None:
    inside = stamp(small_datadir.start + timedelta(days=10))
    market = open_market(str(small_datadir.path), clock=lambda: inside)
    assert set(market.symbols) == {"ADAUSDT", "LINKUSDT", "AAVEUSDT"}
    assert_replay_equals_files(market, small_datadir.path)


@pytest.mark.shared_data
def test_replay_of_real_candles_equals_the_files(shared_dir: Path) -> None:
    datadir = shared_dir / "data" / "binance"
    recordings = load_datadir(datadir, symbols=("ADAUSDT", "BTCUSDT", "1000SHIBUSDT", "XTZUSDT"))
    assert_replay_equals_files(replay_market(recordings, TimeMap()), datadir)
    assert len(open_market(str(datadir), clock=lambda: NOW).symbols) == 28


@pytest.mark.shared_data
def test_ticks_and_steps_of_real_candles_are_binances_own(shared_dir: Path) -> None:
    """The recorded exchangeInfo of ADA and ALGO confirms what the candles of the others are read for."""
    recordings = load_datadir(shared_dir / "data" / "binance")
    for symbol in ("ADAUSDT", "ALGOUSDT"):
        assert recordings[symbol].spec == load_symbol(symbol)
    btc = recordings["BTCUSDT"].spec
    assert (btc.price_tick, btc.amount_step, btc.source) == (Decimal("0.1"), Decimal("0.001"), OBSERVED)


def test_books_of_a_replay_lie_around_the_price(small_datadir: SyntheticDatadir) -> None:
    start = stamp(small_datadir.start)
    market = open_market(str(small_datadir.path), clock=lambda: start)
    for offset in range(0, 300 * HOUR_MS, 7 * HOUR_MS + 123_457):
        for symbol, spec in market.symbols.items():
            book = market.book(symbol, start + offset)
            price = market.price(symbol, start + offset)
            assert price % spec.price_tick == 0
            assert book.bids[0][0] <= price <= book.asks[0][0]
            assert abs(market.mark_price(symbol, start + offset) / price - 1) < Decimal("0.005")


def test_another_clock_sees_the_recording_moved_by_whole_days(small_datadir: SyntheticDatadir) -> None:
    text = (small_datadir.start + timedelta(hours=100)).isoformat()
    market = open_market(f"{small_datadir.path}@{text}", clock=lambda: NOW)
    recorded_now = market.time_map.recorded(NOW)
    assert 0 <= recorded_now - stamp(small_datadir.start + timedelta(hours=100)) < 24 * HOUR_MS
    assert market.next_funding_ms("ADAUSDT", NOW) % (8 * HOUR_MS) == 0
    original = open_market(str(small_datadir.path), clock=lambda: stamp(small_datadir.start))
    for symbol in market.symbols:
        assert market.price(symbol, NOW) == original.price(symbol, recorded_now)


def test_compressed_hours_are_minutes_ending_now(small_datadir: SyntheticDatadir) -> None:
    at = small_datadir.start + timedelta(hours=300)
    market = open_market(f"{small_datadir.path}@{at.isoformat()}", compress=True, clock=lambda: NOW)
    assert market.candle_ms == MINUTE_MS
    running = market.klines("ADAUSDT", "1m", None, None, 1, NOW, mark=False)[0]
    assert running.open_ms == NOW // MINUTE_MS * MINUTE_MS
    frame = dict(files(small_datadir.path, "futures"))["ADAUSDT"]
    recorded = frame[frame["date"] < at].tail(100)
    served = market.klines("ADAUSDT", "1m", None, running.open_ms - 1, 100, NOW, mark=False)
    assert [float(kline.close) for kline in served] == recorded["close"].to_list()
    hours = [market.time_map.recorded(kline.open_ms) for kline in served]
    assert hours == [stamp(when) for when in recorded["date"]]


def test_compressed_funding_keeps_real_stamps_and_the_recorded_order(small_datadir: SyntheticDatadir) -> None:
    at = small_datadir.start + timedelta(hours=300)
    market = open_market(f"{small_datadir.path}@{at.isoformat()}", compress=True, clock=lambda: NOW)
    recorded = dict(files(small_datadir.path, "funding_rate"))["ADAUSDT"]
    past = recorded[recorded["date"] <= at]["funding_rate"].to_list()
    served = market.funding_rates("ADAUSDT", None, None, 1000, NOW)
    assert [float(rate) for _, rate in served] == past
    assert {ms % (8 * HOUR_MS) for ms, _ in served} == {0}
    assert served[-1][0] <= NOW < market.next_funding_ms("ADAUSDT", NOW) == served[-1][0] + 8 * HOUR_MS


def test_funding_of_the_future_is_not_served(small_datadir: SyntheticDatadir) -> None:
    start = stamp(small_datadir.start)
    market = open_market(str(small_datadir.path), clock=lambda: start)
    now = start + 50 * HOUR_MS
    rates = market.funding_rates("ADAUSDT", None, None, 1000, now)
    assert [ms for ms, _ in rates] == [start + 8 * HOUR_MS * i for i in range(7)]
    assert market.funding_rates("ADAUSDT", start + 1, now + 10 * HOUR_MS, 2, now) == rates[1:3]
    assert market.next_funding_ms("ADAUSDT", now) == start + 56 * HOUR_MS
    assert market.next_funding_ms("ADAUSDT", start + 8 * HOUR_MS) == start + 16 * HOUR_MS


def test_day_statistics_are_those_of_the_last_24_hours(small_datadir: SyntheticDatadir) -> None:
    start = stamp(small_datadir.start)
    market = open_market(str(small_datadir.path), clock=lambda: start)
    now = start + 100 * HOUR_MS - 1
    stats = market.day_stats("LINKUSDT", now)
    frame = dict(files(small_datadir.path, "futures"))["LINKUSDT"]
    day = frame[(frame["date"].map(stamp) > now - 24 * HOUR_MS) & (frame["date"].map(stamp) <= now)]
    assert float(stats.high) == day["high"].max()
    assert float(stats.low) == day["low"].min()
    assert float(stats.last) == day["close"].iloc[-1]
    assert float(stats.volume) == pytest.approx(day["volume"].sum())
    assert market.day_stats("LINKUSDT", start - 1).volume == 0


@pytest.mark.parametrize(("compress", "candle_ms"), [(False, HOUR_MS), (True, MINUTE_MS)])
def test_the_synthetic_market_has_history_future_and_its_planted_pairs(
    compress: bool, candle_ms: int
) -> None:
    print(f"seed {SEED}")
    market = open_market("synthetic", compress=compress, clock=lambda: NOW, seed=SEED)
    assert market.candle_ms == candle_ms
    assert market.first_ms <= NOW - 2_600 * candle_ms
    assert market.end_ms > NOW + 1_000 * candle_ms
    assert "planted" in market.description
    closes = {
        symbol: np.array(
            [
                log(k.close)
                for k in market.klines(symbol, "1m" if compress else "1h", 0, NOW, 5000, NOW, mark=False)
            ]
        )
        for symbol in market.symbols
    }
    assert {len(series) for series in closes.values()} == {2_601}
    for pair in DEFAULT_PLANTED:
        a, b = closes[f"{pair.a}USDT"], closes[f"{pair.b}USDT"]
        slope = np.polyfit(b, a, 1)[0]
        assert slope == pytest.approx(pair.beta, abs=0.07), pair.pair_id
    again = open_market("synthetic", compress=compress, clock=lambda: NOW, seed=SEED)
    other = open_market("synthetic", compress=compress, clock=lambda: NOW, seed=SEED + 1)
    assert again.price("ADAUSDT", NOW) == market.price("ADAUSDT", NOW) != other.price("ADAUSDT", NOW)


def z_at(market: CandleMarket, pair: Pair, when_ms: int) -> float:
    assert pair.alpha is not None
    assert pair.sigma is not None
    a, b = (log(market.price(symbol_of(symbol), when_ms)) for symbol in pair.symbols)
    return (a - pair.alpha - pair.hedge_ratio * b) / pair.sigma


@pytest.fixture(scope="module")
def scripted() -> tuple[CandleMarket, PairsFile]:
    print(f"seed {SEED}")
    market = open_market("demo", clock=lambda: NOW, seed=SEED)
    pairs_file = market_pairs_file(market, now_ms=NOW)
    assert pairs_file is not None
    return market, pairs_file


def test_scripted_pairs_cross_and_revert_on_cue(scripted: tuple[CandleMarket, PairsFile]) -> None:
    market, pairs_file = scripted
    first = NOW // MINUTE_MS * MINUTE_MS
    pairs = pairs_file.epochs[0].pairs
    assert [pair.id for pair in pairs] == [pair.pair_id for pair in DEMO_PLANTED]
    for minute in range(60):
        close = first + (minute + 1) * MINUTE_MS - 1
        for rank, pair in enumerate(pairs):
            assert z_at(market, pair, close) == pytest.approx(script_z(rank, minute), abs=0.12)
    for minute in range(1, 60):
        # Every minute two pairs have just crossed and two have just reverted; none stays out for two candles.
        now, before = ([abs(script_z(rank, minute - back)) for rank in range(4)] for back in (0, 1))
        assert sorted(z >= 2.0 for z in now) == sorted(z <= 0.5 for z in now) == [False, False, True, True]
        assert all(min(pair) <= 0.5 for pair in zip(now, before, strict=True))


def test_a_live_spread_never_leaves_the_script(scripted: tuple[CandleMarket, PairsFile]) -> None:
    market, pairs_file = scripted
    first = NOW // MINUTE_MS * MINUTE_MS
    for pair in pairs_file.epochs[0].pairs:
        for second in range(60, 20 * 60, 3):
            assert abs(z_at(market, pair, first + 1000 * second)) < 2.9


def test_no_signal_of_the_history_is_alive_when_the_script_begins(
    scripted: tuple[CandleMarket, PairsFile],
) -> None:
    market, pairs_file = scripted
    first = NOW // MINUTE_MS * MINUTE_MS
    for pair in pairs_file.epochs[0].pairs:
        assert all(abs(z_at(market, pair, first - 1 - back * MINUTE_MS)) < 1.0 for back in range(20))


def test_the_scripted_pairs_file_is_valid_and_starts_now(
    scripted: tuple[CandleMarket, PairsFile], tmp_path: Path
) -> None:
    market, pairs_file = scripted
    write_pairs_file(tmp_path / "pairs.json", pairs_file)
    again = load_pairs_file(tmp_path / "pairs.json")
    assert again == pairs_file
    assert again.timeframe == "1m"
    epoch = again.epoch_at(datetime.fromtimestamp(NOW / 1000, tz=UTC))
    assert epoch is not None
    assert all(pair.is_frozen for pair in epoch.pairs)
    assert market.first_ms <= stamp(epoch.formation_end) - 1_440 * MINUTE_MS


def test_a_recorded_pairs_file_moves_with_the_compressed_market(small_datadir: SyntheticDatadir) -> None:
    at = small_datadir.start + timedelta(hours=300)
    market = open_market(f"{small_datadir.path}@{at.isoformat()}", compress=True, clock=lambda: NOW)
    assert market_pairs_file(market, now_ms=NOW) is None
    pair = Pair(
        id="ADA_LINK", leg_a="ADA/USDT:USDT", leg_b="LINK/USDT:USDT", hedge_ratio=0.8, alpha=-1.0, sigma=0.01,
        half_life_hours=6.0, adf_p=0.0, coint_p=0.01, entry_z=2.0, exit_z=0.5, stop_z=4.0,
    )  # fmt: skip
    epoch = Epoch(
        valid_from=at, valid_to=at + timedelta(hours=60), formation_start=at - timedelta(hours=200),
        formation_end=at, pairs=(pair,),
    )  # fmt: skip
    source = PairsFile(
        pairs=symbols_of((epoch,)), refresh_period=300, generated_at=at, exchange="binance", timeframe="1h",
        scan=Scan(rule="naive"), epochs=(epoch,),
    )  # fmt: skip
    moved = market_pairs_file(market, now_ms=NOW, source=source)
    assert moved is not None
    assert moved.timeframe == "1m"
    (served,) = moved.epochs
    minute = datetime.fromtimestamp(NOW // MINUTE_MS * MINUTE_MS / 1000, tz=UTC)
    assert (served.valid_from, served.valid_to) == (minute, minute + timedelta(hours=1))
    assert served.formation_start == minute - timedelta(minutes=200)
    assert moved.generated_at == minute, "everything dated moves together"
    assert served.pairs[0].half_life_hours == pytest.approx(0.1)
    assert served.pairs[0].model_dump(exclude={"half_life_hours"}) == pair.model_dump(
        exclude={"half_life_hours"}
    )
    PairsFile.model_validate(moved.model_dump(mode="json"))


@pytest.mark.parametrize("spec", ["synthetik", "/no/such/directory"])
def test_an_unknown_market_is_refused(spec: str) -> None:
    with pytest.raises(PairbotError, match="No such market"):
        open_market(spec, clock=lambda: NOW)


def test_bad_directories_and_times_are_refused(small_datadir: SyntheticDatadir, tmp_path: Path) -> None:
    with pytest.raises(PairbotError, match="No 1h futures candles"):
        open_market(str(tmp_path), clock=lambda: NOW)
    with pytest.raises(PairbotError, match="outside the recorded"):
        open_market(f"{small_datadir.path}@2020-01-01", clock=lambda: NOW)
    with pytest.raises(PairbotError, match="no ISO"):
        open_market(f"{small_datadir.path}@soon", clock=lambda: NOW)
    source = small_datadir.path / "futures" / "ADA_USDT_USDT-1h-futures.feather"
    (tmp_path / "futures").mkdir()
    (tmp_path / "futures" / source.name).write_bytes(source.read_bytes())
    with pytest.raises(PairbotError, match="mark"):
        open_market(str(tmp_path), clock=lambda: NOW)
    (tmp_path / "futures" / source.name).write_bytes(b"not a feather file")
    with pytest.raises(PairbotError, match="cannot be read"):
        open_market(str(tmp_path), clock=lambda: NOW)


def test_scripted_prices_wait_before_they_move(scripted: tuple[CandleMarket, PairsFile]) -> None:
    """A bot that comes up in mid-minute must find the spread where the last candle left it."""
    market, pairs_file = scripted
    first = NOW // MINUTE_MS * MINUTE_MS
    for pair in pairs_file.epochs[0].pairs:
        for minute in range(1, 10):
            opened = first + minute * MINUTE_MS
            assert z_at(market, pair, opened + 45_000) == pytest.approx(z_at(market, pair, opened), abs=1e-9)
            assert z_at(market, pair, opened + 58_000) == pytest.approx(z_at(market, pair, opened + 59_999))


def test_the_finest_recorded_timeframe_stands_in_for_a_missing_hour(
    small_datadir: SyntheticDatadir, tmp_path: Path
) -> None:
    assert recorded_timeframe(small_datadir.path) == "1h"
    assert recorded_timeframe(tmp_path) is None
    (tmp_path / "futures").mkdir()
    for kind in ("futures", "mark", "funding_rate"):
        source = small_datadir.path / "futures" / f"ADA_USDT_USDT-1h-{kind}.feather"
        for timeframe in ("4h", "1d"):
            target = tmp_path / "futures" / source.name.replace("1h", timeframe)
            target.write_bytes(source.read_bytes())
    assert recorded_timeframe(tmp_path) == "4h"
    assert load_datadir(tmp_path)["ADAUSDT"].candle_ms == 4 * HOUR_MS
    with pytest.raises(PairbotError, match="Only hourly"):
        open_market(str(tmp_path), compress=True, clock=lambda: NOW)


def what_a_bot_can_see(market: CandleMarket, now_ms: int) -> list[object]:
    """The answer to every question of the interface at one instant."""
    seen: list[object] = []
    for symbol in market.symbols:
        seen += [
            market.price(symbol, now_ms),
            market.mark_price(symbol, now_ms),
            market.book(symbol, now_ms),
            market.day_stats(symbol, now_ms),
            market.next_funding_ms(symbol, now_ms),
            market.funding_rates(symbol, 0, now_ms + 48 * HOUR_MS, 1000, now_ms),
        ]
        for interval in ("1m", "15m", "1h", "4h", "1d"):
            for mark in (False, True):
                end = now_ms + 48 * HOUR_MS
                seen.append(market.klines(symbol, interval, None, end, 100, now_ms, mark=mark))
                seen.append(
                    market.klines(symbol, interval, now_ms - 9 * HOUR_MS, end, 100, now_ms, mark=mark)
                )
    return seen


def with_another_future(recording: Recording, cut_ms: int) -> Recording:
    """The same until `cut_ms`; from there on other prices and other funding."""

    def candles(stamps: np.ndarray, table: CandleArrays) -> CandleArrays:
        factor = np.where(stamps >= cut_ms, 3.0, 1.0)
        return CandleArrays(
            *(getattr(table, name) * factor for name in ("open", "high", "low", "close", "volume"))
        )

    return replace(
        recording,
        futures=candles(recording.futures_ms, recording.futures),
        mark=candles(recording.mark_ms, recording.mark),
        funding_rates=np.where(recording.funding_ms >= cut_ms, 0.01, recording.funding_rates),
    )


@pytest.mark.parametrize("hours", [37, 120, 255])
def test_another_future_changes_nothing_that_can_be_seen_before_it(
    small_datadir: SyntheticDatadir, hours: int
) -> None:
    cut = stamp(small_datadir.start) + hours * HOUR_MS
    recordings = load_datadir(small_datadir.path)
    others = {symbol: with_another_future(recording, cut) for symbol, recording in recordings.items()}
    one, other = replay_market(recordings, TimeMap()), replay_market(others, TimeMap())
    for before in (1, 59_999, 20 * MINUTE_MS, 3 * HOUR_MS + 5):
        assert what_a_bot_can_see(one, cut - before) == what_a_bot_can_see(other, cut - before)
    assert what_a_bot_can_see(one, cut + MINUTE_MS) != what_a_bot_can_see(other, cut + MINUTE_MS)


def test_the_shape_of_the_books_is_the_users_choice(small_datadir: SyntheticDatadir) -> None:
    shape = BookShape(spread_bp=50, levels=3, top_notional=1_000)
    for spec in ("synthetic", "demo", str(small_datadir.path)):
        market = open_market(spec, clock=lambda: NOW, shape=shape)
        for symbol in market.symbols:
            book = market.book(symbol, NOW)
            assert len(book.bids) == len(book.asks) == 3
            assert float(book.asks[0][0] / book.bids[0][0] - 1) == pytest.approx(0.005, rel=0.2)
