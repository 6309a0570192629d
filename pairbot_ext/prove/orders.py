"""Claims that place orders: of the smallest size, on two legs that are flat before and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from functools import partial
from typing import Any, cast

import ccxt

from pairbot_ext.host.broker import Broker
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, OrderStatus, Role
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.prove.claims import (
    CODE,
    Claim,
    NotShownError,
    Said,
    error_text,
    nothing_held,
    refusal_of,
)
from pairbot_ext.prove.crash import killed_between_the_legs
from pairbot_ext.prove.heard import heard_and_asked
from pairbot_ext.prove.stage import LEVERAGE, SLIPPAGE_CAP, Stage
from pairbot_ext.recovery.reconciler import Reconciler

MOST_NOTIONAL = 400.0
"""Quote currency: what a partial fill may cost to be shown."""


def _margin_mode(stage: Stage) -> Said:
    said = Said()
    for symbol in stage.legs:
        isolate = partial(stage.client.set_margin_mode, "isolated", symbol)
        refusal_of(isolate)
        again = refusal_of(isolate)
        read = stage.venue.account_settings(stage.client).symbols[symbol].margin_mode
        said.facts[symbol] = f"{read}, again {again}"
    return said


def _leverage(stage: Stage) -> Said:
    said = Said()
    for symbol in stage.legs:
        stage.client.set_leverage(LEVERAGE, symbol)
        read = stage.venue.account_settings(stage.client).symbols[symbol].leverage
        said.facts[symbol] = f"{read:g}x"
    return said


def _rehearsed(stage: Stage) -> Said:
    said = Said()
    for symbol in stage.legs:
        quote = stage.quote(symbol)
        amount = float(stage.least_amount(symbol, quote.ask))

        def check(amount: float, price: float, symbol: str = symbol) -> str:
            return refusal_of(lambda: stage.venue.rehearse(stage.client, symbol, "buy", amount, price))

        said.facts[symbol] = (
            f"smallest {check(amount, quote.ask)}, one step {check(float(stage.step(symbol)), quote.ask)}, "
            f"far too high {check(amount, quote.ask * 2)}"
        )
    return said


def outcome(order: OrderRecord) -> str:
    """What became of an order, without amounts."""
    if order.status is OrderStatus.REJECTED:
        kind, code = (order.error or "").partition(":")[0], CODE.search(order.error or "")
        return f"refused as {order.refusal}: {kind} {code[1] if code else ''}".rstrip()
    part = "whole" if order.filled == order.amount else "part" if order.filled else "nothing"
    return f"{order.status}, {part}"


def _zero_fill(stage: Stage) -> Said:
    trade = stage.pair_trade()
    far = stage.price_below(stage.legs[0])
    order = stage.send(stage.intent(trade, Leg.A, Role.ENTRY, price=far))
    stage.finished(trade)
    return Said({"limit order below the book": outcome(order)})


def _partial_fill(stage: Stage) -> Said:
    """An order for more than the best level has, at its price."""
    symbol = stage.legs[0]
    quote, step = stage.quote(symbol), stage.step(symbol)
    amount = Decimal(str(quote.ask_amount)) // step * step + stage.least_amount(symbol, quote.ask)
    if float(amount) * quote.ask > MOST_NOTIONAL:
        raise NotShownError(f"the best level of {symbol} holds more than {MOST_NOTIONAL:g}")
    trade = stage.pair_trade()
    order = stage.send(stage.intent(trade, Leg.A, Role.ENTRY, amount=amount, price=quote.ask))
    said = Said({"more than the best level": outcome(order)})
    if order.filled:
        closed = stage.send(stage.intent(trade, Leg.A, Role.UNWIND, amount=order.filled))
        said.facts["closed"] = outcome(closed)
    stage.finished(trade)
    if order.status is OrderStatus.FILLED:
        raise NotShownError(f"the book of {symbol} refilled in between")
    return said


def entry_prices(stage: Stage, trade: PairTrade) -> dict[Leg, float]:
    """Limits of both legs' entries: leg A is bought, leg B sold, `SLIPPAGE_CAP` beyond the best price."""
    found = {}
    for leg in Leg:
        symbol = stage.symbol(leg)
        quote = stage.quote(symbol)
        buys = trade.entry_side(leg) == "buy"
        found[leg] = stage.price(
            symbol, quote.ask * (1 + SLIPPAGE_CAP) if buys else quote.bid * (1 - SLIPPAGE_CAP)
        )
    return found


