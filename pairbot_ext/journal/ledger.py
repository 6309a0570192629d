"""The journal as people read it: pair trades with their legs, orders, hedge error and profit.

Reads the database only and writes nothing; works beside a running bot and without one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Row, bindparam, inspect, select, text
from sqlalchemy.orm import Session

from pairbot_ext.journal.journal import signed_fill
from pairbot_ext.journal.store import order_of, pair_trade_of
from pairbot_ext.journal.tables import OrderRow, PairTradeRow, SettingRow
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg, hedge_error


@dataclass(frozen=True)
class LegStatus:
    """One leg now.

    :param held: base currency, by our fills.
    :param entry_price: average of the entries, quote currency; None before the first fill.
    :param profit: realised by Freqtrade's accounts, fees and funding included, quote currency; None before
        an exit.
    :param funding: received (positive) or paid so far, quote currency.
    """

    leg: Leg
    symbol: str
    side: str
    planned: Decimal
    held: Decimal
    entry_price: float | None
    exit_price: float | None
    profit: float | None
    funding: float


@dataclass(frozen=True)
class PairStatus:
    """One pair trade now.

    :param hedge_error: ratio; None unless both legs are held.
    :param naked_secs: between leg A's first fill and the hedge (or the end); None before leg A filled, and
        while it lasts.
    """

    trade: PairTrade
    legs: tuple[LegStatus, LegStatus]
    orders: tuple[OrderRecord, ...]
    hedge_error: float | None
    naked_secs: float | None

    @property
    def profit(self) -> float | None:
        """Of both legs; None before any exit."""
        known = [leg.profit for leg in self.legs if leg.profit is not None]
        return sum(known) if known else None


HEARD = "heard"
"""Setting that holds the prices last heard."""
MOST_ASKED = 1_000
"""Orders named in one question; more are looked up among all."""


def has_journal(engine: Engine) -> bool:
    """Whether a bot with pair trades has ever used this database."""
    return inspect(engine).has_table(PairTradeRow.__tablename__)


def read_ledger(
    engine: Engine, *, only_open: bool = False, last: int | None = None, pair_id: str | None = None
) -> list[PairStatus]:
    """Pair trades, oldest first. Raises SQLAlchemyError.

    :param last: at most so many of the latest.
    :param pair_id: only those of this pair.
    """
    with Session(engine) as session:
        query = select(PairTradeRow).order_by(PairTradeRow.created_ms.desc(), PairTradeRow.id)
        if only_open:
            query = query.where(PairTradeRow.state.not_in(["CLOSED", "ABORTED"]))
        if pair_id is not None:
            query = query.where(PairTradeRow.pair_id == pair_id)
        rows = session.scalars(query.limit(last) if last is not None else query).all()
        ids = [row.id for row in rows]
        orders = [
            order_of(row)
            for row in session.scalars(select(OrderRow).where(OrderRow.pair_trade_id.in_(ids))).all()
        ]
        few = only_open or last is not None
        money = read_money(session, [each.order_id for each in orders if each.order_id] if few else None)
        return [
            status_of(pair_trade_of(row), [order for order in orders if order.pair_trade_id == row.id], money)
            for row in reversed(rows)
        ]


def read_heard(engine: Engine) -> dict[str, Any] | None:
    """The prices the running bot noted last, as `desk.hearing` stores them; None where it has heard none."""
    if not inspect(engine).has_table(SettingRow.__tablename__):
        return None
    with Session(engine) as session:
        row = session.get(SettingRow, HEARD)
        return None if row is None else dict(json.loads(row.value))


def read_money(session: Session, order_ids: Sequence[str] | None = None) -> dict[tuple[str, str], Row[Any]]:
    """Freqtrade's accounts by (symbol, exchange order id).

    :param order_ids: of these orders alone: a bot has thousands of closed pair trades behind it. Where there
        are more than MOST_ASKED, all are read.
    """
    if not inspect(session.get_bind()).has_table("trades"):
        return {}
    question = (
        "SELECT o.ft_pair, o.order_id, t.id, t.is_open, t.realized_profit, t.close_profit_abs, "
        "t.funding_fees FROM orders o JOIN trades t ON t.id = o.ft_trade_id"
    )
    if order_ids is None or len(order_ids) > MOST_ASKED:
        rows = session.execute(text(question)).all()
    else:
        asked = text(f"{question} WHERE o.order_id IN :ids").bindparams(bindparam("ids", expanding=True))
        rows = session.execute(asked, {"ids": list(order_ids)}).all()
    return {(row.ft_pair, row.order_id): row for row in rows}


def status_of(
    trade: PairTrade, orders: list[OrderRecord], money: dict[tuple[str, str], Row[Any]]
) -> PairStatus:
    """One pair trade from its orders.

    :param orders: all of its own, in any order.
    :param money: of `read_money`.
    """
    orders = sorted(orders, key=lambda order: (order.intent_ms, order.leg, order.attempt))
    legs = tuple(_leg(trade, leg, [order for order in orders if order.leg is leg], money) for leg in Leg)
    error = None
    if legs[0].held and legs[1].held:
        notionals = [float(leg.held) * (leg.entry_price or 0.0) for leg in legs]
        error = hedge_error(trade.plan.model.beta, notionals[0], notionals[1])
    fills = [
        order.settled_ms
        for order in orders
        if order.leg is Leg.A and order.role.increases and order.filled and order.settled_ms
    ]
    end_ms = trade.hedged_ms or trade.closed_ms
    naked = (end_ms - min(fills)) / 1000 if fills and end_ms else None
    return PairStatus(trade, (legs[0], legs[1]), tuple(orders), error, naked)


def _leg(
    trade: PairTrade, leg: Leg, orders: Sequence[OrderRecord], money: dict[tuple[str, str], Row[Any]]
) -> LegStatus:
    entries = [order for order in orders if order.role.increases and order.filled]
    exits = [order for order in orders if not order.role.increases and order.filled and order.average]
    account = next(
        (
            money[order.symbol, order.order_id]
            for order in orders
            if order.order_id is not None and (order.symbol, order.order_id) in money
        ),
        None,
    )
    profit = None
    if account is not None and exits:
        profit = float((account.realized_profit if account.is_open else account.close_profit_abs) or 0.0)
    return LegStatus(
        leg=leg,
        symbol=trade.plan.symbol(leg),
        side=trade.plan.side(leg),
        planned=trade.sizing[leg].amount,
        held=max(Decimal(0), sum((signed_fill(order) for order in orders), Decimal(0))),
        entry_price=_average(entries),
        exit_price=_average(exits),
        profit=profit,
        funding=float((account.funding_fees if account is not None else 0.0) or 0.0),
    )


def _average(orders: Sequence[OrderRecord]) -> float | None:
    amount = sum((order.filled for order in orders), Decimal(0))
    if not amount:
        return None
    return sum(float(order.filled) * (order.average or 0.0) for order in orders) / float(amount)
