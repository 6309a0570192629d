"""A real FreqtradeBot in front of the simulated venue, in one process and without sockets.

Give it a market and a configuration, make things happen (`fault`, `act`, the market's prices), let it run
(`loop`, `work`), look at what the venue, Freqtrade and the journal hold. Under `VirtualTime` nothing waits:
round trips, timeouts and pauses pass in no real time.
"""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from freqtrade.configuration import Configuration
from freqtrade.exceptions import TemporaryError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.misc import deep_merge_dicts
from freqtrade.persistence import Trade
from sqlalchemy import select
from sqlalchemy.orm import Session

from pairbot_ext.desk.hearing import Hearing
from pairbot_ext.host.access import forget_connections
from pairbot_ext.journal.journal import pair_trade_of
from pairbot_ext.journal.tables import EventRow, OrderRow, PairTradeRow
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.rehearse.books import Executed, Mark, venue_fills
from pairbot_ext.rehearse.clock import VirtualLanes, VirtualTime
from pairbot_ext.rehearse.ears import STREAM_ADDRESSES, VirtualFeed
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport, SyncSession
from pairbot_ext.sim.launch import CREDENTIALS as CREDENTIALS
from pairbot_ext.sim.market.base import Market
from pairbot_ext.sim.rest.calls import ORDER, ORDER_QUERY
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.venue.actions import Action, apply
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.voice.eventlog import CLOSE_SECS
from pairbot_ext.voice.eventlog import THREAD_NAME as EVENT_LOG_THREAD

WORKER_SLEEPS_SECS = 30
"""freqtrade.constants.RETRY_TIMEOUT."""


@dataclass(frozen=True)
class Message:
    """What a person got to read, and when. `at_ms` is epoch ms."""

    at_ms: int
    text: str


