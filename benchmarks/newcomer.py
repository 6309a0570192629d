"""Somebody who has never seen the package, twice: with a bot of their own, and with nothing.

`python -m benchmarks.newcomer` builds the wheel, installs it into a new environment as `pip install` does,
runs what docs/install.md says in two new folders, and writes docs/install-transcript.md: what was printed and
how long it took. `--bin DIR` takes an environment that is there, `--print` writes nothing. Beside the
installation no internet is used: the exchange is `pairbot offline`'s, the candles are generated.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pairbot_ext.sim.datadir import write_synthetic_datadir

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "install-transcript.md"
SEED = 20260201
START = datetime(2025, 1, 1, tzinfo=UTC)
FORMATION_CANDLES = 1440
TRADED_CANDLES = 720
BOT_SECS = 100
MOST_LINES = 14
"""Of one command's output, from its end: a backtest prints a hundred."""
TARGET_SECS = 120
SHOWN_AS = "/home/me/bot"


class Session:
    """Commands in one folder, and what they printed.

    :param folder: the working directory. :param bin_dir: of the environment.
    """

    def __init__(self, folder: Path, bin_dir: Path) -> None:
        self.folder = folder
        self._bin = str(bin_dir)
        self._environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
        } | {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
        self.parts: list[str] = []
        self.secs = 0.0
        self.processor_secs = 0.0
        self.commands = 0

    def say(self, text: str) -> None:
        """A sentence of the page."""
        self.parts.append(f"\n{text}\n")

    def run(
        self,
        line: str,
        *,
        counts: bool = False,
        lines: int = MOST_LINES,
        head: int = 0,
        codes: Sequence[int] = (0,),
        stop_after_secs: float | None = None,
        only: str = "",
    ) -> str:
        """Run one line and note it.

        :param counts: among the commands whose time is measured. :param lines, head: shown, of the end and of
            the beginning. :param stop_after_secs: Ctrl+C then, as somebody does who has seen enough.
        :param only: lines with this in them, from there on; a bot's log is long.
        """
        began, used = time.monotonic(), _processor_secs()
        # A log is wrapped at the terminal's width.
        wide = {"COLUMNS": "1000"} if only else {}
        child = subprocess.Popen(
            shlex.split(line), cwd=self.folder, env=self._environment | wide, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = child.communicate(timeout=stop_after_secs or 600)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            output, _ = child.communicate(timeout=90)
        took = time.monotonic() - began
        if stop_after_secs is None and child.returncode not in codes:
            raise SystemExit(
                "".join(self.parts) + f"`{line}` ended with {child.returncode}:\n{output[-3000:]}"
            )
        if counts:
            self.commands += 1
            self.secs += took
            self.processor_secs += _processor_secs() - used
        output = output.replace(str(self.folder), SHOWN_AS).replace(self._bin, "~/.venv/bin")
        found = (text for text in output.splitlines() if text.strip() and only in text)
        told = (
            [text[text.index(only) :].strip() for text in found]
            if only
            else [text.rstrip() for text in found]
        )
        if head and len(told) > head + lines:
            told = [*told[:head], "...", *told[len(told) - lines :]]
        elif len(told) > lines + head:
            told = ["...", *told[-lines:]]
        body = "\n".join([f"$ {line}", *told])
        self.parts.append(f"\n```\n{body}\n```\n\n{took:.0f} s, exit code {child.returncode}.\n")
        print(f"{took:6.1f} s  {line}", flush=True)
        return output


def _processor_secs() -> float:
    """Of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def install(folder: Path) -> tuple[Path, float, int]:
    """A new environment with the wheel in it: its bin, the seconds `pip install` took, the wheel's bytes."""
    wheels = folder / "wheel"
    pip = [sys.executable, "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT)], check=True
    )
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    began = time.monotonic()
    subprocess.run([str(folder / "venv/bin/python"), "-m", "pip", "install", "-q", str(wheel)], check=True)
    return folder / "venv" / "bin", time.monotonic() - began, wheel.stat().st_size


def candles(userdir: Path) -> str:
    """Generated candles where Freqtrade keeps Binance's; the time range after the formation."""
    made = write_synthetic_datadir(
        userdir / "data" / "binance", seed=SEED, start=START, candles=FORMATION_CANDLES + TRADED_CANDLES
    )
    return f"{START + timedelta(hours=FORMATION_CANDLES):%Y%m%d}-{made.end:%Y%m%d}"


def own_bot(session: Session) -> None:
    """A bot as Freqtrade's own commands make it."""
    session.run("freqtrade create-userdir --userdir user_data", lines=1)
    code = (
        "from pathlib import Path; from freqtrade.configuration.deploy_config import deploy_new_config as d; "
        "d(Path('user_data/config.json'), dict(dry_run=True, max_open_trades=3, stake_currency='USDT', "
        "stake_amount='100', fiat_display_currency='USD', timeframe='5m', exchange_name='binance', "
        "trading_mode='spot', margin_mode='', telegram=False, api_server=False, exchange_key='', "
        "exchange_secret='', api_server_jwt_key='0' * 64, api_server_ws_token='0' * 32))"
    )
    subprocess.run([str(session._environment["PATH"].split(os.pathsep)[0]) + "/python", "-c", code],
                   cwd=session.folder, check=True, env=session._environment)  # fmt: skip


def with_a_bot(session: Session) -> None:
    """An existing user_data; in the end it is as it was."""
    session.say(
        "## With a bot of your own\n\nWhat was there before: a `user_data` of `freqtrade create-userdir`, "
        "the `config.json` that `freqtrade new-config` writes for spot and 5 m candles, and Freqtrade's "
        "sample strategy."
    )
    own_bot(session)
    userdir = session.folder / "user_data"
    span = candles(userdir)
    before = session.folder.parent / "before"
    shutil.copytree(userdir, before, ignore=shutil.ignore_patterns("data"))
    session.say(
        "**Three commands to a backtest.** The candles are generated, and the exchange is simulated "
        "(`pairbot offline --`): with internet the scan fetches them (`--exchange binance`), and the last "
        "line begins with `freqtrade`."
    )
    session.run("pairbot init", counts=True, lines=60)
    end = START + timedelta(hours=FORMATION_CANDLES)
    session.run(
        f"pairbot scan --userdir user_data --end {end:%Y-%m-%d} --rule naive --out user_data/pairs.json",
        counts=True, lines=4, head=4,
    )  # fmt: skip
    session.run(
        f"pairbot offline -- backtesting -c user_data/pairbot.json --timerange {span} --export trades",
        counts=True, lines=12,
    )  # fmt: skip
    backtest = measured(session)
    session.run("pairbot report user_data/backtest_results --userdir user_data", lines=24)
    session.say("**A dry-run** of the same configuration, on the simulated exchange's own pairs:")
    session.secs, session.commands = 0.0, 1
    dry_run(session)
    session.say(f"{backtest} The dry-run needs two of them, `init` and this one, on the simulated market.")
    session.run("pairbot init --check", lines=8)
    session.say("**Out again:**")
    session.run("pairbot init --remove", lines=6)
    differing = sorted(_differences(before, userdir))
    session.say("What differs from before, beside candles, results and logs: "
                + (", ".join(f"`{name}`" for name in differing) or "nothing") + ".")  # fmt: skip


def _differences(before: Path, after: Path) -> set[str]:
    """Files that are not in both or not the same; databases, results and logs are what a bot has done."""
    names = {path.relative_to(root) for root in (before, after) for path in root.rglob("*") if path.is_file()}
    done = ("data", "backtest_results", "logs", "plot")
    return {
        str(name)
        for name in names
        if name.parts[0] not in done
        and "__pycache__" not in name.parts
        and not ((before / name).is_file() and (after / name).is_file()
                 and filecmp.cmp(before / name, after / name, shallow=False))
    }  # fmt: skip


def dry_run(session: Session) -> None:
    """A bot that trades planted pairs for a while, then Ctrl+C."""
    session.run(
        "pairbot offline --market demo --pairs-out user_data/sim-pairs.json -- "
        "trade -c user_data/pairbot.json",
        stop_after_secs=BOT_SECS, lines=16, only=" - pairbot_ext.",
    )  # fmt: skip
    session.run("pairbot status --userdir user_data --last 4", lines=16, codes=(0, 1))


def measured(session: Session) -> str:
    """The sentence with the figure."""
    return (
        f"**{session.commands} commands, {session.secs:.0f} s together, {session.processor_secs:.0f} s of "
        f"processor time** (target: 3 commands, {TARGET_SECS} s beside the installation)."
    )


def with_nothing(session: Session) -> None:
    """An empty folder."""
    session.say("## With nothing\n\nAn empty folder.")
    session.run("pairbot demo", lines=34)
    session.say("**A bot of one's own** from here, in dry-run on the simulated market:")
    session.run("pairbot init", counts=True, lines=20)
    dry_run(session)
    session.run("pairbot doctor --userdir user_data", lines=6)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.newcomer", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--bin", type=Path, metavar="DIR", help="bin of an environment that has the wheel")
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="newcomer-") as name:
        folder = Path(name)
        told = "The package was installed before"
        bin_dir = args.bin
        if bin_dir is None:
            bin_dir, secs, size = install(folder)
            told = f"The wheel is {size / 2**20:.1f} MiB (target: 5); `pip install` of it took {secs:.0f} s"
        head = (
            "<!-- written by `python -m benchmarks.newcomer` -->\n\n# Installed and tried, twice\n\n"
            "What somebody sees who installs the package and follows [install.md](install.md), as it was "
            f"printed; long outputs are cut where it says `...`, and the folder is shown as `{SHOWN_AS}`. "
            f"{told}."
        )
        sessions = []
        for title, play in (("existing bot", with_a_bot), ("nothing", with_nothing)):
            place = folder / title / "work"
            place.mkdir(parents=True)
            session = Session(place, bin_dir)
            play(session)
            sessions.append(session)
    text = head + "\n" + "".join(part for session in sessions for part in session.parts)
    if args.print:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
