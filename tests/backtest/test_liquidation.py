"""The one thing that may close a leg alone: its mate follows on the same candle, or on the next."""

from __future__ import annotations

import pytest
from backtest_checks import PairTrade, naked_leg_candles, pair_trades
from backtest_harness import Run
from backtest_markets import MarketFiles, clone, rolling_file, spike, write_detail

PAIRS = rolling_file(["SOL_DOT", "ALGO_DOT", "ADA_LINK"])
COINS = ("SOL", "DOT", "ALGO", "ADA", "LINK")
SETTINGS = {
    "max_open_trades": -1,
    "stake_amount": 300,
    "dry_run_wallet": 100_000,
    "pairbot": {"leverage": 10},
    "timerange": "20250126-20250202",
}
# At leverage 10 the venue liquidates some 8.6 % away (Freqtrade's buffer included), and the strategy's
# distant stop-loss of 99 % of the margin lies at 9.9 %. A candle that reaches both is booked as a stop-loss.
SPIKES = {
    ("long", "liquidation"): 0.908, ("short", "liquidation"): 1.093,
    ("long", "stop_loss"): 0.85, ("short", "stop_loss"): 1.15,
}  # fmt: skip


@pytest.fixture(scope="module")
def quiet(market, market_files, tmp_path_factory) -> Run:
    """The run without a spike, from which the positions of the others are known."""
    files = market_files("calm")
    run = market.run(tmp_path_factory.mktemp("quiet"), PAIRS, files.datadir, SETTINGS)
    assert not any(trade.is_liquidated for trade in pair_trades(run))
    return run


def long_lived(run: Run) -> PairTrade:
    """The first pair trade that is open on at least four candles."""
    return next(t for t in pair_trades(run) if run.candles.row(t.legs[0].close_date) - t.opened >= 4)


def leg_on(trade: PairTrade, side: str):
    return next(leg for leg in trade.legs if leg.is_short == (side == "short"))


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("side", "after", "reason"),
    [
        ("long", 0, "liquidation"),
        ("short", 0, "liquidation"),
        ("short", 2, "liquidation"),
        ("long", 2, "stop_loss"),
    ],
)
def test_the_mate_of_a_liquidated_leg_follows(
    market, market_files, tmp_path, quiet, side, after, reason, is_reversed
) -> None:
    files: MarketFiles = market_files("calm")
    target = long_lived(quiet)
    leg, row = leg_on(target, side), target.opened + after
    datadir = clone(files, tmp_path / "binance")
    spike(datadir, leg.pair.split("/")[0], row, leg.open_rate * SPIKES[side, reason])
    whitelist = list(PAIRS.pairs)
    settings = {**SETTINGS, "exchange": {"pair_whitelist": whitelist[::-1] if is_reversed else whitelist}}
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", PAIRS, datadir, settings, quiet.candles)

    (hit,) = [trade for trade in pair_trades(run) if trade.is_liquidated]
    assert (hit.pair_id, hit.opened) == (target.pair_id, target.opened)
    lost = next(each for each in hit.legs if each.exit_reason == reason)
    assert lost.pair == leg.pair
    assert run.candles.row(lost.close_date) == row
    assert naked_leg_candles(run) <= 1
    for mate in hit.legs:
        if mate is not lost:
            assert mate.exit_reason == "pair_mate_gone"
            assert row <= run.candles.row(mate.close_date) <= row + 1
    if len(hit.legs) == 1:
        # Liquidated on the candle of its entry before the mate had its turn: the mate was never opened.
        assert after == 0
    if after:
        assert len(hit.legs) == 2
    # Nothing that was decided before has changed.
    assert {(t.pair_id, t.opened) for t in pair_trades(quiet) if t.opened < row} == {
        (t.pair_id, t.opened) for t in pair_trades(run) if t.opened < row
    }


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("after", [0, 2])
def test_with_detail_candles_the_mate_follows_within_the_candle(
    market, market_files, tmp_path, quiet, after, is_reversed
) -> None:
    target = long_lived(quiet)
    leg, row = leg_on(target, "long"), target.opened + after
    datadir = clone(market_files("calm"), tmp_path / "binance")
    write_detail(datadir, COINS, "30m", 2)
    spike(datadir, leg.pair.split("/")[0], row, leg.open_rate * SPIKES["long", "liquidation"], "30m")
    whitelist = list(PAIRS.pairs)
    settings = {
        **SETTINGS,
        "timeframe_detail": "30m",
        "exchange": {"pair_whitelist": whitelist[::-1] if is_reversed else whitelist},
    }
    (tmp_path / "run").mkdir()
    run = market.run(tmp_path / "run", PAIRS, datadir, settings, quiet.candles)
    (hit,) = [trade for trade in pair_trades(run) if trade.is_liquidated]
    assert (hit.pair_id, hit.opened) == (target.pair_id, target.opened)
    assert all(run.candles.row(each.close_date.floor("h")) == row for each in hit.legs)
    assert {each.exit_reason for each in hit.legs} <= {"liquidation", "pair_mate_gone"}
    assert naked_leg_candles(run) <= 1


def test_detail_candles_change_no_pair_trade(market, market_files, tmp_path, quiet) -> None:
    datadir = clone(market_files("calm"), tmp_path / "binance")
    write_detail(datadir, COINS, "30m", 2)
    (tmp_path / "run").mkdir()
    settings = {**SETTINGS, "timeframe_detail": "30m"}
    run = market.run(tmp_path / "run", PAIRS, datadir, settings, quiet.candles)
    columns = ["pair", "enter_tag", "open_date", "close_date", "amount", "is_short", "exit_reason"]
    expected, got = (
        each.trades.sort_values(["open_date", "pair"])[columns].to_dict("records") for each in (quiet, run)
    )
    assert len(expected) >= 8
    assert got == expected
