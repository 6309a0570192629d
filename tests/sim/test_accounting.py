"""Money is conserved, whatever is traded: properties over random streams of orders, prices and time."""

import contextlib
from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.rehearse.books import second_opinion
from pairbot_ext.sim.venue.account import IncomeType
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate, apply
from pairbot_ext.sim.venue.errors import VenueError
from pairbot_ext.sim.venue.orders import FillRule, OrderRequest, OrderType, Side, TimeInForce
from pairbot_ext.sim.venue.positions import MarginType

SYMBOLS = ("ADAUSDT", "ALGOUSDT")
HOUR_MS = 3_600_000

# One flat dictionary per event, whatever its kind: hypothesis then keeps to the weights.
KINDS = (
    ["order"] * 10
    + ["price"] * 4
    + ["time"] * 3
    + ["leverage", "margin_type", "by_hand", "liquidate", "cancel"]
)
EVENTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "symbol": st.sampled_from(SYMBOLS),
        "side": st.sampled_from(list(Side)),
        "amount": st.sampled_from([7, 100, 900, 2500, 12_000, 40_000]).map(Decimal),
        "ticks": st.sampled_from([None, None, -30, -3, -1, 1, 3, 30]),
        "tif": st.sampled_from(list(TimeInForce)),
        "reduce_only": st.booleans(),
        "fraction": st.sampled_from([None, None, None, Decimal(0), Decimal("0.37"), Decimal(1)]),
        "hold_ms": st.sampled_from([None, -1, 0, 5000]),
        "change_bp": st.sampled_from([-800, -120, -15, 15, 120, 800]),
        "mark_gap_bp": st.sampled_from([-30, 0, 30]),
        "ms": st.sampled_from([1, 900, 70_000, HOUR_MS, 9 * HOUR_MS]),
        "leverage": st.sampled_from([1, 3, 10, 25]),
        "margin_type": st.sampled_from(list(MarginType)),
    }
)


def _moved(price: Decimal, basis_points: int, tick: Decimal) -> Decimal:
    return max((price * (10_000 + basis_points) / 10_000) // tick * tick, tick * 100)


def _play(world, event) -> None:
    """Make one event happen; refusals are part of life."""
    venue, market, symbol = world.venue, world.market, event["symbol"]
    if event["kind"] == "order":
        tick = market.symbols[symbol].price_tick
        price = None if event["ticks"] is None else market.prices[symbol] + tick * event["ticks"]
        rule = None if event["fraction"] is None else FillRule(event["fraction"], event["hold_ms"])
        held = venue.account.position(symbol).amount
        side = event["side"]
        if event["reduce_only"] and held:
            side = Side.SELL if held > 0 else Side.BUY
        request = OrderRequest(
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            amount=event["amount"],
            client_order_id=f"t{len(venue.engine.orders)}",
            price=price,
            time_in_force=TimeInForce.GTC if price is None else event["tif"],
            # Where there is nothing to reduce, seldom: such orders are all refused.
            reduce_only=event["reduce_only"] and (held != 0 or event["amount"] == 7),
        )
        book = venue.engine.book(symbol)
        order = venue.place(request, rule)
        _check_order(venue, order, held, book)
    elif event["kind"] == "price":
        tick = market.symbols[symbol].price_tick
        market.prices[symbol] = _moved(market.prices[symbol], event["change_bp"], tick)
        market.marks[symbol] = market.prices[symbol] * (10_000 + event["mark_gap_bp"]) / 10_000
    elif event["kind"] == "time":
        world.clock.advance(event["ms"])
    elif event["kind"] == "leverage":
        venue.set_leverage(symbol, event["leverage"])
    elif event["kind"] == "margin_type":
        venue.set_margin_type(symbol, event["margin_type"])
    elif event["kind"] == "by_hand":
        apply(ClosePosition(symbol=symbol), venue)
    elif event["kind"] == "liquidate":
        apply(Liquidate(symbol=symbol), venue)
    else:
        for order in list(venue.engine.open_orders.values()):
            venue.engine.cancel(order)


def _check_order(venue, order, before: Decimal, book) -> None:
    """What one new order may do: fill inside the book and its limit, and reduce if it says so."""
    fills = [fill for fill in venue.engine.fills if fill.order_id == order.order_id]
    levels = dict(book.asks if order.request.side is Side.BUY else book.bids)
    taken: dict[Decimal, Decimal] = {}
    for fill in fills:
        taken[fill.price] = taken.get(fill.price, Decimal(0)) + fill.amount
        if order.request.price is not None:
            assert fill.price * order.request.side.sign <= order.request.price * order.request.side.sign
    assert all(amount <= levels.get(price, 0) for price, amount in taken.items()), "a fill outside the book"
    assert order.executed == sum((fill.amount for fill in fills), Decimal(0))
    after = venue.account.position(order.request.symbol).amount
    if order.request.reduce_only:
        assert abs(after) <= abs(before), "reduce-only grew a position"
        assert after * before >= 0, "reduce-only flipped a position"
    if order.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) and not order.held:
        assert not order.status.is_open


