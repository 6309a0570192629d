"""A real bot that hears the simulated exchange over real sockets, on the real clock.

Requests go in-process as everywhere else; the streams, and what ccxt's pro client asks, go over loopback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from freqtrade.persistence import PairLocks, Trade
from freqtrade.worker import Worker
from harness import Rig
from scenario import PRICES, unified

from pairbot_ext.model.heard import Topic
from pairbot_ext.sim.overlay import ccxt_settings
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.stream_faults import StreamRule

TWO = ("ADAUSDT", "ALGOUSDT")
BOUND_SECS = 60.0
"""Long past any busy machine: what never happens is found, how fast it happens is not judged here."""


class RealTime:
    """The machine's clock."""

    def advance(self, ms: int) -> None:
        """Let `ms` pass."""
        if ms > 0:
            time.sleep(ms / 1000)

    def sleep(self, secs: float) -> None:
        """Wait."""
        time.sleep(secs)

    def now_ms(self) -> int:
        """Epoch ms."""
        return time.time_ns() // 1_000_000


def until(condition: Callable[[], Any], bound_secs: float = BOUND_SECS, what: str = "") -> Any:
    """Wait for something that will be so; its value."""
    end = time.monotonic() + bound_secs
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {bound_secs:g} s: {what or condition}"
        time.sleep(0.005)
    return value


class HeardRig(Rig):
    """See the module."""

    server: LoopbackServer | None = None

    def start(self) -> None:
        """See Rig."""
        self.transport._handler.tick()
        if self.server is None:
            self.server = LoopbackServer(self.transport._handler)
            self.server.start()
        super().start()

    def configuration(self) -> dict[str, Any]:
        config = super().configuration()
        settings = ccxt_settings(self.server.port)
        # The bot's own requests stay in-process; what hears has a session of its own.
        asynchronous = config["exchange"]["ccxt_async_config"]
        config["exchange"]["ccxt_async_config"] = {**asynchronous, "urls": settings["urls"]}
        return config

    @property
    def hearing(self) -> Any:
        """What the desk does with what it hears."""
        return self.desk.hearing

    def until_heard(self) -> None:
        """Every stream is live."""
        board, topics = self.hearing.board, [Topic.BOOKS, Topic.MARKS]
        topics += [] if self.dry_run else [Topic.ACCOUNT]
        until(lambda: all(board.is_fresh(topic) for topic in topics), what="streams")

    def move(self, name: str, price: str | Decimal) -> None:
        """A price jumps; whoever hears is told."""
        self.market.prices[name] = Decimal(price)
        self.transport._handler.tick()

    def _hears(self, name: str, price: float) -> bool:
        best = self.hearing.board.best(unified(name))
        return best is None or abs(best.bid - price) < 0.00015

    def bend(self, fault: str, *, when: dict[str, Any] | None = None, **rule: Any) -> None:
        """Add a stream fault."""
        self.gateway.stream_faults.add(
            StreamRule.model_validate({"fault": fault, "when": when or {}, **rule})
        )

    def bridge_rate(self, symbol: str) -> float | None:
        """The price Freqtrade was given last."""
        rate: float | None = self.desk.bridge.last_rate(symbol)
        return rate

    def sleeper(self) -> Worker:
        """A worker above the bot, as Freqtrade's own: its `_sleep` is the bot's when it has run a loop."""
        worker = Worker.__new__(Worker)
        worker.freqtrade = self.bot
        return worker

    def close_down(self) -> None:
        """Everything of it."""
        if hasattr(self, "bot"):
            self.desk.hearing.stop()
            self.kill()
        if self.server is not None:
            self.server.stop()

    def pause(self, worker: Worker, condition: Callable[[], Any], bound_secs: float = BOUND_SECS) -> None:
        """The worker's pause goes on until something is so: no loop runs meanwhile."""
        end = time.monotonic() + bound_secs
        while not condition():
            assert time.monotonic() < end, f"not within a pause of {bound_secs:g} s"
            worker._sleep(0.05)

    def reset(self) -> None:
        """What a case has done is over."""
        self.gateway.stream_faults.clear()
        self.gateway.faults.clear()
        self.script.reset()
        self.desk.registry._pairs.clear()
        self.told.clear()
        for name in self.symbols:
            self.move(name, PRICES[name])
            until(lambda name=name: self._hears(name, float(PRICES[name])), what=f"{name} back")
        # Cases follow each other faster than candles do, and faster than Freqtrade tells a symbol's orders of
        # one trade from those of the next.
        self.gateway.locked(self.venue.engine.orders.clear)
        for trade in Trade.get_trades([Trade.is_open.is_(False)]).all():
            trade.close_date -= timedelta(days=1)
        Trade.commit()
        for symbol in self.symbols:
            for side in ("long", "short", "*"):
                PairLocks.unlock_pair(unified(symbol), side=side)
        self.desk.limiter.after({"X-MBX-USED-WEIGHT-1M": "0"})
        self.gateway.limits = RateLimits(enforced=False)
        self.desk.risk.resume("the next case")


@contextmanager
def heard_rig(
    directory: Path, *, dry_run: bool = False, symbols: tuple[str, ...] = TWO, **config: Any
) -> Iterator[HeardRig]:
    """A bot with streams on, unless `pairbot` says otherwise."""
    (directory / "user_data").mkdir(parents=True, exist_ok=True)
    pairbot = {"streams": True, **config.pop("pairbot", {})}
    made = HeardRig(directory, RealTime(), dry_run=dry_run, symbols=symbols, pairbot=pairbot, **config)
    made.gateway.limits = RateLimits(enforced=False)
    try:
        yield made
    finally:
        made.close_down()
