"""The p-values are statsmodels' own, number by number and over the whole range of statistics."""

import numpy as np
import pytest
from statsmodels.tsa import adfvalues

from pairbot_ext.stats.mackinnon import _SURFACES, mackinnon_p


@pytest.mark.parametrize("n_series", sorted(_SURFACES))
def test_the_tables_are_statsmodels(n_series: int) -> None:
    surface, row = _SURFACES[n_series], n_series - 1
    assert surface.least == adfvalues._tau_mins["c"][row]
    assert surface.star == adfvalues._tau_stars["c"][row]
    assert surface.most == adfvalues._tau_maxs["c"][row]
    np.testing.assert_allclose(surface.small, adfvalues._tau_smallps["c"][row], rtol=1e-12)
    np.testing.assert_allclose(surface.large, adfvalues._tau_largeps["c"][row], rtol=1e-12)


@pytest.mark.parametrize("n_series", sorted(_SURFACES))
def test_every_statistic_has_its_p_value(n_series: int) -> None:
    surface = _SURFACES[n_series]
    edges = np.array([surface.least, surface.star, surface.most])
    around = [edges, np.nextafter(edges, 10), np.nextafter(edges, -30)]
    t = np.concatenate([np.linspace(-25.0, 4.0, 2001), *around])
    expected = [adfvalues.mackinnonp(each, "c", N=n_series) for each in t]
    np.testing.assert_allclose(mackinnon_p(t, n_series=n_series), expected, rtol=1e-12, atol=0.0)


def test_nan_stays_and_shape_is_kept() -> None:
    p = mackinnon_p([[np.nan, -3.0], [0.0, -1.0]], n_series=2)
    assert p.shape == (2, 2)
    assert np.isnan(p).tolist() == [[True, False], [False, False]]
