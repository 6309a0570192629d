"""Margin, liquidation, fees and funding against Binance's published formulas, with numbers worked by hand.

Pages: liquidation price https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93, cost of an
order https://www.binance.com/en/support/faq/87fa7ee33b574f7084d42bd2ce2e463b, brackets
https://www.binance.com/en/support/faq/360033162192, funding
https://www.binance.com/en/support/faq/360033525031.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.symbols import Bracket, load_symbol
from pairbot_ext.sim.venue.positions import MarginType, Position, liquidation_price, maintenance_margin

D = Decimal
CENT = D("0.01")


def bracket(rate: str, amount: str) -> tuple[Bracket, ...]:
    return (Bracket(20, D(0), D("1E9"), D(rate), D(amount)),)


def contract(name: str, brackets: tuple[Bracket, ...]) -> object:
    rules = load_symbol(name, D(1000))
    return replace(
        rules, brackets=brackets, price_tick=D("0.001"), price_precision=3, amount_step=D("0.001"),
        amount_precision=3, max_amount=D(10_000), market_max_amount=D(10_000),
    )  # fmt: skip


def test_liquidation_prices_of_two_crossed_positions(new_world):
    """Two crossed positions: each is liquidated where wallet, profit and maintenance of both allow it.

    WB 1,535,443.01; 3,683.979 ETH long from 1,456.84, mark 1,335.18 (10 %, 135,365); 109.488 BTC long from
    32,481.98, mark 31,967.27 (2.5 %, 16,300).
    For ETH: TMM = 109.488 × 31,967.27 × 2.5 % − 16,300 = 71,200.81, UPNL = 109.488 × (31,967.27 − 32,481.98)
    = −56,354.57, so LP = (WB − TMM + UPNL + 135,365 − 3,683.979 × 1,456.84) ÷ (3,683.979 × (10 % − 1))
    = 1,153.26. For BTC alike 26,316.89.
    """
    prices = {"ETHUSDT": D("1335.18"), "BTCUSDT": D("31967.27")}
    rules = {
        "ETHUSDT": contract("ETHUSDT", bracket("0.10", "135365")),
        "BTCUSDT": contract("BTCUSDT", bracket("0.025", "16300")),
    }
    world = new_world(market=FixedMarket(prices, rules=rules), deposit=D("1535443.01"))
    held = {"ETHUSDT": ("3683.979", "1456.84"), "BTCUSDT": ("109.488", "32481.98")}
    for name, (amount, entry) in held.items():
        position = world.venue.account.position(name)
        position.amount, position.entry_price, position.updated_ms = D(amount), D(entry), world.clock()
    answered = {row["symbol"]: row for row in world.call("GET /fapi/v3/positionRisk")[1]}
    assert D(answered["BTCUSDT"]["maintMargin"]).quantize(CENT) == D("71200.81")
    assert D(answered["BTCUSDT"]["unRealizedProfit"]).quantize(CENT) == D("-56354.57")
    assert D(answered["ETHUSDT"]["liquidationPrice"]).quantize(CENT) == D("1153.26")
    assert D(answered["BTCUSDT"]["liquidationPrice"]).quantize(CENT) == D("26316.89")


@pytest.mark.parametrize("side", [1, -1])
def test_liquidation_price_of_an_isolated_position(side):
    """TMM and UPNL are 0: (margin + cum − side × amount × entry) ÷ (amount × (rate − side)).

    1,000 base from 2.00 at 10×, margin 200, 1 % and 5: long (200 + 5 − 2,000) ÷ (1,000 × −0.99) = 1.81313,
    short (200 + 5 + 2,000) ÷ (1,000 × 1.01) = 2.18317.
    """
    position = Position("ADAUSDT", 10, MarginType.ISOLATED, D(1000) * side, D(2), isolated_wallet=D(200))
    found = liquidation_price(position, bracket("0.01", "5"), D(2), position.isolated_wallet)
    assert found.quantize(D("0.00001")) == (D("1.81313") if side > 0 else D("2.18317"))


def test_maintenance_margin_and_its_amount():
    """A bracket's `cum` makes the margin continuous: floor × (its rate − the last one's) + the last `cum`."""
    brackets = load_symbol("ADAUSDT").brackets
    assert len(brackets) >= 10
    for below, above in pairwise(brackets):
        floor = above.notional_floor
        assert above.cum == floor * (above.maint_margin_ratio - below.maint_margin_ratio) + below.cum
        assert floor * below.maint_margin_ratio - below.cum == maintenance_margin(brackets, floor)


@pytest.mark.parametrize(
    ("side", "cost"),
    [("BUY", D("462.665")), ("SELL", D("462.665") + D("6.54"))],
    ids=["no open loss", "open loss 6.54"],
)
def test_cost_of_an_order(new_world, side, cost):
    """Mark 9,259.84, an order of 1 BTC at 9,253.30 and 20×: margin 462.67; open loss 0 long, 6.54 short."""
    rules = {"BTCUSDT": contract("BTCUSDT", bracket("0.004", "0"))}

    def world_with(deposit: D):
        market = FixedMarket({"BTCUSDT": D("9259.84")}, rules=rules)
        market.books["BTCUSDT"] = Book(bids=(), asks=())  # it rests, at its own price
        return new_world(market=market, deposit=deposit)

    order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "price": "9253.30"}
    assert world_with(cost).call("POST /fapi/v1/order", **order, quantity=1)[0] == 200
    status, refused = world_with(cost - CENT).call("POST /fapi/v1/order", **order, quantity=1)
    assert (status, refused["code"]) == (400, -2019)


def test_fee_and_funding(world):
    """Taker 0.05 % of the notional; funding is notional × rate, longs to shorts, at 0, 8 and 16 h UTC."""
    world.market.funding_rate = D("0.0003")
    world.call("POST /fapi/v1/order", symbol="ADAUSDT", side="BUY", type="MARKET", quantity=1000)
    (trade,) = world.call("GET /fapi/v1/userTrades", symbol="ADAUSDT")[1]
    assert (trade["quoteQty"], trade["commission"]) == ("732.10000", "0.36605000")
    world.clock.advance(7 * 3_600_000)
    (paid,) = world.call("GET /fapi/v1/income", incomeType="FUNDING_FEE")[1]
    assert paid["income"] == "-0.21960000", "1,000 × 0.7320 × 0.03 %"
