"""What the tests of the pure state machine are made of: one plan, its orders, the facts around them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade, Sizing
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Goal, OrderStatus, PairState, Refusal, Role
from pairbot_ext.model.thresholds import SHORT_SPREAD, Thresholds
from pairbot_ext.pairtrade.situation import Facts, LegFacts

T0 = 1_769_994_000_000
SIZING = Sizing(
    leg_a=LegSizing(Decimal(100), Decimal(1), Decimal("0.01"), 5.0, 2.0),
    leg_b=LegSizing(Decimal("24.0"), Decimal("0.1"), Decimal("0.01"), 5.0, 10.0),
    leverage=1,
    slippage_cap=0.001,
)
PLAN = EntryPlan(
    pair_id="A-B",
    leg_a="A/USDT:USDT",
    leg_b="B/USDT:USDT",
    direction=SHORT_SPREAD,
    model=EntryModel(alpha=0.0, beta=1.2, mu=0.0, sigma=0.02, half_life_candles=10.0),
    thresholds=Thresholds(2.0, 0.3, 4.0, 4.0),
    candle=datetime(2026, 2, 2, tzinfo=UTC),
    z=2.5,
)
TRADE = PairTrade(
    id="0123456789ab",
    plan=PLAN,
    sizing=SIZING,
    state=PairState.PLANNED,
    goal=Goal.OPEN,
    was_hedged=False,
    reason="",
    dry_run=False,
    created_ms=T0,
    updated_ms=T0,
)


def order(leg: Leg, role: Role, status: OrderStatus, filled: str = "0", amount: str | None = None,
          attempt: int = 1, refusal: Refusal | None = None, at_ms: int = T0) -> OrderRecord:  # fmt: skip
    """One order of the pair trade."""
    size = Decimal(amount) if amount is not None else SIZING[leg].amount
    return OrderRecord(
        client_id=str(ClientOrderId(TRADE.id, leg, role, attempt)),
        pair_trade_id=TRADE.id,
        leg=leg,
        role=role,
        attempt=attempt,
        symbol=PLAN.symbol(leg),
        side=TRADE.entry_side(leg) if role.increases else TRADE.exit_side(leg),
        order_type="limit" if role.increases else "market",
        amount=size,
        price=SIZING[leg].price,
        leverage=1.0,
        reduce_only=not role.increases,
        reason="",
        status=status,
        intent_ms=at_ms,
        refusal=refusal,
        error="x" if refusal else None,
        order_id=f"{leg}{role}{attempt}" if Decimal(filled) else None,
        filled=Decimal(filled),
        average=SIZING[leg].price if Decimal(filled) else None,
    )


def facts(*orders: OrderRecord, now_ms: int = T0, **changes: object) -> Facts:
    """Facts with these orders."""
    legs = {
        leg: LegFacts(leg, SIZING[leg], tuple(o for o in orders if o.leg is leg), SIZING[leg].price)
        for leg in Leg
    }
    return Facts(now_ms=now_ms, leg_a=legs[Leg.A], leg_b=legs[Leg.B], **changes)  # type: ignore[arg-type]


def seen(known: Facts, leg_a: str | None, leg_b: str | None) -> Facts:
    """The same facts after a look at the venue's positions, in each leg's direction."""
    amounts = {Leg.A: leg_a, Leg.B: leg_b}
    legs = {
        leg: replace(known[leg], venue=None if amount is None else Decimal(amount))
        for leg, amount in amounts.items()
    }
    return replace(known, leg_a=legs[Leg.A], leg_b=legs[Leg.B])


A_FULL = order(Leg.A, Role.ENTRY, OrderStatus.FILLED, "100")
B_FULL = order(Leg.B, Role.ENTRY, OrderStatus.FILLED, "24.0")
OPEN = replace(TRADE, state=PairState.HEDGED, was_hedged=True)
