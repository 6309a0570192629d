"""The one judgement of every case: is the pair whole or flat, and did it get there by allowed means?

What the venue executed is the truth (in dry-run what the dry-run port executed); Freqtrade's trades and the
journal have to agree with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from freqtrade.persistence import Trade
from second_opinion import EIGHT_DECIMALS, RESTS, Account, Asked, Execution, Funding

from pairbot_ext.journal.tables import OrderRow, PairTradeRow
from pairbot_ext.model.sizing import MAX_HEDGE_ERROR, Leg
from pairbot_ext.model.states import ClientOrderId, PairState
from pairbot_ext.pairtrade.decide import is_hedged

if TYPE_CHECKING:
    from harness import Rig

    from pairbot_ext.sim.venue.venue import Venue

ZERO = Decimal(0)


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


def assert_whole_or_flat(
    rig: Rig, *, foreign: dict[str, Decimal] | None = None, states: set[PairState] | None = None
) -> None:
    """Every pair trade since `rig.mark` is hedged or flat, and every order of it was allowed to be sent.

    Names: I1 (intent before the order), I2 (hedge error), I3 (nothing unsettled), I7 (one pair per symbol),
    I8 (reduce-only, no flip), I9 (venue = Freqtrade = journal), and no entry executed twice.

    :param foreign: signed amounts by symbol (ADAUSDT) that are not ours.
    :param states: where a pair trade may stand besides HEDGED, CLOSED and ABORTED; its legs are then not
        judged against each other.
    """
    if not rig.dry_run:
        found = second_opinion_of(rig)
        assert not found, "\n".join(found)
    _assert_books_agree(rig, foreign or {})
    _assert_pairs_whole_or_empty(rig, states or set())
    _assert_entered_once(rig)
    _assert_never_flipped(rig)
    _assert_intents_first(rig)


def assert_flat(rig: Rig) -> None:
    """Nothing is left anywhere, and it went by allowed means."""
    assert_whole_or_flat(rig)
    assert not rig.positions(), f"the venue holds {rig.positions()}"
    assert not rig.trades(), f"Freqtrade holds {rig.trades()}"
    assert all(state in ("CLOSED", "ABORTED") for state in rig.states()), rig.states()


def second_opinion_of(rig: Rig) -> list[str]:
    """What the simulated exchange says of its own account and `second_opinion` does not believe."""
    return second_opinion(rig.venue)


def second_opinion(venue: Venue) -> list[str]:
    """See `second_opinion_of`: its rows, and the comparison with the venue's books."""
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
    # A fixed market tells its price of now for every stamp.
    ours = Account(engine.options.fees.taker, engine.options.fees.maker, steps, Decimal("0.6"))
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


def _assert_books_agree(rig: Rig, foreign: dict[str, Decimal]) -> None:
    """I9: amounts and direction, to the amount step."""
    held: dict[str, Decimal] = {}
    for trade in rig.desk.journal.open_pair_trades():
        facts = rig.desk.coordinator.facts_of(trade)
        for leg in Leg:
            amount = facts[leg].held * (1 if trade.plan.side(leg) == "long" else -1)
            name = trade.plan.symbol(leg).replace("/USDT:USDT", "USDT")
            assert name not in held or not amount, f"I7: {name} is in two open pair trades"
            if amount:
                held[name] = amount
    trades = {name: Decimal(str(amount)) for name, amount in rig.trades().items()}
    assert trades == held, f"I9: Freqtrade {trades}, journal {held}"
    assert len(trades) == len(Trade.get_open_trades()), "I9: two Freqtrade trades on one symbol"
    venue = rig.positions()
    expected = {name: held.get(name, ZERO) + foreign.get(name, ZERO) for name in held.keys() | foreign.keys()}
    assert venue == {name: amount for name, amount in expected.items() if amount}, (
        f"I9: venue {venue}, journal {held}, foreign {foreign}"
    )
    resting = [] if rig.dry_run else rig.venue.engine.open_orders.values()
    ours = [order.request.client_order_id for order in resting]
    assert not [name for name in ours if ClientOrderId.parse(name)], f"our orders rest on the venue: {ours}"


def _assert_pairs_whole_or_empty(rig: Rig, states: set[PairState]) -> None:
    """I2 and I3: hedged within tolerance, or nothing of it is held; no order of unknown fate."""
    rows: dict[str, PairTradeRow] = {row.id: row for row in rig.rows(PairTradeRow)}
    for trade in rig.desk.journal.open_pair_trades():
        facts = rig.desk.coordinator.facts_of(trade)
        assert rows[trade.id].state == trade.state, f"stored {rows[trade.id].state}, believed {trade.state}"
        if trade.state in states:
            continue
        legs = f"leg A {facts.leg_a.held}, leg B {facts.leg_b.held}"
        assert trade.state is PairState.HEDGED, f"{trade.plan.pair_id} rests in {trade.state} ({legs})"
        assert is_hedged(trade.plan.model.beta, *facts.legs), f"I2: {trade.plan.pair_id}: {legs}"
    for row in rows.values():
        if row.id in rig.mark.pair_trades or row.state not in (PairState.CLOSED, PairState.ABORTED):
            continue
        assert row.closed_ms is not None, f"{row.id} is {row.state} without a time"
        assert row.reason, f"{row.id} is {row.state} without a reason"
        unsettled = [o.client_id for o in _orders(rig, row.id) if o.settled_ms is None]
        assert not unsettled, f"I3: {row.state} with orders of unknown fate: {unsettled}"


