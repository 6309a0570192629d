"""Real `freqtrade trade` processes against `pairbot exchange` in a process of its own, on the real clock."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from math import log
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import warm
from scenario import HERE, PAIRS, REPO_ROOT, SIGMA, THRESHOLDS, unified
from venue_process import STILL, VenueProcess

from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.sizing import MAX_HEDGE_ERROR, hedge_error
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.model.thresholds import SHORT_SPREAD
from pairbot_ext.sim.offline import child_environment
from pairbot_ext.sim.venue.actions import ClosePosition

TIMEOUT_SECS = 100.0
CLIENT_TIMEOUT_MS = 3_000
RESTING = {"HEDGED", "CLOSED", "ABORTED"}
IS_CHAOS = bool(os.environ.get("PAIRBOT_CHAOS"))
"""`make chaos`: every case; otherwise one per kind."""
CAUGHT = "Unexpected error"
"""What Freqtrade's `strategy_safe_wrapper` logs."""
_USER, _PASSWORD = "someone", "made-up"


class Stage:
    """One venue, one bot with its database, and the file that gives the bot its signals."""

    def __init__(self, directory: Path, venue: VenueProcess, *, dry_run: bool = False) -> None:
        self.directory = directory
        self.venue = venue
        self.dry_run = dry_run
        self.script = directory / "script.json"
        self.database = directory / "trades.sqlite"
        self.config = directory / "config.json"
        self.log_file = directory / "bot.log"
        self.bot: ForkServerProcess | None = None
        self._says: dict[str, Any] = {"wishes": {}, "exits": {}, "broken": {}, "dry_faults": []}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.api_port = int(probe.getsockname()[1])
        (directory / "user_data").mkdir()
        self.config.write_text(json.dumps(self._configuration()))
        self.begin()

    # -- the script --------------------------------------------------------------------------------

    def _write_script(self) -> None:
        pairs = {}
        for pair_id, (leg_a, leg_b, beta) in PAIRS.items():
            if leg_a not in STILL or leg_b not in STILL:
                continue
            alpha = log(STILL[leg_a]) - beta * log(STILL[leg_b]) - 2.5 * SIGMA
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
        fresh.write_text(json.dumps({**self._says, "pairs": pairs}))
        fresh.replace(self.script)

    def want(self, *pair_ids: str) -> None:
        """These pairs' entry signals are up, all others down."""
        self._says["wishes"] = dict.fromkeys(pair_ids, SHORT_SPREAD)
        self._write_script()

    def want_out(self, *pair_ids: str) -> None:
        """The model wants these pairs closed."""
        self._says["exits"] = dict.fromkeys(pair_ids, "pair_reverted")
        self._write_script()

    def break_callback(self, name: str) -> None:
        """The strategy's next call of this callback raises."""
        self._says["broken"][name] = self._says["broken"].get(name, 0) + 1
        self._write_script()

    def dry_fault(self, leg: str, role: str, **fault: Any) -> None:
        """Bend the next order of a leg and role in the dry-run port."""
        self._says["dry_faults"].append({"leg": leg, "role": role, **fault})
        self._write_script()

    # -- the process -------------------------------------------------------------------------------

    def _configuration(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((REPO_ROOT / "config.json").read_text())
        config |= {
            "strategy": "DeskStrategy",
            "strategy_path": str(HERE / "strategies"),
            "user_data_dir": str(self.directory / "user_data"),
            "db_url": f"sqlite:///{self.database}",
            "dry_run": self.dry_run,
            "stake_amount": 100,
            "pairlists": [{"method": "StaticPairList"}],
            "internals": {"process_throttle_secs": 1},
            "desk_script_file": str(self.script),
            "api_server": {
                "enabled": True,
                "listen_ip_address": "127.0.0.1",
                "listen_port": self.api_port,
                "username": _USER,
                "password": _PASSWORD,
                "jwt_secret_key": "made-up-for-a-test-" * 2,
            },
        }
        config.pop("pairbot", None)
        config.pop("$schema", None)
        config["exchange"] |= self.venue.overlay(timeout_ms=CLIENT_TIMEOUT_MS)
        config["exchange"]["pair_whitelist"] = [unified(name) for name in STILL]
        return config

    def start(self) -> None:
        """Start `freqtrade trade` on this stage's database."""
        self.bot = warm.start(
            ["freqtrade", "trade", "-c", str(self.config)],
            cwd=self.directory,
            output=(str(self.log_file), str(self.log_file)),
            environment=child_environment() | {"PYTHONPATH": str(REPO_ROOT)},
        )

    @property
    def is_alive(self) -> bool:
        """Whether the bot's process runs."""
        return self.bot is not None and self.bot.is_alive()

    def kill(self) -> None:
        """kill -9."""
        assert self.bot is not None
        self.bot.kill()
        self.bot.join()

    def interrupt(self) -> int:
        """Ctrl+C; waits for the end. Returns the exit code."""
        assert self.bot is not None
        assert self.bot.pid is not None
        os.kill(self.bot.pid, signal.SIGINT)
        self.bot.join(TIMEOUT_SECS)
        assert self.bot.exitcode is not None, f"not ended within {TIMEOUT_SECS:g} s of Ctrl+C"
        return self.bot.exitcode

    def pairbot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run our command beside the bot."""
        return warm.run(
            ["pairbot", *arguments],
            cwd=self.directory,
            environment=child_environment() | {"PYTHONPATH": str(REPO_ROOT)},
            timeout_secs=TIMEOUT_SECS,
        )

    def api(self, method: str, path: str, payload: object | None = None) -> Any:
        """One call of Freqtrade's REST API, as FreqUI makes it."""
        token = base64.b64encode(f"{_USER}:{_PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}/api/v1/{path}",
            data=None if payload is None else json.dumps(payload).encode(),
            method=method,
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            return json.load(response)

    # -- cases -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """From here on a new case counts: what was before is none of its business."""
        self._first_request = self.venue.last_request()
        self._first_fill = max((int(fill["id"]) for fill in self.venue.fills(0)), default=0)
        self._first_line = len(self.log_text())
        self._earlier = {row[0] for row in self._query("SELECT id FROM pairbot_pair_trades")}
        rows = self._query("SELECT max(id) FROM pairbot_events")
        self._first_event = (rows[0][0] or 0) if rows else 0
        self._says.update(wishes={}, exits={}, broken={}, dry_faults=[])
        self._write_script()

    def is_reusable(self) -> bool:
        """Whether the next case finds a running bot without anything open."""
        return (
            self.is_alive
            and not self.dry_run
            and self._ends_its_loop()
            and not self.venue.positions()
            and not self.trades()
            and not self._query("SELECT 1 FROM pairbot_pair_trades WHERE state NOT IN ('CLOSED', 'ABORTED')")
            and not self._waits_for_a_person()
        )

    def _ends_its_loop(self) -> bool:
        """A case sees its outcome within a loop; what was closed or refused is locked after that."""

        def ended() -> str:
            return str(self.api("GET", "health")["last_process"])

        try:
            before = ended()
            self.wait_for("the end of a loop", lambda: ended() != before, secs=30)
        except (OSError, AssertionError):
            return False
        return True

    def _waits_for_a_person(self) -> bool:
        """A risk rule that tripped, or three openings in a row that were refused: nothing is entered, or this
        pair is not, until somebody releases it."""
        stored = self._query("SELECT key, value FROM pairbot_settings")
        said = {key: json.loads(value) for key, value in stored}
        if said.get("risk.state", {}).get("state", "ACTIVE") != "ACTIVE":
            return True
        registries = [memories for key, memories in said.items() if key.startswith("registry.")]
        return any(memory["barred"] for memories in registries for memory in memories.values())

    def end(self) -> None:
        """Bring the stage back to rest if that is possible at all; judges nothing."""
        self.venue.control.clear_faults()
        self._says.update(wishes={}, exits={}, broken={}, dry_faults=[])
        self._write_script()

    def unlock_pairs(self) -> None:
        """What was closed or refused is locked until the next candle, an hour. A person may lift it."""
        for lock in self.api("GET", "locks")["locks"]:
            self.api("DELETE", f"locks/{lock['id']}")

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Another process holds the database."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    def close_everything(self) -> None:
        """For the next stage on the same venue."""
        if self.is_alive:
            self.kill()
        for name in self.venue.positions():
            self.venue.control.act(ClosePosition(symbol=name))

    def wait_for(self, what: str, reached: Callable[[], bool], secs: float = TIMEOUT_SECS) -> None:
        """Wait for a condition, with a bound."""
        deadline = time.monotonic() + secs
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} was not reached in {secs:g} s\n{self.situation()}")
            time.sleep(0.05)

    def situation(self) -> str:
        """What a person debugging a failed case wants to see."""
        events = self._query(
            f"SELECT at_ms, kind, detail FROM pairbot_events WHERE id > {self._first_event} ORDER BY id"
        )
        lines = [
            f"states {self.states()}, venue {self.venue.positions()}, trades {self.trades()}",
            f"bot alive: {self.is_alive}",
            *(f"{at_ms} {kind} {detail}" for at_ms, kind, detail in events[-25:]),
            *self.log_text()[self._first_line :].splitlines()[-40:],
        ]
        return "\n".join(lines)

    # -- looking -----------------------------------------------------------------------------------

    def log_text(self) -> str:
        """Everything the bot has printed so far."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def new_log(self) -> str:
        """What it has printed in this case."""
        return self.log_text()[self._first_line :]

    def fault(self, **rule: Any) -> None:
        """Add a fault rule at the venue."""
        self.venue.fault(**rule)

    def posts(self, leg: str | None = None, role: str | None = None) -> list[dict[str, Any]]:
        """Order requests of this case that reached the venue."""
        return self.venue.posts(self._first_request, leg, role)

    def requests(self) -> list[dict[str, Any]]:
        """All requests of this case."""
        return self.venue.requests(self._first_request)

    def count(self, call: str) -> int:
        """Requests of one call in this case."""
        return sum(record["call"] == call for record in self.requests())

    def requests_between(self, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
        """What reached the venue between two of its log's records."""
        assert first["number"] < second["number"]
        return [r["call"] for r in self.requests() if first["number"] < r["number"] < second["number"]]

    def states(self) -> list[str]:
        """State of each of this case's pair trades, from the database."""
        return [row[1] for row in self._pair_trades()]

    def _pair_trades(self) -> list[Any]:
        rows = self._query("SELECT id, state, plan, sizing FROM pairbot_pair_trades ORDER BY created_ms, id")
        return [row for row in rows if row[0] not in self._earlier]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Details of this case's events of one kind."""
        rows = self._query(
            f"SELECT detail FROM pairbot_events WHERE id > {self._first_event} AND kind = '{kind}' "
            "ORDER BY id"
        )
        return [json.loads(row[0]) for row in rows]

    def trades(self) -> dict[str, Decimal]:
        """Freqtrade's open trades, signed, by Binance id."""
        return {
            pair.replace("/USDT:USDT", "USDT"): Decimal(str(amount)) * (-1 if is_short else 1)
            for pair, amount, is_short in self._query(
                "SELECT pair, amount, is_short FROM trades WHERE is_open"
            )
        }

    def trade_ids(self) -> set[int]:
        """Freqtrade's ids of its open trades."""
        return {row[0] for row in self._query("SELECT id FROM trades WHERE is_open")}

    def planned_amount(self, leg: str) -> Decimal:
        """Of the first pair trade of this case, base currency."""
        return Decimal(json.loads(self._pair_trades()[0][3])[f"leg_{leg.lower()}"]["amount"])

    def hedge_error_of_trades(self, pair_id: str) -> float:
        """By Freqtrade's own trades, for a dry-run."""
        leg_a, leg_b, beta = PAIRS[pair_id]
        notional = {
            pair.replace("/USDT:USDT", "USDT"): amount * rate
            for pair, amount, rate in self._query("SELECT pair, amount, open_rate FROM trades WHERE is_open")
        }
        return hedge_error(beta, notional[leg_a], notional[leg_b])

    def _query(self, sql: str) -> list[Any]:
        if not self.database.is_file():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                return connection.execute(sql).fetchall()
            except sqlite3.OperationalError as error:
                # Before the bot has made its tables, or while another process holds the file.
                if "no such table" in str(error) or "locked" in str(error):
                    return []
                raise

    # -- judging -----------------------------------------------------------------------------------

    def wait_for_loops(self, count: int) -> None:
        """Until the bot has begun so many more loops with an open leg: what Freqtrade had to store after the
        last order is stored."""
        seen = self.count("GET /fapi/v1/depth")
        self.wait_for("more loops", lambda: self.count("GET /fapi/v1/depth") >= seen + 2 * count)

    def wait_for_rest(self) -> None:
        """Until every pair trade of this case is whole or final."""
        self.wait_for("rest", lambda: bool(self.states()) and set(self.states()) <= RESTING)

    def callback_errors(self) -> list[str]:
        """Exceptions that Freqtrade caught around a callback, those a case has injected left out: a bot goes
        on, and half of its loop is not done."""
        caught = [line for line in self.new_log().splitlines() if CAUGHT in line]
        return [line for line in caught if "injected into" not in line]

    def judge(self) -> None:
        """I2, I8, I9 and one entry per leg, from the venue's own books; no callback has raised."""
        assert not self.callback_errors(), self.callback_errors()
        assert self.trades() == self.venue.positions(), self.situation()
        assert set(self.states()) <= RESTING, self.situation()
        assert len(self.venue.positions()) == 2 * self.states().count("HEDGED"), self.situation()
        fills = self.venue.fills(self._first_fill)
        for pair_trade_id, state, plan, sizing in self._pair_trades():
            self._judge_pair(pair_trade_id, state, json.loads(plan), json.loads(sizing), fills)

    def _judge_pair(
        self, pair_trade_id: str, state: str, plan: dict[str, Any], sizing: dict[str, Any], fills: list[Any]
    ) -> None:
        notional: dict[str, float] = {}
        for leg in ("A", "B"):
            name = plan[f"leg_{leg.lower()}"].replace("/USDT:USDT", "USDT")
            held = entered = Decimal(0)
            cost = 0.0
            for fill in fills:
                if fill["symbol"] != name:
                    continue
                parsed = ClientOrderId.parse(fill["clientOrderId"])
                is_entry = parsed is not None and parsed.role.increases
                if parsed is not None and parsed.pair_trade != pair_trade_id:
                    continue
                amount = Decimal(fill["qty"])
                if is_entry:
                    entered += amount
                    cost += float(amount) * float(fill["price"])
                held += amount if is_entry else -amount
                assert held >= 0, f"an exit has flipped {name}\n{self.situation()}"
            planned = Decimal(sizing[f"leg_{leg.lower()}"]["amount"])
            # Leg B follows leg A's fill price, so it may be a step or two beside its plan.
            assert entered <= planned * Decimal("1.01"), f"{name}: {entered} entered, {planned} planned"
            notional[leg] = float(held) * (cost / float(entered) if entered else 0.0)
        if state == "HEDGED":
            error = hedge_error(plan["model"]["beta"], notional["A"], notional["B"])
            assert error <= MAX_HEDGE_ERROR, f"hedge error {error:.2%}\n{self.situation()}"
        else:
            assert not any(notional.values()), self.situation()

    def close_and_judge(self, *pair_ids: str) -> None:
        """The model leaves: flat, everywhere."""
        self.want()
        self.want_out(*pair_ids)
        self.wait_for("flat", lambda: not self.venue.positions() and not self.trades())
        self.wait_for("final states", lambda: set(self.states()) <= {"CLOSED", "ABORTED"})
        self.judge()
