"""The second account of the same trades believes the simulated exchange, and each lie turns it red."""

from __future__ import annotations

import contextlib
import inspect
import textwrap
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pairbot_ext.rehearse.books import second_opinion
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.venue import engine, terms
from pairbot_ext.sim.venue.account import Account
from pairbot_ext.sim.venue.clock import VirtualClock
from pairbot_ext.sim.venue.engine import Engine
from pairbot_ext.sim.venue.errors import VenueError
from pairbot_ext.sim.venue.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from pairbot_ext.sim.venue.timeline import Timeline
from pairbot_ext.sim.venue.venue import Venue

ADA, ALGO = "ADAUSDT", "ALGOUSDT"
AN_HOUR_BEFORE_FUNDING_MS = 1_770_015_600_000
HOUR_MS = 3_600_000
DEPTH = Decimal(900)
"""Of each of three levels: an order of 5,000 finds more than half of it."""


class Case:
    """A venue, and the few orders that use every rule the second account knows."""

    def __init__(self) -> None:
        self.market = FixedMarket(
            {ADA: Decimal("0.7320"), ALGO: Decimal("0.2110")},
            funding_rate=Decimal("0.0001"),
            level_amount=DEPTH,
            levels=3,
        )
        # A fixed market has one mark price for every time: what funding was paid on must not move.
        self.market.marks.update(self.market.prices)
        self.clock = VirtualClock(AN_HOUR_BEFORE_FUNDING_MS)
        self.venue = Venue(self.market, self.clock)

    def order(self, symbol: str, side: Side, amount: int, limit: str | None = None, **terms: Any) -> None:
        """One order, at once or at a limit. A venue that lies may have nothing left to reduce."""
        request = OrderRequest(
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            amount=Decimal(amount),
            client_order_id=f"t{len(self.venue.engine.orders)}",
            price=None if limit is None else Decimal(limit),
            time_in_force=terms.get("tif", TimeInForce.GTC),
            reduce_only=terms.get("reduce_only", False),
        )
        with contextlib.suppress(VenueError):
            self.venue.place(request)
        self.pass_time(70_000)

    def pass_time(self, ms: int) -> None:
        """Whatever is due happens."""
        self.clock.advance(ms)
        self.venue.settle()

    def play(self) -> list[str]:
        """What the second account complains about at the end."""
        self.order(ADA, Side.BUY, 1001)
        self.order(ALGO, Side.SELL, 1703)
        self.pass_time(2 * HOUR_MS)
        self.market.prices[ADA] = Decimal("0.7411")
        self.order(ADA, Side.BUY, 5000)
        self.order(ADA, Side.SELL, 5000, "0.7411", tif=TimeInForce.IOC)
        self.order(ADA, Side.SELL, 333, "0.7413")
        self.market.prices[ADA] = Decimal("0.7415")
        self.pass_time(70_000)
        self.order(ADA, Side.SELL, 1300)
        self.order(ALGO, Side.BUY, 2500, reduce_only=True)
        self.order(ADA, Side.SELL, 2600, reduce_only=True)
        self.pass_time(20 * HOUR_MS)
        self.order(ADA, Side.BUY, 1500)
        self.order(ADA, Side.SELL, 1500)
        return second_opinion(self.venue, mark_slack=Decimal(0))


def changed(function: Callable[..., Any], old: str, new: str) -> Callable[..., Any]:
    """A function of the simulator with one text replaced."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {function.__qualname__}"
    names: dict[str, Any] = {}
    exec(compile(f"from __future__ import annotations\n{source.replace(old, new)}", "mutant", "exec"),
         function.__globals__, names)  # fmt: skip
    return names[function.__name__]


LIES = {
    "the maker's fee for a taker": (Engine, "_fill", "fees.maker if maker else fees.taker", "fees.maker"),
    "the taker's fee for a maker": (Engine, "_fill", "fees.maker if maker else fees.taker", "fees.taker"),
    "a fee that is told and not taken": (Engine, "_fill", "-commission, now_ms", "-commission * 0, now_ms"),
    "only the last fill counts": (Engine, "_fill", "order.executed += amount", "order.executed = amount"),
    "a whole order that is not filled": (Engine, "_fill", "order.remaining > 0", "order.remaining >= 0"),
    "what is left counts as filled": (Engine, "_finish", "OrderStatus.EXPIRED", "OrderStatus.FILLED"),
    "what is left of an IOC order rests": (
        Engine, "_finish", "order.request.type is OrderType.LIMIT and order", "order.executed or order"
    ),
    "reduce-only is not cut": (Engine, "_reducible", "min(request.amount, left)", "request.amount"),
    "beyond the limit": (Engine, "_match", "wanted, limit)", "wanted, None)"),
    "parts of a step": (Engine, "_match", "return executions", "return [(p, a / 7) for p, a in executions]"),
    "the entry price is the last one": (
        Account, "apply_fill", "(size * position.entry_price + opening * price) / (size + opening)", "price"
    ),
    "a short earns what a long does": (Account, "apply_fill", "(1 if position.amount > 0 else -1)", "1"),
    "a closed part that stays": (
        Account, "apply_fill", "position.amount += side.sign * closing", "position.amount += 0"
    ),
    "shorts pay the funding": (Account, "pay_funding", "-position.notional", "position.notional"),
    "funding of half the position": (Account, "pay_funding", "* rate", "* rate / 2"),
    "the wallet is rounded to cents": (Account, "book_income", "money(amount)", "round(amount, 2)"),
    "funding for a time without a position": (Timeline, "_forget_stamps", "not in held", "in ()"),
}  # fmt: skip


def test_the_simulator_is_believed() -> None:
    case = Case()
    assert case.play() == []
    orders, fills = case.venue.engine.orders.values(), case.venue.engine.fills
    assert {order.status for order in orders} == {OrderStatus.FILLED, OrderStatus.EXPIRED}
    assert any(fill.maker for fill in fills)
    assert any(order.amount < order.request.amount for order in orders), "a reduce-only order was cut"
    assert len([row for row in case.venue.account.income if row.type == "FUNDING_FEE"]) >= 2
    assert case.venue.account.open_positions() == []


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_of_the_simulator_is_seen(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    owner, name, old, new = LIES[lie]
    monkeypatch.setattr(owner, name, changed(getattr(owner, name), old, new))
    assert Case().play() != []


def test_money_that_is_rounded_too_early_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fee alone: both its booking and what is told of it."""
    monkeypatch.setattr(engine, "money", lambda value: terms.money(value).quantize(Decimal("1E-6")))
    assert any("commission" in complaint for complaint in Case().play())
