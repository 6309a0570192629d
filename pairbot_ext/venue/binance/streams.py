"""Binance's streams through ccxt's pro client: what they say, in the words of `model.heard`.

Source: Binance USDⓈ-M futures, Websocket Market Streams and User Data Streams. The client connects, routes,
pings, and keeps the listen key alive; only the events it would put into caches are taken out of its stream,
so that nothing grows and no update between two questions is missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import ccxt

from pairbot_ext.model.heard import (
    BestPrices,
    MarginCall,
    MarkPrice,
    OrderUpdate,
    PositionUpdate,
    Source,
    Topic,
)
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue.binance import hosts
from pairbot_ext.venue.binance.positions import rows_of
from pairbot_ext.venue.streams import Hear, LostError, Streams

logger = logging.getLogger(__name__)

MOST_SYMBOLS = 100
"""ccxt allows 200 streams a connection, Binance 1,024; a lost connection should blind few."""
SNAPSHOT_WEIGHT = 5
HEARTBEAT_MS = 1_000
"""Binance's own ping comes every three minutes, far too late for prices; it allows ten messages a second."""
CLOSE_SECS = 0.5
_STREAM_PROXIES = ("wsProxy", "ws_proxy", "wssProxy", "wss_proxy", "wsSocksProxy", "ws_socks_proxy")
_PROXIES = {
    "httpsProxy": "wssProxy",
    "https_proxy": "wssProxy",
    "aiohttp_proxy": "wssProxy",
    "socksProxy": "wsSocksProxy",
    "socks_proxy": "wsSocksProxy",
}
_SILENT = {"keepAlive": HEARTBEAT_MS, "maxPingPongMisses": 10}


def streams(config: Mapping[str, Any], client: Any) -> Streams:
    """See venue.streams.HasStreams."""
    exchange = config["exchange"]
    settings = _settings(exchange, client)
    _check_addresses(client, settings)

    def connect(topic: Topic, symbols: tuple[str, ...], hear: Hear, clock: Clock) -> Connection:
        # Imported late: without it everything else still works.
        import ccxt.pro

        return Connection(ccxt.pro.binanceusdm(deepcopy(settings)), client, topic, symbols, hear, clock)

    return Streams(connect, MOST_SYMBOLS, SNAPSHOT_WEIGHT)


def _settings(exchange: Mapping[str, Any], client: Any) -> dict[str, Any]:
    """As Freqtrade makes its own asynchronous client, with the key its synchronous one has."""
    merged = client.deep_extend(
        dict(exchange.get("ccxt_config", {})),
        dict(exchange.get("ccxt_async_config", {})),
        {"streaming": _SILENT, "timeout_on_exit": 50},
    )
    # A session belongs to one event loop, and this client has one of its own.
    merged.pop("session", None)
    _go_the_same_way(merged)
    keys = {name: getattr(client, name) for name in client.requiredCredentials if getattr(client, name, None)}
    return {**merged, **keys}


def _go_the_same_way(settings: dict[str, Any]) -> None:
    """A proxy of requests is the proxy of streams, unless one is named: ccxt would go past it, from another
    address than the key may be used from."""
    if any(settings.get(name) for name in _STREAM_PROXIES):
        return
    for theirs, ours in _PROXIES.items():
        if settings.get(theirs):
            settings[ours] = settings[theirs]
            return


def _check_addresses(client: Any, settings: Mapping[str, Any]) -> None:
    """A simulated bot must not hear the real venue's prices, nor the other way round."""
    address = settings.get("urls", {}).get("api", {}).get("ws", {}).get("linear")
    # ccxt fills in its own address for what the config does not name.
    is_local = bool(address) and urlsplit(str(address)).hostname == "127.0.0.1"
    if (urlsplit(hosts.host_of(client)).hostname == "127.0.0.1") != is_local:
        raise PairbotError(
            "the streams' address does not belong to the exchange that requests go to",
            value=str(address or "ccxt's own"),
            remedy="Name exchange.ccxt_config.urls.api.ws.linear beside the other addresses, or set "
            "pairbot.streams to false",
        )


def best_prices_of(rows: Any, client: Any, now_ms: int) -> list[BestPrices]:
    """An answer about the best prices of all symbols. Raises ccxt.BaseError where it is none."""
    prices = [
        BestPrices(
            symbol=str(client.safe_symbol(row["symbol"], None, None, "contract")),
            bid=float(row["bidPrice"]),
            bid_amount=float(row["bidQty"]),
            ask=float(row["askPrice"]),
            ask_amount=float(row["askQty"]),
            number=int(row.get("lastUpdateId") or 0),
            event_ms=int(row.get("time") or 0),
            arrived_ms=now_ms,
            source=Source.REST,
        )
        for row in rows_of(rows, "ticker/bookTicker", "symbol", "bidPrice", "bidQty", "askPrice", "askQty")
    ]
    return [each for each in prices if each.is_sound]


