"""Models of the spread: each file one variant with one protocol, model → z, hedge ratio, thresholds (I10).

Pure functions of numpy arrays. Backtest, bot, plot and research ask the same ones; docs/models.md has their
formulas, sources and what they earned.
"""
