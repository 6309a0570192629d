"""The demo's two processes: the simulated exchange and a real Freqtrade bot that trades on it."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pairbot_ext.demo.steps import Workplace, pairbot_command, tail
from pairbot_ext.sim.control import ControlClient
from pairbot_ext.sim.offline import child_environment, freqtrade_command
from pairbot_ext.sim.overlay import port_of
from pairbot_ext.sim.tls import LOOPBACK
from pairbot_ext.support.errors import PairbotError

_POLL_SECS = 0.5
_START_TIMEOUT_SECS = 30.0
_STOP_TIMEOUT_SECS = 40.0
_OURS = " - pairbot_ext."
_STATISTICS = " - INFO - pairbot: "


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the program as Ctrl+C does, so that no bot and no exchange stays behind."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what it puts in the background; our children would inherit it and not stop.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Process:
    """A child process, its output in a file; stopped with SIGINT on leaving the context, else killed."""

    name = "process"

    def __init__(self, workplace: Workplace, command: list[str], log: Path) -> None:
        self._workplace = workplace
        self.log = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                command,
                cwd=workplace.root,
                # Freqtrade wraps its log at the terminal's width; a file has none.
                env=child_environment() | {"COLUMNS": "1000"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl+C in the terminal is ours to pass on, once.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """End it with SIGINT, or kill it when that fails; returns its exit code. Safe to call twice."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
            try:
                self._child.wait(_STOP_TIMEOUT_SECS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        return int(self._child.returncode)

    def wait_for(self, what: str, reached: Callable[[], bool], timeout_secs: float) -> float:
        """Wait until `reached()`; returns the seconds it took.

        :param what: completes "did not …" in the message.
        :raises PairbotError: the process ended first, or the time is over; the end of its output is in the
            message.
        """
        began = time.monotonic()
        while not reached():
            if self._child.poll() is not None:
                self._fail(f"{self.name} ended with exit code {self._child.returncode} and did not {what}")
            if time.monotonic() - began > timeout_secs:
                self._fail(f"{self.name} did not {what} within {timeout_secs:.0f} s")
            time.sleep(_POLL_SECS)
        return time.monotonic() - began

    def _fail(self, what: str) -> None:
        raise PairbotError(
            what, remedy=f"Its output is in {self._workplace.shown(self.log)}; it ends:\n{tail(self.log)}"
        )


class ExchangeProcess(_Process):
    """`pairbot exchange --market demo` on a free port.

    :ivar overlay: the configuration file that points Freqtrade at it and names the market's pairs file.
    """

    name = "The simulated exchange"

    def __init__(self, workplace: Workplace, *, seed: int) -> None:
        self.overlay = workplace.folder / "exchange.json"
        self.pairs = workplace.folder / "demo-pairs.json"
        for stale in (self.overlay, self.pairs):
            stale.unlink(missing_ok=True)
        super().__init__(
            workplace,
            pairbot_command(
                "exchange", "--market", "demo", "--seed", str(seed),
                "--pairs-out", str(self.pairs), "--overlay-out", str(self.overlay),
            ),
            workplace.folder / "exchange.log",
        )  # fmt: skip
        self._control: ControlClient | None = None

    @property
    def control(self) -> ControlClient:
        """The venue's own truth."""
        if self._control is None:
            self.wait_for("start", self._is_serving, _START_TIMEOUT_SECS)
            self._control = ControlClient(port_of(json.loads(self.overlay.read_text(encoding="utf-8"))))
        return self._control

    def _is_serving(self) -> bool:
        return self.overlay.is_file() and "Serving." in self.log.read_text(encoding="utf-8")


class BotProcess(_Process):
    """`freqtrade trade --strategy PairsArb` against the simulated exchange.

    :param name: of its files: NAME.json, NAME.log, NAME.sqlite in the demo's folder; earlier ones are
        replaced.
    :param settings: configuration beyond pairbot.json and the exchange's overlay.
    """

    def __init__(
        self, workplace: Workplace, exchange: ExchangeProcess, name: str, settings: Mapping[str, Any]
    ) -> None:
        self.name = f"The bot ({name})"
        self.database = workplace.folder / f"{name}.sqlite"
        for stale in workplace.folder.glob(f"{name}.sqlite*"):
            stale.unlink()
        self._port = _free_port()
        self._password = secrets.token_urlsafe(24)
        config = workplace.folder / f"{name}.json"
        # Its lines do not belong into the log of a bot somebody runs in earnest.
        log = {"file": str(workplace.folder / "logs" / f"{name}.log")}
        ours = {"pairbot": {**settings.get("pairbot", {}), "log": log}}
        config.write_text(json.dumps(dict(settings) | self._api_server() | ours, indent=1), encoding="utf-8")
        super().__init__(
            workplace,
            [
                str(freqtrade_command()), "trade", "-c", str(workplace.config),
                "-c", str(config), "-c", str(exchange.overlay), "--db-url", f"sqlite:///{self.database}",
            ],
            workplace.folder / f"{name}.log",
        )  # fmt: skip

    def stop_entries(self) -> None:
        """What /stopentry does in Telegram: no new pair trades, open ones are managed to their end.

        :raises PairbotError: the bot's API does not answer.
        """
        answer = self._call("POST", "stopentry")
        if answer is None:
            self._fail(f"{self.name} does not answer on its API")

    def is_running(self) -> bool:
        """Whether the bot is up and runs its loop."""
        return self._state() == "running"

    def finish(self) -> int:
        """/stop, wait for the loop to end, then SIGINT; returns the exit code (130 for SIGINT).

        Interrupted inside a loop, a bot may leave an order half booked; between loops it has nothing in hand.

        :raises PairbotError: the loop does not end.
        """
        self._call("POST", "stop")
        self.wait_for("stop its loop", lambda: self._state() == "stopped", _STOP_TIMEOUT_SECS)
        return self.stop()

    def final_statistics(self) -> list[str]:
        """What the package says while the bot cleans up, without the log's prefixes."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        ends = [index for index, line in enumerate(lines) if line.endswith("Cleaning up modules ...")]
        said = [
            line.partition(_STATISTICS)[2]
            for line in lines[ends[-1] if ends else len(lines) :]
            if _OURS in line and _STATISTICS in line
        ]
        return list(dict.fromkeys(said))

    def _state(self) -> str | None:
        config = self._call("GET", "show_config")
        return None if config is None else str(config.get("state"))

    def _call(self, method: str, path: str) -> dict[str, Any] | None:
        token = base64.b64encode(f"demo:{self._password}".encode()).decode()
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self._port}/api/v1/{path}",
            method=method,
            headers={"Authorization": f"Basic {token}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as response:
                return dict(json.load(response))
        except (OSError, ValueError):
            return None

    def _api_server(self) -> dict[str, Any]:
        return {
            "api_server": {
                "enabled": True,
                "listen_ip_address": LOOPBACK,
                "listen_port": self._port,
                "username": "demo",
                "password": self._password,
                "jwt_secret_key": secrets.token_urlsafe(32),
                "ws_token": secrets.token_urlsafe(24),
                "verbosity": "error",
            }
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
