"""Stream names, and on which of Binance's three routed roots each is served."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Root(StrEnum):
    """The first part of a websocket's path. A bare `/ws` serves what `/public` serves, and nothing else."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


class Feed(StrEnum):
    """What a public stream tells."""

    BOOK_TICKER = "bookTicker"
    DEPTH = "depth"
    PARTIAL_DEPTH = "partial depth"
    MARK_PRICE = "markPrice"


@dataclass(frozen=True)
class StreamName:
    """One public stream.

    :param symbol: Binance id in capitals; None for all symbols.
    :param every_ms: at most so often; 0 leaves it to the venue's terms.
    :param levels: of a partial book.
    """

    text: str
    feed: Feed
    symbol: str | None
    every_ms: int = 0
    levels: int = 0

    @property
    def root(self) -> Root:
        """Where it is served."""
        return Root.MARKET if self.feed is Feed.MARK_PRICE else Root.PUBLIC


_DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?")
_MARK = re.compile(r"markPrice(@1s)?")
_ALL_MARKS = re.compile(r"!markPrice@arr(@1s)?")
_DEFAULT_DEPTH_MS = 250
_KNOWN_ELSEWHERE = re.compile(
    r".+@(aggTrade|trade|ticker|miniTicker|forceOrder|compositeIndex|assetIndex|rpiDepth.*|kline_.+"
    r"|continuousKline_.+|(index|mark)PriceKline_.+)|!(ticker|miniTicker|forceOrder|assetIndex)@arr|!contractInfo"
)


class NotSimulatedError(ValueError):
    """A stream Binance has and this venue does not."""


def parse(text: str) -> StreamName | None:
    """The stream of this name; None where Binance would not know it either.

    :raises NotSimulatedError: one that a client would wait for in vain.
    """
    if text == "!bookTicker":
        return StreamName(text, Feed.BOOK_TICKER, None)
    if found := _ALL_MARKS.fullmatch(text):
        return StreamName(text, Feed.MARK_PRICE, None, 1000 if found[1] else 3000)
    symbol, _, channel = text.partition("@")
    if symbol and channel == "bookTicker":
        return StreamName(text, Feed.BOOK_TICKER, symbol.upper())
    if symbol and (found := _MARK.fullmatch(channel)):
        return StreamName(text, Feed.MARK_PRICE, symbol.upper(), 1000 if found[1] else 3000)
    if symbol and (found := _DEPTH.fullmatch(channel)):
        feed = Feed.PARTIAL_DEPTH if found[1] else Feed.DEPTH
        every_ms = _DEFAULT_DEPTH_MS if found[2] is None else int(found[2])
        return StreamName(text, feed, symbol.upper(), every_ms, int(found[1] or 0))
    if _KNOWN_ELSEWHERE.fullmatch(text):
        raise NotSimulatedError(text)
    return None
