"""What became of a backtest's signals: nothing is silently empty, no pair is silently missing.

Told in the last lines of a backtest, and written beside its result for the report.
"""

import atexit
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from pairbot_ext.model.results import lines_path
from pairbot_ext.pairs import PairsFile, write_json

MOST_REASONS = 6
NOT_ASKED = "Freqtrade did not ask: slots, wallet, a lock, or the coin was held"
_NUMBERS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d\S*|-?\d[\d.,]*|[\w.-]+/\w+:\w+")


class Funnel:
    """Counts while a backtest runs.

    :param signals: how many (pair, candle) signals there were between two candles.
    :param dropped: pairs that could not trade at all, and why.
    :param notes: what else belongs into the last lines.
    """

    def __init__(
        self,
        pairs_file: PairsFile,
        signals: Callable[[datetime, datetime], int],
        dropped: Callable[[], dict[str, str]],
        notes: Callable[[], Sequence[str]],
    ) -> None:
        self._pairs_file = pairs_file
        self._signals = signals
        self._dropped = dropped
        self._notes = notes
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._candles = 0
        self._asked: dict[tuple[str, datetime], str] = {}
        self._opened: set[tuple[str, datetime]] = set()

    def candle(self, now: datetime) -> None:
        """A candle begins."""
        self._first = self._first or now
        self._last = now
        self._candles += 1

    def refused(self, pair_id: str, now: datetime, why: str) -> None:
        """A pair was asked for and not opened. Its first reason counts."""
        self._asked.setdefault((pair_id, now), _NUMBERS.sub("…", why))

    def opened(self, pair_id: str, now: datetime) -> None:
        """A leg was sent; the pair counts once."""
        self._opened.add((pair_id, now))

    def lines(self) -> list[str]:
        """The last lines."""
        if self._first is None or self._last is None:
            return [
                "pairbot: NO PAIR TRADE: no candle was left to trade. The timerange is shorter than the "
                "warm-up of the pairs, or lies outside of the data"
            ]
        dropped, count = self._dropped(), len(self._opened)
        signals = self._signals(self._first, self._last)
        reasons = Counter(why for key, why in self._asked.items() if key not in self._opened)
        unasked = signals - count - sum(reasons.values())
        if unasked > 0:
            reasons[NOT_ASKED] = unasked
        pairs = len(self._pairs_file.pair_ids())
        said = [
            f"{pairs} pairs, {self._candles:,} candles, {signals:,} signals, {count:,} pair trades"
            + ("" if count else f". NO PAIR TRADE: {self._why_none(signals, len(dropped) == pairs)}")
        ]
        if reasons:
            shown = [f"{number:,} {why}" for why, number in reasons.most_common(MOST_REASONS)]
            said.append(f"signals not taken: {'; '.join(shown)}")
        if dropped:
            causes = "; ".join(sorted(set(dropped.values())))
            said.append(
                f"MISSING from this result: {len(dropped)} of {pairs} pairs ({', '.join(sorted(dropped)[:8])}"
                f"{', …' if len(dropped) > 8 else ''}): {causes}. What remains is a selection by survival"
            )
        return [f"pairbot: {line}" for line in [*said, *self._notes()]]

    def _why_none(self, signals: int, are_all_dropped: bool) -> str:
        epochs = self._pairs_file.epochs
        assert self._first is not None
        assert self._last is not None
        if are_all_dropped:
            return "no pair of the file could be traded"
        valid = [each for each in epochs if each.valid_from < self._last]
        if not valid:
            first = min(each.valid_from for each in epochs)
            return (
                f"the backtest ends {self._last:%Y-%m-%d %H:%M} UTC, and the pairs are not valid before "
                f"valid_from {first:%Y-%m-%d %H:%M}"
            )
        if all(each.valid_to is not None and each.valid_to <= self._first for each in valid):
            return f"the last selection had ended before the backtest begins ({self._first:%Y-%m-%d})"
        return "no signal could be taken" if signals else "no spread reached its entry threshold"


_told: list[tuple[Funnel, Path | None, float]] = []


def tell_at_the_end(funnel: Funnel, results: Path | None) -> None:
    """Have the process say it last, after Freqtrade's tables; of several runs each.

    :param results: folder of the result it belongs to, for the report; None where none is written.
    """
    if not _told:
        atexit.register(_tell)
    _told.append((funnel, results, time.time()))


def _tell() -> None:
    for funnel, results, began in _told:
        lines = funnel.lines()
        for line in lines:
            print(line, flush=True)
        written = [path for path in results.glob("*.zip") if path.stat().st_mtime >= began] if results else []
        if written:
            write_json(lines_path(max(written, key=lambda path: path.stat().st_mtime)), {"lines": lines})
