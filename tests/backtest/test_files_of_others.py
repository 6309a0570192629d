"""I16: a backtest of whatever data there are: nothing is silently empty, invented or charged as zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backtest_harness import HOUR, STARTUP_CANDLES, Market, Run, pair, pairs_document, symbol
from backtest_markets import CANDLES, IDS, START, MarketFiles, clone, edit, rolling_file
from freqtrade.optimize.backtest_caching import get_strategy_run_id

from pairbot_ext.backtest import funnel
from pairbot_ext.candles.files import FORMATS, available_symbols, data_format, load_candles
from pairbot_ext.candles.funding import Known, coverage, gaps_said
from pairbot_ext.pairs import Epoch, PairsFile, load_pairs_file, write_pairs_file
from pairbot_ext.report.funding import said, unknown_funding
from pairbot_ext.report.pairing import legs_of, pair_trades
from pairbot_ext.settings import parse_settings
from pairbot_ext.startup.checks import required_startup_candles
from pairbot_ext.stats.steps import price_steps

MakeRun = Callable[..., list[str]]
MakeToldRun = Callable[..., tuple[Run, list[str]]]
AMPLE = {"max_open_trades": 10, "stake_amount": 500, "dry_run_wallet": 100_000}


@pytest.fixture
def told_run(
    market: Market,
    market_files: Callable[[str], MarketFiles],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeToldRun:
    """Run a backtest; its trades and what it says last."""
    told: list[funnel.Funnel] = []
    monkeypatch.setattr(
        "pairbot_ext.runtime.backtest_start.tell_at_the_end", lambda made, _: told.append(made)
    )
    files = market_files("calm")

    def run(
        file: PairsFile | None = None, datadir: Path | None = None, **settings: object
    ) -> tuple[Run, list[str]]:
        done = market.run(
            tmp_path, file or rolling_file(), datadir or files.datadir, {**AMPLE, **settings}, files.candles
        )
        return done, told[-1].lines()

    return run


@pytest.fixture
def last_lines(told_run: MakeToldRun) -> MakeRun:
    """Run a backtest; what it says last."""
    return lambda *args, **settings: told_run(*args, **settings)[1]


def test_every_signal_is_accounted_for(last_lines: MakeRun) -> None:
    lines = last_lines()
    first = lines[0]
    assert "NO PAIR TRADE" not in first
    signals, opened = (
        int(first.split(f" {word}")[0].split()[-1].replace(",", "")) for word in ("signals", "pair trades")
    )
    assert signals > opened > 0
    counts = [int(part.split()[0].replace(",", "")) for part in lines[1].split(": ", 2)[2].split("; ")]
    assert sum(counts) == signals - opened


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"stake_amount": 0.5}, "the stake is too small"),
        ({"timerange": "20250101-20250126"}, "warm-up"),
        ({"dry_run_wallet": 3}, "signals not taken"),
        ({"max_open_trades": 2}, "signals not taken"),
    ],
    ids=str,
)  # fmt: skip
def test_no_or_few_trades_come_with_their_reason(
    last_lines: MakeRun, settings: dict[str, object], says: str
) -> None:
    assert any(says in line for line in last_lines(**settings)), last_lines(**settings)


def test_a_timerange_before_the_pairs_are_valid_is_named(last_lines: MakeRun) -> None:
    start = START + 800 * HOUR
    pairs = tuple(pair(i, a, b) for i, a, b in IDS)
    epoch = Epoch(valid_from=start, formation_start=START, formation_end=START + 120 * HOUR, pairs=pairs)
    (line, *_) = last_lines(pairs_document([epoch]), timerange="20250101-20250210")
    assert "NO PAIR TRADE" in line
    assert f"valid_from {start:%Y-%m-%d %H:%M}" in line


def test_pairs_that_cannot_trade_are_named_last(
    last_lines: MakeRun, market_files: Callable[[str], MarketFiles], tmp_path: Path
) -> None:
    datadir = clone(market_files("calm"), tmp_path / "cut" / "binance")
    for path in (datadir / "futures").glob("ACE_*"):
        path.rename(path.with_name(path.name.replace("ACE_", "ZZGONE_")))
    pairs = (*(pair(i, a, b) for i, a, b in IDS if "ACE" not in i), pair("ZZGONE_ALT", "ZZGONE", "ALT"))
    start = START + 120 * HOUR
    epoch = Epoch(valid_from=start, formation_start=START, formation_end=start, pairs=pairs)
    (line,) = [line for line in last_lines(pairs_document([epoch]), datadir) if "MISSING" in line]
    assert "ZZGONE_ALT" in line
    assert "1 of 6 pairs" in line


@pytest.mark.parametrize("factor", [10.0, 0.1, 1000.0, 2.0, 0.5])
def test_a_step_no_market_makes_earns_nothing(
    market_files: Callable[[str], MarketFiles], told_run: MakeToldRun, tmp_path: Path, factor: float
) -> None:
    """Nobody earned what a new unit books."""
    files = market_files("calm")
    datadir = clone(files, tmp_path / "step" / "binance")
    when = START + 500 * HOUR

    def rescale(frame: pd.DataFrame) -> pd.DataFrame:
        after = frame["date"] >= when
        frame.loc[after, ["open", "high", "low", "close"]] *= factor
        return frame

    edit(datadir, "LINK", rescale)
    run, lines = told_run(None, datadir)
    assert any("price step" in line and "LINK" in line for line in lines)
    assert run.trades["profit_ratio"].abs().max() < 0.5
    held = run.trades[run.trades.pair == symbol("LINK")]
    assert not ((held.open_date < when) & (held.close_date >= when)).any()


def frames(**closes: list[float]) -> dict[str, pd.DataFrame]:
    made = {}
    for name, close in closes.items():
        opened = [close[0], *close[:-1]]
        dates = pd.date_range("2025-01-01", periods=len(close), freq="1h", tz="UTC")
        made[name] = pd.DataFrame({"date": dates, "open": opened, "close": close})
    return made


def test_a_crash_within_its_candle_is_no_step() -> None:
    assert price_steps(frames(A=[100.0, 99.0, 12.0, 11.0], B=[5.0, 5.0, 5.0, 5.0]), pd.Timedelta("1h")) == {}


def test_a_gap_that_the_whole_universe_has_is_the_markets() -> None:
    made = frames(A=[10.0] * 6, B=[10.0] * 6, C=[10.0] * 6)
    for frame in made.values():
        frame.loc[3:, ["open", "close"]] *= 0.5
    assert price_steps(made, pd.Timedelta("1h")) == {}
    made["C"].loc[5:, ["open", "close"]] *= 8
    assert list(price_steps(made, pd.Timedelta("1h"))) == ["C"]


def test_a_hole_in_the_data_is_no_step() -> None:
    made = frames(A=[10.0] * 6, B=[10.0] * 6)
    made["A"].loc[3:, ["open", "close"]] *= 3
    made["A"] = made["A"].drop(index=2)
    assert price_steps(made, pd.Timedelta("1h")) == {}


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_prices_that_are_none_split_a_series(value: float) -> None:
    made = frames(A=[10.0] * 6, B=[10.0] * 6)
    made["A"].loc[3, "open"] = value
    assert list(price_steps(made, pd.Timedelta("1h"))) == ["A"]


# -- the identity of a run ---------------------------------------------------------------------------


def test_another_content_of_the_pairs_file_is_another_run(
    market: Market, market_files: Callable[[str], MarketFiles], tmp_path: Path
) -> None:
    datadir = market_files("calm").datadir

    def run_id(file: PairsFile) -> str:
        backtesting = market.backtesting(market.config(tmp_path, file, datadir, AMPLE))
        return get_strategy_run_id(backtesting.strategylist[0])

    # Freqtrade takes the keys out of the first configuration an exchange is made of.
    run_id(rolling_file())
    same, other = run_id(rolling_file()), run_id(rolling_file(entry_z=1.9))
    assert same == run_id(rolling_file())
    assert same != other


def test_a_second_backtest_of_one_object_reads_the_file_again(
    market: Market, market_files: Callable[[str], MarketFiles], tmp_path: Path
) -> None:
    """What Freqtrade's web server does."""
    files = market_files("calm")
    backtesting = market.backtesting(market.config(tmp_path, rolling_file(), files.datadir, AMPLE))
    data, timerange = backtesting.load_bt_data()
    strategy = backtesting.strategylist[0]

    def trades() -> int:
        backtesting.backtest_one_strategy(strategy, data, timerange)
        return len(backtesting.all_bt_content[strategy.get_strategy_name()]["results"])

    first = trades()
    write_pairs_file(tmp_path / "pairs.json", rolling_file(entry_z=2.4))
    assert 0 < trades() < first


