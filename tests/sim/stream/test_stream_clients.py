"""Unmodified ccxt.pro against the streams: over wss on the loopback, and within the process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

import aiohttp
import ccxt.pro
import pytest

from pairbot_ext.sim.control import ControlClient, SimulatedExchange
from pairbot_ext.sim.inprocess import NO_PORT, AsyncSession
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate, Transfer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.sim.venue.venue import Venue

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"
WITHIN_SECS = 60.0
T = TypeVar("T")


@pytest.fixture
def exchange() -> SimulatedExchange:
    market = FixedMarket({"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")})
    return SimulatedExchange(Gateway(Venue(market, wall_clock_ms), CREDENTIALS))


@pytest.fixture
def server(exchange) -> Iterator[LoopbackServer]:
    with LoopbackServer(exchange) as running:
        yield running


class Hearing(ccxt.pro.binanceusdm):
    """The real client, and the account's events as they reached it: (seconds, event type or execution)."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.heard: list[tuple[float, str]] = []

    def handle_message(self, client: Any, message: Any) -> None:
        """Note it down first."""
        if isinstance(message, dict) and "T" in message and message.get("e", "").isupper():
            self.heard.append((time.monotonic(), message.get("o", {}).get("x", message["e"])))
        super().handle_message(client, message)


@contextlib.asynccontextmanager
async def pro(port: int, **settings: Any) -> AsyncIterator[Hearing]:
    """A real client; every task of its own has ended when this has."""
    client = Hearing(
        {
            **ccxt_settings(port),
            "apiKey": CREDENTIALS.key,
            "secret": CREDENTIALS.secret,
            "enableRateLimit": False,
            **settings,
        }
    )
    client.timeout_on_exit = 0
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, WITHIN_SECS)


async def watch_on(client: Any) -> None:
    while True:
        await soon(client.watch_bids_asks([ADA]))


async def watch_book(client: Any) -> None:
    while True:
        await client.watch_order_book(ADA)


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_SECS
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        await asyncio.sleep(0.01)


def open_paths(exchange: SimulatedExchange) -> list[str]:
    return sorted(row["path"] for row in exchange.streams.report() if not row["end"])


async def listening(exchange: SimulatedExchange, client: Any, *watches: Any) -> list[asyncio.Task[Any]]:
    """Start private watches; returns once the venue has their connection."""
    tasks = [asyncio.ensure_future(watch) for watch in watches]
    await until(lambda: "/private/ws" in open_paths(exchange))
    # The snapshot of positions is a REST call of ccxt's own: an update before it would be lost to it.
    await until(lambda: client.positions and "linear" in client.positions)
    return tasks


def test_prices(server, exchange):
    async def scenario() -> None:
        async with pro(server.port) as client:
            asks = await soon(client.watch_bids_asks([ADA, ALGO]))
            (ticker,) = asks.values()
            assert ticker["ask"] - ticker["bid"] == pytest.approx(0.0002, rel=0.01)
            marks = await soon(client.watch_mark_prices([ADA]))
            assert marks[ADA]["markPrice"] == 0.732
            every = await soon(client.watch_mark_prices())
            assert set(every) == {ADA, ALGO}
            book = await soon(client.watch_order_book(ADA))
            assert (book["bids"][0], book["asks"][0]) == ([0.7319, 10_000], [0.7321, 10_000])
            server.call(lambda: exchange.gateway.venue.market.prices.update(ADAUSDT=Decimal("0.8")))
            while book["bids"][0][0] != 0.7999:
                book = await soon(client.watch_order_book(ADA))
            rest = await client.fetch_order_book(ADA)
            assert (book["bids"], book["asks"]) == (rest["bids"], rest["asks"])
            while (await soon(client.watch_bids_asks([ADA])))[ADA]["bid"] != 0.7999:
                pass
            assert open_paths(exchange) == ["/market/ws", "/market/ws", *["/public/ws"] * 3]
            await soon(client.un_watch_bids_asks([ADA]))

    asyncio.run(scenario())
    assert open_paths(exchange) == [], "a closed client leaves nothing behind"


