"""The trades of a bot's SQLite database, shaped like a backtest export, read without disturbing the bot."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pairbot_ext.errors import DataError

_TRADES = """
    SELECT id, pair, enter_tag, is_short, is_open, amount, open_rate, close_rate, open_date, close_date,
           close_profit_abs, realized_profit, funding_fees, exit_reason
    FROM trades ORDER BY id
"""
_ORDERS = """
    SELECT ft_trade_id, ft_order_side, filled, average, price, order_filled_date
    FROM orders WHERE filled > 0 ORDER BY id
"""


def load_database(path: Path) -> list[dict[str, Any]]:
    """Every trade with its filled orders, as `pair_trades` takes them; [] before the bot made its tables.

    A leg counts as open from the fill of its first entry order to its close. Times in the rows are epoch
    ms, as in a backtest export; Freqtrade stores naive UTC.

    :raises DataError: the file is missing or no Freqtrade database.
    """
    if not path.is_file():
        raise DataError(f"The database {path} does not exist", remedy="Name the bot's SQLite file (--db-url)")
    try:
        # Read only: a report must never lock out the bot that is writing.
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as connection:
            connection.row_factory = sqlite3.Row
            names = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if not {"trades", "orders"} <= names:
                return []
            orders: dict[int, list[sqlite3.Row]] = {}
            for order in connection.execute(_ORDERS):
                orders.setdefault(order["ft_trade_id"], []).append(order)
            return [_row(trade, orders.get(trade["id"], [])) for trade in connection.execute(_TRADES)]
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"{path} cannot be read as a Freqtrade database: {error}", remedy="Name the bot's SQLite file"
        ) from error


def _row(trade: sqlite3.Row, orders: list[sqlite3.Row]) -> dict[str, Any]:
    entry_side = "sell" if trade["is_short"] else "buy"
    shown = [
        {
            "amount": order["filled"],
            "safe_price": order["average"] or order["price"],
            "ft_is_entry": order["ft_order_side"] == entry_side,
            "order_filled_timestamp": _epoch_ms(order["order_filled_date"]),
        }
        for order in orders
    ]
    filled = [order["order_filled_timestamp"] for order in shown if order["ft_is_entry"]]
    first_fill = min((stamp for stamp in filled if stamp is not None), default=None)
    is_open = bool(trade["is_open"])
    return {
        "pair": trade["pair"],
        "enter_tag": trade["enter_tag"],
        "is_short": bool(trade["is_short"]),
        "amount": trade["amount"],
        "open_rate": trade["open_rate"],
        "close_rate": trade["close_rate"],
        "open_timestamp": first_fill or _epoch_ms(trade["open_date"]),
        "close_timestamp": None if is_open else _epoch_ms(trade["close_date"]),
        "profit_abs": trade["realized_profit"] if is_open else trade["close_profit_abs"],
        "funding_fees": trade["funding_fees"],
        "exit_reason": trade["exit_reason"],
        "orders": shown,
    }


def _epoch_ms(text: str | None) -> int | None:
    if text is None:
        return None
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
