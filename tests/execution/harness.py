"""A real FreqtradeBot in front of the simulated venue, driven through `process()` on a virtual clock.

A scenario is a few lines: make a `Rig`, add faults, say which pair wants what, drive, look at the venue's
truth, Freqtrade's trades and the journal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import time_machine
from freqtrade.configuration import Configuration
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from sqlalchemy import select
from sqlalchemy.orm import Session

from pairbot_ext.execution.dryport import DryFault, DryPort
from pairbot_ext.execution.plan import EntryModel, EntryPlan
from pairbot_ext.execution.records import OrderRecord
from pairbot_ext.execution.states import ClientOrderId
from pairbot_ext.execution.tables import EventRow, OrderRow, PairTradeRow
from pairbot_ext.signals import LONG_SPREAD, SHORT_SPREAD, Thresholds
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.venue.actions import apply
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.sizing import Leg, hedge_error

HERE = Path(__file__).resolve().parent
REPO_ROOT = HERE.parents[1]
START = datetime(2026, 2, 2, 1, 0, 5, tzinfo=UTC)
PRICES = {
    "ADAUSDT": "0.7320", "ALGOUSDT": "0.2110", "XRPUSDT": "2.1000", "DOGEUSDT": "0.20000",
    "LINKUSDT": "15.000", "AVAXUSDT": "22.000", "DOTUSDT": "4.000", "LTCUSDT": "90.00",
}  # fmt: skip
PAIRS = {
    "ADA-ALGO": ("ADAUSDT", "ALGOUSDT", 1.2),
    "XRP-DOGE": ("XRPUSDT", "DOGEUSDT", 0.8),
    "LINK-AVAX": ("LINKUSDT", "AVAXUSDT", 1.0),
    "DOT-LTC": ("DOTUSDT", "LTCUSDT", 0.9),
    "ADA-XRP": ("ADAUSDT", "XRPUSDT", 1.0),
}
SIGMA = 0.02
THRESHOLDS = Thresholds(entry=2.0, exit=0.3, stop=4.0, max_half_lives=4.0)


FOUR = ("ADAUSDT", "ALGOUSDT", "XRPUSDT", "DOGEUSDT")


class ShortHistory(FixedMarket):
    """Answers with few candles: the script gives the signals, and candles are most of a loop's work."""

    def klines(self, symbol: str, interval: str, start_ms: Any, end_ms: Any, limit: int, now_ms: int,
               *, mark: bool) -> Any:  # fmt: skip
        """At most 12 candles."""
        return super().klines(symbol, interval, start_ms, end_ms, min(limit, 12), now_ms, mark=mark)


def unified(symbol: str) -> str:
    """ADAUSDT -> ADA/USDT:USDT."""
    return f"{symbol.removesuffix('USDT')}/USDT:USDT"


class VirtualTime:
    """Time that passes only when somebody waits for it."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def advance(self, ms: int) -> None:
        """Let `ms` pass."""
        self._traveller.shift(ms / 1000)

    def sleep(self, secs: float) -> None:
        """In place of time.sleep."""
        self.advance(round(secs * 1000))

    def now_ms(self) -> int:
        """Epoch ms."""
        return int(time.time() * 1000)


@dataclass
class Script:
    """The signals of a test: who wants what now. Implements desk.Signals."""

    market: FixedMarket
    clock: VirtualTime
    seed: int = 7
    leverage: int = 2
    wishes: dict[str, int] = field(default_factory=dict)
    exits: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    last_words: list[str] = field(default_factory=list)
    z: float = 2.5

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def __deepcopy__(self, memo: dict[int, Any]) -> Script:
        return self

    def call(self, name: str) -> None:
        """Every callback passes here: an injected exception is raised once."""
        if name in self.broken:
            self.broken.discard(name)
            raise RuntimeError(f"injected into {name}")

    def wish(self, symbol: str) -> tuple[str, str] | None:
        """Leg A's entry column."""
        for pair_id, direction in self.wishes.items():
            if unified(PAIRS[pair_id][0]) == symbol:
                return ("long" if direction == LONG_SPREAD else "short"), pair_id
        return None

    def plain_wish(self, symbol: str) -> str | None:
        """Either leg's side, for a strategy without an engine."""
        for pair_id, direction in self.wishes.items():
            leg_a, leg_b, _ = PAIRS[pair_id]
            if symbol in (unified(leg_a), unified(leg_b)):
                return "long" if (direction == LONG_SPREAD) == (symbol == unified(leg_a)) else "short"
        return None

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """See desk.Signals."""
        if pair_id not in self.wishes:
            return None
        direction = self.wishes[pair_id]
        leg_a, leg_b, beta = PAIRS[pair_id]
        z = -direction * self.z
        alpha = log(self.market.prices[leg_a]) - beta * log(self.market.prices[leg_b]) - z * SIGMA
        return EntryPlan(
            pair_id=pair_id,
            leg_a=unified(leg_a),
            leg_b=unified(leg_b),
            direction=direction,
            model=EntryModel(alpha=alpha, beta=beta, mu=0.0, sigma=SIGMA, half_life_candles=20.0),
            thresholds=THRESHOLDS,
            candle=now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1),
            z=z,
        )

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """See desk.Signals."""
        return self.exits.get(plan.pair_id)

    def has_recovered(self, pair_id: str, stopped_at: datetime, candle: datetime) -> bool:
        """See desk.Signals."""
        return True