# -- warm-up, formats, funding -------------------------------------------------------------------------


@pytest.mark.parametrize(("half_life", "most"), [(4.0, 120), (2.0, 120), (None, 120), (1000.0, 120)], ids=str)
def test_frozen_pairs_need_no_more_than_their_formation(half_life: float | None, most: int) -> None:
    frozen = pair("A_B", "ADA", "LINK", alpha=0.0, sigma=0.1, mu=0.0, half_life_hours=half_life)
    start = START + 120 * HOUR
    file = pairs_document(
        [Epoch(valid_from=start, formation_start=START, formation_end=start, pairs=(frozen,))]
    )
    assert required_startup_candles(file, parse_settings({"rearm_lookback_candles": 24}), "1h") <= most


def test_rolling_pairs_need_their_window() -> None:
    settings = parse_settings({"rearm_lookback_candles": 24, "rolling_window_candles": 120})
    assert required_startup_candles(rolling_file(), settings, "1h") == STARTUP_CANDLES


@pytest.mark.parametrize("form", sorted(FORMATS.values()))
def test_candles_of_every_format_are_read(
    market_files: Callable[[str], MarketFiles], tmp_path: Path, form: str
) -> None:
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType, TradingMode

    source, target = market_files("calm").datadir, tmp_path / "binance"
    (target / "futures").mkdir(parents=True)
    old, new = get_datahandler(source, "feather"), get_datahandler(target, form)
    for name, timeframe, kind in old.ohlcv_get_available_data(source, TradingMode.FUTURES):
        new.ohlcv_store(name, timeframe, old.ohlcv_load(name, timeframe, kind, fill_missing=False), kind)
    assert data_format(target) == form
    symbols = available_symbols(target, "1h")
    assert symbols == available_symbols(source, "1h")
    ours, theirs = load_candles(target, "1h", symbols), load_candles(source, "1h", symbols)
    for name in symbols:
        pd.testing.assert_frame_equal(ours[name], theirs[name], check_dtype=False)
        assert len(ours[name]) == CANDLES
    assert CandleType.FUTURES == "futures"


