"""Margin, funding, liquidation and the account's settings, in numbers worked out by hand."""

from decimal import Decimal

import ccxt
import pytest

from pairbot_ext.sim.market.fixed import FUNDING_INTERVAL_MS
from pairbot_ext.sim.venue.actions import Transfer, apply
from pairbot_ext.sim.venue.orders import OrderStatus
from pairbot_ext.sim.venue.positions import Position, bracket_of, liquidation_price, maintenance_margin

ADA = "ADA/USDT:USDT"
HOUR_MS = 3_600_000


@pytest.fixture
def isolated(client) -> ccxt.binance:
    """A client whose ADA is isolated at leverage 3."""
    client.set_margin_mode("isolated", ADA)
    client.set_leverage(3, ADA)
    return client


def test_balance_of_an_isolated_position(world, isolated):
    isolated.create_order(ADA, "market", "buy", 3000)
    fee = 3000 * 0.7321 * 0.0005
    margin = 3000 * 0.7321 / 3
    profit = 3000 * (0.7320 - 0.7321)
    usdt = isolated.fetch_balance()["USDT"]
    assert usdt["free"] == pytest.approx(10_000 - fee - margin, abs=1e-6)
    assert usdt["total"] == pytest.approx(10_000 - fee + profit, abs=1e-6)
    (position,) = isolated.fetch_positions()
    assert position["marginMode"] == "isolated"
    assert position["unrealizedPnl"] == pytest.approx(profit)
    assert position["collateral"] == pytest.approx(margin + profit, abs=1e-4)
    isolated.create_order(ADA, "market", "sell", 3000, None, {"reduceOnly": True})
    usdt = isolated.fetch_balance()["USDT"]
    loss, fees = 3000 * (0.7319 - 0.7321), fee + 3000 * 0.7319 * 0.0005
    assert usdt["free"] == usdt["total"] == pytest.approx(10_000 + loss - fees, abs=1e-6)


def test_partial_close_frees_margin_in_proportion(world, isolated):
    isolated.create_order(ADA, "market", "buy", 3000)
    before = world.venue.account.position("ADAUSDT").isolated_wallet
    isolated.create_order(ADA, "market", "sell", 1000, None, {"reduceOnly": True})
    assert world.venue.account.position("ADAUSDT").isolated_wallet == pytest.approx(before * 2 / 3)


def test_funding_is_paid_at_its_stamps(world, isolated):
    isolated.create_order(ADA, "market", "sell", 3000)
    stamp = world.market.next_funding_ms("ADAUSDT", world.clock())
    world.clock.advance(stamp - world.clock() - 1)
    assert isolated.fetch_funding_history(ADA) == []
    world.clock.advance(1)
    (paid,) = isolated.fetch_funding_history(ADA)
    assert paid["amount"] == pytest.approx(3000 * 0.7320 * 0.0001), "shorts receive a positive rate"
    assert paid["timestamp"] == stamp
    world.clock.advance(2 * FUNDING_INTERVAL_MS)
    world.gateway.tick()
    assert len(isolated.fetch_funding_history(ADA)) == 3
    isolated.create_order(ADA, "market", "buy", 3000, None, {"reduceOnly": True})
    world.clock.advance(2 * FUNDING_INTERVAL_MS)
    assert len(isolated.fetch_funding_history(ADA)) == 3, "nothing is paid on a flat symbol"


def test_funding_counts_from_the_opening(world, isolated):
    stamp = world.market.next_funding_ms("ADAUSDT", world.clock())
    world.clock.advance(stamp - world.clock())
    isolated.create_order(ADA, "market", "buy", 3000)
    world.clock.advance(HOUR_MS)
    assert isolated.fetch_funding_history(ADA) == []


def test_what_fell_due_while_flat_is_not_paid_by_the_next_position(world, isolated):
    """Found by the second opinion on the account: held, closed, a stamp passed unseen, and opened again."""
    isolated.create_order(ADA, "market", "sell", 3000)
    isolated.create_order(ADA, "market", "buy", 3000, None, {"reduceOnly": True})
    stamp = world.market.next_funding_ms("ADAUSDT", world.clock())
    world.clock.advance(stamp - world.clock() + HOUR_MS)
    isolated.create_order(ADA, "market", "sell", 3000)
    world.clock.advance(HOUR_MS)
    assert isolated.fetch_funding_history(ADA) == []


def test_long_is_liquidated_at_its_price(world, isolated):
    isolated.create_order(ADA, "market", "buy", 30_000)
    price = isolated.fetch_positions()[0]["liquidationPrice"]
    entry, floor = 0.7321, 0.7321 * (1 - 1 / 3)
    assert floor < price < entry
    resting = world.place("SELL", 100, price="0.76", reduce_only=True)
    world.market.prices["ADAUSDT"] = Decimal(str(price)) + Decimal("0.0002")
    world.clock.advance(1000)
    world.gateway.tick()
    assert world.held() == 30_000
    world.market.prices["ADAUSDT"] = Decimal(str(price)) - Decimal("0.0002")
    world.clock.advance(1000)
    world.gateway.tick()
    assert world.held() == 0
    assert resting.status is OrderStatus.CANCELED
    order = world.venue.engine.orders[max(world.venue.engine.orders)]
    assert order.request.client_order_id.startswith("autoclose-")
    assert isolated.fetch_balance()["USDT"]["total"] >= 10_000 - 30_000 * 0.7321 / 3 - 12, (
        "only its own margin"
    )


