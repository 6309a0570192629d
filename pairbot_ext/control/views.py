"""What an operator is shown, as frozen models: the JSON of the API and of `pairbot status --json`.

Amounts are exact decimal strings in base currency, money is in the stake currency, times are epoch
milliseconds, UTC.
"""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.journal.ledger import LegStatus, PairStatus
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.voice.messages import finite


class View(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class OrderView(View):
    """One order of a pair trade, with the times of intent, sending, answer and settlement."""

    client_id: str
    order_id: str | None
    symbol: str
    side: str
    type: str
    amount: str
    filled: str
    average: float | None
    status: str
    refusal: str | None
    error: str | None
    intent_ms: int
    sent_ms: int | None
    answered_ms: int | None
    settled_ms: int | None


class LegView(View):
    """One leg of a pair trade."""

    leg: str
    symbol: str
    side: str
    planned: str
    held: str
    entry_price: float | None
    exit_price: float | None
    price: float | None = Field(default=None, description="at which it could be closed now")
    price_source: str | None = Field(default=None, description="stream, or REST: heard, or asked for")
    price_age_secs: float | None = Field(
        default=None, description="since the price arrived; null where it was asked for in a loop"
    )
    profit: float | None = Field(description="realised, fees and funding included; null before an exit")
    profit_now: float | None = Field(
        default=None, description="if it were closed at `price`, fees and funding included"
    )
    funding: float


class PairTradeView(View):
    """One pair trade."""

    id: str
    pair: str
    state: str
    goal: str
    reason: str
    needs_you: bool
    dry_run: bool
    direction: str = Field(description="short spread (short leg A, long leg B) or long spread")
    created_ms: int
    updated_ms: int
    hedged_ms: int | None
    closed_ms: int | None
    z_at_entry: float | None
    z: float | None = Field(default=None, description="now, by the model at entry")
    entry_z: float
    exit_z: float
    stop_z: float
    max_half_lives: float
    hedge_error: float | None = Field(description="|beta N_A - N_B| / (N_A + N_B) at the fill prices")
    naked_secs: float | None
    profit: float | None = Field(description="realised so far, fees and funding included")
    profit_now: float | None = Field(
        default=None, description="if both legs were closed now, fees and funding included"
    )
    funding: float
    age_secs: float | None = Field(description="since leg A was planned, until closed")
    age_half_lives: float | None = Field(default=None, description="the same in half-lives of its model")
    legs: tuple[LegView, LegView]
    orders: tuple[OrderView, ...]


class WatchedView(View):
    """One pair of the pairs file that could be entered."""

    pair: str
    leg_a: str
    leg_b: str
    z: float | None = Field(description="of the last closed candle; null where a candle is missing")
    entry_z: float
    exit_z: float
    stop_z: float
    half_life_hours: float | None
    is_valid: bool = Field(description="whether an epoch of the file allows entries now")
    is_tradable: bool = Field(description="whether the venue trades both legs")
    locked: str | None = Field(description="who locked it and when, or null")
    pair_trade: str | None = Field(description="id of its open pair trade, or null")


class RuleView(View):
    """One risk rule with what it reads now."""

    rule: str
    value: float | None
    limit: float | None
    unit: str
    pair: str | None
    note: str


class RiskView(View):
    """What the bot may do: ACTIVE, REDUCING (exits only) or HALTED (pairs are flattened)."""

    state: str
    why: str = Field(description="the rule that tripped with value and limit, or who halted it")
    locked: dict[str, str]
    rules: tuple[RuleView, ...]


class StreamView(View):
    """One connection of the venue's streams."""

    name: str
    symbols: int
    is_fresh: bool
    age_secs: float | None = Field(description="since its last frame")
    reconnects: int
    stale_secs: float = Field(description="for how long it said nothing, altogether")
    error: str


class StreamsView(View):
    """What is heard of the venue."""

    connections: tuple[StreamView, ...]
    weight_used: int = Field(description="request weight in the running minute, of all programs")
    reaction_secs: float | None = Field(
        description="of the last stop: from the first price beyond its level to the first exit"
    )


class OverviewView(View):
    """Everything at once: GET /pairs and /pairs."""

    at_ms: int
    mode: str
    currency: str
    risk: RiskView
    open: tuple[PairTradeView, ...]
    watched: tuple[WatchedView, ...]
    streams: StreamsView | None = Field(default=None, description="null where pairbot.streams is off")


class PairView(View):
    """One pair: GET /pairs/{id} and /pair ID."""

    pair: str
    currency: str
    watched: WatchedView | None = Field(description="null where the pairs file no longer names it")
    open: PairTradeView | None
    last_closed: PairTradeView | None


class ProposalView(View):
    """A selection that waits for a person."""

    id: str = Field(description="to accept it by")
    proposed_at_ms: int
    expires_at_ms: int
    reasons: tuple[str, ...] = Field(description="why a person is asked")
    before: tuple[str, ...] = Field(description="pairs in force")
    after: tuple[str, ...] = Field(description="pairs it would put in force")
    combinations: int | None
    expected_false_positives: float | None
    text: str = Field(description="all of it, as the bot tells it")


class ScanView(View):
    """When and what the last scan found, as the pairs file says."""

    pairs_file: str
    generated_at_ms: int
    age_days: float
    exchange: str
    timeframe: str
    rule: str
    combinations: int | None
    selected: int | None
    expected_false_positives: float | None
    epochs: int
    valid_from_ms: int | None = Field(description="of the epoch in force, or of the next")
    valid_to_ms: int | None
    is_valid_now: bool
    pairs: tuple[str, ...] = Field(description="of that epoch")
    renewed: str | None = Field(default=None, description="what the last renewal changed")
    renewal_failed: str | None = Field(default=None, description="why the last one did not come about")
    proposal: ProposalView | None = Field(default=None, description="a new selection that waits")


class ActionView(View):
    """What came of a command."""

    result: str
    pair_trades: tuple[str, ...] = ()


class Market(Protocol):
    """Prices now. Answers None rather than raise."""

    def price(self, symbol: str) -> float | None:
        """At which the leg could be closed, quote currency."""
        ...

    def source(self, symbol: str) -> tuple[str | None, float | None]:
        """Who has said the price, and how many seconds ago."""
        ...

    def profit(self, symbol: str, price: float) -> float | None:
        """Of Freqtrade's open trade on `symbol` if it were closed at `price`."""
        ...

    def z(self, plan: EntryPlan, price_a: float | None, price_b: float | None) -> float | None:
        """By the model at entry, at these prices, or of the last closed candle where one is missing."""
        ...


def _order_view(order: OrderRecord) -> OrderView:
    return OrderView(
        client_id=order.client_id,
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.order_type,
        amount=str(order.amount),
        filled=str(order.filled),
        average=finite(order.average),
        status=order.status,
        refusal=order.refusal,
        error=order.error,
        intent_ms=order.intent_ms,
        sent_ms=order.sent_ms,
        answered_ms=order.answered_ms,
        settled_ms=order.settled_ms,
    )


def _leg_view(leg: LegStatus, market: Market | None) -> LegView:
    price = market.price(leg.symbol) if market is not None and leg.held else None
    profit_now = market.profit(leg.symbol, price) if market is not None and price is not None else None
    source, age_secs = market.source(leg.symbol) if market is not None and price is not None else (None, None)
    return LegView(
        leg=leg.leg,
        symbol=leg.symbol,
        side=leg.side,
        planned=str(leg.planned),
        held=str(leg.held),
        entry_price=finite(leg.entry_price),
        exit_price=finite(leg.exit_price),
        price=finite(price),
        price_source=source,
        price_age_secs=age_secs,
        profit=finite(leg.profit),
        profit_now=finite(profit_now),
        funding=leg.funding,
    )


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def trade_view(
    status: PairStatus, now_ms: int, *, candle_secs: int | None = None, market: Market | None = None
) -> PairTradeView:
    """One pair trade as it is shown.

    :param candle_secs: of the timeframe its half-life is counted in; without it the age in half-lives is
        unknown.
    :param market: prices now; without it there is no z and no profit of what is open.
    """
    trade, plan = status.trade, status.trade.plan
    legs = tuple(_leg_view(leg, market) for leg in status.legs)
    age_secs = max(0.0, ((trade.closed_ms or now_ms) - trade.created_ms) / 1000)
    half_life_secs = finite(plan.half_life_candles(candle_secs) * candle_secs) if candle_secs else None
    z = market.z(plan, legs[0].price, legs[1].price) if market is not None else None
    is_whole = market is not None and all(leg.profit_now is not None or not float(leg.held) for leg in legs)
    profit_now = (
        _total([leg.profit_now if leg.profit_now is not None else leg.profit for leg in legs])
        if is_whole and not trade.state.is_final
        else None
    )
    return PairTradeView(
        id=trade.id,
        pair=plan.pair_id,
        state=trade.state,
        goal=trade.goal,
        reason=trade.reason,
        needs_you=trade.state in ("NEEDS_OPERATOR", "UNKNOWN"),
        dry_run=trade.dry_run,
        direction="short spread" if plan.side(Leg.A) == "short" else "long spread",
        created_ms=trade.created_ms,
        updated_ms=trade.updated_ms,
        hedged_ms=trade.hedged_ms,
        closed_ms=trade.closed_ms,
        z_at_entry=finite(plan.z),
        z=finite(z),
        entry_z=plan.thresholds.entry,
        exit_z=plan.thresholds.exit,
        stop_z=plan.thresholds.stop,
        max_half_lives=plan.thresholds.max_half_lives,
        hedge_error=finite(status.hedge_error),
        naked_secs=status.naked_secs,
        profit=finite(status.profit),
        profit_now=finite(profit_now),
        funding=sum(leg.funding for leg in status.legs),
        age_secs=age_secs,
        age_half_lives=age_secs / half_life_secs if half_life_secs else None,
        legs=(legs[0], legs[1]),
        orders=tuple(_order_view(order) for order in status.orders),
    )
