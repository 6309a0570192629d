"""What was executed, and whether the simulated exchange's books of it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.rehearse.account import EIGHT_DECIMALS, RESTS, Account, Asked, Execution, Funding
from pairbot_ext.sim.venue.venue import Venue

ZERO = Decimal(0)
MOVED_MARK = Decimal("0.6")
"""A fixed or scripted market tells its price of now for every stamp."""


@dataclass(frozen=True)
class Executed:
    """One execution. `amount` is signed, base currency."""

    client_id: str
    symbol: str
    amount: Decimal
    price: float

    @property
    def ours(self) -> ClientOrderId | None:
        """What its client order id says; None where it is not one of ours."""
        return ClientOrderId.parse(self.client_id)


@dataclass(frozen=True)
class Mark:
    """Where a case began: what came before is not its business."""

    executed: int = 0
    request: int = 0
    pair_trades: frozenset[str] = frozenset()


def positions_of(executed: list[Executed]) -> dict[str, Decimal]:
    """What executions add up to, signed, by symbol."""
    held: dict[str, Decimal] = {}
    for each in executed:
        held[each.symbol] = held.get(each.symbol, ZERO) + each.amount
    return {symbol: amount for symbol, amount in held.items() if amount}


def venue_fills(venue: Venue) -> list[Executed]:
    """The simulated venue's own fills, in order."""
    return [
        Executed(fill.client_order_id, fill.symbol, fill.amount * fill.side.sign, float(fill.price))
        for fill in venue.engine.fills
    ]


def dry_fill(order: dict[str, Any]) -> Executed | None:
    """What the dry-run port executed, from the order it keeps; None where nothing filled."""
    amount = Decimal(str(order["filled"])) * (1 if order["side"] == "buy" else -1)
    name = str(order["symbol"]).replace("/USDT:USDT", "USDT")
    return Executed(order["clientOrderId"], name, amount, float(order["average"] or 0)) if amount else None


def second_opinion(venue: Venue, mark_slack: Decimal = MOVED_MARK) -> list[str]:
    """What the simulated exchange says of its own account and `account.Account` does not believe.

    :param mark_slack: by which share a mark price may have moved since funding was paid on it; 0 for a market
        that remembers.
    """
    engine, books = venue.engine, venue.account
    asked = [
        Asked(
            order.order_id,
            order.request.symbol,
            order.request.side.sign,
            order.amount,
            order.request.price if order.request.type == "LIMIT" else None,
            order.request.reduce_only,
            (order.request.time_in_force in RESTS and order.request.type == "LIMIT")
            # What a fault held back waits, and may be cancelled.
            or order.held
            or order.status == "CANCELED",
            order.status,
            order.executed,
        )
        for order in engine.orders.values()
        if not order.liquidation
    ]
    done: list[Execution | Funding] = [
        Execution(
            fill.order_id, fill.symbol, fill.side.sign, fill.price, fill.amount, fill.commission,
            fill.realized_pnl, fill.maker, fill.liquidation, fill.time_ms,
        )
        for fill in engine.fills
    ]  # fmt: skip
    other = ZERO
    for row in books.income:
        if row.type == "FUNDING_FEE":
            ((_, rate),) = engine.market.funding_rates(row.symbol, row.time_ms, row.time_ms, 1, row.time_ms)
            mark = engine.market.mark_price(row.symbol, row.time_ms)
            done.append(Funding(row.symbol, row.amount, rate, mark, row.time_ms))
        elif row.type not in ("COMMISSION", "REALIZED_PNL"):
            other += row.amount
    steps = {name: spec.amount_step for name, spec in engine.market.symbols.items()}
    ours = Account(engine.options.fees.taker, engine.options.fees.maker, steps, mark_slack)
    ours.fold(asked, sorted(done, key=lambda each: each.at_ms), other)
    theirs = {each.symbol: (each.amount, each.entry_price) for each in books.open_positions()}
    mine = {symbol: held for symbol, held in ours.held.items() if held[0]}
    is_same = theirs.keys() == mine.keys() and all(
        theirs[name][0] == mine[name][0] and abs(theirs[name][1] - mine[name][1]) < EIGHT_DECIMALS
        for name in mine
    )
    if not is_same:
        ours.complaints.append(f"positions {theirs} should be {mine}")
    if ours.wallet != books.wallet:
        ours.complaints.append(f"wallet {books.wallet} should be {ours.wallet}")
    return ours.complaints
