"""A small seeded market for the tests of this room."""

from small_market import market, store_candles  # noqa: F401
