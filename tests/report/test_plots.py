"""Pictures show the numbers they claim to show, and need no network."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairbot_ext.cli import main
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, write_pairs_file
from pairbot_ext.report.pairing import LegTrade, PairTrade
from pairbot_ext.report.picture import PairSpan, make_picture, spans_of
from pairbot_ext.report.plots import figure_html, figure_png, plot_pair
from pairbot_ext.support.errors import DataError

START = datetime(2025, 1, 1, tzinfo=UTC)
N = 400
ALPHA, BETA, SIGMA = 0.3, 0.8, 0.01


def _frame(log_price: np.ndarray) -> pd.DataFrame:
    close = np.exp(log_price)
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=log_price.size, freq="1h"),
            "open": close * 0.999,
            "high": close * 1.002,
            "low": close * 0.998,
            "close": close,
            "volume": 1000.0,
        }
    )


@pytest.fixture
def log_b() -> np.ndarray:
    return 4 + np.cumsum(np.random.default_rng(5).normal(0, 0.01, N))


@pytest.fixture
def z() -> np.ndarray:
    """A known path: the picture must give it back."""
    return 2.5 * np.sin(np.arange(N) / 15)


@pytest.fixture
def frames(log_b, z) -> dict[str, pd.DataFrame]:
    return {"A/USDT:USDT": _frame(ALPHA + BETA * log_b + SIGMA * z), "B/USDT:USDT": _frame(log_b)}


def _pair(**changes) -> Pair:
    fields = {
        "id": "A_B",
        "leg_a": "A/USDT:USDT",
        "leg_b": "B/USDT:USDT",
        "hedge_ratio": BETA,
        "alpha": ALPHA,
        "mu": 0.0,
        "sigma": SIGMA,
        "half_life_hours": 6.0,
        "adf_p": 0.01,
        "coint_p": 0.01,
        "entry_z": 2.0,
        "exit_z": 0.5,
        "stop_z": 4.0,
    }
    return Pair(**(fields | changes))


def _trade(opened: int, closed: int | None, *, short_a: bool) -> PairTrade:
    def leg(symbol: str, is_short: bool) -> LegTrade:
        end = None if closed is None else START + timedelta(hours=closed)
        return LegTrade(
            symbol=symbol,
            pair_id="A_B",
            is_short=is_short,
            amount=1.0,
            notional=100.0,
            open_rate=1.0,
            close_rate=1.0,
            opened=START + timedelta(hours=opened),
            closed=end,
            profit=2.5,
            funding=0.0,
            exit_reason="pair_reverted" if end else None,
        )

    return PairTrade("A_B", (leg("A/USDT:USDT", short_a),), (leg("B/USDT:USDT", not short_a),))


def _picture(frames, spans=None, trades=(), **options):
    spans = spans or [PairSpan(_pair())]
    return make_picture(frames, spans, trades, timeframe="1h", window_candles=100, **options)


def test_a_frozen_model_gives_its_own_z_spread_and_indexed_prices(frames, z):
    picture = _picture(frames)
    assert picture.z == pytest.approx(z, abs=1e-9)
    assert picture.spread_bp == pytest.approx(1e4 * SIGMA * z, abs=1e-6)
    assert picture.index_a[0] == picture.index_b[0] == 100
    close = frames["A/USDT:USDT"]["close"]
    assert picture.index_a[-1] == pytest.approx(100 * close.iloc[-1] / close.iloc[0])
    assert picture.when[0] == START + timedelta(hours=1)  # a candle is known when it has closed


def test_without_a_frozen_model_z_is_the_rolling_one(frames, log_b):
    picture = _picture(frames, [PairSpan(_pair(alpha=None, mu=None, sigma=None))])
    assert np.isnan(picture.z[:99]).all()
    log_a = np.log(frames["A/USDT:USDT"]["close"].to_numpy())[-100:]
    slope, intercept = np.polyfit(log_b[-100:], log_a, 1)
    u = log_a - intercept - slope * log_b[-100:]
    assert picture.z[-1] == pytest.approx(u[-1] / np.sqrt(u @ u / 98), rel=1e-6)
    assert picture.beta[-1] == pytest.approx(slope, rel=1e-6)


def test_each_epoch_is_drawn_with_its_own_model(frames, z):
    later = START + timedelta(hours=200)
    spans = [
        PairSpan(_pair(), START, later),
        PairSpan(_pair(sigma=2 * SIGMA), later, START + timedelta(hours=300)),
    ]
    picture = _picture(frames, spans)
    assert picture.z[:199] == pytest.approx(z[:199], abs=1e-9)
    assert picture.z[199:299] == pytest.approx(z[199:299] / 2, abs=1e-9)
    assert np.isnan(picture.z[299:]).all()


def test_a_filled_candle_has_no_z(frames):
    frame = frames["A/USDT:USDT"]
    before = frame.loc[149, "close"]
    frame.loc[150, ["open", "high", "low", "close", "volume"]] = [before, before, before, before, 0.0]
    picture = _picture(frames)
    assert np.isnan(picture.z[150])
    assert np.isfinite(picture.z[[149, 151]]).all()


def test_marks_lie_on_the_z_that_caused_the_trade(frames, z):
    picture = _picture(frames, trades=[_trade(30, 45, short_a=True), _trade(390, None, short_a=False)])
    closed, still_open = picture.marks
    assert closed.z_open == pytest.approx(z[29])  # filled at the open of candle 30, signalled by candle 29
    assert closed.z_close == pytest.approx(z[44])
    assert closed.is_short_spread
    assert not still_open.is_short_spread
    assert still_open.closed is None
    assert np.isnan(still_open.z_close)
    assert "pair_reverted, profit +5.00" in closed.label


def test_start_and_end_cut_the_picture_but_not_the_statistics(frames):
    whole = _picture(frames)
    part = _picture(frames, start=START + timedelta(hours=150), end=START + timedelta(hours=250))
    assert len(part.when) == 101
    assert np.array_equal(part.rolling_beta, whole.rolling_beta[149:250])
    assert part.index_a[0] == 100


def test_missing_candles_and_empty_ranges_are_named(frames):
    with pytest.raises(DataError, match="no candles of B/USDT:USDT"):
        _picture({"A/USDT:USDT": frames["A/USDT:USDT"]})
    with pytest.raises(DataError, match="nothing to draw"):
        _picture(frames, start=START + timedelta(days=100))


def test_the_png_has_every_panel_threshold_and_mark(frames):
    picture = _picture(frames, trades=[_trade(30, 45, short_a=True), _trade(60, 80, short_a=False)])
    figure = figure_png(picture, "a note that must be seen")
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "price, first = 100",
        "spread, bp of leg A",
        "z",
        "hedge ratio",
        "half-life, h",
    ]
    assert "a note that must be seen" in figure.get_suptitle()
    z_axes = figure.axes[2]
    levels = {line.get_ydata()[0] for line in z_axes.lines if len(line.get_ydata()) == 2}
    assert {2.0, -2.0, 0.5, -0.5, 4.0, -4.0} <= levels
    labels = {text.get_text() for text in z_axes.get_legend().get_texts()}
    assert {"long spread", "short spread", "close"} <= labels
    low, high = z_axes.get_ylim()
    assert low < -4 < 4 < high


def test_z_beyond_the_axis_is_said_in_words(frames):
    picture = _picture(frames, [PairSpan(_pair(sigma=SIGMA / 10))])
    texts = [text.get_text() for text in figure_png(picture).axes[2].texts]
    assert any(re.fullmatch(r"axis cut: z from -2\d\.\d to 2\d\.\d", text) for text in texts)


def test_the_html_holds_the_same_data_and_loads_nothing(frames, tmp_path):
    html, png = tmp_path / "deep" / "pair.html", tmp_path / "deep" / "pair.png"
    trades = [_trade(30, 45, short_a=True)]
    picture = plot_pair(
        frames, _pair(), trades, window_candles=100, out_html=html, out_png=png, title_note="x<y"
    )
    page = html.read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", page)
    assert png.read_bytes().startswith(b"\x89PNG")
    figure = figure_html(picture)
    drawn = {trace.name: trace for trace in figure.data}
    assert np.allclose(drawn["z"].y, picture.z)
    assert len(drawn["open short spread"].x) == 1
    assert "pair_reverted" in drawn["close"].text[0]


@pytest.fixture
def workdir(frames, tmp_path, monkeypatch):
    """A working directory with a pairs file and candles where Freqtrade keeps them."""
    from freqtrade.data.history import get_datahandler
    from freqtrade.enums import CandleType

    monkeypatch.chdir(tmp_path)
    datadir = Path("user_data/data/binance")
    (datadir / "futures").mkdir(parents=True)
    for symbol, frame in frames.items():
        get_datahandler(datadir, "feather").ohlcv_store(symbol, "1h", frame, CandleType.FUTURES)
    epoch = Epoch(
        valid_from=START + timedelta(hours=200),
        formation_start=START,
        formation_end=START + timedelta(hours=200),
        pairs=(_pair(),),
    )
    document = PairsFile(
        pairs=("A/USDT:USDT", "B/USDT:USDT"),
        refresh_period=300,
        generated_at=START,
        exchange="binance",
        timeframe="1h",
        scan=Scan(rule="test"),
        epochs=(epoch,),
    )
    write_pairs_file(Path("pairs_config.json"), document)
    return document


def test_the_command_writes_both_files(workdir, capsys):
    assert main(["plot", "A_B", "--window", "100"]) == 0
    assert Path("user_data/plot/A_B.html").stat().st_size > 1_000_000
    assert Path("user_data/plot/A_B.png").read_bytes().startswith(b"\x89PNG")
    assert "A_B.png" in capsys.readouterr().out
    assert spans_of(workdir, "A_B")[0].valid_from == START + timedelta(hours=200)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["NOPE"], "no such pair (found: NOPE). Its pairs: A_B"),
        (["A_B", "--pairs-file", "nowhere.json"], "does not exist"),
        (["A_B", "--datadir", "nowhere"], "no candles of A/USDT:USDT"),
        (["A_B", "--timerange", "soon"], "--timerange is malformed"),
        (["A_B", "--timerange", "20300101-"], "nothing to draw"),
        (["A_B", "--window", "3"], "--window is too short"),
        (["A_B", "--export", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(workdir, capsys, args, message):
    assert main(["plot", *args]) == 2
    assert message in capsys.readouterr().err
    assert not Path("user_data/plot").exists()
