"""A replay beside the backtest of the same candles: what differs, and why, to the cent.

For a leg both have, with q the amount, p the price, b the backtest and r the replay, sign * (q_r * (exit_r -
entry_r) - q_b * (exit_b - entry_b)) is split exactly: what the replay's fills differ from the opening of the
candle they were made on (fill price), what that opening differs from the backtest's price (another candle),
and what the backtest's move would have made on the difference of the amounts (size). Fees and funding are
differences of what was booked. A pair trade that only one of them has is wholly its own cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pairbot_ext.rehearse.replay.trades import LegResult, PairResult

_SEARCHED_CANDLES = 24
"""A pair trade that opened so much later or earlier is still taken for the same one."""


class Cause(StrEnum):
    """Why the profits differ."""

    FILL_PRICE = "fill price"
    CANDLE = "another candle"
    SIZE = "size"
    FEES = "fees"
    FUNDING = "funding"
    MISSED = "missed"
    ABORTED = "aborted"
    EXTRA = "extra"
    ELSEWHERE = "no pair trade"


@dataclass(frozen=True)
class Side:
    """One pair trade of the backtest, of the replay, or of both.

    :param causes: difference in profit, replay less backtest, by cause.
    :param why: what is not the same, in words; "" where it is the same pair trade.
    """

    backtest: PairResult | None
    replay: PairResult | None
    causes: dict[Cause, float]
    why: str = ""

    @property
    def difference(self) -> float:
        """Replay less backtest."""
        return sum(self.causes.values())

    def to_json(self) -> dict[str, Any]:
        """For the result."""
        return {
            "backtest": self.backtest.to_json() if self.backtest else None,
            "replay": self.replay.to_json() if self.replay else None,
            "causes": {cause.value: value for cause, value in self.causes.items()},
            "difference": self.difference,
            "why": self.why,
        }


@dataclass(frozen=True)
class Comparison:
    """See the module.

    :param backtest_profit, replay_profit: as Freqtrade and the venue's account say, not summed from trades.
    """

    sides: tuple[Side, ...]
    backtest_profit: float
    replay_profit: float
    elsewhere: float
    causes: dict[Cause, float] = field(init=False)

    def __post_init__(self) -> None:
        causes = dict.fromkeys(Cause, 0.0)
        for side in self.sides:
            for cause, value in side.causes.items():
                causes[cause] += value
        causes[Cause.ELSEWHERE] += self.elsewhere
        object.__setattr__(self, "causes", causes)

    @property
    def difference(self) -> float:
        """Replay less backtest."""
        return self.replay_profit - self.backtest_profit

    @property
    def unexplained(self) -> float:
        """What the causes leave: rounding."""
        return self.difference - sum(self.causes.values())

    @property
    def same(self) -> int:
        """Pair trades that both have: same pair and direction, opened and left on the same candles."""
        return sum(not side.why for side in self.sides)

    @property
    def exceptions(self) -> list[Side]:
        """The others."""
        return [side for side in self.sides if side.why]

    def to_json(self) -> dict[str, Any]:
        """For the result."""
        return {
            "backtest_profit": self.backtest_profit,
            "replay_profit": self.replay_profit,
            "difference": self.difference,
            "causes": {cause.value: value for cause, value in self.causes.items()},
            "unexplained": self.unexplained,
            "same": self.same,
            "pair_trades": [side.to_json() for side in self.sides],
        }


def compare(
    backtest: Sequence[PairResult],
    replay: Sequence[PairResult],
    *,
    profits: tuple[float, float],
    elsewhere: float,
    candle_ms: int,
    open_price: Callable[[str, int], float | None],
    end_ms: int,
    why_missed: Callable[[PairResult], str],
) -> Comparison:
    """Match and explain.

    :param profits: of backtest and replay, as their own books say.
    :param elsewhere: what the replay's account did outside of pair trades.
    :param open_price: first price of a symbol's candle.
    :param why_missed: why the replay does not have a backtest's pair trade.
    """
    pairs = _matched(backtest, replay, candle_ms)
    sides = []
    for theirs, ours in pairs:
        if theirs is None:
            assert ours is not None
            sides.append(_only_ours(ours, end_ms))
        elif ours is None:
            sides.append(Side(theirs, None, {Cause.MISSED: -theirs.pnl}, f"missed: {why_missed(theirs)}"))
        else:
            sides.append(_both(theirs, ours, open_price, end_ms))
    sides.sort(key=_begin)
    return Comparison(tuple(sides), *profits, elsewhere)


def _begin(side: Side) -> tuple[int, str]:
    first = side.backtest or side.replay
    assert first is not None
    return first.opened_ms, first.pair_id


def _matched(
    backtest: Sequence[PairResult], replay: Sequence[PairResult], candle_ms: int
) -> list[tuple[PairResult | None, PairResult | None]]:
    """The same opening first; then the nearest within a day, of the same pair and direction."""
    left = [each for each in replay if not each.is_aborted]
    found: dict[int, PairResult] = {}
    for most_ms in (0, _SEARCHED_CANDLES * candle_ms):
        for number, theirs in enumerate(backtest):
            if number in found:
                continue
            near = [
                ours
                for ours in left
                if ours.pair_id == theirs.pair_id
                and abs(ours.opened_ms - theirs.opened_ms) <= most_ms
                and _same_direction(ours, theirs)
            ]
            if near:
                ours = min(near, key=lambda each: abs(each.opened_ms - theirs.opened_ms))
                found[number] = ours
                left.remove(ours)
    alone = [*left, *(each for each in replay if each.is_aborted)]
    return [
        *((theirs, found.get(number)) for number, theirs in enumerate(backtest)),
        *((None, ours) for ours in alone),
    ]


def _same_direction(ours: PairResult, theirs: PairResult) -> bool:
    return all(theirs.directions.get(symbol) == sign for symbol, sign in ours.directions.items())


def _only_ours(ours: PairResult, end_ms: int) -> Side:
    if ours.is_aborted:
        return Side(None, ours, {Cause.ABORTED: ours.pnl}, f"aborted: {ours.reason or 'no reason given'}")
    if ours.opened_ms >= end_ms:
        return Side(
            None, ours, {Cause.EXTRA: ours.pnl}, "extra: a backtest enters nothing on its last candle"
        )
    return Side(None, ours, {Cause.EXTRA: ours.pnl}, "extra: the backtest was not free to enter it")


def _both(
    theirs: PairResult, ours: PairResult, open_price: Callable[[str, int], float | None], end_ms: int
) -> Side:
    causes = dict.fromkeys((Cause.FILL_PRICE, Cause.CANDLE, Cause.SIZE, Cause.FEES, Cause.FUNDING), 0.0)
    theirs_by = {leg.symbol: leg for leg in theirs.legs}
    ours_by = {leg.symbol: leg for leg in ours.legs}
    for symbol in dict.fromkeys([*theirs_by, *ours_by]):
        b = theirs_by.get(symbol) or _none(ours_by[symbol])
        r = ours_by.get(symbol) or _none(b)
        entry = _reference(symbol, b.entry_price, theirs.opened_ms, ours.opened_ms, open_price)
        leave = _reference(symbol, b.exit_price, _end(theirs, end_ms), _end(ours, end_ms), open_price)
        causes[Cause.FILL_PRICE] += r.sign * r.amount * ((r.exit_price - leave) - (r.entry_price - entry))
        causes[Cause.CANDLE] += r.sign * r.amount * ((leave - b.exit_price) - (entry - b.entry_price))
        causes[Cause.SIZE] += b.sign * (r.amount - b.amount) * (b.exit_price - b.entry_price)
        causes[Cause.FEES] -= r.fees - b.fees
        causes[Cause.FUNDING] += r.funding - b.funding
    return Side(theirs, ours, causes, _difference(theirs, ours))


def _none(leg: LegResult) -> LegResult:
    """A leg that was never held."""
    return LegResult(leg.symbol, leg.sign, 0.0, leg.entry_price, leg.exit_price, 0.0, 0.0)


def _end(trade: PairResult, end_ms: int) -> int:
    return end_ms if trade.closed_ms is None else trade.closed_ms


def _reference(
    symbol: str, price: float, theirs_ms: int, ours_ms: int, open_price: Callable[[str, int], float | None]
) -> float:
    """The opening of the replay's candle; the backtest's own price where it is the same candle."""
    if theirs_ms == ours_ms:
        return price
    found = open_price(symbol, ours_ms)
    return price if found is None else found


def _difference(theirs: PairResult, ours: PairResult) -> str:
    parts = []
    if ours.opened_ms != theirs.opened_ms:
        parts.append(f"opened {_later(ours.opened_ms - theirs.opened_ms)}")
    if ours.closed_ms is None and theirs.closed_ms is not None:
        parts.append("still open")
    elif theirs.closed_ms is None and ours.closed_ms is not None:
        parts.append(f"left before the end ({ours.reason})")
    elif ours.closed_ms is not None and theirs.closed_ms is not None and ours.closed_ms != theirs.closed_ms:
        parts.append(f"left {_later(ours.closed_ms - theirs.closed_ms)} ({ours.reason}, not {theirs.reason})")
    missing = set(theirs.directions) - set(ours.directions)
    if missing:
        parts.append(f"without {', '.join(sorted(missing))}")
    return "; ".join(parts)


def _later(ms: int) -> str:
    return f"{abs(ms) / 3_600_000:g} h {'later' if ms > 0 else 'earlier'}"