class Machine:
    """Venue and bot together; `start` makes the bot. Subclasses say with which configuration.

    :param directory: of the bot's files: configuration, database, user data.
    :param clock: `VirtualTime`, or whatever has its `advance`, `sleep` and `now_ms`.
    :param options: of the venue: balance, fees, matching.
    :param venue: one that has been before, instead of a new one; its market and clock are these.
    """

    dry_run = False

    def __init__(
        self,
        directory: Path,
        clock: Any,
        market: Market,
        *,
        options: VenueOptions | None = None,
        round_trip_ms: int = 0,
        venue: Venue | None = None,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.market: Any = market
        self.venue = venue or Venue(market, clock.now_ms, options or VenueOptions())
        self.gateway = Gateway(
            self.venue, CREDENTIALS, limits=RateLimits(enforced=True), round_trip_ms=round_trip_ms
        )
        self.exchange = SimulatedExchange(self.gateway)
        self.transport = InProcessTransport(self.exchange, clock.advance)
        self.bot: FreqtradeBot
        self.told: list[str] = []
        self.messages: list[Message] = []
        self.mark = Mark()

    # -- the bot -----------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, as far as the bot can tell: new bot, same database, same venue."""
        with self._ears():
            self.bot = FreqtradeBot(self.configuration())
            self._put_lanes_on_the_clock()
            # Freqtrade's workers listen here; a message is what a person gets to read.
            self.bot.rpc.registered_modules.append(_Listener(self.hear))
            self.made()
            self.bot.startup()

    def made(self) -> None:
        """The bot is there and has not begun."""

    def hear(self, text: str) -> None:
        """A message goes out."""
        self.told.append(text)
        self.messages.append(Message(self.clock.now_ms(), text))

    @contextmanager
    def _ears(self) -> Iterator[None]:
        """Threads and sockets have no place under a virtual clock: what is heard is played there too."""
        before = Hearing.open_feed
        if isinstance(self.clock, VirtualTime):
            Hearing.open_feed = partial(VirtualFeed, self.exchange, self.clock, SyncSession(self.transport))
        try:
            yield
        finally:
            Hearing.open_feed = before

    def _put_lanes_on_the_clock(self) -> None:
        """Threads have no place under a virtual clock: what leaves together is played from one instant."""
        if isinstance(self.clock, VirtualTime) and not self.dry_run and (desk := self.desk_or_none()):
            desk.port.lanes = VirtualLanes(self.clock, desk.port.lanes)

    def desk_or_none(self) -> Any:
        """The strategy's desk: of a strategy of its own, or of PairsArb. None where it has none."""
        strategy: Any = self.bot.strategy
        return getattr(strategy, "desk", None) or getattr(getattr(strategy, "pairs", None), "desk", None)

    @property
    def desk(self) -> Any:
        """The strategy's desk."""
        desk = self.desk_or_none()
        if desk is None:
            raise AttributeError("the strategy has no desk")
        return desk

    def kill(self) -> None:
        """kill -9: nothing of the process survives but its files."""
        # Its event log's thread would write on, into the folder that the next process finds.
        for thread in threading.enumerate():
            if thread.name == EVENT_LOG_THREAD:
                thread.join(CLOSE_SECS)
        if not hasattr(self, "bot"):
            # It has died while it was made: what it holds open goes with it.
            gc.collect()
            return
        Trade.session.remove()
        # The kernel takes files, locks and connections from a dead process.
        desk = self.desk_or_none()
        if desk is not None:
            desk.journal.release()
            desk.hearing.stop()
        forget_connections(self.bot.exchange)

    def restart(self) -> None:
        """kill -9, then a fresh start."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Ctrl+C."""
        self.bot.cleanup()

    def raw_configuration(self) -> dict[str, Any]:
        """Freqtrade's configuration as a file would hold it."""
        raise NotImplementedError

    def configuration(self) -> dict[str, Any]:
        """Freqtrade's own reading of it, its exchange the simulated one in this process."""
        path = self.directory / "config.json"
        path.write_text(json.dumps(self.raw_configuration()))
        config: dict[str, Any] = Configuration({"config": [str(path)], "verbosity": 0}, None).get_config()
        overlay = self.transport.overlay()["exchange"]
        if isinstance(self.clock, VirtualTime):
            # Nothing is connected to them; see `ears`.
            overlay["ccxt_async_config"]["urls"] = STREAM_ADDRESSES
        overlay["ccxt_config"] = {**overlay["ccxt_config"], "enableRateLimit": False}
        # Candles are asked for: Freqtrade's own streams live in a thread, and on a socket.
        overlay["enable_ws"] = False
        deep_merge_dicts(overlay, config["exchange"])
        return config

    # -- driving -----------------------------------------------------------------------------------

    def loop(self, times: int = 1, *, pause_secs: float = 5.0) -> None:
        """So many iterations of the bot."""
        for _ in range(times):
            self.pause_for(pause_secs)
            self.bot.process()

    def pause_for(self, secs: float) -> None:
        """As Freqtrade's worker pauses under `host.wake`: what is urgent is done in the middle of it."""
        desk = self.desk_or_none()
        if desk is None or not desk.hearing.is_on:
            self.clock.sleep(secs)
            return
        bell, end_ms = desk.hearing.board.bell, self.clock.now_ms() + round(secs * 1000)
        while (left_ms := end_ms - self.clock.now_ms()) > 0:
            self.clock.sleep(min(left_ms, 500) / 1000)
            if bell.is_set():
                bell.clear()
                desk.hearing.work()

    def work(self, *, pause_secs: float = 5.0) -> None:
        """One iteration as Freqtrade's worker makes it: a TemporaryError is slept on. Whatever else escapes
        would stop the bot or end the process, and is raised."""
        try:
            self.loop(pause_secs=pause_secs)
        except TemporaryError:
            self.clock.sleep(WORKER_SLEEPS_SECS)

    def next_candle(self) -> None:
        """Shortly after the next full hour."""
        now = self.clock.now_ms()
        self.clock.advance(3_600_000 - now % 3_600_000 + 5_000)

    def fault(self, **rule: Any) -> None:
        """Add a fault rule at the venue. One that cannot be asked about orders does not tell of them either,
        or nothing would stay unknown."""
        self.gateway.faults.add(FaultRule.model_validate(rule))
        if rule.get("when", {}).get("call") == ORDER_QUERY:
            self.deafen("ORDER_TRADE_UPDATE")

    def deafen(self, *events: str) -> None:
        """From now on these events of the account are lost. Says nothing to a bot that does not listen."""
        for event in events:
            rule = {"fault": "lost", "when": {"event": event, "times": None}}
            self.gateway.stream_faults.add(StreamRule.model_validate(rule))

    def act(self, action: Action) -> None:
        """Somebody else does something on the venue."""
        self.gateway.locked(lambda: apply(action, self.venue))

    # -- looking -----------------------------------------------------------------------------------

    def held(self, symbol: str) -> Decimal:
        """The venue's truth, signed."""
        return self.venue.account.position(symbol).amount

    def executed(self) -> list[Executed]:
        """Everything the venue has executed."""
        return venue_fills(self.venue)

    def positions(self) -> dict[str, Decimal]:
        """Everything the venue holds, signed."""
        return {name: self.held(name) for name in self.market.symbols if self.held(name)}

    def trades(self) -> dict[str, float]:
        """Freqtrade's open trades, signed amounts by Binance id."""
        return {
            trade.pair.replace("/USDT:USDT", "USDT"): float(trade.amount) * (-1 if trade.is_short else 1)
            for trade in Trade.get_open_trades()
        }

    def trade_ids(self) -> list[int]:
        """Freqtrade's numbers of the open trades, oldest first."""
        return [trade.id for trade in Trade.get_open_trades()]

    def stored_pair_trade(self, pair_trade_id: str) -> PairTrade:
        """One pair trade from the database: the journal forgets finished ones."""
        return next(pair_trade_of(row) for row in self.rows(PairTradeRow) if row.id == pair_trade_id)

    def rows(self, table: Any) -> list[Any]:
        """A journal table, read from the database."""
        with Session(Trade.session.get_bind()) as session:
            return list(session.scalars(select(table)).all())

    def pair_trades(self) -> list[PairTradeRow]:
        """Pair trades in the order they were planned."""
        return sorted(self.rows(PairTradeRow), key=lambda row: row.created_ms)

    def orders(self) -> list[OrderRow]:
        """Journal orders."""
        return sorted(self.rows(OrderRow), key=lambda row: (row.intent_ms, row.client_id))

    def events(self) -> list[EventRow]:
        """Journal events in order."""
        return sorted(self.rows(EventRow), key=lambda row: row.id)

    def states(self) -> list[str]:
        """State of each pair trade."""
        return [row.state for row in self.pair_trades()]

    def entry_fills(self) -> dict[str, Decimal]:
        """Amount entered per symbol by orders of role e or t, from the venue's own fills."""
        entered: dict[str, Decimal] = {}
        for fill in self.venue.engine.fills:
            parsed = ClientOrderId.parse(fill.client_order_id)
            if parsed is not None and parsed.role.increases:
                entered[fill.symbol] = entered.get(fill.symbol, Decimal(0)) + fill.amount
        return entered

    def posts(self, symbol: str | None = None) -> list[Any]:
        """Order requests that reached the venue."""
        return [
            record
            for record in self.gateway.log.calls(ORDER)
            if symbol in (None, record.params.get("symbol"))
        ]

    def set_mark(self) -> None:
        """A new case begins here: `verdict.judge` judges what comes after."""
        log = self.gateway.log.requests
        self.mark = Mark(
            executed=len(self.executed()),
            request=log[-1].number if log else 0,
            pair_trades=frozenset(row.id for row in self.pair_trades()),
        )


class _Listener:
    """What Telegram would show."""

    name = "listener"

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._config = {"listener": {"allow_custom_messages": True}}

    def send_msg(self, message: dict[str, Any]) -> None:
        """See Freqtrade's RPCHandler."""
        text = message.get("status") or message.get("msg")
        if text:
            # Markdown's marks around a whole text are not shown.
            self._hear(text.strip("`"))

    def cleanup(self) -> None:
        """Nothing to release."""
