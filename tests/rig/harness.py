"""A real FreqtradeBot in front of the simulated venue, driven through `process()` on a virtual clock.

A scenario is a few lines: make a `Rig`, add faults, say which pair wants what, drive, look at the venue's
truth, Freqtrade's trades and the journal. What drives it is `pairbot_ext.rehearse.machine`; scripted signals,
the dry-run port's faults and assertions are added here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from scenario import FOUR, HERE, PRICES, REPO_ROOT, START, Script, ShortHistory, unified
from verdict import assert_flat, assert_whole_or_flat

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.model.thresholds import SHORT_SPREAD
from pairbot_ext.orders.dryport import DryFault, DryPort
from pairbot_ext.rehearse.books import Executed, dry_fill, positions_of
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.machine import CREDENTIALS, Machine

HEARS = os.environ.get("PAIRBOT_TEST_STREAMS") == "1"
"""Rigs under a virtual clock hear the venue, unless their case says otherwise."""


class Rig(Machine):
    """Venue, bot and script together. Use `rig()`, which also moves the clocks."""

    latest: ClassVar[Rig | None] = None
    """The rig whose bot was started last: Freqtrade's database session is global and belongs to it."""

    def __init__(
        self, directory: Path, clock: VirtualTime, *, dry_run: bool, symbols: tuple[str, ...], **config: Any
    ) -> None:
        self.dry_run = dry_run
        self.symbols = symbols
        market = config.pop("market", None) or ShortHistory({name: Decimal(PRICES[name]) for name in symbols})
        self.script = Script(market, clock)
        self.strategy_path = config.pop("strategy_path", str(HERE / "strategies"))
        self.has_throttle = config.pop("has_throttle", False)
        self.extra = config
        self._dry_executed: list[Executed] = []
        super().__init__(directory, clock, market)
        self.start()

    # -- the bot -----------------------------------------------------------------------------------

    def made(self) -> None:
        Rig.latest = self
        if self.dry_run:
            self._record_dry_orders()

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

    def raw_configuration(self) -> dict[str, Any]:
        base: dict[str, Any] = json.loads((REPO_ROOT / "config.json").read_text())
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
        # Cases know how long ccxt's own client waits.
        base["exchange"] = {**base["exchange"], "ccxt_config": {}}
        return base

    def configuration(self) -> dict[str, Any]:
        config = super().configuration()
        for block in ("ccxt_config", "ccxt_sync_config"):
            config["exchange"][block]["enableRateLimit"] = self.has_throttle
        config["exchange"]["pair_whitelist"] = [unified(name) for name in self.symbols]
        config["desk_script"] = self.script
        return config

    # -- driving -----------------------------------------------------------------------------------

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

    # -- looking -----------------------------------------------------------------------------------

    def executed(self) -> list[Executed]:
        """Everything that was executed: by the venue, or in dry-run by its port."""
        return self._dry_executed if self.dry_run else super().executed()

    def positions(self) -> dict[str, Decimal]:
        """Everything the venue holds, signed."""
        return positions_of(self._dry_executed) if self.dry_run else super().positions()

    # -- judging -----------------------------------------------------------------------------------

    def check_rest(self, **exceptions: Any) -> None:
        """See `verdict.assert_whole_or_flat`."""
        assert_whole_or_flat(self, **exceptions)

    def check_flat(self) -> None:
        """Nothing is left anywhere."""
        assert_flat(self)


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

    config = ccxt_settings(NO_PORT) | {"timeout": 2_000}
    config["options"] |= {"defaultType": "swap"}
    keys = {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "enableRateLimit": False}
    client = ccxt.binance({**config, **keys, "session": SyncSession(made.transport)})
    client.load_markets()
    return client
