"""`make compat`: the package on other releases of Freqtrade and ccxt, each in an environment of its own."""
