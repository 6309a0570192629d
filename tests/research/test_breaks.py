"""The break rules from prefix sums decide what the exact function decides, on every window."""

from __future__ import annotations

import numpy as np
import pytest

from pairbot_ext.model.findings import Blind
from pairbot_ext.model.plan import EntryModel
from pairbot_ext.research.breaks import Relation, relations
from pairbot_ext.settings.risk import BreakStop
from pairbot_ext.signals.breaks import break_verdict, pair_health

SETTINGS = BreakStop(window_half_lives=15.0, max_half_life_ratio=1.6, max_beta_drift_percent=20.0)
WINDOW = 180


@pytest.mark.parametrize("gaps", [0.0, 0.03, 0.09])
@pytest.mark.parametrize("seed", range(4))
def test_every_window_is_judged_as_by_the_exact_function(seed, gaps) -> None:
    rng = np.random.default_rng([seed, 1])
    size, half_life = 900, 4.0
    log_b = 3.0 + np.cumsum(0.008 * rng.standard_normal(size))
    u = np.zeros(size)
    for row in range(1, size):
        # Half-way the spread stops coming back.
        keep = 0.5 ** (1 / half_life) if row < size // 2 else 0.995
        u[row] = keep * u[row - 1] + 0.004 * rng.standard_normal()
    log_a = 1.0 + 0.8 * log_b + u
    log_a[rng.random(size) < gaps] = np.nan
    model = EntryModel(alpha=1.0, beta=0.8, mu=0.0, sigma=0.01, half_life_candles=half_life)
    found = relations(log_a, log_b, model, SETTINGS, (20, size - 1), WINDOW)
    for place, row in enumerate(range(20, size)):
        part = slice(max(0, row + 1 - WINDOW), row + 1)
        verdict = break_verdict(SETTINGS, pair_health(log_a[part], log_b[part], model), half_life, 0.8)
        blind = Relation.BLIND if isinstance(verdict, Blind) else Relation.BROKEN
        assert found[place] == (Relation.HOLDS if verdict is None else blind), row
    assert {Relation.HOLDS, Relation.BROKEN} <= set(found.tolist())
