"""Reading an account so that nothing is mistaken for "nothing": ccxt turns an empty or truncated answer with
status 200 into an empty list, and an empty list of positions would count as flat (I3).

Source: Binance USDⓈ-M futures, Position Information V3, Current All Open Orders, All Orders: each answers
with a JSON list.
"""

from decimal import Decimal
from typing import Any

import ccxt

from pairbot_ext.venue.protocol import Fill, Position


def read_positions(client: Any) -> dict[str, Position]:
    """Positions by ccxt symbol; a symbol without one is left out (weight 5).

    :raises ccxt.BaseError: as ccxt does, and BadResponse for an answer that is no list of positions.
    """
    client.load_markets()
    positions: dict[str, Position] = {}
    for row in rows_of(client.fapiPrivateV3GetPositionRisk(), "positionRisk", "symbol", "positionAmt"):
        amount = Decimal(str(row["positionAmt"]))
        if amount:
            symbol = str(client.safe_symbol(row["symbol"], None, None, "contract"))
            before = positions[symbol].amount if symbol in positions else Decimal(0)
            liquidation_price = client.safe_number(row, "liquidationPrice")
            mark_price = client.safe_number(row, "markPrice")
            positions[symbol] = Position(before + amount, liquidation_price or None, mark_price or None)
    return positions


def read_open_orders(client: Any, symbol: str) -> list[dict[str, Any]]:
    """The venue's rows of the orders resting on `symbol` (weight 1). Raises as `read_positions`."""
    request = {"symbol": client.market(symbol)["id"]}
    return rows_of(client.fapiPrivateGetOpenOrders(request), "openOrders", "symbol")


def read_fills(client: Any, symbol: str, since_ms: int) -> list[Fill]:
    """Of the orders on `symbol` since then (weight 5). Raises as `read_positions`."""
    request = {"symbol": client.market(symbol)["id"], "startTime": since_ms}
    rows = rows_of(
        client.fapiPrivateGetAllOrders(request), "allOrders", "clientOrderId", "side", "executedQty"
    )
    fills = (
        Fill(
            str(row["clientOrderId"]), Decimal(str(row["executedQty"])) * (1 if row["side"] == "BUY" else -1)
        )
        for row in rows
    )
    return [fill for fill in fills if fill.amount]


def read_charges(client: Any, symbol: str, since_ms: int) -> float:
    """Liquidation fees of a symbol since then (weight 30), 0 or less. Raises as `read_positions`.

    Source: Binance's Get Income History: a liquidation's fee is booked as INSURANCE_CLEAR, apart from its
    fill's commission.
    """
    request = {
        "symbol": client.market(symbol)["id"], "incomeType": "INSURANCE_CLEAR", "startTime": since_ms,
    }  # fmt: skip
    answer = client.fapiPrivateGetIncome(request)
    if answer == []:
        return 0.0
    return sum(float(row["income"]) for row in rows_of(answer, "income", "income"))


def rows_of(answer: Any, name: str, *keys: str) -> list[dict[str, Any]]:
    """An answer that must be a list of rows with these keys. Raises ccxt.BadResponse where it is none."""
    if not isinstance(answer, list) or not all(
        isinstance(row, dict) and all(row.get(key) not in (None, "") for key in keys) for row in answer
    ):
        shown = str(answer)[:80] or "nothing"
        raise ccxt.BadResponse(
            f"binance {name} answered {shown!r}, not a list of rows with {', '.join(keys)}"
        )
    return answer
