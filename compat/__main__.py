"""Run contract and core suite on other releases: `python -m compat` (`make compat`).

Each combination of Freqtrade and ccxt gets an environment of its own under `.compat/`, kept for the next
time. A whole run writes the table of `docs/releases.md` and `pairbot_ext/host/tested_releases.json`, which
preflight, start and `pyproject.toml` follow.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from compat import environments, suite, table
from compat.environments import Combination
from compat.table import Row
from pairbot_ext.support.errors import PairbotError


def judged(each: Combination) -> Row:
    """Build its environment and run everything there."""
    try:
        environments.build(each)
    except PairbotError as error:
        print(f"{each.name}: {error}", flush=True)
        return Row(each, wrong=error.what)
    outcome = suite.run(each)
    row = Row(each, outcome)
    print(table.shown(row), flush=True)
    for test in (*outcome.contract.failed, *outcome.core.failed):
        print(f"  failed: {test}", flush=True)
    return row


def again(each: Combination) -> Row:
    """As it was if it was green, else `judged` anew."""
    kept = suite.kept(each)
    return Row(each, kept) if kept is not None and kept.is_green else judged(each)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where a combination is red, 2 where the package index does not answer."""
    parser = argparse.ArgumentParser(prog="python -m compat", description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="show the combinations and run none")
    what.add_argument("--red", action="store_true", help="run only what is not green from the last time")
    what.add_argument("--only", action="append", metavar="FREQTRADE-CCXT", help="these alone; writes nothing")
    parser.add_argument("--jobs", type=int, default=2, help="combinations at a time (default: 2)")
    args = parser.parse_args(argv)
    begun = time.monotonic()
    try:
        wanted = environments.named(args.only) if args.only else environments.combinations()
    except PairbotError as error:
        print(f"compat: {error}", file=sys.stderr)
        return 2
    for each in wanted:
        print(f"{each.freqtrade} with ccxt {each.ccxt}: {each.why}", flush=True)
    if args.list:
        return 0
    with ThreadPoolExecutor(args.jobs) as workers:
        rows = list(workers.map(again if args.red else judged, wanted))
    print(table.table(rows))
    wall_secs, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = (
        f"{table.MEASURED} took {wall_secs / 60:.0f} min of wall clock and "
        f"{(used.ru_utime + used.ru_stime) / 60:.0f} min of processor time on {environments.today()}, "
        f"environments included, {args.jobs} at a time."
    )
    print(measured)
    if not args.only:
        table.write(rows, None if args.red else measured, environments.today())
        print(f"written: {table.PAGE.relative_to(environments.ROOT)}")
    return 0 if all(row.is_green for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
