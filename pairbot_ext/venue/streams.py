"""What a venue's streams must promise, before anything is heard from them.

A venue without streams answers `streams` with None: then everything is asked for, as it always was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pairbot_ext.model.heard import BestPrices, Heard, Topic
from pairbot_ext.support.clock import Clock

Hear = Callable[[Heard], None]
"""Called in the thread of the connection. Must neither block nor raise."""


class LostError(Exception):
    """A connection has ended, or was refused. The text says why."""


class Connection(Protocol):
    """One connection. All methods belong to one event loop."""

    async def listen(self) -> None:
        """Connect, subscribe and pass on what is heard. Never returns; raises LostError when it is over."""
        ...

    @property
    def is_listening(self) -> bool:
        """Whether the venue has confirmed what was subscribed to: nothing said from now on is missed."""
        ...

    @property
    def frames(self) -> int:
        """A number that changes with every frame that arrives, heartbeats included."""
        ...

    async def snapshot(self) -> list[BestPrices]:
        """The best prices of all symbols by REST. Raises ccxt.BaseError."""
        ...

    async def close(self) -> None:
        """Leave no socket, session or task behind. Raises nothing."""
        ...


@dataclass(frozen=True)
class Streams:
    """A venue's streams for one account.

    :param connect: (topic, symbols, what hears, clock) -> a connection that is not open yet. Raises
        ImportError where a library is missing.
    :param most_symbols: on one connection.
    :param snapshot_weight: what `Connection.snapshot` costs.
    """

    connect: Callable[[Topic, tuple[str, ...], Hear, Clock], Connection]
    most_symbols: int
    snapshot_weight: int


@runtime_checkable
class HasStreams(Protocol):
    """A venue that speaks in streams."""

    def streams(self, config: Mapping[str, Any], client: Any) -> Streams:
        """For one bot. Raises PairbotError where its addresses do not belong together.

        :param config: Freqtrade's; :param client: its ccxt client, for the key and the markets.
        """
        ...

    def best_prices(self, client: Any, now_ms: int) -> dict[str, BestPrices]:
        """The best prices of all symbols in one question. Raises ccxt.BaseError."""
        ...
