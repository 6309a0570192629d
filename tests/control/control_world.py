"""The real strategy in a real bot on the real clock, whose pairs have just crossed their entry threshold.

Nothing has to wait for a candle: the last closed one carries the signal. The venue is reached in process.
"""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from harness import PRICES, Rig, unified

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, load_pairs_file, symbols_of, write_pairs_file
from pairbot_ext.pairs.renewal import base_of
from pairbot_ext.pairs.renewal_files import propose
from pairbot_ext.pairs.renewal_models import Proposal
from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.telegram_api import FakeTelegram

REPO_ROOT = Path(__file__).resolve().parents[2]
HOUR_MS = 3_600_000
CANDLES = 400
FORMATION_CANDLES = 200
SIGMA = 0.02
LEGS = {"ADA_ALGO": ("ADAUSDT", "ALGOUSDT", 1.2), "XRP_DOGE": ("XRPUSDT", "DOGEUSDT", 0.8)}
Z_AT_END = {"ADA_ALGO": 2.5, "XRP_DOGE": -2.4}
SYMBOLS = ("ADAUSDT", "ALGOUSDT", "XRPUSDT", "DOGEUSDT")


class RealTime:
    """The wall clock; nobody waits for anything."""

    def advance(self, ms: int) -> None:
        """The venue's round trip costs nothing."""

    def sleep(self, secs: float) -> None:
        """Nothing to wait for."""

    def now_ms(self) -> int:
        """Epoch ms."""
        return int(time.time() * 1000)


class SpreadMarket(FixedMarket):
    """Hourly candles whose pairs have a mean-reverting spread that ends at `Z_AT_END`."""

    def __init__(
        self,
        now_ms: int,
        seed: int = 5,
        legs: dict[str, tuple[str, str, float]] = LEGS,
        z_at_end: dict[str, float] = Z_AT_END,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.legs = legs
        self._end_ms = now_ms // HOUR_MS * HOUR_MS
        self._closes: dict[str, np.ndarray] = {}
        self.alpha: dict[str, float] = {}
        price = {name: float(PRICES.get(name, 1)) for a, b, _ in legs.values() for name in (a, b)}
        for pair_id, (leg_a, leg_b, beta) in legs.items():
            log_b = log(price[leg_b]) + np.cumsum(rng.normal(0, 0.004, CANDLES))
            z = np.zeros(CANDLES)
            for row in range(1, CANDLES):
                z[row] = np.clip(0.93 * z[row - 1] + rng.normal(0, 0.25), -1.8, 1.8)
            # The last day runs out to the entry threshold, and crosses it on the last closed candle.
            z[-12:] = np.linspace(z[-13], np.sign(z_at_end[pair_id]) * 1.9, 12)
            z[-1] = z_at_end[pair_id]
            self.alpha[pair_id] = log(price[leg_a]) - beta * log(price[leg_b])
            log_a = self.alpha[pair_id] + beta * log_b + SIGMA * z
            self._closes[leg_a], self._closes[leg_b] = np.exp(log_a), np.exp(log_b)
        super().__init__({name: Decimal(1) for name in price})
        self.prices = {name: self._on_tick(name, float(self._closes[name][-1])) for name in price}

    def _on_tick(self, symbol: str, price: float) -> Decimal:
        tick = self._symbols[symbol].price_tick
        return (Decimal(str(price)) / tick).quantize(Decimal(1)) * tick

    def move_z(self, pair_id: str, z: float) -> None:
        """Put leg A's price where the pair's z is this, now."""
        leg_a, leg_b, beta = self.legs[pair_id]
        price = exp(self.alpha[pair_id] + beta * log(float(self.prices[leg_b])) + SIGMA * z)
        self.prices[leg_a] = self._on_tick(leg_a, price)

    def klines(self, symbol: str, interval: str, start_ms: Any, end_ms: Any, limit: int, now_ms: int,
               *, mark: bool) -> Any:  # fmt: skip
        """The path, then the present price."""
        flat = super().klines(symbol, interval, start_ms, end_ms, limit, now_ms, mark=mark)
        if interval != "1h":
            return flat
        return [self._shaped(symbol, kline) for kline in flat]

    def _shaped(self, symbol: str, kline: Kline) -> Kline:
        row = CANDLES - 1 - (self._end_ms - HOUR_MS - kline.open_ms) // HOUR_MS
        if row >= CANDLES:
            return kline
        closes = self._closes[symbol]
        close = Decimal(f"{closes[max(row, 0)]:.6f}")
        open_ = Decimal(f"{closes[max(row - 1, 0)]:.6f}")
        return replace(kline, open=open_, high=max(open_, close), low=min(open_, close), close=close)


def write_pairs(path: Path, market: SpreadMarket, now: datetime) -> PairsFile:
    """Frozen models that know the planted spreads, valid since two hours ago."""
    end = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    epoch = Epoch(
        valid_from=end,
        formation_start=end - timedelta(hours=FORMATION_CANDLES),
        formation_end=end,
        pairs=tuple(
            Pair(
                id=pair_id, leg_a=unified(leg_a), leg_b=unified(leg_b), hedge_ratio=beta,
                alpha=market.alpha[pair_id], mu=0.0, sigma=SIGMA, half_life_hours=9.5, adf_p=0.001,
                coint_p=0.002, entry_z=2.0, exit_z=0.3, stop_z=4.0, max_half_lives=4.0,
            )
            for pair_id, (leg_a, leg_b, beta) in market.legs.items()
        ),
    )  # fmt: skip
    made = PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=end, exchange="binance", timeframe="1h",
        scan=Scan(rule="planted for a test", combinations=6, selected=2, expected_false_positives=0.3),
        epochs=(epoch,),
    )  # fmt: skip
    write_pairs_file(path, made)
    return made


