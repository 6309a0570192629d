"""A bot's SQLite database as trades and journal, read without disturbing the bot."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.support.errors import DataError

_TRADES = """
    SELECT id, pair, enter_tag, is_short, is_open, amount, open_rate, close_rate, open_date, close_date,
           close_profit_abs, realized_profit, funding_fees, exit_reason, fee_open, fee_close, strategy,
           timeframe, stake_currency
    FROM trades ORDER BY id
"""
_ORDERS = """
    SELECT ft_trade_id, ft_pair, order_id, ft_order_side, filled, average, price, order_filled_date
    FROM orders WHERE filled > 0 ORDER BY id
"""
_PAIR_TRADES = """
    SELECT id, state, reason, plan, dry_run, created_ms, hedged_ms
    FROM pairbot_pair_trades ORDER BY created_ms, id
"""
_JOURNAL_ORDERS = """
    SELECT o.pair_trade_id, o.symbol, o.order_id, o.role = 'r' AND o.intent_ms <= t.hedged_ms AS is_entry_trim
    FROM pairbot_orders o JOIN pairbot_pair_trades t ON t.id = o.pair_trade_id
    WHERE o.order_id IS NOT NULL
"""
_STARTS = "SELECT detail FROM pairbot_events WHERE kind = 'started' ORDER BY id"


@dataclass(frozen=True)
class JournalTrade:
    """A pair trade as the engine journalled it.

    :param plan: what it was entered with; its model ruled it to the end.
    :param state: a value of `model.states.PairState`.
    :param hedged_secs: from the plan to both legs filled, None where that never came.
    """

    id: str
    plan: EntryPlan
    state: str
    reason: str
    dry_run: bool
    planned: datetime
    hedged_secs: float | None


@dataclass(frozen=True)
class BotDatabase:
    """What a database holds.

    :param rows: every trade with its filled orders, as `pairing.pair_trades` takes them.
    :param journal: the pair trades of our own tables; None where the database has none.
    :param is_simulated: whether the bot said at a start that its exchange was the simulated one.
    """

    rows: list[dict[str, Any]]
    journal: tuple[JournalTrade, ...] | None
    is_simulated: bool = False


def load_database(path: Path) -> list[dict[str, Any]]:
    """Every trade with its filled orders, as `pair_trades` takes them; [] before the bot made its tables.

    A leg counts as open from the fill of its first entry order to its close. Times in the rows are epoch
    ms, as in a backtest export; Freqtrade stores naive UTC.

    :raises DataError: the file is missing or no Freqtrade database.
    """
    return read_database(path).rows


def read_database(path: Path) -> BotDatabase:
    """Trades and, where the database has our tables, the journal.

    :raises DataError: as `load_database`.
    """
    if not path.is_file():
        raise DataError(f"The database {path} does not exist", remedy="Name the bot's SQLite file (--db-url)")
    try:
        # Read only: a report must never lock out the bot that is writing.
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as connection:
            connection.row_factory = sqlite3.Row
            # One read transaction: trades and journal of the same moment.
            connection.execute("BEGIN")
            return _read(connection)
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as a Freqtrade database: {error}", remedy="Name the bot's SQLite file"
        ) from error


def _read(connection: sqlite3.Connection) -> BotDatabase:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    if not {"trades", "orders"} <= names:
        return BotDatabase([], None)
    owners: dict[tuple[str, str], sqlite3.Row] = {}
    journal: tuple[JournalTrade, ...] | None = None
    is_simulated = False
    if {"pairbot_pair_trades", "pairbot_orders", "pairbot_events"} <= names:
        journal = tuple(_journal_trade(row) for row in connection.execute(_PAIR_TRADES))
        owners = {(row["symbol"], row["order_id"]): row for row in connection.execute(_JOURNAL_ORDERS)}
        starts = [json.loads(row["detail"]) for row in connection.execute(_STARTS)]
        is_simulated = any(start.get("simulated") for start in starts)
    orders: dict[int, list[sqlite3.Row]] = {}
    for order in connection.execute(_ORDERS):
        orders.setdefault(order["ft_trade_id"], []).append(order)
    rows = []
    for trade in connection.execute(_TRADES):
        own = orders.get(trade["id"], [])
        journalled = [owners.get((order["ft_pair"], order["order_id"])) for order in own]
        row = _row(trade, own)
        row["pair_trade_id"] = next((each["pair_trade_id"] for each in journalled if each), None)
        for order, each in zip(row["orders"], journalled, strict=True):
            order["is_entry_trim"] = bool(each and each["is_entry_trim"])
        rows.append(row)
    return BotDatabase(rows, journal, is_simulated)


def _journal_trade(row: sqlite3.Row) -> JournalTrade:
    hedged = row["hedged_ms"]
    return JournalTrade(
        id=row["id"],
        plan=EntryPlan.from_json(json.loads(row["plan"])),
        state=row["state"],
        reason=row["reason"],
        dry_run=bool(row["dry_run"]),
        planned=datetime.fromtimestamp(row["created_ms"] / 1000, tz=UTC),
        hedged_secs=None if hedged is None else (hedged - row["created_ms"]) / 1000,
    )


def _row(trade: sqlite3.Row, orders: list[sqlite3.Row]) -> dict[str, Any]:
    entry_side = "sell" if trade["is_short"] else "buy"
    shown = [
        {
            "amount": order["filled"],
            "safe_price": order["average"] or order["price"],
            "ft_is_entry": order["ft_order_side"] == entry_side,
            "order_filled_timestamp": _epoch_ms(order["order_filled_date"]),
            "order_id": order["order_id"],
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
        "fee_open": trade["fee_open"],
        "fee_close": trade["fee_close"],
        "strategy": trade["strategy"],
        "timeframe_mins": trade["timeframe"],
        "stake_currency": trade["stake_currency"],
        "orders": shown,
    }


def _epoch_ms(text: str | None) -> int | None:
    if text is None:
        return None
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
