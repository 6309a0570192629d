"""Everything that is a venue's own, behind one protocol: nothing else knows codes, paths, headers.

`protocol` says what a venue must promise, `venue_of` finds one by Freqtrade's name of the exchange.
"""

from pairbot_ext.venue.binance.futures import BinanceFutures
from pairbot_ext.venue.protocol import Venue

LIVE: dict[str, Venue] = {"binance": BinanceFutures()}
"""By Freqtrade's name of the exchange: the venues orders may be sent to."""


def venue_of(exchange: str) -> Venue:
    """The venue behind an exchange's name.

    One that is not live is rehearsed by Binance's rules, which are stricter than Freqtrade's own dry-run.
    """
    return LIVE.get(exchange, LIVE["binance"])