class Connection:
    """Implements `venue.streams.Connection` on one instance of ccxt's pro client, dropped after `close`."""

    def __init__(
        self,
        client: Any,
        markets_of: Any,
        topic: Topic,
        symbols: tuple[str, ...],
        hear: Hear,
        clock: Clock,
    ) -> None:
        self._client = client
        self._topic = topic
        self._symbols = symbols
        self._hear = hear
        self._clock = clock
        self._is_confirmed = False
        self._named: dict[str, str] = {}
        # Shared, not copied: thousands of markets.
        for name in ("markets", "markets_by_id", "symbols", "ids", "currencies", "currencies_by_id"):
            setattr(client, name, getattr(markets_of, name))
        self._of_ccxt = client.handle_message
        client.handle_message = self.take
        self._takers = {
            "bookTicker": self._take_book,
            "markPriceUpdate": self._take_mark,
            "ORDER_TRADE_UPDATE": self._take_order,
            "ACCOUNT_UPDATE": self._take_account,
            "MARGIN_CALL": self._take_margin_call,
            "listenKeyExpired": self._take_expiry,
        }

    async def listen(self) -> None:
        """See venue.streams.Connection. The client's own future never resolves, the events are taken out
        before: it only ends with the connection, or with a listen key that could not be kept alive."""
        try:
            match self._topic:
                case Topic.BOOKS:
                    await self._client.watch_bids_asks(list(self._symbols))
                case Topic.MARKS:
                    await self._client.watch_mark_prices(list(self._symbols))
                case Topic.ACCOUNT:
                    await self._client.watch_orders()
        except ccxt.BaseError as error:
            raise LostError(_text(error)) from error
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            raise LostError("the connection was closed") from None
        raise LostError("the client stopped listening")

    @property
    def is_listening(self) -> bool:
        """See venue.streams.Connection. The account's stream is named in its address: nothing confirms it."""
        if self._topic is Topic.ACCOUNT:
            return any(each.isConnected for each in self._client.clients.values())
        return self._is_confirmed

    @property
    def frames(self) -> int:
        """See venue.streams.Connection."""
        return sum(each.last_message_at or 0 for each in self._client.clients.values())

    async def snapshot(self) -> list[BestPrices]:
        """See venue.streams.Connection."""
        rows = await self._client.fapiPublicGetTickerBookTicker()
        return self.prices_of(rows)

    def prices_of(self, rows: Any) -> list[BestPrices]:
        """A snapshot as the venue answers it."""
        return best_prices_of(rows, self._client, self._clock.now_ms())

    async def close(self) -> None:
        """See venue.streams.Connection. The listen key stays: other programs of this key listen with it."""
        # The client's timer of the keep-alive outlives it, and would open a session nobody closes.
        self._client.options["linear"] = {"listenKey": None, "lastAuthenticatedTime": 0}
        try:
            await asyncio.wait_for(self._client.close(), CLOSE_SECS)
        except Exception as error:  # noqa: BLE001 - it is given up whatever it says
            logger.debug(f"Closing a stream: {_text(error)}")
            # A venue that does not answer the closing handshake is not waited for: its sockets are closed.
            if self._client.session is not None:
                await self._client.session.close()
                self._client.session = self._client.tcp_connector = None
        del self._client.handle_message
        self._takers.clear()

    # -- what is heard -----------------------------------------------------------------------------

    def take(self, socket: Any, message: Any) -> None:
        """Every message of a socket. Raises nothing: the client would stop reading without a word."""
        try:
            data = message.get("data", message) if isinstance(message, dict) else {}
            taker = self._takers.get(data.get("e") or ("bookTicker" if "B" in data else ""))
            if taker is not None:
                self._is_confirmed = True
                taker(data)
                return
            if data.get("id") is not None and data.get("result", "") is None:
                self._is_confirmed = True
            self._of_ccxt(socket, message)
        except Exception as error:  # noqa: BLE001 - one bad message must not end the stream
            logger.warning(f"A message of the {self._topic} stream says nothing: {_text(error)}")

    def _symbol(self, market_id: str) -> str:
        if market_id not in self._named:
            self._named[market_id] = str(self._client.safe_symbol(market_id, None, None, "contract"))
        return self._named[market_id]

    def _take_book(self, data: dict[str, Any]) -> None:
        now_ms = self._clock.now_ms()
        self._hear(
            BestPrices(
                symbol=self._symbol(data["s"]),
                bid=float(data["b"]),
                bid_amount=float(data["B"]),
                ask=float(data["a"]),
                ask_amount=float(data["A"]),
                number=int(data.get("u") or 0),
                event_ms=int(data.get("T") or data.get("E") or now_ms),
                arrived_ms=now_ms,
                source=Source.STREAM,
            )
        )

    def _take_mark(self, data: dict[str, Any]) -> None:
        price = float(data["p"])
        self._hear(
            MarkPrice(self._symbol(data["s"]), price, int(data["E"]), self._clock.now_ms(), Source.STREAM)
        )

    def _take_order(self, data: dict[str, Any]) -> None:
        row = data["o"]
        order = self._client.parse_ws_order(row)
        self._hear(
            OrderUpdate(str(row["c"]), self._symbol(row["s"]), order, int(data["E"]), self._clock.now_ms())
        )

    def _take_account(self, data: dict[str, Any]) -> None:
        for row in data["a"].get("P", []):
            self._hear(
                PositionUpdate(
                    self._symbol(row["s"]), Decimal(str(row["pa"])), int(data["E"]), self._clock.now_ms()
                )
            )

    def _take_margin_call(self, data: dict[str, Any]) -> None:
        symbols = tuple(self._symbol(row["s"]) for row in data.get("p", []))
        self._hear(MarginCall(symbols, int(data["E"]), self._clock.now_ms()))

    def _take_expiry(self, _data: dict[str, Any]) -> None:
        # ccxt does not know this event and would wait on for what never comes.
        error = ccxt.AuthenticationError("the listen key has expired")
        for each in self._client.clients.values():
            each.reject(error)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
