"""Candles on disk: which a pairs file needs, which are there, reading them."""
