"""The desk of a backtest: neither leg opens unless both can (I12, I13), in whatever order."""