def _check_reductions(venue) -> None:
    """No fill of a reduce-only order, at once or late, grew or flipped a position."""
    running = dict.fromkeys(SYMBOLS, Decimal(0))
    for fill in venue.engine.fills:
        before = running[fill.symbol]
        running[fill.symbol] += fill.side.sign * fill.amount
        if venue.engine.orders[fill.order_id].request.reduce_only:
            assert abs(running[fill.symbol]) == abs(before) - fill.amount, (
                "reduce-only grew or flipped a position"
            )


def _check_books(world) -> None:
    """The account against an independent sum over fills and funding."""
    venue, account = world.venue, world.venue.account
    fills = venue.engine.fills
    booked = {kind: Decimal(0) for kind in IncomeType}
    for row in account.income:
        booked[row.type] += row.amount
    assert account.wallet == sum(booked.values()), "the wallet is the sum of its bookings"
    assert -booked[IncomeType.COMMISSION] == sum((fill.commission for fill in fills), Decimal(0))
    _check_reductions(venue)
    assert not (found := second_opinion(venue)), "\n".join(found)
    worth = Decimal(0)
    for symbol in SYMBOLS:
        held = sum((fill.side.sign * fill.amount for fill in fills if fill.symbol == symbol), Decimal(0))
        assert account.position(symbol).amount == held, "positions are the sum of fills"
        mark = world.market.mark_price(symbol, world.clock())
        paid = sum(
            (fill.side.sign * fill.amount * fill.price for fill in fills if fill.symbol == symbol), Decimal(0)
        )
        worth += held * mark - paid
    equity = account.wallet + account.unrealized()
    expected = (
        booked[IncomeType.TRANSFER]
        + worth
        + booked[IncomeType.COMMISSION]
        + booked[IncomeType.FUNDING_FEE]
        + booked[IncomeType.INSURANCE_CLEAR]
    )
    # Every realized profit is booked to eight decimals.
    assert abs(equity - expected) <= Decimal("1E-8") * (len(fills) + 1)
    for position in account.positions.values():
        assert position.isolated_wallet == 0 or position.isolated, "crossed margin sets nothing aside"
        assert position.amount or position.isolated_wallet == 0, "a flat symbol keeps no margin"


def test_conservation(new_world):
    """After every event the account equals the independent sum, and the streams have been everywhere."""
    reached: Counter[str] = Counter()

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(events=st.lists(EVENTS, min_size=15, max_size=45), strict=st.booleans())
    def streams(events, strict):
        world = new_world(strict_client_ids=strict)
        for event in events:
            with contextlib.suppress(VenueError):
                _play(world, event)
            world.gateway.tick()
            _check_books(world)
        reached.update(row.type.value for row in world.venue.account.income)
        reached.update("reduced" for order in world.venue.engine.orders.values() if order.request.reduce_only)

    streams()
    # A property over streams that never pay funding or reduce a position would prove nothing about them.
    assert reached["FUNDING_FEE"] > 20, reached
    assert reached["INSURANCE_CLEAR"] > 5, reached
    assert reached["reduced"] > 100, reached


def test_isolated_loss_ends_at_its_margin(world):
    """A price that falls through the bankruptcy price costs the margin, and the fund bears the rest."""
    world.venue.set_margin_type("ADAUSDT", MarginType.ISOLATED)
    world.venue.set_leverage("ADAUSDT", 20)
    world.place("BUY", 20_000)
    margin = world.venue.account.position("ADAUSDT").isolated_wallet
    wallet = world.venue.account.wallet
    world.market.prices["ADAUSDT"] = Decimal("0.6700")
    world.clock.advance(1000)
    world.gateway.tick()
    assert world.held() == 0
    assert world.venue.engine.fills[-1].liquidation
    assert abs(wallet - world.venue.account.wallet - margin) < Decimal("0.00001")
