"""Orders Freqtrade is about to send: each finds its intent, or never leaves (I1)."""

from typing import Any

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.orders.dryport import DryPort
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.lanes import Lanes
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.orders.liveport import LivePort
from pairbot_ext.orders.port import VenuePort
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.protocol import Venue

_CONDITIONAL = ("stopPrice", "triggerPrice", "stopLossPrice", "takeProfitPrice", "trailingPercent")


def order_port(
    bridge: Bridge, broker: Broker, venue: Venue, clock: Clock, limiter: WeightLimiter
) -> VenuePort:
    """The guard's way to the venue, or to the dry-run's own."""
    if not bridge.is_dry_run:

        def ask(client: Any) -> None:
            """What keeps a lane warm. Limits are renewed here: while a pair is open no exit waits for it."""
            limiter.renew(lambda: venue.read_limits(client))
            client.fetch_time()

        lanes = Lanes(bridge.another_client, bridge.refresh, clock, ask)
        names = ("create_order", "fetch_order", "cancel_order", "fetch_time")
        return LivePort(venue, limiter, lanes, *(bridge.original(name) for name in names))

    def read_levels(symbol: str) -> Any:
        book = broker.book(symbol)
        return book.bids, book.asks

    return DryPort(read_levels, broker.dry_market, bridge.keep_dry_order, clock, venue)


class FreqtradeOrders:
    """Freqtrade's calls of the client and of its dry-run, led through the guard."""

    def __init__(self, guard: OrderGuard) -> None:
        self._guard = guard

    def create(
        self, symbol: str, kind: str, side: str, amount: float, _price: Any, params: dict[str, Any]
    ) -> dict[str, Any]:
        """In place of the ccxt client's create_order."""
        reduce_only = str(params.get("reduceOnly", "")).lower() == "true"
        conditional = any(key in params for key in _CONDITIONAL)
        order = self._guard.claim(
            symbol, kind, side, amount, reduce_only=reduce_only, conditional=conditional
        )
        return self._guard.transmit(order)

    def create_dry(
        self, symbol: str, kind: str, side: str, amount: float, _price: float, is_reduce: bool, is_stop: bool
    ) -> dict[str, Any]:
        """In place of create_dry_run_order."""
        armed = self._guard.armed(symbol)
        reduce_only = is_reduce if armed is None else armed.reduce_only
        order = self._guard.claim(symbol, kind, side, amount, reduce_only=reduce_only, conditional=is_stop)
        return self._guard.transmit(order)
