"""From a raw request to the venue and back: the order of checks, and the log of everything."""

from __future__ import annotations

from collections.abc import Callable

from pairbot_ext.sim.market.base import Market
from pairbot_ext.sim.rest.exchange_info import exchange_info, symbol_entries
from pairbot_ext.sim.rest.messages import Answer, Request, json_bytes


class Gateway:
    """Answers Binance's REST calls for one market. Not thread-safe: one caller at a time."""

    def __init__(self, market: Market, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._entries = symbol_entries(market.symbols.values())
        self.round_trip_ms = 0

    def tick(self) -> None:
        """Nothing happens by itself yet."""

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        now_ms = self._clock()
        if request.call == "GET /fapi/v1/exchangeInfo":
            return Answer(200, json_bytes(exchange_info(self._entries, now_ms)))
        if request.call == "GET /fapi/v1/time":
            return Answer(200, json_bytes({"serverTime": now_ms}))
        if request.call == "GET /fapi/v1/ping":
            return Answer(200, b"{}")
        return Answer(
            404,
            json_bytes({"code": -5000, "msg": f"Path {request.path}, Method {request.method} is invalid"}),
        )
