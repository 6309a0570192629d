"""The research bench: a simulator equal to Freqtrade's backtesting, and what it says of a pair selection."""
