"""Pair trades out of Freqtrade's list of trades: which legs belong together, how well hedged, how long naked.

Works on anything that has the columns of a backtest export: the export itself, its data frame, or the
`to_json()` of a database's trades. Legs are matched by the pair's id in `enter_tag` and by time; a leg
without its mate is a pair trade all the same, so that a naked leg can never fall out of a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from pairbot_ext.pairs import PairsFile

Betas = Mapping[tuple[str, datetime], float] | Callable[[str, datetime], float | None]
Trades = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class LegTrade:
    """One Freqtrade trade as a leg. Amount in base coins, money in the stake currency, times in UTC.

    :param notional: Σ amount × price of the entry fills.
    :param closed: None while the trade is open.
    :param profit: realized profit, fees and funding included.
    :param funding: the funding in it; negative when paid.
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


@dataclass(frozen=True)
class PairTrade:
    """One round trip of a pair: normally one leg A and one leg B.

    :param beta: hedge ratio the trade was sized with, None where nobody knows it.
    """

    pair_id: str
    legs_a: tuple[LegTrade, ...]
    legs_b: tuple[LegTrade, ...]
    beta: float | None = None

    @property
    def legs(self) -> tuple[LegTrade, ...]:
        """Every leg in order of opening, leg A first where they opened together."""
        return tuple(sorted((*self.legs_a, *self.legs_b), key=lambda leg: leg.opened))

    @property
    def opened(self) -> datetime:
        """When the first leg opened."""
        return self.legs[0].opened

    @property
    def closed(self) -> datetime | None:
        """When the last leg closed; None while one is open."""
        ends = [leg.closed for leg in self.legs]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def profit(self) -> float:
        """Realized profit of both legs, fees and funding included."""
        return sum(leg.profit for leg in self.legs)

    @property
    def funding(self) -> float:
        """Funding received (negative: paid) by both legs."""
        return sum(leg.funding for leg in self.legs)

    @property
    def notional(self) -> float:
        """N_A + N_B at the entry fills."""
        return sum(leg.notional for leg in self.legs)

    @property
    def hedge_error(self) -> float | None:
        """|β·N_A − N_B| / (N_A + N_B) at the entry fills; 1 for a lone leg B and for a lone leg A at β = 1.

        None where β is unknown.
        """
        if self.beta is None:
            return None
        n_a, n_b = (sum(leg.notional for leg in side) for side in (self.legs_a, self.legs_b))
        return abs(self.beta * n_a - n_b) / (n_a + n_b)

    @property
    def exit_reasons(self) -> tuple[str, ...]:
        """Why the legs closed, each reason once, leg A's first."""
        reasons = [leg.exit_reason for leg in (*self.legs_a, *self.legs_b) if leg.exit_reason]
        return tuple(dict.fromkeys(reasons))

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes this no proper pair trade, in words; empty for one leg each in opposite directions."""
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


@dataclass(frozen=True)
class PairSummary:
    """Totals of one pair (or of all). Money in the stake currency.

    :param worst_hedge_error: None where no trade's β is known.
    :param naked_leg_hours: hours with exactly one leg open, summed over the pair trades.
    """

    pair_id: str
    pair_trades: int
    wins: int
    profit: float
    funding: float
    worst_hedge_error: float | None
    naked_leg_hours: float
    faults: tuple[str, ...] = field(default_factory=tuple)


def pair_trades(
    trades: Trades | pd.DataFrame, legs: Mapping[str, tuple[str, str]], betas: Betas | None = None
) -> list[PairTrade]:
    """Pair up the legs of a list of trades, in order of opening.

    A leg joins the pair trade of its id that is still open when it opens, or that opened at the same instant.

    :param trades: rows with the keys of a backtest export (`pair`, `enter_tag`, `open_date`, `close_date`,
        `amount`, `open_rate`, `close_rate`, `is_short`, `profit_abs`, `exit_reason`, optionally `orders`,
        `funding_fees`).
    :param legs: (leg A, leg B) symbols by pair id.
    :param betas: hedge ratio by (pair id, opening time of the pair trade), as a mapping or a function; a
        mapping may give it under the opening time of either leg.
    :raises DataError: a trade's tag is no pair id of `legs`, or its symbol is no leg of that pair.
    """
    rows: Any = trades.to_dict("records") if hasattr(trades, "to_dict") else trades
    by_pair: dict[str, list[LegTrade]] = {}
    for row in rows:
        leg = _leg(row)
        if leg.pair_id not in legs:
            raise DataError(
                f"The {leg.symbol} trade of {leg.opened:%Y-%m-%d %H:%M} belongs to no known pair",
                value=f"enter_tag {leg.pair_id!r}",
                remedy="Pass the pairs file the trades were made with",
            )
        if leg.symbol not in legs[leg.pair_id]:
            leg_a, leg_b = legs[leg.pair_id]
            raise DataError(
                f"The trade tagged {leg.pair_id} is on a symbol that is no leg of it",
                value=leg.symbol,
                remedy=f"Its legs are {leg_a} and {leg_b}; pass the pairs file the trades were made with",
            )
        by_pair.setdefault(leg.pair_id, []).append(leg)
    paired = [
        _pair_trade(pair_id, group, legs[pair_id][0], betas)
        for pair_id, found in by_pair.items()
        for group in _groups(found)
    ]
    return sorted(paired, key=lambda trade: (trade.opened, trade.pair_id))


def summarize(
    trades: Sequence[PairTrade], *, until: datetime | None = None, order: Iterable[str] = ()
) -> list[PairSummary]:
    """One line per pair, in the order given and then of first opening.

    :param order: pair ids to list first, also those without a trade.
    :param until: the end of what is known, for legs still open.
    """
    ids = dict.fromkeys([*order, *(trade.pair_id for trade in trades)])
    return [total([t for t in trades if t.pair_id == pair_id], pair_id, until=until) for pair_id in ids]


def total(trades: Sequence[PairTrade], name: str = "all", *, until: datetime | None = None) -> PairSummary:
    """All of `trades` in one line."""
    errors = [error for trade in trades if (error := trade.hedge_error) is not None]
    return PairSummary(
        pair_id=name,
        pair_trades=len(trades),
        wins=sum(trade.profit > 0 for trade in trades),
        profit=sum(trade.profit for trade in trades),
        funding=sum(trade.funding for trade in trades),
        worst_hedge_error=max(errors, default=None),
        naked_leg_hours=sum(trade.naked_secs(until) for trade in trades) / 3600,
        faults=tuple(
            f"{trade.pair_id} {trade.opened:%Y-%m-%d %H:%M}: {fault}"
            for trade in trades
            for fault in trade.faults
        ),
    )


def legs_of(pairs_file: PairsFile) -> dict[str, tuple[str, str]]:
    """(leg A, leg B) by pair id over every epoch of a pairs file."""
    return {pair.id: pair.symbols for epoch in pairs_file.epochs for pair in epoch.pairs}


def frozen_betas(pairs_file: PairsFile) -> Callable[[str, datetime], float | None]:
    """β of a pair's frozen model in the epoch in force; None where it has no frozen model then."""

    def beta(pair_id: str, opened: datetime) -> float | None:
        epoch = pairs_file.epoch_at(opened)
        found = next((pair for pair in epoch.pairs if pair.id == pair_id), None) if epoch else None
        return found.hedge_ratio if found and found.is_frozen else None

    return beta


