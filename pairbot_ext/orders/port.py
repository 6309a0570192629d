"""What the guard needs of the venue: the ccxt client (`liveport`), or the dry-run simulation (`dryport`)."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.states import Refusal

Sent = dict[str, Any] | Exception
"""ccxt's structure of an order, or what sending it has raised."""


class VenuePort(Protocol):
    """See the module. Raises ccxt's errors.

    :ivar arrival_window_ms: the venue refuses an order that arrives later than this after its timestamp.
    """

    arrival_window_ms: int

    def send(self, order: OrderRecord) -> dict[str, Any]:
        """Send with the record's client order id. Returns ccxt's order structure."""
        ...

    def send_together(self, orders: Sequence[OrderRecord]) -> Generator[tuple[OrderRecord, Sent]]:
        """Send orders, none of which waits for another's answer; each comes back with its own, as that
        arrives. When this is over, however it ends, none of them is on its way any more."""
        ...

    def has_room_for(self, count: int) -> bool:
        """Whether so many orders fit into what the venue takes now."""
        ...

    def keep_warm(self) -> None:
        """Once per loop while something is held: `send_together` shall find its connections open."""
        ...

    def close(self) -> None:
        """The bot ends."""
        ...

    def query(self, order: OrderRecord) -> dict[str, Any]:
        """Ask by client order id. Raises ccxt.OrderNotFound where there is none (yet)."""
        ...

    def cancel(self, order: OrderRecord) -> None:
        """Cancel by client order id."""
        ...

    def venue_ms(self) -> int:
        """The venue's own clock, epoch milliseconds."""
        ...

    def refusal_of(self, error: Exception) -> Refusal | None:
        """Why the venue refused an order; None where the error leaves open whether it took it."""
        ...