def test_account(server, exchange):
    async def scenario() -> None:
        async with pro(server.port) as client:
            watches = (client.watch_orders(), client.watch_my_trades(), client.watch_balance())
            tasks: list[Any] = await listening(exchange, client, *watches)
            # The first call of all would answer with ccxt's own snapshot.
            tasks.append(asyncio.ensure_future(client.watch_positions([ADA])))
            await asyncio.sleep(0)
            placed = await client.create_order(ADA, "market", "buy", 100, None, {"newClientOrderId": "pb-1"})
            (order,), (trade,), balance, (position,) = await soon(asyncio.gather(*tasks))
            assert (order["id"], order["clientOrderId"]) == (placed["id"], "pb-1")
            assert (trade["order"], trade["price"], trade["fee"]["cost"]) == (placed["id"], 0.7321, 0.036605)
            assert balance["USDT"]["total"] == pytest.approx(10_000 - 0.036605)
            assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 100, 0.7321)
            while order["status"] != "closed":
                (order,) = await soon(client.watch_orders())
            assert (order["filled"], order["average"]) == (100, 0.7321)
            for action in (
                ClosePosition(symbol="ADAUSDT", fraction=Decimal("0.5")),
                Transfer(amount=Decimal(7)),
            ):
                server.call(lambda action=action: action.apply(exchange.gateway.venue, None))
            while balance["USDT"]["total"] < 10_006:
                balance = await soon(client.watch_balance())
            server.call(lambda: Liquidate(symbol="ADAUSDT", adl=True).apply(exchange.gateway.venue, None))
            while (order := (await soon(client.watch_orders()))[-1])["clientOrderId"] != "adl_autoclose":
                pass
            assert order["side"] == "sell"

    asyncio.run(scenario())


def test_late_latency(server, exchange):
    """A round trip delays updates by half of it, as it does answers."""
    exchange.gateway.round_trip_ms = 200

    async def scenario() -> None:
        async with pro(server.port) as client:
            (task,) = await listening(exchange, client, client.watch_orders())
            began = time.monotonic()
            answering = asyncio.ensure_future(client.create_order(ADA, "market", "buy", 100))
            await soon(task)
            assert time.monotonic() - began >= 0.19
            await answering

    asyncio.run(scenario())


NEW, ACCOUNT, TRADE = "NEW", "ACCOUNT_UPDATE", "TRADE"


@pytest.mark.parametrize(
    ("rule", "heard"),
    [
        ({"fault": "lost", "when": {"execution": TRADE}}, [NEW, ACCOUNT]),
        ({"fault": "doubled", "when": {"execution": TRADE}}, [NEW, ACCOUNT, TRADE, TRADE]),
        ({"fault": "reordered", "when": {"execution": NEW}}, [ACCOUNT, NEW, TRADE]),
        ({"fault": "late", "delay_ms": 100, "when": {"event": "ACCOUNT_*"}}, [NEW, TRADE, ACCOUNT]),
        ({"fault": "silence", "when": {"execution": TRADE}}, [NEW, ACCOUNT]),
        ({"fault": "update_first", "delay_ms": 300, "when": {"execution": TRADE}}, [NEW, ACCOUNT, TRADE]),
        (
            {"fault": "answer_first", "delay_ms": 150, "when": {"event": "*", "times": None}},
            [NEW, ACCOUNT, TRADE],
        ),
    ],
)
def test_updates_that_go_astray(server, exchange, rule, heard):
    async def scenario() -> None:
        async with pro(server.port) as client:
            (task,) = await listening(exchange, client, client.watch_orders())
            control = ControlClient(server.port)
            await asyncio.to_thread(control.add_stream_fault, StreamRule.model_validate(rule))
            await client.create_order(ADA, "market", "buy", 100)
            answered = time.monotonic()
            await until(lambda: len(client.heard) >= len(heard))
            assert [what for _, what in client.heard] == heard
            gaps = [answered - when for when, _ in client.heard]
            if rule["fault"] == "update_first":
                assert min(gaps) > 0.2
            elif rule["fault"] == "answer_first":
                assert max(gaps) < 0
            task.cancel()

    asyncio.run(scenario())


