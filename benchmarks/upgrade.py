"""Upgrade and rollback with pairs open: `python -m benchmarks.upgrade REVISION` (an older commit).

The older package, this one and the older one again run the same bot, one after the other, in live mode on one
simulated exchange, with one database. Each is stopped by Ctrl+C as soon as a pair is open. After every stop,
and at the end, what the venue holds is compared with what the journal says (I9). Nothing of either package is
changed; the older one is taken out of git. Writes docs/upgrade-transcript.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import create_engine

from pairbot_ext.demo.process import ExchangeProcess, _Process
from pairbot_ext.demo.steps import Workplace
from pairbot_ext.journal.ledger import PairStatus, has_journal, read_ledger
from pairbot_ext.sim.offline import freqtrade_command

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "upgrade-transcript.md"
SEED = 20260201
OPEN_SECS, FLAT_SECS, START_SECS = 240.0, 240.0, 120.0


@dataclass
class Stage:
    """The bot's place: one database, one userdir, one exchange."""

    workplace: Workplace
    exchange: ExchangeProcess
    lines: list[str] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.workplace.folder / "upgrade.sqlite"

    def say(self, text: str) -> None:
        """One line of the transcript."""
        self.lines.append(text)
        print(text, flush=True)

    def journal(self) -> list[PairStatus]:
        """Every pair trade, by this release's eyes, without making or locking anything."""
        if not self.database.is_file():
            return []
        engine = create_engine(f"sqlite:///{self.database.as_uri()}?mode=ro&uri=true")
        try:
            return read_ledger(engine) if has_journal(engine) else []
        finally:
            engine.dispose()

    def open_pairs(self) -> list[PairStatus]:
        """Those that are whole on the venue."""
        return [each for each in self.journal() if each.trade.state.value == "HEDGED"]

    def check(self) -> str:
        """Venue against journal, amount by amount. Raises SystemExit where they differ."""
        said: dict[str, Decimal] = {}
        for each in self.journal():
            if each.trade.state.is_final:
                continue
            for leg in each.legs:
                sign = 1 if leg.side == "long" else -1
                name = leg.symbol.partition(":")[0].replace("/", "")
                said[name] = said.get(name, Decimal(0)) + sign * leg.held
        held = {
            str(row["symbol"]): Decimal(str(row["positionAmt"]))
            for row in self.exchange.control.state()["positions"]
            if Decimal(str(row["positionAmt"]))
        }
        said = {name: amount for name, amount in said.items() if amount}
        if held != said:
            raise SystemExit(f"the venue holds {held}, the journal says {said}")
        shown = ", ".join(f"{name} {amount}" for name, amount in sorted(held.items())) or "flat"
        return f"venue = journal: {shown}"


class Bot(_Process):
    """`freqtrade trade` with the package of one folder."""

    def __init__(self, stage: Stage, name: str, package: Path, config: Path) -> None:
        self.name = f"The bot ({name})"
        with _package(package):
            super().__init__(
                Workplace(package, stage.workplace.folder),
                [
                    str(freqtrade_command()), "trade", "--strategy", "PairsArb",
                    "--strategy-path", str(package / "strategies"), "--userdir", str(stage.workplace.folder),
                    "-c", str(package / "config.json"), "-c", str(config), "-c", str(stage.exchange.overlay),
                    "--db-url", f"sqlite:///{stage.database}",
                ],
                stage.workplace.folder / f"{name}.log",
            )  # fmt: skip


@contextmanager
def _package(folder: Path):
    """Processes started now import the package from there."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def older(revision: str, folder: Path) -> Path:
    """The files of a revision."""
    made = folder / "older"
    made.mkdir()
    files = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(made)], input=files, check=True)
    return made


def play(stage: Stage, name: str, package: Path, config: Path, *, wants_flat: bool = False) -> None:
    """Start, look after what was open, stop as soon as a pair is open (or none is)."""
    before = {each.trade.id: each for each in stage.journal()}
    were_open = {key for key, each in before.items() if not each.trade.state.is_final}
    with Bot(stage, name, package, config) as bot:
        secs = bot.wait_for(
            "start", lambda: "Changing state to: RUNNING" in bot.log.read_text("utf-8", "replace")
            or "Bot heartbeat" in bot.log.read_text("utf-8", "replace"), START_SECS,
        )  # fmt: skip
        stage.say(f"{name}: running after {secs:.0f} s, {len(were_open)} pair trades open before")
        if wants_flat:
            done = bot.wait_for(
                "close what was open",
                lambda: all(
                    each.trade.state.is_final for each in stage.journal() if each.trade.id in were_open
                ),
                FLAT_SECS,
            )
            stage.say(f"  what was open is closed {done:.0f} s later")
        else:
            took = bot.wait_for(
                "open a pair",
                lambda: any(each.trade.id not in before for each in stage.open_pairs()),
                OPEN_SECS,
            )
            stage.say(f"  a new pair is whole {took:.0f} s later; Ctrl+C")
        code = bot.stop()
    after = {each.trade.id: each for each in stage.journal()}
    lost = before.keys() - after.keys()
    if lost:
        raise SystemExit(f"{name} has lost {', '.join(lost)}")
    ended = [
        f"{key}: {after[key].trade.state.value}, {after[key].trade.reason or 'open'}" for key in were_open
    ]
    stage.say(f"  ended with exit code {code}; of those open before: {'; '.join(ended) or 'there were none'}")
    stage.say(f"  {stage.check()}")
    still = sum(not each.trade.state.is_final for each in after.values())
    stage.say(f"  {len(after)} pair trades in the journal, {still} open")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the transcript."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.upgrade", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("revision", help="an older commit")
    parser.add_argument("--print", action="store_true", help="do not write the page")
    args = parser.parse_args(argv)
    shown = ["git", "log", "-1", "--format=%h of %cs", args.revision]
    named = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as name:
        folder = Path(name)
        package = older(args.revision, folder)
        place = Workplace(ROOT, folder / "user_data")
        place.folder.mkdir()
        config = folder / "bot.json"
        config.write_text(json.dumps({
            "bot_name": "pairbot upgrade", "dry_run": False, "max_open_trades": 8, "stake_amount": 500,
            "user_data_dir": str(place.folder),
            "internals": {"process_throttle_secs": 2},
        }))  # fmt: skip
        with ExchangeProcess(place, seed=SEED) as exchange:
            exchange.control.state()
            stage = Stage(place, exchange)
            play(stage, "older", package, config)
            play(stage, "this one, upgraded", ROOT, config)
            play(stage, "older, rolled back", package, config)
            play(stage, "this one, again", ROOT, config, wants_flat=True)
    text = (
        f"<!-- written by `python -m benchmarks.upgrade {args.revision}` -->\n\n"
        "# Upgraded and rolled back with pairs open\n\n"
        f"The package of commit {named}, this one, and both once more, on one database and one simulated "
        "exchange, in live mode with made-up keys. Each is stopped as soon as it has opened a pair; after "
        "each stop the venue's positions are compared with the journal's.\n\n```\n"
        + "\n".join(stage.lines)
        + "\n```\n"
    )
    if args.print:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
