"""A process that dies between Freqtrade's two commits leaves a row its trade knows nothing of (I9, I13)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from freqtrade.persistence import Order, Trade

from pairbot_ext.host.legs import unapplied_row

SYMBOL = "ALGO/USDT:USDT"


def trade_of(amount: float, *rows: tuple[str, float], is_open: bool = True, is_short: bool = False) -> Trade:
    trade = Trade(
        pair=SYMBOL, exchange="binance", amount=amount, stake_amount=100.0, open_rate=0.2, fee_open=0.0005,
        fee_close=0.0005, is_open=is_open, is_short=is_short, leverage=2.0,
        open_date=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    for number, (side, filled) in enumerate(rows, 1):
        trade.orders.append(
            Order(
                order_id=str(number), ft_pair=SYMBOL, ft_order_side=side, ft_is_open=False, ft_amount=filled,
                ft_price=0.2, status="closed", symbol=SYMBOL, side=side, amount=filled, filled=filled,
                average=0.2,
            )
        )  # fmt: skip
    return trade


@pytest.mark.parametrize(
    ("amount", "rows", "unapplied"),
    [
        (1032.1, [("buy", 516.1), ("buy", 516.0), ("sell", 1032.1)], "3"),
        (1032.1, [("buy", 1032.1), ("sell", 516.0)], "2"),
        (516.1, [("buy", 1032.1), ("sell", 516.0), ("sell", 516.1)], "3"),
        (516.1, [("buy", 516.1), ("buy", 516.0)], "2"),
        (0.3, [("buy", 0.1), ("buy", 0.2), ("sell", 0.3)], "3"),
        (1032.1, [("buy", 516.1), ("buy", 516.0)], None),
        (516.1, [("buy", 1032.1), ("sell", 516.0)], None),
        (516.1, [("buy", 516.1)], None),
        # Somebody has changed the amount: that is for others to judge.
        (700.0, [("buy", 1032.1), ("sell", 516.0)], None),
        (516.1, [], None),
    ],
)
@pytest.mark.parametrize("is_short", [False, True])
def test_the_last_row_that_the_amount_knows_nothing_of(
    amount: float, rows: list[tuple[str, float]], unapplied: str | None, is_short: bool
) -> None:
    other = {"buy": "sell", "sell": "buy"}
    sides = [(other[side] if is_short else side, filled) for side, filled in rows]
    trade = trade_of(amount, *sides, is_short=is_short)
    known = [row.order_id for row in trade.orders]
    found = unapplied_row(trade, known)
    assert (found.order_id if found else None) == unapplied
    assert unapplied_row(trade, [name for name in known if name != unapplied]) is None, "not ours to mend"


def test_a_trade_that_is_closed_has_taken_all_of_them() -> None:
    assert unapplied_row(trade_of(5.0, ("buy", 5.0), ("sell", 5.0), is_open=False), ["1", "2"]) is None
