"""What the page shows, as one JSON document, and what has changed in it since the last look.

Two halves: rows that change with an event are built when the journal, the candles or the pairs file have
changed; z, profit and prices are computed at every look, from numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pairbot_ext.control.accounts import Accounts, ProfitLine
from pairbot_ext.control.service import PairService, PairsNow
from pairbot_ext.control.views import OverviewView, PairTradeView, WatchedView
from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.journal.ledger import PairStatus
from pairbot_ext.model.findings import Reading
from pairbot_ext.page.history import History
from pairbot_ext.support.clock import as_datetime
from pairbot_ext.voice.messages import finite

RENEWED_MS = 30_000
"""What changes with time alone, such as the end of an epoch, is looked at so often."""

Row = dict[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True)
class _Line:
    """z = (log A - alpha - beta * log B - mu) / sigma at prices now."""

    alpha: float
    beta: float
    mu: float
    sigma: float

    def z(self, price_a: float | None, price_b: float | None) -> float | None:
        if not price_a or not price_b:
            return None
        value = (math.log(price_a) - self.alpha - self.beta * math.log(price_b) - self.mu) / self.sigma
        return round(value, 3) if math.isfinite(value) else None


@dataclass(frozen=True)
class _Live:
    """How one row is brought up to date.

    :param candle_z: of the last closed candle, shown where a price is missing.
    :param profits: per leg: its profit line, None where Freqtrade has no trade; and what it is without one.
    """

    symbols: tuple[str, str]
    model: _Line | None
    candle_z: float | None
    profits: tuple[tuple[bool, ProfitLine | None, float | None], ...] = ()


@dataclass(frozen=True)
class Look:
    """What one look has found.

    :param whole: makes the document: only who has just come needs it.
    :param change: what is to be merged into the last one; None where nothing has changed. A row that is null
        there is gone.
    """

    whole: Callable[[], Document]
    change: Document | None


@dataclass(slots=True)
class _Price:
    price: float | None
    at_ms: int | None
    source: str | None


@dataclass
class _Slow:
    """The rows that change with an event, and what they were made of."""

    made_of: tuple[object, ...] = ()
    at_ms: int = 0
    head: Row = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    live: dict[str, _Live] = field(default_factory=dict)


class Sheet:
    """See the module. For one thread at a time.

    :param pairs_now: what the strategy trades.
    """

    def __init__(self, desk: TradeDesk, pairs_now: Callable[[], PairsNow]) -> None:
        self._desk = desk
        self._pairs_now = pairs_now
        self._history = History(desk.journal, desk.bridge)
        self._slow = _Slow()
        self._asked: dict[str, tuple[int, int | None]] = {}
        self._readings: list[Reading] = []
        self._rules: dict[str, Row] = {}
        self._live: dict[str, Row] = {}
        self._head: Row = {}

    def look(self, service: PairService) -> Look:
        """Bring everything up to date. Raises PairbotError."""
        now_ms, pairs, accounts = self._desk.clock.now_ms(), self._pairs_now(), service.accounts.now()
        before, before_live, before_head, before_rules = self._slow, self._live, self._head, self._rules
        self._build(service, pairs, accounts, now_ms)
        prices = self._prices(now_ms)
        self._live = {name: _now(each, prices) for name, each in self._slow.live.items()}
        self._head = self._head_now()
        self._read_rules()
        change: Document = {}
        if head := _fields(before_head, self._head):
            change["head"] = head
        if self._slow is before:
            # The same rows: only what moves with prices can be another.
            rows = {
                name: found for name, row in self._live.items() if (found := _fields(before_live[name], row))
            }
        else:
            rows = _rows(_merged(before, before_live), self._merged())
        if rows:
            change["pairs"] = rows
        if self._rules is not before_rules and (rules := _rows(before_rules, self._rules)):
            change["rules"] = rules
        if new_events := self._history.fresh():
            change["journal"] = new_events
        return Look(self._whole, {"at_ms": now_ms, **change} if change else None)

    def _whole(self) -> Document:
        return {
            "head": self._head,
            "pairs": self._merged(),
            "rules": self._rules,
            "journal": self._history.latest(),
        }

    def _merged(self) -> dict[str, Row]:
        return _merged(self._slow, self._live)

    # -- what changes with an event ----------------------------------------------------------------

    def _build(self, service: PairService, pairs: PairsNow, accounts: Accounts, now_ms: int) -> None:
        made_of = (accounts, pairs.pairs_file, pairs.book, pairs.untradable)
        is_same = len(made_of) == len(self._slow.made_of) and all(
            one is other for one, other in zip(made_of, self._slow.made_of, strict=True)
        )
        if is_same and 0 <= now_ms - self._slow.at_ms < RENEWED_MS:
            return
        overview = service.overview()
        statuses = {status.trade.plan.pair_id: status for status in accounts.statuses}
        watched = {each.pair: each for each in overview.watched}
        slow = _Slow(made_of, now_ms, _head_of(overview, pairs))
        for trade in overview.open:
            status = statuses.get(trade.pair)
            if status is not None:
                slow.rows[trade.pair] = _open_row(trade, watched.get(trade.pair))
                slow.live[trade.pair] = _live_of_open(status, accounts.lines)
        for each in overview.watched:
            if each.pair not in slow.rows:
                slow.rows[each.pair] = _watched_row(each)
                slow.live[each.pair] = _Live(
                    (each.leg_a, each.leg_b), _newest_model(pairs, each.pair, now_ms), each.z
                )
        self._slow = slow

    # -- what changes with prices ------------------------------------------------------------------

    def _prices(self, now_ms: int) -> Callable[[str], _Price]:
        """What the bot has seen last, as `LivePrices` tells it; each symbol is looked up once."""
        known: dict[str, _Price] = {}
        audible, bridge = self._desk.hearing.audible, self._desk.bridge

        def price(symbol: str) -> _Price:
            found = known.get(symbol)
            if found is None:
                best = audible.price(symbol)
                if best is not None:
                    found = _Price((best.bid + best.ask) / 2, best.arrived_ms, str(best.source))
                else:
                    found = _Price(bridge.last_rate(symbol), self._asked_ms(symbol, now_ms), "REST")
                known[symbol] = found
            return found

        return price

    def _asked_ms(self, symbol: str, now_ms: int) -> int | None:
        """A book that was asked for has no time of its own: when it was seen here that it was read again.
        None before the second one."""
        number = self._desk.risk.quotes.number(symbol)
        before = self._asked.get(symbol)
        if before is None or before[0] != number:
            self._asked[symbol] = (number, None if before is None else now_ms)
        return self._asked[symbol][1]

    # -- the bot -----------------------------------------------------------------------------------

    def _head_now(self) -> Row:
        desk = self._desk
        risk, trip, audible = desk.risk.state, desk.risk.trip, desk.hearing.audible
        silent = [each.name for each in audible.reports() if not each.is_fresh] if audible.is_on else []
        return {
            **self._slow.head,
            "risk": str(risk),
            "risk_why": trip.text if trip is not None else "",
            "is_degraded": desk.journal.is_degraded,
            "has_streams": audible.is_on,
            "silent": silent,
            "unread_secs": round(desk.reconciler.unreadable_secs),
        }

    def _read_rules(self) -> None:
        readings = self._desk.risk.snapshot()
        if readings != self._readings:
            self._readings = readings
            self._rules = {
                f"{each.rule}|{each.pair_id or ''}": {
                    "rule": str(each.rule),
                    "pair": each.pair_id,
                    "value": _short(each.value),
                    "limit": _short(each.limit),
                    "unit": each.unit,
                    "note": each.note,
                }
                for each in readings
            }


def _short(value: float | None) -> float | None:
    value = finite(value)
    return None if value is None else float(f"{value:.6g}")


def _head_of(overview: OverviewView, pairs: PairsNow) -> Row:
    return {
        "mode": overview.mode,
        "currency": overview.currency,
        "candle_secs": pairs.candle_secs,
        "pairs_file": pairs.path,
    }


def _open_row(trade: PairTradeView, watched: WatchedView | None) -> Row:
    half_life_secs = None
    if trade.age_half_lives and trade.age_secs:
        half_life_secs = round(trade.age_secs / trade.age_half_lives)
    return {
        "pair": trade.pair,
        "trade": trade.id,
        "state": trade.state,
        "goal": trade.goal,
        "reason": trade.reason,
        "needs_you": trade.needs_you,
        "direction": trade.direction,
        "z_at_entry": trade.z_at_entry,
        "entry_z": trade.entry_z,
        "exit_z": trade.exit_z,
        "stop_z": trade.stop_z,
        "funding": round(trade.funding, 4),
        "hedge_error": trade.hedge_error,
        "opened_ms": trade.created_ms,
        "half_life_secs": half_life_secs,
        "max_half_lives": trade.max_half_lives,
        "locked": watched.locked if watched is not None else None,
        "is_valid": watched.is_valid if watched is not None else False,
        "is_tradable": watched.is_tradable if watched is not None else True,
        "legs": [
            {"symbol": leg.symbol, "side": leg.side, "held": leg.held, "entry": leg.entry_price}
            for leg in trade.legs
        ],
    }


def _watched_row(pair: WatchedView) -> Row:
    return {
        "pair": pair.pair,
        "trade": None,
        "state": "WATCHED",
        "needs_you": False,
        "entry_z": pair.entry_z,
        "exit_z": pair.exit_z,
        "stop_z": pair.stop_z,
        "half_life_secs": None if pair.half_life_hours is None else round(3600 * pair.half_life_hours),
        "locked": pair.locked,
        "is_valid": pair.is_valid,
        "is_tradable": pair.is_tradable,
        "legs": [{"symbol": pair.leg_a}, {"symbol": pair.leg_b}],
    }


def _live_of_open(status: PairStatus, lines: Mapping[str, ProfitLine]) -> _Live:
    model = status.trade.plan.model
    return _Live(
        symbols=(status.legs[0].symbol, status.legs[1].symbol),
        model=_Line(model.alpha, model.beta, model.mu, model.sigma),
        candle_z=None,
        profits=tuple((bool(leg.held), lines.get(leg.symbol), leg.profit) for leg in status.legs),
    )


def _newest_model(pairs: PairsNow, pair_id: str, now_ms: int) -> _Line | None:
    """Of the last closed candle; None where it has none."""
    book = pairs.book
    if book is None:
        return None
    row = book.grid.rows_closed_by(as_datetime(now_ms)) - 1
    for path in reversed(book.paths):
        at = row - path.first_row
        if path.pair.id == pair_id and 0 <= at < path.z.size:
            numbers = [float(each[at]) for each in (path.alpha, path.beta, path.mu, path.sigma)]
            return _Line(*numbers) if all(map(math.isfinite, numbers)) and numbers[3] > 0 else None
    return None


def _profit(
    legs: tuple[tuple[bool, ProfitLine | None, float | None], ...], prices: tuple[float | None, ...]
) -> float | None:
    """Of both legs if they were closed at these prices; None where one that is held has no price."""
    total = None
    for (is_held, line, realised), price in zip(legs, prices, strict=True):
        if is_held and (line is None or price is None):
            return None
        value = line.at(price) if is_held and line is not None and price is not None else realised
        if value is not None:
            total = (total or 0.0) + value
    return None if total is None else round(total, 4)


def _now(live: _Live, prices: Callable[[str], _Price]) -> Row:
    a, b = prices(live.symbols[0]), prices(live.symbols[1])
    z = live.model.z(a.price, b.price) if live.model is not None else None
    row: Row = {
        "z": live.candle_z if z is None else z,
        "is_live": z is not None,
        "price_a": a.price,
        "price_b": b.price,
        "price_ms": None if a.at_ms is None or b.at_ms is None else min(a.at_ms, b.at_ms),
        "price_source": a.source,
    }
    if live.profits:
        row["pnl"] = _profit(live.profits, (a.price, b.price))
    return row


def _merged(slow: _Slow, live: Mapping[str, Row]) -> dict[str, Row]:
    return {name: {**row, **live[name]} for name, row in slow.rows.items()}


def _fields(before: Row, after: Row) -> Row:
    """What is another value in `after`; both have the same fields, or `before` none."""
    return {key: value for key, value in after.items() if before.get(key, ...) != value}


def _rows(before: Mapping[str, Row], after: Mapping[str, Row]) -> Document:
    """What is to be merged into `before`: changed fields of each row, null for a row gone."""
    changed: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, row in after.items():
        known = before.get(name)
        # A row of another state has other fields.
        if known is None or known.keys() != row.keys():
            changed[name] = {**row, "is_new": True}
        elif known != row:
            changed[name] = _fields(known, row)
    return changed
