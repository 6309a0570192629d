"""How many requests the simulated exchange answers: in process and over HTTPS.

The mix is what a bot with open pairs sends: books, account, positions, orders and their queries. In process
the requests are counted at the venue's door (raw) and through unmodified ccxt; over HTTPS with as many
connections as a bot opens. Targets: 1,500/s in process, 300/s over HTTPS, start-up under 1 s.
Streams: book tickers of 100 symbols, five a second, and all mark prices. Target: 15 % of a core.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import ccxt

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import NO_PORT, InProcessTransport, SyncSession
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market import open_market
from pairbot_ext.sim.market.synthetic import synthetic_market
from pairbot_ext.sim.market.universe import DEFAULT_START_PRICES
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.symbols import load_symbols
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue

ROUNDS = 400
CONNECTIONS = 4
STREAMED_SYMBOLS = 100
STREAMED_SECS = 8.0
MOST_SHARE = 0.15
LISTEN = "--listen"


def make_exchange() -> SimulatedExchange:
    """A generated market, no limits in the way, room for many trades."""
    market = open_market("synthetic", clock=wall_clock_ms, seed=1)
    venue = Venue(market, wall_clock_ms, VenueOptions(deposit=Decimal(10_000_000)))
    return SimulatedExchange(Gateway(venue, CREDENTIALS, limits=RateLimits(enforced=False)))


def mix(symbol: str, other: str, amount: str) -> list[tuple[str, str, dict[str, str]]]:
    """One round: (method, path, parameters)."""
    order = {"symbol": symbol, "type": "MARKET", "quantity": amount}
    return [
        ("GET", "/fapi/v1/depth", {"symbol": symbol, "limit": "5"}),
        ("GET", "/fapi/v1/depth", {"symbol": other, "limit": "5"}),
        ("POST", "/fapi/v1/order", order | {"side": "BUY"}),
        ("GET", "/fapi/v3/account", {}),
        ("GET", "/fapi/v3/positionRisk", {}),
        ("GET", "/fapi/v1/userTrades", {"symbol": symbol, "limit": "5"}),
        ("POST", "/fapi/v1/order", order | {"side": "SELL", "reduceOnly": "true"}),
        ("GET", "/fapi/v1/premiumIndex", {"symbol": symbol}),
    ]


def signed(parameters: dict[str, str]) -> str:
    """Encoded and signed as Binance wants it."""
    text = urlencode(parameters | {"timestamp": str(wall_clock_ms()), "recvWindow": "10000"})
    return f"{text}&signature={hmac.new(CREDENTIALS.secret.encode(), text.encode(), 'sha256').hexdigest()}"


def request(method: str, path: str, parameters: dict[str, str]) -> Request:
    """The mix's entry as the gateway takes it."""
    text = signed(parameters)
    body, query = (text, "") if method == "POST" else ("", text)
    return Request(method, path, query=query, body=body, headers={"x-mbx-apikey": CREDENTIALS.key})


@dataclass(frozen=True)
class Rate:
    """Requests per second of the clock, and per second of processor time: what an idle core would do."""

    per_sec: float
    per_cpu_sec: float


def rate(count: int, work: Callable[[], object]) -> Rate:
    """Both rates of `work`, which makes `count` requests."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    return Rate(count / (time.perf_counter() - started), count / (time.process_time() - cpu_started))


def tradable(exchange: SimulatedExchange) -> tuple[str, str, str]:
    """Two symbols, and an amount of the first worth about 100 USDT."""
    market = exchange.gateway.venue.market
    first, second = sorted(market.symbols)[:2]
    step = market.symbols[first].amount_step
    amount = Decimal(100) / market.price(first, wall_clock_ms()) // step * step
    return first, second, format(amount, "f")


def raw(rounds: int) -> Rate:
    """At the venue's door."""
    exchange = make_exchange()
    calls = mix(*tradable(exchange))

    def work() -> None:
        for _ in range(rounds):
            for call in calls:
                answer = exchange.handle(request(*call))
                assert answer.status == 200, answer.body

    return rate(rounds * len(calls), work)


