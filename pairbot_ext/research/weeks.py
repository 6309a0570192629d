"""Weeks from Monday 00:00 UTC: the unit in which pair trades are independent enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from pairbot_ext.stats.arrays import FloatArray, IntArray

WEEK = timedelta(weeks=1)
_FIRST = datetime(1970, 1, 5, tzinfo=UTC)


def week_numbers(trades: pd.DataFrame) -> IntArray:
    """The week each pair trade was opened in. Shape (n,).

    :param trades: `Outcome.pair_trades`.
    """
    return np.array([(when - _FIRST) // WEEK for when in trades.get("opened", [])], np.int64)


def weekly_returns(
    trades: pd.DataFrame, nets: FloatArray, begin: datetime, end: datetime, wallet: float
) -> pd.Series:
    """Net of the pair trades opened in each week, a share of the starting wallet; 0 in weeks without any.

    :param nets: bp of N_A + N_B, shape (n,).
    """
    first, last = (begin - _FIRST) // WEEK, (end - _FIRST) // WEEK
    totals = np.zeros(max(last - first + 1, 1))
    if nets.size:
        place = np.clip(week_numbers(trades) - first, 0, totals.size - 1)
        np.add.at(totals, place, nets / 1e4 * trades["notional"].to_numpy(np.float64) / wallet)
    return pd.Series(totals, index=[_FIRST + (first + number) * WEEK for number in range(totals.size)])