def test_a_lost_book_update_is_seen_by_its_sequence(server, exchange):
    """ccxt compares `pu` with the last `u`: it raises, and the next watch takes a new snapshot."""
    prices = exchange.gateway.venue.market.prices

    async def scenario() -> None:
        async with pro(server.port) as client:
            await soon(client.watch_order_book(ADA))
            rule = {"fault": "lost", "when": {"event": "depthUpdate"}}
            exchange.gateway.stream_faults.add(StreamRule.model_validate(rule))
            prices["ADAUSDT"] = Decimal("0.8")
            with pytest.raises(ccxt.ChecksumError):
                await soon(watch_book(client))
            assert (await soon(client.watch_order_book(ADA)))["bids"][0][0] == 0.7999

    asyncio.run(scenario())


@pytest.mark.parametrize(("fault", "at_byte"), [("cut", 0), ("cut", 30), ("close", 0)])
def test_a_broken_connection_raises_and_the_next_watch_reconnects(server, exchange, fault, at_byte):
    async def scenario() -> None:
        async with pro(server.port) as client:
            (task,) = await listening(exchange, client, client.watch_orders())
            rule = {"fault": fault, "when": {"event": "ORDER_TRADE_UPDATE"}, "at_byte": at_byte}
            exchange.gateway.stream_faults.add(StreamRule.model_validate(rule))
            await client.create_order(ADA, "market", "buy", 100)
            with pytest.raises(ccxt.NetworkError):
                await soon(task)
            await until(lambda: not open_paths(exchange))
            (task,) = await listening(exchange, client, client.watch_orders())
            await client.create_order(ADA, "market", "buy", 100)
            assert await soon(task)

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [403, 451])
def test_a_refused_upgrade(server, exchange, status):
    control = ControlClient(server.port)
    control.add_stream_fault(
        StreamRule.model_validate(
            {"fault": "refused_upgrade", "status": status, "when": {"path": "/public/*"}}
        )
    )

    async def scenario() -> None:
        async with pro(server.port) as client:
            with pytest.raises(ccxt.NetworkError, match=str(status)):
                await soon(client.watch_bids_asks([ADA]))
            assert await soon(client.watch_bids_asks([ADA]))

    asyncio.run(scenario())


def test_a_stale_key_is_refused_by_the_keep_alive_and_a_new_one_heals(server, exchange):
    async def scenario() -> None:
        async with pro(server.port) as client:
            (task,) = await listening(exchange, client, client.watch_orders())
            rule = {"fault": "stale_key", "when": {"event": "ACCOUNT_UPDATE"}}
            exchange.gateway.stream_faults.add(StreamRule.model_validate(rule))
            await client.create_order(ADA, "market", "buy", 100)
            await soon(task)  # NEW still came
            task = asyncio.ensure_future(client.watch_orders())
            await client.create_order(ADA, "market", "buy", 100)
            await client.keep_alive_listen_key({"type": "swap"})
            with pytest.raises(ccxt.BaseError, match="1125"):
                await soon(task)
            task = asyncio.ensure_future(client.watch_orders())
            await until(lambda: any(row["has_valid_key"] for row in exchange.streams.report()))
            await client.create_order(ADA, "market", "buy", 100)
            assert await soon(task)

    asyncio.run(scenario())


def test_heartbeats_both_ways_and_a_dead_connection(server, exchange):
    control = ControlClient(server.port)
    control.set_stream_terms(ping_every_ms=100, pong_within_ms=300, messages_per_sec=100)

    async def scenario() -> None:
        async with pro(server.port, streaming={"keepAlive": 150, "maxPingPongMisses": 2}) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch_on(client), 0.7)  # longer than either side forgives silence
            rule = {"fault": "dead", "when": {"event": "bookTicker"}}
            exchange.gateway.stream_faults.add(StreamRule.model_validate(rule))
            with pytest.raises(ccxt.RequestTimeout, match="keepalive"):
                await watch_on(client)

    asyncio.run(scenario())
    assert {row["end"] for row in control.streams()} <= {"left"}


