"""A bot for the page: many pairs on the real clock, heard over streams, with years of trading behind it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from control_world import REPO_ROOT, SpreadMarket, api_block, write_pairs
from freqtrade.persistence import Order, Trade
from freqtrade.rpc.api_server import ApiServer
from heard_rig import HeardRig, RateLimits, RealTime
from sqlalchemy import Table, insert, select

from pairbot_ext.journal.tables import OrderRow, PairTradeRow
from pairbot_ext.sim.symbols import load_symbols

WALLET = 100_000
HOUR_MS = 3_600_000
OFF = {
    "max_pairs": None, "max_gross_exposure_ratio": None, "max_coin_exposure_ratio": None,
    "break_stop": None, "max_api_error_percent": None,
}  # fmt: skip


def many_legs(count: int) -> dict[str, tuple[str, str, float]]:
    """So many pairs of coins that no other pair has."""
    names = [name for name in sorted(load_symbols()) if name.isascii()][: 2 * count]
    return {
        f"{a.removesuffix('USDT')}_{b.removesuffix('USDT')}": (a, b, 1.0)
        for a, b in zip(names[::2], names[1::2], strict=True)
    }


@contextmanager
def page_rig(
    directory: Path,
    *,
    legs: dict[str, tuple[str, str, float]],
    open_pairs: int,
    wallet: int = WALLET,
    risk: dict[str, Any] = OFF,
) -> Iterator[HeardRig]:
    """A dry-run bot with an API server on a free port; `open_pairs` of its pairs want to be entered."""
    (directory / "user_data").mkdir(parents=True, exist_ok=True)
    z_at_end = {
        pair_id: (2.4 if number % 2 else -2.3) if number < open_pairs else 0.8
        for number, pair_id in enumerate(legs)
    }
    clock = RealTime()
    market = SpreadMarket(clock.now_ms(), legs=legs, z_at_end=z_at_end)
    path = directory / "pairs.json"
    write_pairs(path, market, datetime.now(UTC))
    rig = HeardRig(
        directory, clock, dry_run=True, market=market, symbols=tuple(market.prices), strategy="PairsArb",
        strategy_path=str(REPO_ROOT / "strategies"), stake_amount=100, max_open_trades=2 * len(legs),
        dry_run_wallet=wallet, api_server=api_block(),
        pairbot={"pairs_file": str(path), "leverage": 2, "streams": True, "risk": risk},
    )  # fmt: skip
    rig.gateway.limits = RateLimits(enforced=False)
    rig.desk.limiter.after({"X-MBX-USED-WEIGHT-1M": "0"})
    try:
        rig.until_heard()
        yield rig
    finally:
        rig.bot.cleanup()
        ApiServer.shutdown()
        rig.close_down()


def close_one(rig: HeardRig, name: str) -> None:
    """One pair trade that has been closed: what a past is made of."""
    rig.bot.strategy.pairs._control.service.close(name, "the past")
    assert any(row.state == "CLOSED" for row in rig.pair_trades())


def give_a_past(rig: HeardRig, count: int) -> None:
    """The closed pair trade of the bot `count` times over, each an hour before the last: rows of its journal
    and of Freqtrade's, which the bot itself has written, under new names."""
    bind = Trade.session.get_bind()
    closed = next(row for row in rig.pair_trades() if row.state == "CLOSED")
    orders = [row for row in rig.orders() if row.pair_trade_id == closed.id]
    with bind.begin() as connection:
        trade_ids = set(
            connection.scalars(
                select(Order.ft_trade_id).where(Order.order_id.in_([each.order_id for each in orders]))
            )
        )
        trades = [
            dict(row._mapping)
            for row in connection.execute(_table(Trade).select().where(_table(Trade).c.id.in_(trade_ids)))
        ]
        known = [
            dict(row._mapping)
            for row in connection.execute(
                _table(Order).select().where(_table(Order).c.ft_trade_id.in_(trade_ids))
            )
        ]
        first_trade = max(connection.scalars(select(Trade.id))) + 1
        first_order = max(connection.scalars(select(Order.id))) + 1
        made: dict[str, list[dict[str, Any]]] = {"pairs": [], "ours": [], "trades": [], "theirs": []}
        for number in range(count):
            new = secrets.token_hex(6)
            back = HOUR_MS * (number + 1)
            made["pairs"].append(_moved(PairTradeRow, closed, back) | {"id": new})
            for order in orders:
                name = order.client_id.replace(closed.id, new)
                row = _moved(OrderRow, order, back)
                made["ours"].append(
                    row | {"client_id": name, "pair_trade_id": new, "order_id": f"{order.order_id}-{number}"}
                )
            for trade in trades:
                made["trades"].append(trade | {"id": first_trade})
                for order in known:
                    if order["ft_trade_id"] == trade["id"]:
                        name = f"{order['order_id']}-{number}"
                        made["theirs"].append(
                            order | {"id": first_order, "ft_trade_id": first_trade, "order_id": name}
                        )
                        first_order += 1
                first_trade += 1
        tables = {"trades": Trade, "theirs": Order, "pairs": PairTradeRow, "ours": OrderRow}
        for part, table in tables.items():
            connection.execute(insert(_table(table)), made[part])
    Trade.session.remove()


def _table(row: Any) -> Table:
    table: Table = row.__table__
    return table


def _moved(table: Any, row: Any, back_ms: int) -> dict[str, Any]:
    """A row's values, its times so much earlier."""
    values = {column.name: getattr(row, column.name) for column in _table(table).columns}
    return {
        key: value - back_ms if key.endswith("_ms") and value is not None else value
        for key, value in values.items()
    }


@contextmanager
def wandering(rig: HeardRig, every_secs: float = 0.2) -> Iterator[None]:
    """Every price moves by a tick, up and down, until the end."""
    ended = threading.Event()
    base = dict(rig.market.prices)

    def wander() -> None:
        up = 0
        while not ended.wait(every_secs):
            up = 1 - up
            for name, price in base.items():
                tick = rig.market._symbols[name].price_tick
                rig.market.prices[name] = price + up * tick
            rig.transport._handler.tick()

    mover = threading.Thread(target=wander, name="market")
    mover.start()
    try:
        yield
    finally:
        ended.set()
        mover.join()
        rig.market.prices.update({name: Decimal(price) for name, price in base.items()})
