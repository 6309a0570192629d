"""Real dask processes, and a small seeded market."""

from dask_processes import dask_cluster  # noqa: F401
from small_market import market, store_candles  # noqa: F401
