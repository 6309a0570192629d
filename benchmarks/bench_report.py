"""`pairbot report` of a database with 5,000 closed pair trades, beside Freqtrade's list of their trades.

A dry-run bot on the simulated exchange makes one pair trade; its rows, under new names and an hour apart, are
the others.

Run: ``python -m benchmarks bench_report``. Bounds: 5 s and 5 MiB of HTML.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.processes import FREQTRADE, PYTHON, REPO_ROOT, machine_said, ratios, run_in_turn, spread_of

sys.path[:0] = [str(REPO_ROOT / "tests" / part) for part in ("rig", "control")]
import page_world  # noqa: E402

CLOSED, MOST_SECS, MOST_MIB = 5_000, 5.0, 5.0


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    print(machine_said(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with page_world.page_rig(home, legs=page_world.many_legs(2), open_pairs=2) as rig:
            rig.bot.process()
            page_world.close_one(rig, next(iter(rig.market.legs)))
            page_world.give_a_past(rig, CLOSED)
            url = str(rig.bot.config["db_url"])
        out = home / "report"
        commands = {
            "pairbot report --out": [PYTHON, "-m", "pairbot_ext.cli", "report", url, "--out", str(out)],
            "freqtrade show-trades": [FREQTRADE, "show-trades", "--db-url", url],
        }
        found = run_in_turn(commands, repeat=args.repeat, cwd=home, codes=(0, 1))
        html_mib = sum(page.stat().st_size for page in out.rglob("*.html")) / 2**20
    table = Table(title=f"{CLOSED} closed pair trades; median [least, most]")
    for name in ("command", "wall s", "processor s", "peak MiB", "times show-trades"):
        table.add_column(name)
    alone = found["freqtrade show-trades"]
    for name, runs in found.items():
        table.add_row(
            name,
            spread_of([run.wall_secs for run in runs]),
            spread_of([run.cpu_secs for run in runs]),
            spread_of([run.peak_mib for run in runs]),
            spread_of(ratios(runs, alone)),
        )
    Console(width=120).print(table)
    typical = median(run.wall_secs for run in found["pairbot report --out"])
    print(f"HTML: {html_mib:.2f} MiB, bound {MOST_MIB:g}; {typical:.1f} s, bound {MOST_SECS:g}")
    return int(html_mib > MOST_MIB or typical > MOST_SECS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