def _pair(stage: Stage) -> Said:
    """Opened, asked for, seen as positions, closed."""
    said, trade = Said(), stage.pair_trade()
    prices = entry_prices(stage, trade)
    entries = [stage.intent(trade, leg, Role.ENTRY, price=prices[leg]) for leg in Leg]
    before = refusal_of(lambda: stage.port.query(entries[0]))
    started = time.monotonic()
    entries = stage.send_together(entries)
    said.measured["both legs answered within"] = f"{(time.monotonic() - started) * 1000:.0f} ms"
    answered = [order.answered_ms or 0 for order in entries]
    said.measured["between the two answers"] = f"{abs(answered[0] - answered[1])} ms"
    said.facts["id before"] = before
    said.facts |= {f"leg {order.leg}": outcome(order) for order in entries}
    found = stage.port.query(entries[0])
    said.facts["id after"] = f"{found['status']}, " + (
        "the same amount" if Decimal(str(found["filled"])) == entries[0].filled else "another amount"
    )
    expected = {stage.symbol(Leg.A): entries[0].filled, stage.symbol(Leg.B): -entries[1].filled}
    held = stage.held()
    said.facts["positions"] = (
        "as filled" if held == {k: v for k, v in expected.items() if v} else "not as filled"
    )
    exits = [
        stage.intent(trade, order.leg, Role.EXIT, amount=order.filled) for order in entries if order.filled
    ]
    said.facts |= {f"exit {order.leg}": outcome(order) for order in stage.send_together(exits)}
    said.facts["left"] = "nothing" if not stage.held() else "something"
    stage.finished(trade)
    return said


def _reduce_only(stage: Stage) -> Said:
    symbol = stage.legs[0]
    amount = stage.least_amount(symbol, stage.quote(symbol).bid)
    return Said({"with nothing to reduce": outcome(stage.send(stage.intents.alone(symbol, "sell", amount)))})


def _with_resting(stage: Stage, work: Callable[[str, Any], None]) -> None:
    """Do something with an order of ours that rests far below the book: its id and how to place it."""
    symbol = stage.legs[0]
    price = stage.price_below(symbol)
    amount = float(stage.least_amount(symbol, price))
    client_id = str(ClientOrderId(stage.intents.new_id(), Leg.A, Role.ENTRY, 1))
    params = stage.venue.order_params(client_id, is_ioc=False, reduce_only=False) | {"timeInForce": "GTX"}

    def place() -> Any:
        return stage.client.create_order(symbol, "limit", "buy", amount, price, params)

    try:
        work(client_id, place)
    finally:
        if stage.resting():
            stage.client.cancel_all_orders(symbol)


def _cancel(stage: Stage) -> Said:
    said, symbol = Said(), stage.legs[0]

    def work(client_id: str, place: Any) -> None:
        params = stage.venue.id_params(client_id)
        said.facts["placed"] = str(place()["status"])
        said.facts["listed"] = str(stage.resting())
        stage.client.cancel_order(None, symbol, params)
        found = stage.client.fetch_order(None, symbol, params)
        said.facts["cancelled"] = f"{found['status']}, filled {found['filled']:g}"
        said.facts["again"] = refusal_of(lambda: stage.client.cancel_order(None, symbol, params))

    _with_resting(stage, work)
    return said


