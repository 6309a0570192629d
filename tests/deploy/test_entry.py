"""`pairbot run` in a clean folder as image and unit start it: a real bot, its secrets in files, told to stop.

Unit and image start this command; what systemd and an engine do around it is played by the test.
"""

from __future__ import annotations

import json
import os
import secrets as random_values
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import Stage
from scenario import REPO_ROOT
from stage_hand import StageHand

from pairbot_ext.hosting.health import ApiServer, ask
from pairbot_ext.sim.offline import child_environment

pytestmark = pytest.mark.process
STOP_SECS = 90.0
"""What unit and compose file allow."""


class Service:
    """The process, as a service manager sees it: what it says of itself, its output, its end."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.given = {
            "FREQTRADE__API_SERVER__PASSWORD": random_values.token_hex(16),
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": f"x{random_values.token_hex(32)}",
            "FREQTRADE__EXCHANGE__SECRET": f"x{random_values.token_hex(16)}",
        }
        self.api = ApiServer.of_settings({
            "listen_port": stage.api_port, "username": "pairbot",
            "password": self.given["FREQTRADE__API_SERVER__PASSWORD"],
        })  # fmt: skip
        self.out, self.err = folder / "out", folder / "err"
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(folder / "notify"))
        self._notices.setblocking(False)
        files = {}
        for name, value in self.given.items():
            path = folder / name.lower()
            path.write_text(f"{value}\n")
            path.chmod(0o400)
            files[f"{name}_FILE"] = str(path)
        environment = child_environment()
        # Freqtrade would leave logging as it is.
        environment.pop("PYTEST_VERSION", None)
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pairbot_ext.cli", "run", "--", "trade", "-c", str(stage.config)),
                    *("-c", str(REPO_ROOT / "deploy/json-log.json"), ""),
                ],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=environment | files | {
                    "PYTHONPATH": os.pathsep.join([str(REPO_ROOT), os.environ.get("PYTHONPATH", "")]),
                    "NOTIFY_SOCKET": str(folder / "notify"),
                    "FREQTRADE__INTERNALS__SD_NOTIFY": "true",
                    "FREQTRADE__API_SERVER__USERNAME": "pairbot",
                },
            )  # fmt: skip

    def is_well(self) -> bool:
        """As the image's health check sees it."""
        assert self.process.poll() is None, self.err.read_text() + self.out.read_text()
        return ask(self.api, time.time()).is_well

    def notices(self) -> list[str]:
        """What it has told the service manager since the last question."""
        found = []
        while True:
            try:
                found += self._notices.recv(4096).decode().splitlines()
            except BlockingIOError:
                return found

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]

    def close(self) -> None:
        """Nothing of it stays."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._notices.close()


@contextmanager
def service(folder: Path, stage: Stage) -> Iterator[Service]:
    """Started, and gone in the end."""
    made = Service(folder, stage)
    try:
        yield made
    finally:
        made.close()


def test_a_bot_s_whole_life(tmp_path: Path, stage_hand: StageHand) -> None:
    pytest.importorskip("pythonjsonlogger")
    folder = tmp_path / "clean folder"
    folder.mkdir()
    with stage_hand.own(dry_run=True) as stage, service(folder, stage) as bot:
        stage.wait_for("health", bot.is_well)
        assert {"READY=1", "WATCHDOG=1"} <= set(bot.notices())
        stage.want("ADA-ALGO")
        stage.wait_for("a pair", lambda: "HEDGED" in stage.states())
        bot.process.send_signal(signal.SIGTERM)
        assert bot.process.wait(STOP_SECS) == 130, "what the unit counts as a clean end"
        assert "STOPPING=1" in bot.notices()
        assert stage.states() == ["HEDGED"], "an open pair waits for the next start"

        (opened,) = [line for line in bot.lines() if line.get("event") == "opened"]
        assert (opened["pair"], opened["state"], opened["level"]) == ("ADA-ALGO", "HEDGED", "INFO")
        assert opened["logger"] == "pairbot_ext.voice.watch"
        assert opened["message"].startswith(f"TRADE EXECUTED: Pair ADA-ALGO ({opened['pair_trade']})")
        said = bot.out.read_text() + bot.err.read_text()
        assert not [name for name, value in bot.given.items() if value in said]
        assert "Traceback" not in said