class Rig:
    """Venue, bot and script together. Use `rig()`, which also moves the clocks."""

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
        self.start()

    # -- the bot -----------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, as far as the bot can tell: new bot, same database, same venue."""
        self.bot = FreqtradeBot(self._config())
        # Freqtrade's workers listen here; a message is what a person gets to read.
        self.bot.rpc.registered_modules.append(_Listener(self.told))
        self.bot.startup()

    def kill(self) -> None:
        """kill -9: nothing of the process survives but its files."""
        Trade.session.remove()
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
        base.pop("$schema", None)
        path.write_text(json.dumps(base))
        args = {"config": [str(path)], "verbosity": 0}
        config: dict[str, Any] = Configuration(args, None).get_config()
        overlay = self.transport.overlay()["exchange"]
        config["exchange"] |= overlay
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
            self.clock.sleep(pause_secs)
            self.bot.process()

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
        """Add a fault rule at the venue."""
        self.gateway.faults.add(FaultRule.model_validate(rule))

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

    def positions(self) -> dict[str, Decimal]:
        """Everything the venue holds, signed."""
        return {name: self.held(name) for name in self.symbols if self.held(name)}

    def trades(self) -> dict[str, float]:
        """Freqtrade's open trades, signed amounts by Binance id."""
        return {
            trade.pair.replace("/USDT:USDT", "USDT"): float(trade.amount) * (-1 if trade.is_short else 1)
            for trade in Trade.get_open_trades()
        }

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

    def check_rest(self) -> None:
        """I2, I7, I9: at rest the pair is whole or flat, and venue, Freqtrade and journal agree."""
        held = self._journal_positions()
        trades = {name: Decimal(str(amount)) for name, amount in self.trades().items()}
        assert trades == held, f"Freqtrade {trades}, journal {held}"
        if not self.dry_run:
            assert self.positions() == held, f"venue {self.positions()}, journal {held}"
        for trade in self.desk.journal.open_pair_trades():
            facts = self.desk.coordinator.facts_of(trade)
            error = hedge_error(trade.plan.model.beta, facts.leg_a.notional, facts.leg_b.notional)
            assert error <= 0.02, f"{trade.plan.pair_id} hedge error {error:.2%} in state {trade.state}"

    def _journal_positions(self) -> dict[str, Decimal]:
        held: dict[str, Decimal] = {}
        for trade in self.desk.journal.open_pair_trades():
            facts = self.desk.coordinator.facts_of(trade)
            for leg in Leg:
                amount = facts[leg].held * (1 if trade.plan.side(leg) == "long" else -1)
                if amount:
                    held[trade.plan.symbol(leg).replace("/USDT:USDT", "USDT")] = amount
        return held

    def check_flat(self) -> None:
        """Nothing is left anywhere."""
        self.check_rest()
        assert not self.positions()
        assert not self.trades()
        assert all(state in ("CLOSED", "ABORTED") for state in self.states()), self.states()


class _Listener:
    """What Telegram would show."""

    name = "listener"

    def __init__(self, told: list[str]) -> None:
        self._told = told
        self._config: dict[str, Any] = {}

    def send_msg(self, message: dict[str, Any]) -> None:
        if "status" in message:
            self._told.append(message["status"])

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
    with time_machine.travel(start, tick=False) as traveller:
        clock = VirtualTime(traveller)
        with patch("time.sleep", clock.sleep):
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