def _duplicate(stage: Stage) -> Said:
    said, symbol = Said(), stage.legs[0]

    def work(client_id: str, place: Any) -> None:
        place()
        try:
            place()
            said.facts["while the first is open"] = "taken"
        except ccxt.BaseError as error:
            judged = stage.venue.refusal_of(error)
            said.facts["while the first is open"] = f"{error_text(error)}, " + (
                "asked for by id" if judged is None else f"judged {judged}"
            )
        said.facts["open"] = str(stage.resting())
        stage.client.cancel_order(None, symbol, stage.venue.id_params(client_id))
        said.facts["after its end"] = refusal_of(place)

    _with_resting(stage, work)
    return said


def _late(stage: Stage) -> Said:
    trade = stage.pair_trade()
    price = entry_prices(stage, trade)[Leg.A]
    with stage.dated(stage.venue.orders.arrival_window_ms + 3_000):
        order = stage.send(stage.intent(trade, Leg.A, Role.ENTRY, price=price))
    stage.finished(trade)
    return Said(
        {
            "dated before its window": outcome(order),
            "asked for": refusal_of(lambda: stage.port.query(order)),
            "held": "nothing" if not stage.held() else "something",
        }
    )


class _Reading:
    """The reconciler's view of an account without a bot: it reads positions, and tells."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.told: list[str] = []

    def positions(self) -> dict[str, Decimal]:
        found = self._stage.venue.positions(self._stage.client)
        return {symbol: position.amount for symbol, position in found.items()}

    def tell(self, text: str, **_: bool) -> None:
        self.told.append(text)


class _NoPairTrades:
    """No pair trade is open: there is nothing to coordinate."""

    has_suspicion = False


def _by_hand(stage: Stage) -> Said:
    """A position nobody here has planned, as a person opens it: the reconciler sees it and leaves it."""
    said, symbol = Said(), stage.legs[0]
    reading = _Reading(stage)
    reconciler = Reconciler(
        stage.journal, cast(Broker, reading), cast(Coordinator, _NoPairTrades()), stage.clock, nullcontext
    )
    amount = stage.least_amount(symbol, stage.quote(symbol).ask)
    stage.client.create_order(symbol, "market", "buy", float(amount))
    try:
        reconciler.run()
        is_seen = reconciler.foreign.get(symbol) == amount
        said.facts["opened by hand"] = "seen, to the step" if is_seen else "not seen as it is"
        said.facts["told"] = f"{len(reading.told)} time(s)"
    finally:
        params = {"reduceOnly": True}
        stage.client.create_order(symbol, "market", "sell", float(amount), None, params)
    reconciler.request()
    reconciler.run()
    said.facts["closed by hand"] = "gone" if not reconciler.foreign else "still seen"
    return said


TRADING = (
    Claim("margin mode", "Isolated margin can be set; setting it again has a code of its own", _margin_mode),
    Claim("leverage", "Leverage can be set, and read back", _leverage),
    Claim("checks", "Both legs' orders can be checked without being executed", _rehearsed),
    Claim("zero fill", "A limit order that finds no price expires at once with nothing", _zero_fill),
    Claim("partial fill", "One that finds too little expires with what it got", _partial_fill),
    Claim("pair", "Both legs open together, are found by id, held as filled, and close together", _pair),
    Claim("reduce only", "With nothing to reduce a reduce-only order is refused", _reduce_only),
    Claim("cancel", "A cancelled order is found as cancelled; a second cancel finds no open order", _cancel),
    Claim("duplicate id", "An id is refused while its order is open, and only then", _duplicate),
    Claim("late", "An order dated before its window is refused, and never exists", _late),
    Claim("by hand", "A position opened by hand is seen by the reconciler and left alone", _by_hand),
    Claim("kill -9", "Killed between the legs, the journal and the venue say what was sent, and it is closed",
          killed_between_the_legs),
    Claim("streams", "The account's stream tells of an order what its answer tells", heard_and_asked),
    Claim("flat", "Neither positions nor orders are left", nothing_held),
)  # fmt: skip