def test_the_cut_at_24_hours_compressed(server, exchange):
    ControlClient(server.port).set_stream_terms(connection_ms=300)

    async def scenario() -> None:
        async with pro(server.port) as client:
            with pytest.raises(ccxt.NetworkError, match="1001"):
                await watch_on(client)
            assert await soon(client.watch_bids_asks([ADA]))

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_dropped(server, exchange):
    """A real slow consumer: its buffers fill, then the venue's, then it is cut off."""
    ControlClient(server.port).set_stream_terms(waiting_messages=50, messages_per_sec=1_000_000)

    async def scenario() -> None:
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            socket = await session.ws_connect(f"https://127.0.0.1:{server.port}/public/ws")
            transport = socket._conn.transport  # nothing is taken from the socket any more
            transport.pause_reading()
            # The longest answers there are: lists of streams.
            names = [f"{number:0400d}usdt@bookTicker" for number in range(1000)]
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 0})
            for number in range(1000):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
                if not open_paths(exchange):
                    break
            await until(lambda: not open_paths(exchange))
            transport.abort()

    asyncio.run(scenario())
    assert exchange.streams.report()[-1]["end"] == "slow consumer"


def test_too_many_messages_close_the_connection(server, exchange):
    async def scenario() -> None:
        connector = aiohttp.TCPConnector(ssl=False)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            # What aiohttp says after its own answer to the close depends on who hangs up first.
            session.ws_connect(f"https://127.0.0.1:{server.port}/ws", autoclose=False) as socket,
        ):
            for number in range(11):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            async with asyncio.timeout(WITHIN_SECS):
                while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)

    asyncio.run(scenario())


def test_half_a_handshake_is_refused_and_leaves_nothing(server, exchange):
    async def scenario() -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}  # and no key
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False), headers=headers) as session,
            session.get(f"https://127.0.0.1:{server.port}/public/ws") as response,
        ):
            assert response.status == 400

    asyncio.run(scenario())
    assert open_paths(exchange) == []


def test_a_server_that_stops_ends_its_connections(exchange):
    async def scenario(server: LoopbackServer) -> None:
        async with pro(server.port) as client:
            await soon(client.watch_bids_asks([ADA]))
            began = time.monotonic()
            server.stop()
            # aiohttp would wait a minute for its clients to leave.
            assert time.monotonic() - began < 30.0
            with pytest.raises(ccxt.NetworkError):
                await watch_on(client)

    with LoopbackServer(exchange) as server:
        asyncio.run(scenario(server))


def test_within_the_process(world):
    """The same client without a socket, on the venue's virtual clock."""

    async def scenario() -> None:
        async with pro(NO_PORT, session=AsyncSession(world.transport)) as client:
            client.milliseconds = client.nonce = world.clock
            assert (await soon(client.watch_bids_asks([ADA])))[ADA]["ask"] == 0.7321
            (task,) = await listening(world.exchange, client, client.watch_orders())
            await asyncio.to_thread(world.place, "BUY", 100)  # a bot has a thread of its own
            assert (await soon(task))[-1]["symbol"] == ADA
            again = asyncio.ensure_future(client.watch_bids_asks([ADA]))
            world.market.prices["ADAUSDT"] = Decimal("0.8")
            world.clock.advance(200)
            world.exchange.tick()
            assert (await soon(again))[ADA]["bid"] == 0.7999
            rule = {"fault": "cut", "when": {"event": "bookTicker"}}
            world.gateway.stream_faults.add(StreamRule.model_validate(rule))
            again = asyncio.ensure_future(client.watch_bids_asks([ADA]))
            world.clock.advance(1000)
            world.exchange.tick()
            with pytest.raises(ccxt.NetworkError):
                await soon(again)
            rule = {"fault": "refused_upgrade", "status": 451, "when": {"path": "/public/*"}}
            world.gateway.stream_faults.add(StreamRule.model_validate(rule))
            with pytest.raises(ccxt.NetworkError, match="451"):
                await soon(client.watch_bids_asks([ADA]))
            world.transport.reachable = False
            with pytest.raises(ccxt.NetworkError):
                await soon(client.watch_bids_asks([ALGO]))
            world.transport.reachable = True

    asyncio.run(scenario())
    assert open_paths(world.exchange) == []
