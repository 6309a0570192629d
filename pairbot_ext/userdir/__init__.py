"""Pair trading in somebody's Freqtrade folder: what is put there, kept, upgraded and taken out again."""
