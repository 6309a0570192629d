"""One Freqtrade trade as a leg, and the legs of one round trip as a pair trade.

Money is in the stake currency, amounts in base coins, times in UTC. Fees follow Freqtrade's own books
(`fee_open` and `fee_close` times the filled notional), so that gross − fees + funding is exactly the profit
Freqtrade states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pairbot_ext.support.errors import DataError


@dataclass(frozen=True)
class LegTrade:
    """One Freqtrade trade as a leg.

    :param notional: Σ amount × price of the entry fills.
    :param closed: None while the trade is open.
    :param profit: realized profit, fees and funding included.
    :param funding: the funding in it; negative when paid.
    :param fees: the fees in it, of entry and exit fills, positive; NaN where the rows do not tell.
    :param trimmed: base coins sold again before the pair was hedged, because the mate filled less.
    :param pair_trade_id: the journal's id of the pair trade; None where no journal tells.
    """

    symbol: str
    pair_id: str
    is_short: bool
    amount: float
    notional: float
    open_rate: float
    close_rate: float | None
    opened: datetime
    closed: datetime | None
    profit: float
    funding: float
    exit_reason: str | None
    fees: float = math.nan
    trimmed: float = 0.0
    pair_trade_id: str | None = None


@dataclass(frozen=True)
class PairTrade:
    """One round trip of a pair: normally one leg A and one leg B.

    :param beta: hedge ratio the trade was sized with, None where nobody knows it.
    :param half_life_hours: of the model at entry, None where nobody knows it.
    :param was_aborted: the engine gave up the entry and unwound what had been filled.
    """

    pair_id: str
    legs_a: tuple[LegTrade, ...]
    legs_b: tuple[LegTrade, ...]
    beta: float | None = None
    half_life_hours: float | None = None
    was_aborted: bool = False

    @cached_property
    def legs(self) -> tuple[LegTrade, ...]:
        """Every leg in order of opening, leg A first where they opened together."""
        return tuple(sorted((*self.legs_a, *self.legs_b), key=lambda leg: leg.opened))

    @property
    def opened(self) -> datetime:
        """When the first leg opened."""
        return self.legs[0].opened

    @cached_property
    def closed(self) -> datetime | None:
        """When the last leg closed; None while one is open."""
        ends = [leg.closed for leg in self.legs]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def is_short_spread(self) -> bool:
        """Whether leg A is short."""
        return self.legs_a[0].is_short if self.legs_a else not self.legs_b[0].is_short

    @property
    def profit(self) -> float:
        """Realized profit of both legs, fees and funding included: the net."""
        return sum(leg.profit for leg in self.legs)

    @property
    def funding(self) -> float:
        """Funding received (negative: paid) by both legs."""
        return sum(leg.funding for leg in self.legs)

    @property
    def fees(self) -> float:
        """Fees of every fill of both legs, positive; NaN where unknown."""
        return sum(leg.fees for leg in self.legs)

    @property
    def gross(self) -> float:
        """What the prices alone made: net + fees − funding."""
        return self.profit + self.fees - self.funding

    @property
    def notional(self) -> float:
        """N_A + N_B at the entry fills."""
        return sum(leg.notional for leg in self.legs)

    @property
    def net_bp(self) -> float:
        """Net in basis points of N_A + N_B."""
        return 1e4 * self.profit / self.notional

    @property
    def held_hours(self) -> float | None:
        """From the first leg's opening to the last one's close; None while a leg is open."""
        return None if self.closed is None else (self.closed - self.opened).total_seconds() / 3600

    @property
    def held_half_lives(self) -> float | None:
        """Holding time in half-lives of the model at entry."""
        if self.held_hours is None or not self.half_life_hours:
            return None
        return self.held_hours / self.half_life_hours

    @property
    def hedge_error(self) -> float | None:
        """|β·N_A − N_B| / (N_A + N_B) at the entry fills; 1 for a lone leg B and for a lone leg A at β = 1.

        What was trimmed off a leg before the pair counted as hedged is not in it. None where β is unknown.
        """
        if self.beta is None:
            return None
        n_a, n_b = (
            sum(leg.notional * (1 - leg.trimmed / leg.amount) for leg in side)
            for side in (self.legs_a, self.legs_b)
        )
        if n_a + n_b <= 0:
            return None
        return abs(self.beta * n_a - n_b) / (n_a + n_b)

    @property
    def exit_reasons(self) -> tuple[str, ...]:
        """Why the legs closed, each reason once, leg A's first."""
        reasons = [leg.exit_reason for leg in (*self.legs_a, *self.legs_b) if leg.exit_reason]
        return tuple(dict.fromkeys(reasons))

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes this no proper pair trade, in words; empty for one leg each in opposite directions.

        An aborted entry is meant to leave one leg alone for a moment, so that is no fault.
        """
        if self.was_aborted:
            return ()
        found = [
            f"{len(side)} leg {name} trades instead of 1"
            for name, side in (("A", self.legs_a), ("B", self.legs_b))
            if len(side) != 1
        ]
        if not found and self.legs_a[0].is_short == self.legs_b[0].is_short:
            found.append(f"both legs {'short' if self.legs_a[0].is_short else 'long'}")
        return tuple(found)

    def naked_secs(self, until: datetime | None = None) -> float:
        """Seconds during which exactly one side was open.

        :param until: the end of what is known; needed while a leg is open.
        :raises ValueError: a leg is open and `until` is missing.
        """
        edges: list[tuple[datetime, int, int]] = []
        for side, legs in enumerate((self.legs_a, self.legs_b)):
            for leg in legs:
                end = leg.closed or until
                if end is None:
                    raise ValueError(f"{leg.symbol} of {self.pair_id} is open: say until when to count")
                edges += [(leg.opened, side, 1), (max(end, leg.opened), side, -1)]
        edges.sort(key=lambda edge: edge[0])
        open_count, naked, last = [0, 0], 0.0, edges[0][0]
        for when, side, change in edges:
            if (open_count[0] > 0) != (open_count[1] > 0):
                naked += (when - last).total_seconds()
            open_count[side] += change
            last = when
        return naked


def leg_of_row(row: Mapping[str, Any]) -> LegTrade:
    """One row of a backtest export, its data frame or `database.load_database` as a leg.

    :raises DataError: it has no opening time.
    """
    amount, notional = float(row["amount"]), float(row["amount"]) * float(row["open_rate"])
    close_rate, is_open = _number(row.get("close_rate")), _when(row, "close") is None
    exited = 0.0 if is_open or close_rate is None else amount * close_rate
    filled = [order for order in _orders(row) if order["order_filled_timestamp"]]
    entries, exits = ([o for o in filled if bool(o["ft_is_entry"]) is entry] for entry in (True, False))
    if entries:
        # `amount` shrinks with partial exits; the entry orders keep what was bought.
        amount = sum(float(order["amount"]) for order in entries)
        notional = _notional(entries)
    if exits:
        exited = _notional(exits)
    fee_open, fee_close = (_number(row.get(f"fee_{side}")) for side in ("open", "close"))
    fees = math.nan
    if fee_open is not None and (fee_close is not None or not exited):
        fees = notional * fee_open + exited * (fee_close or 0.0)
    return LegTrade(
        symbol=str(row["pair"]),
        pair_id=str(row["enter_tag"]),
        is_short=bool(row["is_short"]),
        amount=amount,
        notional=notional,
        open_rate=float(row["open_rate"]),
        close_rate=close_rate,
        opened=_when(row, "open") or _missing_time(row),
        closed=_when(row, "close"),
        profit=_number(row.get("profit_abs")) or 0.0,
        funding=_number(row.get("funding_fees")) or 0.0,
        exit_reason=row.get("exit_reason") or None,
        fees=fees,
        trimmed=sum(float(order["amount"]) for order in exits if order.get("is_entry_trim")),
        pair_trade_id=row.get("pair_trade_id") or None,
    )


def _orders(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    orders = row.get("orders")
    return list(orders) if isinstance(orders, list | tuple) else []


def _notional(orders: list[Mapping[str, Any]]) -> float:
    return sum(float(order["amount"]) * float(order["safe_price"]) for order in orders)


def _number(value: Any) -> float | None:
    """`value` as a float; None for None and for NaN, which data frames put in its place."""
    return None if value is None or value != value else float(value)


def _when(row: Mapping[str, Any], side: str) -> datetime | None:
    stamp = _number(row.get(f"{side}_timestamp"))
    if stamp is not None:
        return datetime.fromtimestamp(stamp / 1000, tz=UTC)
    value = row.get(f"{side}_date")
    if value is None or value != value:  # NaT is unequal to itself
        return None
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    if hasattr(when, "to_pydatetime"):
        when = when.to_pydatetime()
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _missing_time(row: Mapping[str, Any]) -> datetime:
    raise DataError(f"The {row['pair']} trade has no opening time", remedy="Export the backtest again")
