"""Draws what the feed's thread watches: open pairs, their profit as a line, the floor of equity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pairbot_ext.host.broker import Broker
from pairbot_ext.host.worth import LegWorth, leg_worths
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal
from pairbot_ext.risk.ticks import WatchedAccount, WatchedLeg, WatchedPair, Watchlist


def draw(trades: Iterable[PairTrade], broker: Broker, base: float | None, floor: float | None) -> Watchlist:
    """In the trading thread. Raises SQLAlchemyError.

    :param base: equity without what the trades have earned; :param floor: what it must not fall below. None
        where the account is not watched.
    """
    worths = leg_worths()
    legs = {symbol: _leg(worth, broker) for symbol, worth in worths.items()}
    pairs = [
        pair
        for trade in trades
        if trade.goal is Goal.OPEN and trade.was_hedged
        if (pair := _pair(trade, worths, legs)) is not None
    ]
    account = None
    if base is not None and floor is not None and legs:
        (booked,) = broker.pnl(lambda _symbol, _side: None)
        elsewhere = booked - sum(each.at_entry for each in worths.values())
        account = WatchedAccount(base + elsewhere, tuple(legs.values()), floor)
    return Watchlist.of(pairs, account)


def _leg(worth: LegWorth, broker: Broker) -> WatchedLeg:
    liquidation = worth.liquidation_price if broker.is_dry_run else broker.liquidation_price(worth.symbol)
    return WatchedLeg(worth.symbol, worth.side, worth.fixed, worth.per_price, liquidation)


def _pair(
    trade: PairTrade, worths: Mapping[str, LegWorth], legs: Mapping[str, WatchedLeg]
) -> WatchedPair | None:
    symbols = [trade.plan.symbol(leg) for leg in Leg]
    if not all(symbol in legs for symbol in symbols):
        return None
    notional = sum(worths[symbol].notional for symbol in symbols)
    return WatchedPair(trade.id, trade.plan, (legs[symbols[0]], legs[symbols[1]]), notional)
