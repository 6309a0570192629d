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
    :param holes: epoch seconds of settlements between them that have none. Shape (m,).
    :param worst: largest |rate| seen, a fraction of the notional; NaN without any.
    """

    stamps: np.ndarray
    holes: np.ndarray
    worst: float

    @classmethod
    def of(cls, frame: pd.DataFrame | None) -> "Known":
        """From a frame with the columns date and funding_rate."""
        if frame is None or frame.empty:
            return cls(np.empty(0), np.empty(0), float("nan"))
        rates = frame["funding_rate"].to_numpy(np.float64)
        is_known = np.isfinite(rates)
        stamps = frame["date"].dt.as_unit("s").astype("int64").to_numpy()[is_known].astype(np.float64)
        worst = float(np.abs(rates[is_known]).max()) if is_known.any() else float("nan")
        return cls(stamps, _holes(stamps), worst)

    def missing(self, begin: datetime, end: datetime) -> int:
        """How many settlements in (begin, end] have no rate."""
        first, last = begin.timestamp(), end.timestamp()
        usual = USUAL_INTERVAL.total_seconds()
        if not self.stamps.size:
            return int(last // usual - first // usual)
        gaps = np.diff(self.stamps)
        early, late = (float(gaps[0]), float(gaps[-1])) if gaps.size else (usual, usual)
        inside = int(((self.holes > first) & (self.holes <= last)).sum())
        before = np.arange(self.stamps[0] - early, first, -early) if early > 0 else np.empty(0)
        after = np.arange(self.stamps[-1] + late, last + 1, late) if late > 0 else np.empty(0)
        return inside + int((before <= last).sum()) + int((after > first).sum())

    @property
    def first(self) -> datetime | None:
        """The first settlement that is known."""
        return datetime.fromtimestamp(int(self.stamps[0]), UTC) if self.stamps.size else None


def _holes(stamps: np.ndarray) -> np.ndarray:
    """Settlements that are missing between those that are there. A venue changes a coin's interval (8 h, 4 h,
    1 h): a gap is a hole only where it is longer than both its neighbours."""
    gaps, found = np.diff(stamps), []
    for number, gap in enumerate(gaps):
        beside = [*gaps[max(number - 1, 0) : number], *gaps[number + 1 : number + 2]]
        usual = max(beside, default=gap)
        if gap > 1.5 * usual > 0:
            found += [stamps[number] + usual * step for step in range(1, round(gap / usual))]
    return np.array(found, np.float64)


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
