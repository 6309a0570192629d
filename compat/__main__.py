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
from pathlib import Path

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
    row = Row(each, suite.run(each, "contract", suite.CONTRACT), suite.run(each, "core", suite.CORE))
    print(table.shown(row), flush=True)
    for outcome in (row.contract, row.core):
        for test in outcome.failed if outcome is not None else ():
            print(f"  failed: {test}", flush=True)
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where a combination is red, 2 where there is nothing to ask the package index."""
    parser = argparse.ArgumentParser(prog="python -m compat", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", action="append", metavar="FREQTRADE-CCXT", help="these alone; writes nothing"
    )
    parser.add_argument("--list", action="store_true", help="show the combinations and run none")
    parser.add_argument("--jobs", type=int, default=2, help="combinations at a time (default: 2)")
    args = parser.parse_args(argv)
    begun = time.monotonic()
    try:
        wanted = (
            [Combination(*name.split("-", 1), "asked for") for name in args.only]
            if args.only
            else environments.combinations()
        )
    except (PairbotError, TypeError) as error:
        print(f"compat: {error}", file=sys.stderr)
        return 2
    for each in wanted:
        print(f"{each.freqtrade} with ccxt {each.ccxt}: {each.why}", flush=True)
    if args.list:
        return 0
    with ThreadPoolExecutor(args.jobs) as workers:
        rows = list(workers.map(judged, wanted))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = table.table(
        rows,
        day=environments.today(),
        wall_secs=time.monotonic() - begun,
        cpu_secs=used.ru_utime + used.ru_stime,
        jobs=args.jobs,
    )
    print(text)
    if not args.only:
        table.write(rows, text, environments.today())
        print(f"written: {table.PAGE.relative_to(Path.cwd())}")
    return 0 if all(row.is_green for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