def through_ccxt(count: int) -> Rate:
    """Unmodified ccxt in process: books and orders asked for in turn."""
    exchange = make_exchange()
    config = ccxt_settings(NO_PORT)
    config["options"] |= {"defaultType": "swap"}
    session = SyncSession(InProcessTransport(exchange))
    keys = {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}
    client = ccxt.binance({**config, **keys, "session": session})
    client.load_markets()
    first, _, amount = tradable(exchange)
    symbol = client.safe_symbol(first, None, None, "contract")
    order = client.create_order(symbol, "market", "buy", float(amount))

    def work() -> None:
        for _ in range(count // 2):
            client.fetch_order_book(symbol, 5)
            client.fetch_order(order["id"], symbol)

    return rate(count, work)


async def _load(port: int, calls: Sequence[tuple[str, str, dict[str, str]]], rounds: int) -> None:
    headers = {"X-MBX-APIKEY": CREDENTIALS.key}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=False, limit=CONNECTIONS), headers=headers
    ) as session:

        async def one() -> None:
            for _ in range(rounds):
                for method, path, parameters in calls:
                    url = f"https://127.0.0.1:{port}{path}"
                    text = signed(parameters)
                    sent = {"data": text} if method == "POST" else {"params": text}
                    async with session.request(method, url, **sent) as response:  # type: ignore[arg-type]
                        await response.read()
                        assert response.status == 200

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def over_https(rounds: int) -> Rate:
    """Real sockets and TLS, server and client in two processes' worth of threads of this one."""
    exchange = make_exchange()
    # Reads only: the connections would close each other's positions.
    calls = [call for call in mix(*tradable(exchange)) if call[0] == "GET"]
    with LoopbackServer(exchange) as server:
        return rate(rounds * len(calls) * CONNECTIONS, lambda: asyncio.run(_load(server.port, calls, rounds)))


def streaming() -> tuple[float, float]:
    """(share of one core the server needs, updates per second), with a client in another process."""
    coins = [symbol.removesuffix("USDT") for symbol in list(load_symbols())[:STREAMED_SYMBOLS]]
    prices = dict.fromkeys(coins, 1.5) | {coin: DEFAULT_START_PRICES[coin] for coin in DEFAULT_START_PRICES}
    market = synthetic_market(wall_clock_ms(), seed=1, compress=True, start_prices=prices).ticking(1)
    exchange = SimulatedExchange(Gateway(Venue(market, wall_clock_ms), CREDENTIALS))
    names = [f"{symbol.lower()}@bookTicker" for symbol in list(market.symbols)[:STREAMED_SYMBOLS]]
    with LoopbackServer(exchange) as server:
        command = [sys.executable, "-m", "benchmarks.bench_exchange", LISTEN, str(server.port), *names]
        listener = subprocess.Popen(command)
        while len(exchange.streams.report()) < 2 and listener.poll() is None:
            time.sleep(0.05)
        sent = sum(row["sent"] for row in exchange.streams.report())
        started, cpu_started = time.perf_counter(), time.process_time()
        time.sleep(STREAMED_SECS)
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        updates = sum(row["sent"] for row in exchange.streams.report()) - sent
        listener.terminate()
        listener.wait(10)
    return cpu / elapsed, updates / elapsed


async def _listen(port: str, names: Sequence[str]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        base = f"https://127.0.0.1:{port}"
        marks = await session.ws_connect(f"{base}/market/ws/!markPrice@arr@1s")
        books = await session.ws_connect(f"{base}/public/ws")
        await books.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})

        async def read(socket: aiohttp.ClientWebSocketResponse) -> None:
            async for _ in socket:
                pass

        await asyncio.gather(read(marks), read(books))


def start_up() -> tuple[float, float]:
    """From the command to the line that says it serves: seconds of the clock, and of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pairbot_ext.cli", "exchange", "--overlay-out", os.devnull],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    ready = any(line.startswith("Serving") for line in process.stderr)
    seconds = time.perf_counter() - started
    process.terminate()
    process.wait(10)
    if not ready:
        raise RuntimeError("the exchange did not start")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(argv: Sequence[str]) -> int:
    """Print the table; 1 where a target is missed."""
    if argv and argv[0] == LISTEN:
        asyncio.run(_listen(argv[1], argv[2:]))
        return 0
    rounds = int(argv[0]) if argv else ROUNDS
    rows = [
        ("in process, at the venue's door", raw(rounds), 1500),
        ("in process, through ccxt", through_ccxt(rounds * 8), 1500),
        (f"over HTTPS, {CONNECTIONS} connections", over_https(rounds // 4), 300),
    ]
    for name, found, target in rows:
        print(f"{name:34} {found.per_sec:7.0f}/s, {found.per_cpu_sec:7.0f} per CPU second (target {target})")
    share, updates = streaming()
    name = f"streams, {STREAMED_SYMBOLS} symbols"
    print(f"{name:34} {updates:7.0f}/s, {share * 100:7.1f} % of a core (target {MOST_SHARE * 100:.0f})")
    clock, processor = min(start_up() for _ in range(3))
    print(f"{'start-up of pairbot exchange':34} {clock:7.2f} s, {processor:7.2f} CPU seconds (target 1)")
    # Other work on the machine slows the clock's rate, not the processor's.
    fast = all(max(found.per_sec, found.per_cpu_sec) >= target for _, found, target in rows)
    return 0 if fast and share <= MOST_SHARE and min(clock, processor) < 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
