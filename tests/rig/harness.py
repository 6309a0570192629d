"""A real FreqtradeBot in front of the simulated venue, driven through `process()` on a virtual clock.

A scenario is a few lines: make a `Rig`, add faults, say which pair wants what, drive, look at the venue's
truth, Freqtrade's trades and the journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from freqtrade.configuration import Configuration
from freqtrade.exceptions import TemporaryError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from scenario import (
    FOUR,
    HERE,
    PRICES,
    REPO_ROOT,
    START,
    Script,
    ShortHistory,
    VirtualLanes,
    VirtualTime,
    unified,
)
from sqlalchemy import select
from sqlalchemy.orm import Session
from verdict import Executed, Mark, assert_flat, assert_whole_or_flat, dry_fill, positions_of, venue_fills
from virtual_feed import STREAM_ADDRESSES, VirtualFeed

from pairbot_ext.journal.journal import pair_trade_of
from pairbot_ext.journal.tables import EventRow, OrderRow, PairTradeRow
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.model.thresholds import SHORT_SPREAD
from pairbot_ext.orders.dryport import DryFault, DryPort
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport, SyncSession
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.venue.actions import apply
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.sim.venue.venue import Venue

HEARS = os.environ.get("PAIRBOT_TEST_STREAMS") == "1"
"""Rigs under a virtual clock hear the venue, unless their case says otherwise."""
WORKER_SLEEPS_SECS = 30
"""freqtrade.constants.RETRY_TIMEOUT."""


class Rig:
    """Venue, bot and script together. Use `rig()`, which also moves the clocks."""

    latest: ClassVar[Rig | None] = None
    """The rig whose bot was started last: Freqtrade's database session is global and belongs to it."""

    def __init__(
        self, directory: Path, clock: VirtualTime, *, dry_run: bool, symbols: tuple[str, ...], **config: Any
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.dry_run = dry_run
        self.symbols = symbols
        self.market = config.pop("market", None) or ShortHistory(
            {name: Decimal(PRICES[name]) for name in symbols}
        )
        self.venue = Venue(self.market, clock.now_ms, VenueOptions())
        self.gateway = Gateway(self.venue, CREDENTIALS, limits=RateLimits(enforced=True))
        self.transport = InProcessTransport(SimulatedExchange(self.gateway), clock.advance)
        self.script = Script(self.market, clock)
        self.strategy_path = config.pop("strategy_path", str(HERE / "strategies"))
        self.has_throttle = config.pop("has_throttle", False)
        self.extra = config
        self.bot: FreqtradeBot
        self.told: list[str] = []
        self.mark = Mark()
        self._dry_executed: list[Executed] = []
        self.start()

    # -- the bot -----------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, as far as the bot can tell: new bot, same database, same venue."""
        with self._ears():
            self._start()

    def _start(self) -> None:
        self.bot = FreqtradeBot(self._config())
        Rig.latest = self
        self._put_lanes_on_the_clock()
        # Freqtrade's workers listen here; a message is what a person gets to read.
        self.bot.rpc.registered_modules.append(_Listener(self.told))
        if self.dry_run:
            self._record_dry_orders()
        self.bot.startup()

    def _ears(self) -> AbstractContextManager[Any]:
        """Threads and sockets have no place under a virtual clock: what is heard is played there too."""
        if not isinstance(self.clock, VirtualTime):
            return nullcontext()
        feed = partial(VirtualFeed, self.transport._handler, self.clock, SyncSession(self.transport))
        return patch("pairbot_ext.desk.hearing.Feed", feed)

    def _put_lanes_on_the_clock(self) -> None:
        """Threads have no place under a virtual clock: what leaves together is played from one instant."""
        if isinstance(self.clock, VirtualTime) and not self.dry_run and (desk := self._desk_or_none()):
            lanes = desk.port._lanes
            desk.port._lanes = VirtualLanes(self.clock, lanes._open_client(), lanes._refresh)

    def _desk_or_none(self) -> Any:
        strategy: Any = self.bot.strategy
        return getattr(strategy, "desk", None) or getattr(getattr(strategy, "pairs", None), "desk", None)

    def _record_dry_orders(self) -> None:
        """The dry-run port's executions are the truth of a dry run, also past a restart."""
        port = self.desk.port
        keep = port._keep

        def record(order: dict[str, Any]) -> None:
            fill = dry_fill(order)
            if fill is not None:
                self._dry_executed.append(fill)
            keep(order)

        port._keep = record

    def kill(self) -> None:
        """kill -9: nothing of the process survives but its files."""
        Trade.session.remove()
        # The kernel takes files, locks and connections from a dead process.
        desk = self._desk_or_none()
        if desk is not None:
            desk.journal._release()
            desk.hearing.stop()
        self.bot.exchange._api_async.session = None

    def restart(self) -> None:
        """kill -9, then a fresh start."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Ctrl+C."""
        self.bot.cleanup()

    def _config(self) -> dict[str, Any]:
        path = self.directory / "config.json"
        base = json.loads((REPO_ROOT / "config.json").read_text())
        base |= {
            "strategy": "DeskStrategy",
            "strategy_path": self.strategy_path,
            "user_data_dir": str(self.directory / "user_data"),
            "db_url": f"sqlite:///{self.directory / 'trades.sqlite'}",
            "dry_run": self.dry_run,
            "stake_amount": 100,
            "max_open_trades": 10,
            "pairlists": [{"method": "StaticPairList"}],
            "force_entry_enable": True,
            **self.extra,
        }
        if "pairbot" not in self.extra:
            base.pop("pairbot", None)
        if HEARS and isinstance(self.clock, VirtualTime):
            base["pairbot"] = {"streams": True, **base.get("pairbot", {})}
        base.pop("$schema", None)
        path.write_text(json.dumps(base))
        args = {"config": [str(path)], "verbosity": 0}
        config: dict[str, Any] = Configuration(args, None).get_config()
        overlay = self.transport.overlay()["exchange"]
        config["exchange"] |= overlay
        if isinstance(self.clock, VirtualTime):
            # Nothing is connected to them; see virtual_feed.
            overlay["ccxt_async_config"]["urls"] = STREAM_ADDRESSES
        config["exchange"]["ccxt_config"] = {**overlay["ccxt_config"], "enableRateLimit": self.has_throttle}
        config["exchange"]["ccxt_sync_config"] = {
            **overlay["ccxt_sync_config"],
            "enableRateLimit": self.has_throttle,
        }
        config["exchange"]["pair_whitelist"] = [unified(name) for name in self.symbols]
        config["desk_script"] = self.script
        return config

    @property
    def desk(self) -> Any:
        """The strategy's desk: of the test's strategy, or of PairsArb."""
        strategy: Any = self.bot.strategy
        return strategy.desk if hasattr(strategy, "desk") else strategy.pairs.desk

    # -- driving -----------------------------------------------------------------------------------

    def loop(self, times: int = 1, *, pause_secs: float = 5.0) -> None:
        """So many iterations of the bot."""
        for _ in range(times):
            self._pause(pause_secs)
            self.bot.process()

    def _pause(self, secs: float) -> None:
        """As Freqtrade's worker pauses under `host.wake`: what is urgent is done in the middle of it."""
        desk = self._desk_or_none()
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
        would stop the bot or end the process, and fails the case."""
        try:
            self.loop(pause_secs=pause_secs)
        except TemporaryError:
            self.clock.sleep(WORKER_SLEEPS_SECS)

    def want(self, pair_id: str = "ADA-ALGO", direction: int = SHORT_SPREAD) -> None:
        """This pair's entry signal is up."""
        self.script.wishes[pair_id] = direction

    def open(self, *pair_ids: str, direction: int = SHORT_SPREAD) -> None:
        """Open pairs: signal up, one loop, signal down."""
        for pair_id in pair_ids or ("ADA-ALGO",):
            self.want(pair_id, direction)
        self.loop()
        self.script.wishes.clear()

    def close(self, *pair_ids: str, reason: str = "pair_reverted") -> None:
        """The model wants these pairs closed: one loop."""
        for pair_id in pair_ids or ("ADA-ALGO",):
            self.script.exits[pair_id] = reason
        self.loop()

    def next_candle(self) -> None:
        """Shortly after the next full hour."""
        now = self.clock.now_ms()
        self.clock.advance(3_600_000 - now % 3_600_000 + 5_000)

    def fault(self, **rule: Any) -> None:
        """Add a fault rule at the venue. One that cannot be asked about orders does not tell of them either,
        or nothing would stay unknown."""
        self.gateway.faults.add(FaultRule.model_validate(rule))
        if rule.get("when", {}).get("call") == "GET /fapi/v1/order":
            self.deafen("ORDER_TRADE_UPDATE")

    def deafen(self, *events: str) -> None:
        """From now on these events of the account are lost. Says nothing to a bot that does not listen."""
        for event in events:
            rule = {"fault": "lost", "when": {"event": event, "times": None}}
            self.gateway.stream_faults.add(StreamRule.model_validate(rule))

    def dry_fault(self, leg: str, role: str, fault: DryFault, times: int = 1) -> None:
        """Bend the next orders of a leg and role in the dry-run port."""
        port = self.desk.port
        assert isinstance(port, DryPort)
        left = [times]
        before = port.interfere

        def interfere(order: OrderRecord) -> DryFault | None:
            client_id = ClientOrderId.parse(order.client_id)
            if client_id and (client_id.leg, client_id.role) == (leg, role) and left[0]:
                left[0] -= 1
                return fault
            return before(order) if before else None

        port.interfere = interfere

    def act(self, action: Any) -> None:
        """Somebody else does something on the venue."""
        self.gateway.locked(lambda: apply(action, self.venue))

    # -- looking -----------------------------------------------------------------------------------

    def held(self, symbol: str) -> Decimal:
        """The venue's truth, signed."""
        return self.venue.account.position(symbol).amount

    def executed(self) -> list[Executed]:
        """Everything that was executed: by the venue, or in dry-run by its port."""
        return self._dry_executed if self.dry_run else venue_fills(self)

    def positions(self) -> dict[str, Decimal]:
        """Everything the venue holds, signed."""
        if self.dry_run:
            return positions_of(self._dry_executed)
        return {name: self.held(name) for name in self.symbols if self.held(name)}

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
            for record in self.gateway.log.calls("POST /fapi/v1/order")
            if symbol in (None, record.params.get("symbol"))
        ]

    # -- judging -----------------------------------------------------------------------------------

    def set_mark(self) -> None:
        """A new case begins here: `check_rest` judges what comes after."""
        log = self.gateway.log.requests
        self.mark = Mark(
            executed=len(self.executed()),
            request=log[-1].number if log else 0,
            pair_trades=frozenset(row.id for row in self.pair_trades()),
        )

    def check_rest(self, **exceptions: Any) -> None:
        """See `verdict.assert_whole_or_flat`."""
        assert_whole_or_flat(self, **exceptions)

    def check_flat(self) -> None:
        """Nothing is left anywhere."""
        assert_flat(self)


