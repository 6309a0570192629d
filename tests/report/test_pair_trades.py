"""Legs find their mates, and what is naked is counted, whatever the list of trades looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.report.pairing import legs_of, pair_trades, summarize, total
from pairbot_ext.support.errors import DataError

LEGS = {"ADA_LINK": ("ADA/USDT:USDT", "LINK/USDT:USDT"), "AAVE_AI": ("AAVE/USDT:USDT", "AI/USDT:USDT")}
T0 = datetime(2025, 3, 1, tzinfo=UTC)


def hour(count: float) -> datetime:
    return T0 + timedelta(hours=count)


def row(
    coin: str,
    opened: float,
    closed: float | None,
    *,
    tag: str = "ADA_LINK",
    short: bool = False,
    amount: float = 100.0,
    rate: float = 1.0,
    profit: float = 0.0,
    **more: Any,
) -> dict[str, Any]:
    return {
        "pair": f"{coin}/USDT:USDT",
        "enter_tag": tag,
        "is_short": short,
        "amount": amount,
        "open_rate": rate,
        "close_rate": None if closed is None else rate,
        "open_date": hour(opened).isoformat(),
        "open_timestamp": int(hour(opened).timestamp() * 1000),
        "close_date": None if closed is None else hour(closed).isoformat(),
        "close_timestamp": None if closed is None else int(hour(closed).timestamp() * 1000),
        "profit_abs": profit,
        "funding_fees": 0.0,
        "exit_reason": "" if closed is None else "pair_exit",
    } | more


def test_two_legs_opened_together_are_one_pair_trade() -> None:
    rows = [
        row("LINK", 0, 5, short=True, amount=8.0, rate=10.0, profit=-2.0),
        row("ADA", 0, 5, amount=100.0, rate=1.0, profit=5.0, funding_fees=-0.5),
    ]
    (trade,) = pair_trades(rows, LEGS, {("ADA_LINK", hour(0)): 0.75})
    assert [leg.symbol for leg in trade.legs] == ["ADA/USDT:USDT", "LINK/USDT:USDT"]
    assert trade.faults == ()
    assert trade.profit == pytest.approx(3.0)
    assert trade.funding == pytest.approx(-0.5)
    assert trade.notional == pytest.approx(180.0)
    assert trade.hedge_error == pytest.approx(abs(0.75 * 100 - 80) / 180)
    assert trade.naked_secs() == 0.0
    assert (trade.opened, trade.closed) == (hour(0), hour(5))
    assert trade.exit_reasons == ("pair_exit",)


def test_round_trips_of_one_pair_stay_apart_even_back_to_back() -> None:
    rows = [
        row(coin, start, start + 3, short=coin == "LINK") for start in (0, 3, 6) for coin in ("ADA", "LINK")
    ]
    trades = pair_trades(rows, LEGS)
    assert [trade.opened for trade in trades] == [hour(0), hour(3), hour(6)]
    assert all(trade.faults == () and trade.naked_secs() == 0 for trade in trades)
    assert all(trade.hedge_error is None for trade in trades)


def test_pairs_with_overlapping_times_are_not_mixed() -> None:
    rows = [
        row("ADA", 0, 9),
        row("AAVE", 1, 4, tag="AAVE_AI"),
        row("AI", 1, 4, tag="AAVE_AI", short=True),
        row("LINK", 0, 9, short=True),
    ]
    assert [(t.pair_id, t.faults) for t in pair_trades(rows, LEGS)] == [("ADA_LINK", ()), ("AAVE_AI", ())]


@pytest.mark.parametrize(
    ("rows", "naked_hours"),
    [
        ([row("ADA", 0, 5)], 5.0),  # the mate never came
        ([row("ADA", 0, 5), row("LINK", 1, 5, short=True)], 1.0),  # the mate came late
        ([row("ADA", 0, 5), row("LINK", 0, 3, short=True)], 2.0),  # one leg left early
        ([row("ADA", 0, 4), row("LINK", 2, 6, short=True)], 4.0),  # both
        ([row("ADA", 0, 0), row("LINK", 0, 2, short=True)], 2.0),  # liquidated on its first candle
        ([row("ADA", 0, 2), row("ADA", 3, 6), row("LINK", 0, 6, short=True)], 1.0),  # one leg reopened
    ],
)
def test_naked_time_is_time_with_exactly_one_leg_open(rows: list[dict[str, Any]], naked_hours: float) -> None:
    trades = pair_trades(rows, LEGS)
    assert sum(trade.naked_secs() for trade in trades) == pytest.approx(naked_hours * 3600)
    assert total(trades).naked_leg_hours == pytest.approx(naked_hours)


def test_faults_name_what_is_wrong() -> None:
    lone, doubled, same_way = (
        pair_trades([row("ADA", 0, 5)], LEGS)[0],
        pair_trades([row("ADA", 0, 5), row("ADA", 1, 5), row("LINK", 0, 5, short=True)], LEGS)[0],
        pair_trades([row("ADA", 0, 5), row("LINK", 0, 5)], LEGS)[0],
    )
    assert lone.faults == ("0 leg B trades instead of 1",)
    assert doubled.faults == ("2 leg A trades instead of 1",)
    assert same_way.faults == ("both legs long",)


def test_a_lone_leg_counts_as_unhedged() -> None:
    betas = {("ADA_LINK", hour(0)): 1.0}
    assert pair_trades([row("ADA", 0, 5)], LEGS, betas)[0].hedge_error == 1.0
    assert pair_trades([row("LINK", 0, 5)], LEGS, betas)[0].hedge_error == 1.0


def test_entry_orders_win_over_an_amount_that_shrank() -> None:
    def order(amount: float, price: float, *, entry: bool, filled: bool = True) -> dict[str, Any]:
        return {
            "amount": amount,
            "safe_price": price,
            "ft_is_entry": entry,
            "order_filled_timestamp": int(hour(0).timestamp() * 1000) if filled else None,
        }

    rows = [
        row(
            "ADA", 0, 5, amount=40.0, rate=1.0,
            orders=[
                order(100.0, 1.0, entry=True), order(50.0, 2.0, entry=True, filled=False),
                order(60.0, 1.0, entry=False),
            ],
        ),
        row("LINK", 0, 5, short=True, amount=10.0, rate=10.0),
    ]  # fmt: skip
    (trade,) = pair_trades(rows, LEGS, lambda pair_id, opened: 1.0)
    assert trade.legs_a[0].amount == 100.0
    assert trade.hedge_error == 0.0


def test_a_data_frame_and_its_rows_give_the_same() -> None:
    rows = [row("ADA", 0, 5, profit=1.0), row("LINK", 0, 5, short=True), row("ADA", 7, 9)]
    frame = pd.DataFrame(rows)
    for side in ("open", "close"):
        frame[f"{side}_date"] = pd.to_datetime(frame[f"{side}_date"], utc=True)
    assert pair_trades(frame, LEGS) == pair_trades(rows, LEGS)
    assert pair_trades(frame.drop(columns=["open_timestamp", "close_timestamp"]), LEGS) == pair_trades(
        rows, LEGS
    )


def test_open_trades_need_an_end() -> None:
    (trade,) = pair_trades([row("ADA", 0, None), row("LINK", 0, 2, short=True)], LEGS)
    assert trade.closed is None
    with pytest.raises(ValueError, match="until when"):
        trade.naked_secs()
    assert trade.naked_secs(until=hour(5)) == 3 * 3600


def test_strangers_are_refused() -> None:
    with pytest.raises(DataError, match="force_entry"):
        pair_trades([row("ADA", 0, 5, tag="force_entry")], LEGS)
    with pytest.raises(DataError, match="AAVE"):
        pair_trades([row("AAVE", 0, 5)], LEGS)


def test_summary_lists_every_pair_asked_for() -> None:
    rows = [
        row("ADA", 0, 5, profit=3.0), row("LINK", 0, 5, short=True, amount=90.0, profit=-1.0),
        row("ADA", 6, 8, profit=-4.0), row("LINK", 6, 7, short=True, profit=1.0),
    ]  # fmt: skip
    trades = pair_trades(rows, LEGS, lambda pair_id, opened: 1.0)
    first, second = summarize(trades, order=["AAVE_AI"])
    assert (first.pair_id, first.pair_trades, first.worst_hedge_error) == ("AAVE_AI", 0, None)
    assert (second.pair_id, second.pair_trades, second.wins) == ("ADA_LINK", 2, 1)
    assert second.profit == pytest.approx(-1.0)
    assert second.worst_hedge_error == pytest.approx(10 / 190)
    assert second.naked_leg_hours == pytest.approx(1.0)


def test_legs_of_the_committed_pairs(repo_root) -> None:
    from pairbot_ext.pairs import load_pairs_file

    legs = legs_of(load_pairs_file(repo_root / "pairs_config.json"))
    assert len(legs) == 10
    assert legs["1000CAT_1MBABYDOGE"] == ("1000CAT/USDT:USDT", "1MBABYDOGE/USDT:USDT")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ADA", "LINK"]), st.integers(0, 40), st.integers(0, 12)),
        min_size=1,
        max_size=12,
    )
)
def test_no_leg_falls_out_and_naked_time_matches_a_clock(spans: list[tuple[str, int, int]]) -> None:
    """Against a brute-force clock that walks the hours."""
    rows = [row(coin, start, start + length, short=coin == "LINK") for coin, start, length in spans]
    trades = pair_trades(rows, LEGS)
    assert sum(len(trade.legs) for trade in trades) == len(rows)
    naked = 0
    for tick in range(60):
        open_now = [any(c == coin and s <= tick < s + n for c, s, n in spans) for coin in ("ADA", "LINK")]
        naked += open_now[0] != open_now[1]
    assert sum(trade.naked_secs() for trade in trades) == naked * 3600