def load_export(path: Path, strategy: str = "PairsArb") -> list[dict[str, Any]]:
    """The trades of a backtest export (a result file, or a directory whose last result is meant).

    :raises DataError: there is no readable result for that strategy.
    """
    from freqtrade.data.btanalysis import load_backtest_stats
    from freqtrade.exceptions import OperationalException

    try:
        stats = load_backtest_stats(path)
        return list(stats["strategy"][strategy]["trades"])
    except (OSError, ValueError, KeyError, OperationalException) as error:
        raise DataError(
            f"No backtest result of {strategy} in {path}: {type(error).__name__} {error}",
            remedy="Name a result file of `freqtrade backtesting --export trades` or its directory",
        ) from error


def _groups(found: Sequence[LegTrade]) -> Iterable[list[LegTrade]]:
    """Legs of one pair, in the groups that were open together."""
    group: list[LegTrade] = []
    end: datetime | None = None
    for leg in sorted(found, key=lambda leg: (leg.opened, leg.closed or datetime.max.replace(tzinfo=UTC))):
        joins = bool(group) and (leg.opened == group[0].opened or end is None or leg.opened < end)
        if not joins and group:
            yield group
            group = []
        if not group:
            end = leg.closed
        elif end is not None:
            end = None if leg.closed is None else max(end, leg.closed)
        group.append(leg)
    if group:
        yield group


def _pair_trade(pair_id: str, group: Sequence[LegTrade], leg_a: str, betas: Betas | None) -> PairTrade:
    beta: float | None = None
    for leg in group:
        if beta is None and betas is not None:
            beta = betas(pair_id, leg.opened) if callable(betas) else betas.get((pair_id, leg.opened))
    return PairTrade(
        pair_id=pair_id,
        legs_a=tuple(leg for leg in group if leg.symbol == leg_a),
        legs_b=tuple(leg for leg in group if leg.symbol != leg_a),
        beta=beta,
    )


def _leg(row: Mapping[str, Any]) -> LegTrade:
    amount, notional = float(row["amount"]), float(row["amount"]) * float(row["open_rate"])
    entries = [order for order in _orders(row) if order["ft_is_entry"] and order["order_filled_timestamp"]]
    if entries:
        # `amount` shrinks with partial exits; the entry orders keep what was bought.
        amount = sum(float(order["amount"]) for order in entries)
        notional = sum(float(order["amount"]) * float(order["safe_price"]) for order in entries)
    return LegTrade(
        symbol=str(row["pair"]),
        pair_id=str(row["enter_tag"]),
        is_short=bool(row["is_short"]),
        amount=amount,
        notional=notional,
        open_rate=float(row["open_rate"]),
        close_rate=_number(row.get("close_rate")),
        opened=_when(row, "open") or _missing_time(row),
        closed=_when(row, "close"),
        profit=_number(row.get("profit_abs")) or 0.0,
        funding=_number(row.get("funding_fees")) or 0.0,
        exit_reason=row.get("exit_reason") or None,
    )


def _orders(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    orders = row.get("orders")
    return list(orders) if isinstance(orders, list | tuple) else []


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
