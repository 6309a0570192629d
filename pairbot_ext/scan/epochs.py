"""Point-in-time selection: one epoch per step, each from candles closed before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from pairbot_ext.candles.files import candle_length, floor_to_candle
from pairbot_ext.scan.pipeline import Progress, ScanOptions, ScanResult, scan_window
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.support.errors import DataError


@dataclass(frozen=True, slots=True)
class Schedule:
    """When epochs begin and what each looks back on.

    :ivar start: `valid_from` of the first epoch, on the candle grid.
    :ivar end: no epoch begins at or after it.
    """

    timeframe: str
    start: datetime
    end: datetime
    formation_candles: int
    step_candles: int

    @property
    def step(self) -> timedelta:
        """Time from one epoch to the next; each epoch is valid for exactly so long, the last one too."""
        return self.step_candles * candle_length(self.timeframe)

    def windows(self) -> list[Window]:
        """Formation window of every epoch, oldest first; epoch k is valid from its window's end.

        :raises DataError: no epoch fits between start and end.
        """
        start = floor_to_candle(self.start, self.timeframe)
        count = max(0, -((start - self.end) // self.step))
        if not count:
            raise DataError(
                "the walk-forward has no epoch",
                value=f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}",
                remedy="Give --timerange a start before its end",
            )
        return [
            Window(self.timeframe, self.formation_candles, start + number * self.step)
            for number in range(count)
        ]


def walk_forward(
    frames: Mapping[str, pd.DataFrame],
    windows: Sequence[Window],
    options: ScanOptions,
    *,
    funding: Mapping[str, pd.DataFrame] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[ScanResult]:
    """Scan every window by itself; nothing is carried from one to another.

    :param jobs: worker processes (-1: one per core). The result does not depend on it.
    :param progress: called with (windows done, in all).
    :raises DataError: a window has fewer than two usable symbols.
    """
    from joblib import Parallel, delayed

    tasks = (delayed(scan_window)(cut_window(frames, window, funding), options) for window in windows)
    results: list[ScanResult] = []
    for result in Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="2*n_jobs")(tasks):
        results.append(result)
        if progress is not None:
            progress(len(results), len(windows))
    return results
