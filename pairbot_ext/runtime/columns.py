"""What the strategy's frame gets for plots: each pair's spread and z, and the thresholds."""

import numpy as np

from pairbot_ext.signals.book import SignalBook


def indicator_columns(book: SignalBook, symbol: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of one symbol's frame.

    :param rows: for each row of the frame its row of the book's grid, shape (n,).
    """
    columns = {name: values[rows] for name, values in book.columns(symbol).items()}
    for path in book.of_symbol(symbol):
        levels = book.thresholds(path.pair)
        if levels is not None:
            # One set of lines per plot: pairs of one file share their thresholds unless edited by hand.
            for name, level in (("entry", levels.entry), ("exit", levels.exit), ("stop", levels.stop)):
                columns[f"z_{name}"] = np.full(len(rows), level)
                columns[f"z_{name}_below"] = np.full(len(rows), -level)
            break
    return columns