def waits(rig: Rig) -> None:
    """A selection that a person is asked about: the first pair of the file alone."""
    path = rig.directory / "pairs.json"
    file = load_pairs_file(path)
    (epoch,) = file.epochs
    now = datetime.now(UTC)
    fewer = epoch.model_copy(update={"pairs": epoch.pairs[:1]})
    propose(
        path,
        Proposal(
            id="0badc0de", proposed_at=now, expires_at=now + timedelta(days=1), base=base_of(file),
            reasons=("a test",), exchange="binance", timeframe="1h", scan=file.scan, epoch=fewer,
            before=file.pair_ids(),
        ),
    )  # fmt: skip


@contextmanager
def control_rig(directory: Path, *, dry_run: bool = True, start: bool = True, **config: Any) -> Iterator[Rig]:
    """A bot with PairsArb. `config` overrides top-level keys of Freqtrade's configuration."""
    (directory / "user_data").mkdir(parents=True, exist_ok=True)
    clock = RealTime()
    market = SpreadMarket(clock.now_ms())
    path = directory / "pairs.json"
    write_pairs(path, market, datetime.now(UTC))
    options = {
        "market": market, "symbols": SYMBOLS, "strategy": "PairsArb",
        "strategy_path": str(REPO_ROOT / "strategies"), "stake_amount": 100, "max_open_trades": 8,
        "pairbot": {"pairs_file": str(path), "leverage": 2}, **config,
    }  # fmt: skip
    rig = Rig(directory, clock, dry_run=dry_run, **options)  # type: ignore[arg-type]
    try:
        yield rig
    finally:
        rig.stop()


@contextmanager
def kept_logging() -> Iterator[None]:
    """Whatever a bot does to logging is undone; other tests silence it altogether."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, level, disabled = list(root.handlers), root.level, logging.root.manager.disable
    logging.disable(logging.NOTSET)
    try:
        yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
        logging.setLogRecordFactory(factory)
        logging.disable(disabled)


def telegram_block(fake: FakeTelegram) -> dict[str, Any]:
    """The configuration's telegram block, as the committed config.json sets it."""
    return {
        "enabled": True,
        "token": fake.token,
        "chat_id": str(fake.chat_id),
        "allow_custom_messages": True,
        "notification_settings": dict.fromkeys(("entry", "entry_fill", "exit", "exit_fill"), "off"),
    }


def api_block() -> dict[str, Any]:
    """An API server on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": port,
        "username": "operator",
        "password": f"marked-{secrets.token_hex(8)}",
        "jwt_secret_key": secrets.token_hex(32),
        "enable_openapi": True,
    }
