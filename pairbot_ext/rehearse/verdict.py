"""The one judgement of every case: is the pair whole or flat, and did it get there by allowed means?

What the venue executed is the truth (in dry-run what the dry-run port executed); Freqtrade's trades and the
journal have to agree with it. Each check yields what is wrong, in words; nothing yielded: it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from freqtrade.persistence import Trade

from pairbot_ext.journal.reader import NOT_DURABLE_FROM
from pairbot_ext.journal.tables import OrderRow, PairTradeRow
from pairbot_ext.model.sizing import MAX_HEDGE_ERROR, Leg
from pairbot_ext.model.states import ClientOrderId, PairState
from pairbot_ext.pairtrade.situation import is_hedged
from pairbot_ext.rehearse.books import ZERO, positions_of, second_opinion
from pairbot_ext.rehearse.machine import Machine


def judge(
    machine: Machine,
    *,
    foreign: Mapping[str, Decimal] | None = None,
    states: Collection[PairState] = (),
) -> list[str]:
    """What is wrong with every pair trade since `machine.mark`: each is hedged or flat, and every order of it
    was allowed to be sent.

    Names: I1 (intent before the order), I2 (hedge error), I3 (nothing unsettled), I7 (one pair per symbol),
    I8 (reduce-only, no flip), I9 (venue = Freqtrade = journal), and no entry executed twice.

    :param foreign: signed amounts by the venue's symbol that are not ours.
    :param states: where a pair trade may stand besides HEDGED, CLOSED and ABORTED; its legs are then not
        judged against each other.
    """
    return [
        *([] if machine.dry_run else second_opinion(machine.venue)),
        *books_disagree(machine, foreign or {}),
        *neither_whole_nor_empty(machine, states),
        *entered_too_much(machine),
        *flipped(machine),
        *sent_without_intent(machine),
    ]


def books_disagree(machine: Machine, foreign: Mapping[str, Decimal]) -> Iterator[str]:
    """I9: amounts and direction, to the amount step."""
    held: dict[str, Decimal] = {}
    for trade in machine.desk.journal.open_pair_trades():
        facts = machine.desk.coordinator.facts_of(trade)
        for leg in Leg:
            amount = facts[leg].held * (1 if trade.plan.side(leg) == "long" else -1)
            name = trade.plan.symbol(leg).replace("/USDT:USDT", "USDT")
            if amount and name in held:
                yield f"I7: {name} is in two open pair trades"
            if amount:
                held[name] = amount
    trades = {name: Decimal(str(amount)) for name, amount in machine.trades().items()}
    if trades != held:
        yield f"I9: Freqtrade {trades}, journal {held}"
    if len(trades) != len(Trade.get_open_trades()):
        yield "I9: two Freqtrade trades on one symbol"
    venue = machine.positions()
    expected = {name: held.get(name, ZERO) + foreign.get(name, ZERO) for name in held.keys() | foreign.keys()}
    if venue != {name: amount for name, amount in expected.items() if amount}:
        yield f"I9: venue {venue}, journal {held}, foreign {dict(foreign)}"
    resting = [] if machine.dry_run else machine.venue.engine.open_orders.values()
    ours = [order.request.client_order_id for order in resting]
    if [name for name in ours if ClientOrderId.parse(name)]:
        yield f"our orders rest on the venue: {ours}"


def neither_whole_nor_empty(machine: Machine, states: Collection[PairState]) -> Iterator[str]:
    """I2 and I3: hedged within tolerance, or nothing of it is held; no order of unknown fate."""
    rows: dict[str, PairTradeRow] = {row.id: row for row in machine.rows(PairTradeRow)}
    for trade in machine.desk.journal.open_pair_trades():
        facts = machine.desk.coordinator.facts_of(trade)
        if rows[trade.id].state != trade.state:
            yield f"stored {rows[trade.id].state}, believed {trade.state}"
        if trade.state in states:
            continue
        legs = f"leg A {facts.leg_a.held}, leg B {facts.leg_b.held}"
        if trade.state is not PairState.HEDGED:
            yield f"{trade.plan.pair_id} rests in {trade.state} ({legs})"
        elif not is_hedged(trade.plan.model.beta, *facts.legs):
            yield f"I2: {trade.plan.pair_id}: {legs}"
    for row in rows.values():
        if row.id in machine.mark.pair_trades or row.state not in (PairState.CLOSED, PairState.ABORTED):
            continue
        if row.closed_ms is None:
            yield f"{row.id} is {row.state} without a time"
        if not row.reason:
            yield f"{row.id} is {row.state} without a reason"
        unsettled = [
            order.client_id
            for order in machine.orders()
            if order.pair_trade_id == row.id and order.settled_ms is None
        ]
        if unsettled:
            yield f"I3: {row.state} with orders of unknown fate: {unsettled}"


def entered_too_much(machine: Machine) -> Iterator[str]:
    """No client order id was executed twice, and no leg was entered beyond its plan."""
    posts = Counter(
        record.client_id
        for record in machine.posts()
        if record.executed and record.number > machine.mark.request
    )
    if [name for name, times in posts.items() if times > 1]:
        yield f"executed more than once: {posts}"
    entered: dict[tuple[str, Leg], tuple[Decimal, float]] = {}
    for each in machine.executed()[machine.mark.executed :]:
        parsed = each.ours
        if parsed is not None and parsed.role.increases:
            amount, cost = entered.get((parsed.pair_trade, parsed.leg), (ZERO, 0.0))
            amount, cost = amount + abs(each.amount), cost + float(abs(each.amount)) * each.price
            entered[parsed.pair_trade, parsed.leg] = amount, cost
    for pair_trade_id in {key for key, _ in entered}:
        trade = machine.desk.journal.pair_trade(pair_trade_id) or machine.stored_pair_trade(pair_trade_id)
        amount_a, cost_a = entered.get((pair_trade_id, Leg.A), (ZERO, 0.0))
        planned, sizing = trade.sizing.leg_a.amount, trade.sizing.leg_b
        if amount_a > planned:
            yield f"leg A entered {amount_a} of {planned}"
        _, cost_b = entered.get((pair_trade_id, Leg.B), (ZERO, 0.0))
        most = trade.plan.model.beta * cost_a * (1 + 2 * MAX_HEDGE_ERROR) + float(sizing.step) * sizing.price
        if cost_b > most:
            yield f"leg B entered {cost_b:.4f} of notional, {most:.4f} hedge leg A"


def flipped(machine: Machine) -> Iterator[str]:
    """I8: whatever reduces only reduces, to zero at most."""
    executed = machine.executed()
    position = positions_of(executed[: machine.mark.executed])
    for each in executed[machine.mark.executed :]:
        before = position.get(each.symbol, ZERO)
        after = position[each.symbol] = before + each.amount
        if each.ours is not None and not each.ours.role.increases:
            is_smaller = abs(after) < abs(before) and after * before >= 0
            if not is_smaller:
                yield f"I8: {each.client_id} took {each.symbol} from {before} to {after}"
    for record in machine.posts():
        parsed = ClientOrderId.parse(record.client_id)
        is_ours = parsed is not None and not parsed.role.increases
        if is_ours and record.number > machine.mark.request and not record.is_reduce_only:
            yield f"I8: {parsed} is not reduce-only"


def sent_without_intent(machine: Machine) -> Iterator[str]:
    """I1: whatever reached the venue was in the journal before it did. An exit goes out all the
    same where no store could be written, numbered apart (I5)."""
    rows: dict[str, OrderRow] = {row.client_id: row for row in machine.orders()}
    for record in machine.posts():
        if record.number <= machine.mark.request:
            continue
        name = record.client_id
        parsed = ClientOrderId.parse(name)
        if parsed is None:
            yield f"I1: the bot sent an order with the id {name!r}"
        elif name not in rows and parsed.attempt >= NOT_DURABLE_FROM and not parsed.role.increases:
            continue
        elif name not in rows:
            yield f"I1: {name} has no intent in the journal"
        elif rows[name].intent_ms > record.received_ms:
            yield f"I1: {name} arrived before its intent"
