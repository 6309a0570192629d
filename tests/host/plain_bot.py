"""Unmodified Freqtrade in front of the simulated venue, without the engine: what the engine is built on."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from freqtrade.persistence import Trade
from scenario import PRICES, REPO_ROOT, START, unified

from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.machine import Machine
from pairbot_ext.sim.market.fixed import FixedMarket

ADA, ALGO = unified("ADAUSDT"), unified("ALGOUSDT")


def proves(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the one that sees what these names do; every name relied on needs one.

    :param names: "Class.name", as `host.private` lists them.
    """
    assert all(name.count(".") == 1 for name in names), names
    return lambda test: test


class PlainBot(Machine):
    """TwoSignals, a strategy without this package: long ADA, short ALGO while it is `wanted`."""

    def __init__(self, directory: Path, clock: VirtualTime, *, dry_run: bool) -> None:
        self.dry_run = dry_run
        super().__init__(
            directory, clock, FixedMarket({name: Decimal(PRICES[name]) for name in ("ADAUSDT", "ALGOUSDT")})
        )
        self.start()

    def made(self) -> None:
        self.bot.strategy.wanted = False

    def raw_configuration(self) -> dict[str, Any]:
        base: dict[str, Any] = json.loads((REPO_ROOT / "config.json").read_text())
        for name in ("$schema", "pairbot"):
            base.pop(name)
        return base | {
            "strategy": "TwoSignals",
            "strategy_path": str(REPO_ROOT / "tests" / "sim" / "strategies"),
            "user_data_dir": str(self.directory / "user_data"),
            "db_url": f"sqlite:///{self.directory / 'trades.sqlite'}",
            "dry_run": self.dry_run,
            "force_entry_enable": True,
            "stake_amount": 100,
            "max_open_trades": 4,
            "pairlists": [{"method": "StaticPairList"}],
            "exchange": {**base["exchange"], "pair_whitelist": [ADA, ALGO]},
        }

    def want(self, wanted: bool = True) -> None:
        """One loop with the signals up, or down."""
        self.bot.strategy.wanted = wanted
        self.loop()

    def enter(self) -> Trade:
        """Long ADA, 100 USDT at market, leverage 2, in the words the engine uses."""
        assert self.bot.execute_entry(
            ADA, 100.0, 0.732, is_short=False, ordertype="market", enter_tag="a-pair", trade=None,
            mode="initial", leverage_=2,
        )  # fmt: skip
        return self.trade()

    def trade(self, symbol: str = ADA) -> Trade:
        """The latest trade on a symbol, open or closed."""
        found: Trade = Trade.get_trades([Trade.pair == symbol]).all()[-1]
        return found

    def calls_since(self, number: int) -> list[str]:
        """What has been asked of the venue after so many requests."""
        return [record.call for record in list(self.gateway.log.requests)[number:]]

    @property
    def asked(self) -> int:
        """Requests so far."""
        return len(self.gateway.log.requests)


@contextmanager
def plain_bot(directory: Path, *, dry_run: bool = False) -> Iterator[PlainBot]:
    """A bot under a virtual clock."""
    clock = VirtualTime(START)
    with clock.running():
        (directory / "user_data").mkdir(parents=True, exist_ok=True)
        made = PlainBot(directory, clock, dry_run=dry_run)
        try:
            yield made
        finally:
            made.kill()


def recorded(owner: Any, *names: str) -> dict[str, list[dict[str, Any]]]:
    """Replace methods of one object as the engine does; each call is kept, by parameter, and then made."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def watch(name: str) -> None:
        original = getattr(owner, name)
        signature = inspect.signature(original)

        def call(*args: Any, **kwargs: Any) -> Any:
            seen[name].append(dict(signature.bind(*args, **kwargs).arguments))
            return original(*args, **kwargs)

        setattr(owner, name, call)

    for name in names:
        watch(name)
    return seen
