"""The only file that touches Freqtrade's private attributes."""

from typing import cast

from freqtrade.data.dataprovider import DataProvider
from freqtrade.exchange import Exchange
from freqtrade.strategy import IStrategy


def exchange_of(provider: DataProvider) -> Exchange:
    """Freqtrade's exchange object, which the data provider keeps to itself.

    Its public methods answer what no provider method does: brackets, minimum stakes, amounts on the step.
    """
    return cast(Exchange, provider._exchange)


def analyse_again(strategy: IStrategy, symbols: list[str]) -> None:
    """Make the next loop analyse these symbols although their last candle has been seen.

    Freqtrade analyses a symbol once per candle. Where the mate's candle arrives a loop later, the first
    symbol would not see it until its own next candle.
    """
    for symbol in symbols:
        strategy._last_candle_seen_per_pair.pop(symbol, None)