class _Listener:
    """What Telegram would show."""

    name = "listener"

    def __init__(self, told: list[str]) -> None:
        self._told = told
        self._config = {"listener": {"allow_custom_messages": True}}

    def send_msg(self, message: dict[str, Any]) -> None:
        text = message.get("status") or message.get("msg")
        if text:
            # Markdown's marks around a whole text are not shown.
            self._told.append(text.strip("`"))

    def cleanup(self) -> None:
        """Nothing to release."""


@contextmanager
def rig(
    directory: Path,
    *,
    dry_run: bool = False,
    symbols: tuple[str, ...] = FOUR,
    start: datetime = START,
    **config: Any,
) -> Iterator[Rig]:
    """A rig under a virtual clock. `config` overrides top-level keys of Freqtrade's configuration.

    :param config: with `market` another market than fixed prices, built for the time of `start`.
    """
    clock = VirtualTime(start)
    with clock.running():
        (directory / "user_data").mkdir(parents=True, exist_ok=True)
        made = Rig(directory, clock, dry_run=dry_run, symbols=symbols, **config)
        try:
            yield made
        finally:
            made.kill()


def ccxt_client(made: Rig) -> Any:
    """An unguarded, unmodified ccxt client on the rig's venue: another program with the same keys."""
    import ccxt

    from pairbot_ext.sim.inprocess import NO_PORT, SyncSession
    from pairbot_ext.sim.overlay import ccxt_settings

    config = ccxt_settings(NO_PORT, timeout_ms=2_000)
    config["options"] |= {"defaultType": "swap"}
    keys = {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}
    client = ccxt.binance({**config, **keys, "session": SyncSession(made.transport)})
    client.load_markets()
    return client
