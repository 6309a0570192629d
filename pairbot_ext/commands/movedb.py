"""`pairbot movedb`: a bot's database from SQLite to PostgreSQL or back, with open pairs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

DESCRIPTION = """\
Copies Freqtrade's tables and the journal into an empty database, in one transaction that is committed only
when every row was read back and is the same. The source is not changed. Stop the bot first; open pairs go
along. `freqtrade convert-db` would leave the journal behind, and with it what a pair trade is.
"""
EPILOG = """\
exit code: 0 moved and compared row by row, 2 refused; the target is as it was.

A password on a command line can be read by other users of the machine: let the server's own means find it
(PGPASSWORD, ~/.pgpass), or leave out --from or --to, which is then the configuration's db_url.

examples:
  pairbot movedb --to postgresql+psycopg://bot@localhost/trades
  pairbot movedb --from postgresql+psycopg://bot@localhost/trades --to sqlite:///tradesv3.sqlite
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "movedb",
        help="move the bot's database, SQLite to PostgreSQL or back",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="source", metavar="URL", help="default: the configuration's db_url")
    parser.add_argument("--to", dest="target", metavar="URL", help="default: the configuration's db_url")
    add_config_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where everything was moved and compared."""
    if args.source is None and args.target is None:
        raise PairbotError(
            "movedb needs --from URL or --to URL", remedy="The other one may be the configuration's"
        )
    from pairbot_ext.backup.databases import Database
    from pairbot_ext.backup.move import move
    from pairbot_ext.preflight import load_config
    from pairbot_ext.support.redact import protect

    config = load_config(args.config or (), live=False, userdir=args.userdir)
    protect(config=config)
    source, target = (
        Database.at(url or str(config["db_url"]), Path(config["user_data_dir"]))
        for url in (args.source, args.target)
    )
    moved = move(source, target)
    if args.json:
        print(json.dumps({"from": source.shown, "to": target.shown, **asdict(moved)}, indent=2))
        return ExitCode.OK
    rows = sum(moved.rows.values())
    print(
        f"Moved {rows} rows of {len(moved.rows)} tables from {source.shown} to {target.shown}; all compared."
    )
    for name, number in moved.rows.items():
        print(f"  {name} {number}")
    if moved.left:
        print(f"Left behind, as they are of neither: {', '.join(moved.left)}")
    if moved.contents.lost:
        lost = ", ".join(moved.contents.lost)
        print(f"The journal knows nothing of {lost}: a bot on it is HALTED (docs/backup.md)")
    print(
        f"{len(moved.contents.open_pairs)} pair trades are open. Set db_url to the new database before the "
        "next start; a bot on the old one would manage the same pairs."
    )
    return ExitCode.OK