def rates(*hours: int, worst: float = 0.001) -> pd.DataFrame:
    dates = [pd.Timestamp(START) + pd.Timedelta(hours=hour) for hour in hours]
    return pd.DataFrame({"date": dates, "funding_rate": [worst] * len(hours)})


@pytest.mark.parametrize(
    ("known", "begin", "end", "missing"),
    [
        (rates(0, 8, 16, 24), 1, 24, 0),
        (rates(0, 8, 24), 1, 24, 1),
        (rates(16, 24), 1, 24, 1),
        (rates(*range(0, 25, 4)), 1, 24, 0),
        (rates(), 1, 24, 3),
        (rates(0, 8), 1, 40, 4),
    ],
)
def test_settlements_without_a_rate_are_counted(
    known: pd.DataFrame, begin: int, end: int, missing: int
) -> None:
    found = Known.of(known)
    assert found.missing(START + begin * HOUR, START + end * HOUR) == missing
    said_of_it = gaps_said({"A": found}, START + begin * HOUR, START + end * HOUR)
    assert bool(said_of_it) == bool(missing)


def test_unknown_funding_is_bounded_by_the_worst_rate(
    market: Market, market_files: Callable[[str], MarketFiles], tmp_path: Path
) -> None:
    files = market_files("calm")
    run = market.run(tmp_path, rolling_file(), files.datadir, AMPLE, files.candles)
    file = load_pairs_file(tmp_path / "pairs.json")
    trades = pair_trades(run.trades.to_dict("records"), legs_of(file))
    late = {coin: rates(*range(480, CANDLES, 8)) for coin in file.pairs}
    unknown = unknown_funding(trades, coverage(late, list(file.pairs)))
    early = [trade for trade in trades if trade.opened < START + 400 * HOUR]
    assert early
    assert all(unknown.of(trade) for trade in early if trade.held_hours and trade.held_hours > 8)
    assert np.isfinite(unknown.bound)
    (sentence,) = said(unknown, len(trades), "USDT")
    assert "UNKNOWN" in sentence
    assert "never" not in sentence
    whole = unknown_funding(
        trades, coverage({coin: rates(*range(0, CANDLES + 24, 8)) for coin in file.pairs}, list(file.pairs))
    )
    assert said(whole, len(trades), "USDT") == []
