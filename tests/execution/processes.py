"""Real `freqtrade trade` processes against the exchange served over HTTPS, on the real clock."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from math import log
from pathlib import Path
from typing import Any

from scenario import FOUR, HERE, PAIRS, PRICES, REPO_ROOT, SIGMA, THRESHOLDS, ShortHistory, unified

from pairbot_ext.execution.plan import EntryModel, EntryPlan
from pairbot_ext.execution.states import ClientOrderId
from pairbot_ext.signals import SHORT_SPREAD
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.offline import child_environment, freqtrade_command
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.faults import FaultRule, Schedule
from pairbot_ext.sim.venue.rate_limits import RateLimits
from pairbot_ext.sim.venue.venue import Venue

TIMEOUT_SECS = 100.0


class Stage:
    """The venue in this process, the bot in another one, and the file that gives its signals."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.market = ShortHistory({name: Decimal(PRICES[name]) for name in FOUR})
        self.venue = Venue(self.market, wall_clock_ms, VenueOptions())
        self.gateway = Gateway(self.venue, CREDENTIALS, limits=RateLimits(enforced=True))
        self.server = LoopbackServer(SimulatedExchange(self.gateway))
        self.script = directory / "script.json"
        self.database = directory / "trades.sqlite"
        self.bot: subprocess.Popen[bytes] | None = None
        self.wishes: dict[str, int] = {}
        self.exits: dict[str, str] = {}
        self._write_script()

    def _write_script(self) -> None:
        pairs = {}
        for pair_id, (leg_a, leg_b, beta) in PAIRS.items():
            if leg_a not in FOUR or leg_b not in FOUR:
                continue
            alpha = log(self.market.prices[leg_a]) - beta * log(self.market.prices[leg_b]) - 2.5 * SIGMA
            from datetime import UTC, datetime

            pairs[pair_id] = EntryPlan(
                pair_id=pair_id,
                leg_a=unified(leg_a),
                leg_b=unified(leg_b),
                direction=SHORT_SPREAD,
                model=EntryModel(alpha, beta, 0.0, SIGMA, 20.0),
                thresholds=THRESHOLDS,
                candle=datetime.now(UTC),
                z=2.5,
            ).to_json()
        fresh = self.script.with_suffix(".new")
        fresh.write_text(json.dumps({"wishes": self.wishes, "exits": self.exits, "pairs": pairs}))
        fresh.replace(self.script)

    def want(self, *pair_ids: str) -> None:
        """These pairs' entry signals are up, all others down."""
        self.wishes = dict.fromkeys(pair_ids, SHORT_SPREAD)
        self._write_script()

    def want_out(self, *pair_ids: str) -> None:
        """The model wants these pairs closed."""
        self.exits = dict.fromkeys(pair_ids, "pair_reverted")
        self._write_script()

    @property
    def config(self) -> Path:
        """The bot's configuration file."""
        return self.directory / "config.json"

    def start(self, *, api_port: int | None = None) -> None:
        """Start `freqtrade trade`; with `api_port` its API server too."""
        config = json.loads((REPO_ROOT / "config.json").read_text())
        config |= {
            "strategy": "DeskStrategy",
            "strategy_path": str(HERE / "strategies"),
            "user_data_dir": str(self.directory / "user_data"),
            "db_url": f"sqlite:///{self.database}",
            "dry_run": False,
            "stake_amount": 100,
            "pairlists": [{"method": "StaticPairList"}],
            "internals": {"process_throttle_secs": 1},
            "desk_script_file": str(self.script),
        }
        config.pop("pairbot", None)
        exchange = overlay(self.server.port, timeout_ms=3_000)["exchange"]
        config["exchange"] |= exchange
        config["exchange"]["pair_whitelist"] = [unified(name) for name in FOUR]
        if api_port is not None:
            config["api_server"] = {
                "enabled": True,
                "listen_ip_address": "127.0.0.1",
                "listen_port": api_port,
                "username": "someone",
                "password": "made-up",
                "jwt_secret_key": "made-up-for-a-test-" * 2,
            }
        (self.directory / "user_data").mkdir(exist_ok=True)
        path = self.config
        path.write_text(json.dumps(config))
        with (self.directory / "bot.log").open("ab") as output:
            self.bot = subprocess.Popen(
                [str(freqtrade_command()), "trade", "-c", str(path)],
                cwd=self.directory,
                env=child_environment() | {"PYTHONPATH": str(REPO_ROOT), "COLUMNS": "1000"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pairbot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run our command beside the bot."""
        return subprocess.run(
            [sys.executable, "-m", "pairbot_ext.cli", *arguments],
            cwd=self.directory,
            env=child_environment() | {"PYTHONPATH": str(REPO_ROOT)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECS,
            check=False,
        )

    def kill(self) -> None:
        """kill -9."""
        assert self.bot is not None
        self.bot.kill()
        self.bot.wait()

    def interrupt(self) -> int:
        """Ctrl+C; waits for the end. Returns the exit code."""
        assert self.bot is not None
        self.bot.send_signal(signal.SIGINT)
        return self.bot.wait(TIMEOUT_SECS)

    def fault(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.server.call(lambda: self.gateway.faults.add(FaultRule.model_validate(rule)))

    def clear_faults(self) -> None:
        """Forget all rules."""
        self.server.call(lambda: self.gateway.load_schedule(Schedule()))

    def posts(self, leg: str, role: str) -> list[Any]:
        """Order requests of one leg and role that reached the venue."""
        return [
            record
            for record in list(self.gateway.log.requests)
            if record.call == "POST /fapi/v1/order"
            and (parsed := ClientOrderId.parse(record.params.get("newClientOrderId", "")))
            and (parsed.leg, parsed.role) == (leg, role)
        ]

    def wait_for(self, what: str, reached: Callable[[], bool]) -> None:
        """Wait for a condition, with a bound."""
        deadline = time.monotonic() + TIMEOUT_SECS
        while not reached():
            if time.monotonic() > deadline:
                log_file = self.directory / "bot.log"
                tail = "\n".join(log_file.read_text().splitlines()[-40:]) if log_file.exists() else ""
                raise AssertionError(f"{what} was not reached; states {self.states()}\n{tail}")
            time.sleep(0.05)

    def states(self) -> list[str]:
        """State of each pair trade, from the database."""
        return [row[0] for row in self._query("SELECT state FROM pairbot_pair_trades ORDER BY created_ms")]

    def trades(self) -> dict[str, Decimal]:
        """Freqtrade's open trades, signed, by Binance id."""
        return {
            pair.replace("/USDT:USDT", "USDT"): Decimal(str(amount)) * (-1 if is_short else 1)
            for pair, amount, is_short in self._query(
                "SELECT pair, amount, is_short FROM trades WHERE is_open"
            )
        }

    def _query(self, sql: str) -> list[Any]:
        if not self.database.is_file():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                return connection.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []

    def positions(self) -> dict[str, Decimal]:
        """The venue's truth."""
        held = {name: self.venue.account.position(name).amount for name in FOUR}
        return {name: amount for name, amount in held.items() if amount}

    def check_rest(self) -> None:
        """Venue and Freqtrade agree, and every pair is whole or flat."""
        assert self.trades() == self.positions()
        assert set(self.states()) <= {"HEDGED", "CLOSED", "ABORTED"}, self.states()
        assert len(self.positions()) == 2 * self.states().count("HEDGED")


@contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    """A stage with its server running; the bot is killed at the end."""
    made = Stage(directory)
    with made.server:
        try:
            yield made
        finally:
            if made.bot is not None and made.bot.poll() is None:
                made.kill()
