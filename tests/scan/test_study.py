"""The study on real candles counts what it says it counts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks.study_real_data import Share, afterwards, markdown_funnel, survival
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, records
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import Candles

START = datetime(2025, 1, 1, tzinfo=UTC)


def test_wilson_interval_of_known_counts():
    assert str(Share(0, 33)) == "0 of 33 = 0.0% [0.0%, 10.4%]"
    assert str(Share(5, 10)) == "5 of 10 = 50.0% [23.7%, 76.3%]"
    assert str(Share(0, 0)) == "none to test"
    assert Share(1, 2) + Share(3, 4) == Share(4, 6)


def test_a_lasting_pair_survives_and_the_base_rate_counts_every_tested_pair(market):
    from statsmodels.tsa.stattools import coint

    candles = Candles("1h", market, {})
    windows = Schedule("1h", START + timedelta(hours=250), START + timedelta(hours=600), 250, 100).windows()
    results = walk_forward(market, windows, ScanOptions(Rule.ROBUST))
    later = afterwards(candles, windows, 150)
    assert len(windows) == 4
    assert set(later) == {pd.Timestamp(window.end) for window in windows[:3]}  # 550 + 150 is past the candles
    p = later[pd.Timestamp(windows[0].end)]
    legs = ("THIN/USDT:USDT", "WALK0/USDT:USDT")
    expected = coint(*(np.log(market[leg]["close"].to_numpy()[250:400]) for leg in legs))[1]
    assert p[legs] == pytest.approx(expected, abs=1e-9)
    selected, everything = survival(results, later)
    picked = [row["leg_a"] for result in results[:3] for row in records(result.selected)]
    assert len(picked) >= 2
    assert set(picked) == {"THIN/USDT:USDT"}  # only the planted pair
    assert selected == Share(len(picked), len(picked))
    assert everything.n == 3 * 21
    assert everything.k >= 3
    table = markdown_funnel(results)
    assert len(table) == 2 + 4 + 1
    assert table[2].startswith("| 2025-01-11 | 7 | 21 |")
    assert table[2].endswith("| THIN_WALK0 |")
