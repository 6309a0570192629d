"""Which funding is known: rates on disk may begin late or have holes, and Freqtrade charges nothing there.

Funding that is not known is not zero. It is counted, and bounded by the worst rate the symbol has had.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

USUAL_INTERVAL = timedelta(hours=8)


@dataclass(frozen=True)
class Known:
    """One symbol's funding rates.

    :param stamps: epoch seconds of the rates there are, ascending. Shape (n,).
    :param interval: between two settlements, as most of them lie.
    :param worst: largest |rate| seen, a fraction of the notional; NaN without any.
    """

    stamps: np.ndarray
    interval: timedelta
    worst: float

    @classmethod
    def of(cls, frame: pd.DataFrame | None) -> "Known":
        """From a frame with the columns date and funding_rate (or open, as Freqtrade stores it)."""
        if frame is None or frame.empty:
            return cls(np.empty(0, np.int64), USUAL_INTERVAL, float("nan"))
        rates = frame["funding_rate"] if "funding_rate" in frame else frame["open"]
        is_known = np.isfinite(rates.to_numpy(np.float64))
        stamps = frame["date"].dt.as_unit("s").astype("int64").to_numpy()[is_known]
        # The most frequent one, of equally frequent ones the shortest: holes make longer ones.
        gaps, counts = np.unique(np.diff(stamps), return_counts=True)
        usual = float(gaps[np.argmax(counts)]) if gaps.size else USUAL_INTERVAL.total_seconds()
        worst = float(np.abs(rates.to_numpy(np.float64)[is_known]).max()) if is_known.any() else float("nan")
        return cls(stamps, timedelta(seconds=usual), worst)

    def missing(self, begin: datetime, end: datetime) -> int:
        """How many settlements in (begin, end] have no rate."""
        step = self.interval.total_seconds()
        first, last = begin.timestamp() // step + 1, end.timestamp() // step
        due = (np.arange(first, last + 1) * step).astype(np.int64)
        # A settlement may be stamped some seconds late.
        known = np.round(self.stamps / step) * step
        return int(due.size - np.isin(due, known.astype(np.int64)).sum())

    @property
    def first(self) -> datetime | None:
        """The first settlement that is known."""
        return datetime.fromtimestamp(int(self.stamps[0]), UTC) if self.stamps.size else None


def coverage(funding: Mapping[str, pd.DataFrame], symbols: list[str]) -> dict[str, Known]:
    """What is known of each symbol."""
    return {symbol: Known.of(funding.get(symbol)) for symbol in symbols}


def gaps_said(known: Mapping[str, Known], begin: datetime, end: datetime) -> list[str]:
    """A sentence where settlements between the two have no rate; empty where all are known."""
    missing = {symbol: each.missing(begin, end) for symbol, each in known.items()}
    holes = {symbol: count for symbol, count in missing.items() if count}
    if not holes:
        return []
    symbol, count = max(holes.items(), key=lambda item: item[1])
    first = known[symbol].first
    since = f", begins {first:%Y-%m-%d}" if first is not None and first > begin else ""
    return [
        f"funding is UNKNOWN for {len(holes)} of {len(known)} symbols and was charged as 0 there (most: "
        f"{symbol}, {count} settlements without a rate{since}). `pairbot report --datadir` bounds it"
    ]