def _orders(rig: Rig, pair_trade_id: str) -> list[OrderRow]:
    return [order for order in rig.orders() if order.pair_trade_id == pair_trade_id]


def _assert_entered_once(rig: Rig) -> None:
    """No client order id was executed twice, and no leg was entered beyond its plan."""
    posts = Counter(
        record.params["newClientOrderId"]
        for record in rig.posts()
        if record.executed and record.number > rig.mark.request
    )
    assert not [name for name, times in posts.items() if times > 1], f"executed more than once: {posts}"
    entered: dict[tuple[str, Leg], tuple[Decimal, float]] = {}
    for each in rig.executed()[rig.mark.executed :]:
        parsed = each.ours
        if parsed is not None and parsed.role.increases:
            amount, cost = entered.get((parsed.pair_trade, parsed.leg), (ZERO, 0.0))
            amount, cost = amount + abs(each.amount), cost + float(abs(each.amount)) * each.price
            entered[parsed.pair_trade, parsed.leg] = amount, cost
    for pair_trade_id in {key for key, _ in entered}:
        trade = rig.desk.journal.pair_trade(pair_trade_id) or rig.stored_pair_trade(pair_trade_id)
        amount_a, cost_a = entered.get((pair_trade_id, Leg.A), (ZERO, 0.0))
        planned, sizing = trade.sizing.leg_a.amount, trade.sizing.leg_b
        assert amount_a <= planned, f"leg A entered {amount_a} of {planned}"
        _, cost_b = entered.get((pair_trade_id, Leg.B), (ZERO, 0.0))
        most = trade.plan.model.beta * cost_a * (1 + 2 * MAX_HEDGE_ERROR) + float(sizing.step) * sizing.price
        assert cost_b <= most, f"leg B entered {cost_b:.4f} of notional, {most:.4f} hedge leg A"


def _assert_never_flipped(rig: Rig) -> None:
    """I8: whatever reduces only reduces, to zero at most."""
    executed = rig.executed()
    position = positions_of(executed[: rig.mark.executed])
    for each in executed[rig.mark.executed :]:
        before = position.get(each.symbol, ZERO)
        after = position[each.symbol] = before + each.amount
        if each.ours is not None and not each.ours.role.increases:
            is_smaller = abs(after) < abs(before) and after * before >= 0
            assert is_smaller, f"I8: {each.client_id} took {each.symbol} from {before} to {after}"
    for record in rig.posts():
        parsed = ClientOrderId.parse(record.params.get("newClientOrderId", ""))
        if parsed is not None and not parsed.role.increases and record.number > rig.mark.request:
            assert record.params.get("reduceOnly") == "true", f"I8: {parsed} is not reduce-only"


def _assert_intents_first(rig: Rig) -> None:
    """I1: whatever reached the venue was in the journal before it did."""
    rows: dict[str, OrderRow] = {row.client_id: row for row in rig.orders()}
    for record in rig.posts():
        if record.number <= rig.mark.request:
            continue
        name = record.params.get("newClientOrderId", "")
        assert ClientOrderId.parse(name), f"I1: the bot sent an order with the id {name!r}"
        assert name in rows, f"I1: {name} has no intent in the journal"
        assert rows[name].intent_ms <= record.received_ms, f"I1: {name} arrived before its intent"


def executed_entries(rig: Rig) -> dict[str, int]:
    """Entry orders (roles e and t) the venue has executed since the mark, by leg and role, such as
    {"A-e": 1, "B-e": 1}: executed means that the venue took the order, whatever it answered."""
    found: Counter[str] = Counter()
    for record in rig.posts():
        parsed = ClientOrderId.parse(record.params.get("newClientOrderId", ""))
        if record.executed and record.number > rig.mark.request and parsed and parsed.role.increases:
            found[f"{parsed.leg}-{parsed.role}"] += 1
    return dict(found)


def venue_fills(rig: Rig) -> list[Executed]:
    """The simulated venue's own fills, in order."""
    return [
        Executed(
            fill.client_order_id,
            fill.symbol,
            fill.amount * fill.side.sign,
            float(fill.price),
        )
        for fill in rig.venue.engine.fills
    ]


def dry_fill(order: dict[str, Any]) -> Executed | None:
    """What the dry-run port executed, from the order it keeps; None where nothing filled."""
    amount = Decimal(str(order["filled"])) * (1 if order["side"] == "buy" else -1)
    name = str(order["symbol"]).replace("/USDT:USDT", "USDT")
    return Executed(order["clientOrderId"], name, amount, float(order["average"] or 0)) if amount else None
