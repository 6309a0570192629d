"""`pairbot init`: pair trading in a Freqtrade user_data that exists, or in a new one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import USERDIR

if TYPE_CHECKING:
    from pairbot_ext.userdir.plan import Plan

DESCRIPTION = """\
Adds pair trading to a Freqtrade user_data, or makes a new one: the strategy, the loss for hyperopt, an empty
pairs file, .env.example, and pairbot.json, a configuration that builds on yours and is passed to Freqtrade in
its place: freqtrade trade -c DIR/pairbot.json. Your own files are never written to. Run it again after an
upgrade or a move: what is still as it was written is brought up to date, what you have changed is kept.
"""
EPILOG = """\
exit code: 0 done, or nothing to do; 1 with --check an init would change something or a file waits to be
merged, with --remove live pair trades are open; 2 a file of yours stands in the way, or cannot be read.

examples:
  pairbot init                                   user_data here, on its config.json or the one beside it
  pairbot init --userdir ~/bot/user_data -c ~/bot/config.json -c ~/bot/private.json
  pairbot init --check
  pairbot init --remove
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "init",
        help="add pair trading to a Freqtrade user_data, or make one",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--userdir", "--user-data-dir", type=Path, default=Path(USERDIR), metavar="DIR",
        help="Freqtrade's user_data folder, made where there is none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "-c", "--config", action="append", type=Path, metavar="FILE",
        help="your configuration that pairbot.json builds on, may be given several times (default: "
        "as the last time, else config.json in DIR or beside it, else none)",
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    what.add_argument(
        "--check", action="store_true", help="the same; exit code 1 where there is something to do"
    )
    what.add_argument("--remove", action="store_true", help="take out what was written and is not changed")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 1 where --check finds something to do, or --remove finds live pair trades."""
    if args.remove:
        return _remove(args.userdir)
    # Imported here: `pairbot --help` should load nothing.
    from pairbot_ext.userdir.apply import apply
    from pairbot_ext.userdir.plan import make_plan
    from pairbot_ext.userdir.show import as_json, lines

    plan = make_plan(args.userdir, args.config, Path.cwd())
    print(json.dumps(as_json(plan), indent=1) if args.json else "\n".join(lines(plan)))
    if args.check:
        return ExitCode.OK if plan.is_done else ExitCode.PROBLEM
    if args.dry_run:
        return ExitCode.OK
    apply(plan)
    if not args.json:
        print("\n".join(_next(plan)))
    return ExitCode.OK


def _next(plan: Plan) -> list[str]:
    """What to type after it, ready to be copied."""
    import shlex

    from pairbot_ext.userdir.options import OVERLAY
    from pairbot_ext.userdir.overlay import PAIRS_FILE

    config = shlex.quote(_short(plan.userdir / OVERLAY))
    pairs = shlex.quote(_short(plan.userdir / PAIRS_FILE))
    return [
        "",
        "Next, find pairs (in candles that you have: --datadir DIR instead of --exchange NAME):",
        f"  pairbot scan -c {config} --exchange {plan.exchange} --out {pairs}",
        "then one of",
        f"  freqtrade backtesting -c {config} --timerange FROM-TO",
        f"  freqtrade trade -c {config}",
        "It is a dry-run. Before money: docs/going-live.md, `pairbot preflight --live`.",
    ]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _remove(userdir: Path) -> int:
    from pairbot_ext.userdir.apply import remove
    from pairbot_ext.userdir.manifest import read_manifest

    manifest = read_manifest(userdir) if userdir.is_dir() else None
    if manifest is None:
        raise PairbotError(
            f"pairbot init has written nothing into {userdir}", remedy="Name the folder with --userdir"
        )
    still_open = _open_pairs(userdir)
    if still_open:
        print(
            f"Nothing was removed: {still_open} live pair trades are open in this bot's database, and "
            f"nothing would manage them. Close them first: `pairbot flatten all --userdir {userdir}`"
        )
        return ExitCode.PROBLEM
    removed, kept = remove(userdir, manifest)
    print(f"Removed from {userdir}: {', '.join(removed) or 'nothing'}")
    if kept:
        print(f"Kept, because you have changed it: {', '.join(kept)}")
    print("Databases, logs, candles and results stay. `pip uninstall pairbot-ext` takes the package out.")
    return ExitCode.OK


def _open_pairs(userdir: Path) -> int:
    """How many pair trades with money the bot of this userdir has open; 0 where it has no database yet."""
    from sqlalchemy.engine import make_url

    from pairbot_ext.commands.flatten import open_pairs
    from pairbot_ext.preflight.database import sqlite_file
    from pairbot_ext.userdir.options import OVERLAY
    from pairbot_ext.userdir.overlay import read_own

    if not (userdir / OVERLAY).is_file():
        return 0
    # Not as Freqtrade loads it: that makes folders.
    url = str(read_own([userdir / OVERLAY])["db_url"])
    path = sqlite_file(make_url(url))
    if path is not None and not path.is_file():
        return 0
    return sum(not each.trade.dry_run for each in open_pairs(url))
