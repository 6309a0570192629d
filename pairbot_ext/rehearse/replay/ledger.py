"""What a replay has traded, from the venue's own books: fills, fees, funding, how long a leg was alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, PairState
from pairbot_ext.rehearse.replay.machine import ReplayMachine
from pairbot_ext.rehearse.replay.trades import Legging, LegResult, PairResult
from pairbot_ext.sim.symbols import binance_id
from pairbot_ext.sim.venue.account import IncomeType

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Fill:
    """One execution of a leg. `amount` is signed, base coins."""

    at_ms: int
    amount: Decimal
    price: Decimal
    fee: Decimal


@dataclass
class _Open:
    """A pair trade's fills by leg, while they are sorted; `charged` is what a liquidation cost besides."""

    fills: dict[Leg, list[Fill]] = field(default_factory=lambda: {Leg.A: [], Leg.B: []})
    funding: dict[Leg, Decimal] = field(default_factory=lambda: {Leg.A: _ZERO, Leg.B: _ZERO})
    charged: dict[Leg, Decimal] = field(default_factory=lambda: {Leg.A: _ZERO, Leg.B: _ZERO})


@dataclass(frozen=True)
class Ledger:
    """Everything the account did.

    :param trades: in order of opening.
    :param change: of the account's money, open positions valued as `PairResult` values them.
    :param elsewhere: of that, what belongs to no pair trade.
    """

    trades: tuple[PairResult, ...]
    change: float
    elsewhere: float


def read_ledger(machine: ReplayMachine, end_ms: int) -> Ledger:
    """The books as they stand.

    :param end_ms: opening of the last candle: what is open is valued at its first price, with a fee, as a
        backtest's forced exits are.
    """
    rows = {row.id: row for row in machine.pair_trades()}
    found, owner = _sorted_fills(machine, rows)
    elsewhere = _book_income(machine, found, owner)
    taker = machine.venue.engine.options.fees.taker
    results, valued = [], _ZERO
    for trade_id, each in found.items():
        row = rows[trade_id]
        is_open = not PairState(row.state).is_final
        if is_open:
            for leg, symbol in ((Leg.A, row.leg_a), (Leg.B, row.leg_b)):
                last = _closing_fill(machine, each.fills[leg], symbol, end_ms, taker)
                if last is not None:
                    held = sum((fill.amount for fill in each.fills[leg]), _ZERO)
                    entry = machine.venue.account.position(binance_id(symbol)).entry_price
                    valued += held * (last.price - entry) - last.fee
                    each.fills[leg] = [*each.fills[leg], last]
        if any(each.fills.values()):
            results.append(_result(machine, row, each, is_open=is_open))
    account = machine.venue.account
    money = sum((row.amount for row in account.income if row.type != IncomeType.TRANSFER), _ZERO)
    return Ledger(
        tuple(sorted(results, key=lambda each: (each.opened_ms, each.pair_id))),
        float(money + valued),
        float(elsewhere),
    )


def _sorted_fills(
    machine: ReplayMachine, rows: Mapping[str, Any]
) -> tuple[dict[str, _Open], dict[str, list[tuple[int, str, Leg]]]]:
    """Fills by pair trade, and per symbol who began to hold it when."""
    found: dict[str, _Open] = {}
    owner: dict[str, list[tuple[int, str, Leg]]] = {}
    for fill in machine.venue.engine.fills:
        ours = ClientOrderId.parse(fill.client_order_id)
        if ours is not None and ours.pair_trade in rows:
            trade_id, leg = ours.pair_trade, ours.leg
            held = owner.setdefault(fill.symbol, [])
            if not held or held[-1][1] != trade_id:
                held.append((fill.time_ms, trade_id, leg))
        elif owner.get(fill.symbol):
            # Somebody else's order on a position of ours: a liquidation.
            _, trade_id, leg = owner[fill.symbol][-1]
        else:
            continue
        made = found.setdefault(trade_id, _Open())
        made.fills[leg].append(Fill(fill.time_ms, fill.amount * fill.side.sign, fill.price, fill.commission))
    return found, owner


def _book_income(
    machine: ReplayMachine, found: Mapping[str, _Open], owner: Mapping[str, list[tuple[int, str, Leg]]]
) -> Decimal:
    """Give funding and what liquidations cost to the pair trade that held the symbol. Returns what belongs to
    none."""
    other = _ZERO
    for row in machine.venue.account.income:
        if row.type in (IncomeType.TRANSFER, IncomeType.REALIZED_PNL, IncomeType.COMMISSION):
            continue
        holders = [each for each in owner.get(row.symbol, []) if each[0] <= row.time_ms]
        if not holders:
            other += row.amount
        elif row.type == IncomeType.FUNDING_FEE:
            found[holders[-1][1]].funding[holders[-1][2]] += row.amount
        else:
            found[holders[-1][1]].charged[holders[-1][2]] -= row.amount
    return other


def _closing_fill(
    machine: ReplayMachine, fills: Sequence[Fill], symbol: str, end_ms: int, taker: Decimal
) -> Fill | None:
    held = sum((fill.amount for fill in fills), _ZERO)
    if not held:
        return None
    price = machine.market.price(binance_id(symbol), end_ms)
    return Fill(end_ms, -held, price, abs(held) * price * taker)


