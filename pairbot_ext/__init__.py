"""Pair trading for Freqtrade: two legs, one trade."""

__version__ = "0.1.0"