def test_liquidation_between_two_looks(world, isolated):
    """Time that passes in one jump is looked at minute by minute: a dip inside it is not overlooked."""
    isolated.create_order(ADA, "market", "buy", 30_000)
    calm, dip_at = world.market.mark_price, world.clock() + 30 * 60_000

    def dipping(symbol: str, now_ms: int) -> Decimal:
        return Decimal("0.45") if dip_at <= now_ms < dip_at + 120_000 else calm(symbol, now_ms)

    world.market.mark_price = dipping
    world.clock.advance(HOUR_MS)
    world.gateway.tick()
    assert world.held() == 0
    assert dip_at <= world.venue.engine.fills[-1].time_ms < dip_at + 120_000


def test_crossed_positions_fall_together(world, client):
    client.set_leverage(20, ADA)
    client.create_order(ADA, "market", "buy", 100_000)
    client.create_order("ALGO/USDT:USDT", "market", "buy", 1000)
    world.market.prices["ADAUSDT"] = Decimal("0.6300")
    world.clock.advance(1000)
    world.gateway.tick()
    assert world.held() == world.held("ALGOUSDT") == 0
    assert world.venue.account.wallet >= 0


def test_maintenance_margin_is_continuous_over_the_brackets(world):
    """A wrong `cum` would jump where one bracket ends and the next begins."""
    for spec in world.market.symbols.values():
        for bracket in spec.brackets[:-1]:
            below = maintenance_margin(spec.brackets, bracket.notional_cap - Decimal("0.000001"))
            at = maintenance_margin(spec.brackets, bracket.notional_cap)
            assert abs(at - below) < Decimal("0.01") * max(at, 1)
        assert bracket_of(spec.brackets, Decimal("1E12")) is spec.brackets[-1]


@pytest.mark.parametrize("amount", [Decimal(3000), Decimal(-3000)])
def test_liquidation_price_is_where_equity_meets_maintenance(world, amount):
    brackets = world.market.symbols["ADAUSDT"].brackets
    position = Position("ADAUSDT", 3, amount=amount, entry_price=Decimal("0.7321"))
    margin = Decimal(700)
    price = liquidation_price(position, brackets, Decimal("0.7320"), margin)
    bracket = bracket_of(brackets, 3000 * Decimal("0.7320"))
    equity = margin + position.unrealized(price)
    assert abs(equity - (3000 * price * bracket.maint_margin_ratio - bracket.cum)) < Decimal("1E-15")


def test_leverage(world, isolated):
    assert isolated.set_leverage(5, ADA)["leverage"] in (5, "5")
    with pytest.raises(ccxt.BaseError, match="-4028"):
        isolated.fapiPrivatePostLeverage({"symbol": "ADAUSDT", "leverage": 125})
    isolated.create_order(ADA, "market", "buy", 3000)
    isolated.set_leverage(10, ADA)
    assert world.venue.account.position("ADAUSDT").isolated_wallet == pytest.approx(Decimal("219.63"))
    with pytest.raises(ccxt.BaseError, match="-4161"):
        isolated.set_leverage(5, ADA)


def test_margin_type_is_frozen_by_position_and_orders(world, client):
    order = client.create_order(ADA, "limit", "buy", 100, 0.7)
    with pytest.raises(ccxt.BaseError, match="-4047"):
        client.set_margin_mode("isolated", ADA)
    client.cancel_order(order["id"], ADA)
    client.create_order(ADA, "market", "buy", 100)
    with pytest.raises(ccxt.BaseError, match="-4048"):
        client.set_margin_mode("isolated", ADA)


def test_modes(world, client):
    assert client.fapiPrivateGetPositionSideDual()["dualSidePosition"] is False
    assert client.fapiPrivateGetMultiAssetsMargin()["multiAssetsMargin"] is False
    client.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
    with pytest.raises(ccxt.BaseError, match="-4061"):
        client.create_order(ADA, "market", "buy", 100)
    with pytest.raises(ccxt.BaseError, match="-4059"):
        client.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})


def test_a_fresh_account_has_twentyfold_crossed_margin(world, client):
    (row,) = client.fapiPrivateGetSymbolConfig({"symbol": "ADAUSDT"})
    assert (row["marginType"], int(row["leverage"])) == ("CROSSED", 20)


def test_transfers_are_income(world, client):
    apply(Transfer(amount=Decimal(-2500)), world.venue)
    assert client.fetch_balance()["USDT"]["total"] == 7500
    rows = client.fapiPrivateGetIncome({"incomeType": "TRANSFER"})
    assert [Decimal(row["income"]) for row in rows] == [10_000, -2500]