def _result(machine: ReplayMachine, row: Any, each: _Open, *, is_open: bool) -> PairResult:
    candle_ms = machine.inputs.candle_ms
    opened_ms = row.created_ms // candle_ms * candle_ms
    ends = [fills[-1].at_ms for fills in each.fills.values() if fills]
    legs = tuple(
        _leg(symbol, each.fills[leg], each.funding[leg], each.charged[leg])
        for leg, symbol in ((Leg.A, row.leg_a), (Leg.B, row.leg_b))
        if each.fills[leg]
    )
    return PairResult(
        pair_id=row.pair_id,
        opened_ms=opened_ms,
        closed_ms=None if is_open else max(ends) // candle_ms * candle_ms,
        reason=row.reason,
        legs=legs,
        is_aborted=not row.was_hedged and not is_open,
        legging=_legging(machine, row, each, is_open=is_open),
    )


def _leg(symbol: str, fills: Sequence[Fill], funding: Decimal, charged: Decimal) -> LegResult:
    """Entries are the fills in the direction of the first one."""
    sign = 1 if fills[0].amount > 0 else -1
    entries = [fill for fill in fills if fill.amount * sign > 0]
    exits = [fill for fill in fills if fill.amount * sign < 0]
    amount = abs(sum((fill.amount for fill in entries), _ZERO))
    return LegResult(
        symbol, sign, float(amount), float(_mean(entries)), float(_mean(exits)),
        float(sum((fill.fee for fill in fills), charged)), float(funding),
    )  # fmt: skip


def _mean(fills: Sequence[Fill]) -> Decimal:
    amount = sum((abs(fill.amount) for fill in fills), _ZERO)
    return sum((abs(fill.amount) * fill.price for fill in fills), _ZERO) / amount if amount else _ZERO


def _legging(machine: ReplayMachine, row: Any, each: _Open, *, is_open: bool) -> Legging:
    symbols = {Leg.A: binance_id(row.leg_a), Leg.B: binance_id(row.leg_b)}
    candle_ms = machine.inputs.candle_ms
    # The last fill of what is open is no fill: it values.
    fills = {leg: list(found[:-1]) if is_open else list(found) for leg, found in each.fills.items()}
    entry, leave = _ends(fills, entering=True), _ends(fills, entering=False)
    notional = sum((abs(fill.amount) * fill.price for leg in entry for fill in entry[leg]), _ZERO)
    if not notional:
        return Legging(0.0, 0.0, 0.0, 0.0)

    def moved(ends: Mapping[Leg, Sequence[Fill]]) -> Decimal:
        """What the later leg's price did since the first fill of either."""
        times = [fill.at_ms for found in ends.values() for fill in found]
        return _against(machine, symbols, ends, lambda _fill: min(times), at_market=True)

    def short(ends: Mapping[Leg, Sequence[Fill]]) -> Decimal:
        """Against the opening of the candle in which each fill was made."""
        return _against(
            machine, symbols, ends, lambda fill: fill.at_ms // candle_ms * candle_ms, at_market=False
        )

    scale = Decimal(10_000) / notional
    return Legging(
        alone_secs=_alone_secs(fills, machine.clock.now_ms()),
        entry_bp=float(moved(entry) * scale),
        exit_bp=float(moved(leave) * scale),
        shortfall_bp=float((short(entry) + short(leave)) * scale),
    )


def _against(
    machine: ReplayMachine,
    symbols: Mapping[Leg, str],
    ends: Mapping[Leg, Sequence[Fill]],
    since: Callable[[Fill], int],
    *,
    at_market: bool,
) -> Decimal:
    """What the fills cost more than the market's prices at an earlier time; or the market at their times."""
    total = _ZERO
    for leg, found in ends.items():
        for fill in found:
            price = _price(machine, symbols[leg], fill.at_ms) if at_market else fill.price
            total += fill.amount * (price - _price(machine, symbols[leg], since(fill)))
    return total


def _ends(fills: Mapping[Leg, Sequence[Fill]], *, entering: bool) -> dict[Leg, list[Fill]]:
    return {
        leg: [fill for fill in found if (fill.amount * found[0].amount > 0) == entering]
        for leg, found in fills.items()
        if found
    }


def _price(machine: ReplayMachine, symbol: str, at_ms: int) -> Decimal:
    price: Decimal = machine.market.price(symbol, at_ms)
    return price


def _alone_secs(fills: Mapping[Leg, Iterable[Fill]], now_ms: int) -> float:
    """How long exactly one leg was held."""
    steps = sorted(
        ((fill.at_ms, leg, fill.amount) for leg, found in fills.items() for fill in found),
        key=lambda step: step[0],
    )
    held = {Leg.A: _ZERO, Leg.B: _ZERO}
    alone_ms, since_ms = 0, None
    for at_ms, leg, amount in steps:
        if since_ms is not None:
            alone_ms += at_ms - since_ms
        held[leg] += amount
        since_ms = at_ms if bool(held[Leg.A]) != bool(held[Leg.B]) else None
    if since_ms is not None:
        alone_ms += now_ms - since_ms
    return alone_ms / 1000
