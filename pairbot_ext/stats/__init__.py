"""Pure statistics of pairs: numpy and pandas only, nothing of Freqtrade.

statsmodels is imported inside the functions that need it, so a strategy may import these modules in an
installation that lacks it.
"""
