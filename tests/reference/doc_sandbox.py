"""Which commands of the pages are not run by a test, and why; a folder in which the others are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from doc_commands import Command

from pairbot_ext.cli import main
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.market.paths import PlantedPair

NOT_RUN = {
    r"(?:make|git|pip) .*": "builds or fetches what is here already, or runs this suite",
    r"docker .*": "needs a container engine",
    r"(?:systemctl|useradd|install|chown|ln|cp|tee) .*": "changes the machine",
    r"createdb .*|pairbot movedb .*": "needs a database server; tests/backup has one",
    r"(?:openssl|umask|curl|chromium|mkdir) .*": "not ours",
    r"(?:export|cd|read) .*": "of the reader's shell",
    r"grep .*": "reads the log of a bot that a command above it starts",
    r".* (?:\.\.\.|…).*": "not complete: it says `...`",
    r"pairbot preflight --live .*": "needs an account of the reader's",
    r"pairbot preflight(?: --json)?|python -m json\.tool": "asks Binance; runs with the exchange's overlay",
    r"pairbot scan .*--exchange .*": "asks Binance; tests/scan/test_live.py asks a stand-in",
    r"(?:pairbot offline .*-- |freqtrade )trade .*": "runs until Ctrl+C; tests/demo has a bot",
    r"pairbot offline -- backtesting --strategy PairsArb --timerange 20250708-.*": "of the committed pairs, "
    "whose candles are fetched; another backtest is run",
    r"freqtrade hyperopt .*|pairbot adopt .*": "minutes; tests/research/test_adopt.py and test_loss.py",
    r"pairbot prove.*": "asks Binance's demo venue; tests/prove/test_whole_proof.py asks a stand-in",
    r"pairbot replay .*": "hours, of months of candles; tests/rehearse/test_replay.py plays days",
    r"pairbot demo.*|.*user_data/demo/.*": "minutes; tests/demo/test_backtest_demo.py",
    r".* DIR( .*)?|python -m benchmarks.*": "a study: an hour to days, most on real candles",
    r"\.venv/bin/dask .*": "a cluster's; tests/tasks/test_cluster.py has one",
    r"pairbot init(?: --check| --userdir .*)?": "changes which configuration the others read; tests/userdir",
    r"freqtrade .* FROM-": "names a day of the reader's",
    r"pairbot drill(?: --seeds 300| --html \S+| --search .*| --schedule .*)?": "minutes; tests/rehearse",
    r"pairbot drill --fault kill-entry .*": "of the demo's pairs; `--fault kill` is run with PAIRBOT_CHAOS=1",
    r"pairbot walkforward .*--pairs-file .*|pairbot report a\.json b\.json": "of results of the reader's; "
    "tests/research/test_beside.py",
    r"pairbot report backtest-result-.*|pairbot status .*live-sim.*": "of a file of the reader's",
}
"""By what the whole command looks like. Any command that is not here is run."""
TRANSCRIPTS = ("docs/chat-transcript.md", "docs/install-transcript.md", "docs/upgrade-transcript.md")
"""Written by a program that runs what they show, and says so in their first lines."""
LONG = r"pairbot (?:drill --fault kill$|compare |walkforward )"
"""Run with PAIRBOT_CHAOS=1 alone."""
COINS = ("ADA", "LINK", "SOL", "DOT")
PLANTED = (PlantedPair("ADA", "LINK", 0.8, 5.0, 0.012), PlantedPair("SOL", "DOT", 1.1, 5.0, 0.012))
START, CANDLES = datetime(2025, 5, 1, tzinfo=UTC), 7_400
"""From the first day the pages' commands name to beyond the last."""


def reason_not_to(command: Command) -> str | None:
    """Why it is not run; None where it is."""
    if command.page in TRANSCRIPTS:
        return "the page is written by what runs it"
    text = " ".join(command.words)
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, text)), None)


@dataclass
class Sandbox:
    """A folder like a fresh checkout whose candles have been downloaded and whose bot has traded.

    :param folder: an empty one, the current directory while commands run. :param root: the checkout.
    :param database: of a bot.
    """

    folder: Path
    root: Path
    database: Path
    ends: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        for name in ("config.json", "pairs_config.json"):
            shutil.copy(self.root / name, self.folder)
        for name in ("strategies", "docs"):
            (self.folder / name).symlink_to(self.root / name)
        (self.folder / "user_data").mkdir()
        datadir = self.folder / "user_data/data/binance"
        write_synthetic_datadir(datadir, seed=7, symbols=COINS, planted=PLANTED, start=START, candles=CANDLES)
        for name in ("tradesv3.sqlite", "tradesv3.dryrun.sqlite"):
            shutil.copy(self.database, self.folder / name)

    def run(self, command: Command) -> int:
        """Its exit code. Freqtrade meets the simulated exchange; what ends in `&` stays until the end."""
        words = list(command.words)
        match words[0], words[1:2]:
            case "pairbot", ["exchange"]:
                return self._serve(words[1:])
            case "pairbot", _:
                return self._main(words[1:])
            case "freqtrade", _:
                return self._main(["offline", "--", *words[1:]])
            case (("echo" | "cat"), _):
                done = subprocess.run(["bash", "-ec", command.text], cwd=self.folder, check=False)
                assert command.writes is not None
                json.loads((self.folder / command.writes).read_text(encoding="utf-8"))
                return done.returncode
        raise ValueError(f"{command}: neither run nor listed in NOT_RUN")

    def _main(self, arguments: list[str]) -> int:
        try:
            return main(arguments)
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else 1

    def _serve(self, arguments: list[str]) -> int:
        """Until it serves; it ends with the sandbox."""
        served = subprocess.Popen(
            [sys.executable, "-m", "pairbot_ext.cli", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.root)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ends.callback(served.wait, 60)
        self.ends.callback(served.terminate)
        assert served.stderr is not None
        for line in served.stderr:
            if line.startswith("Serving."):
                return 0
        return served.wait()
