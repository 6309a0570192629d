"""`pairbot restore`: a backup becomes the bot's database again."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from pairbot_ext.commands.backup import (
    add_database_options,
    database_of,
    lost_journal,
    pairs_file_of,
    print_json,
    summary,
)
from pairbot_ext.support.exitcode import ExitCode

DESCRIPTION = """\
Puts a file of `pairbot backup` into the database of the configuration, SQLite or PostgreSQL, whichever it was
made of. Every byte is checked first. Refused where a bot runs on that database, where pairs or trades are
open in it, and where a newer version made the backup. A SQLite file that is replaced is kept beside it; a
server's database must be empty. A pairs file that is there stays.
"""
EPILOG = """\
exit code: 0 restored and checked, 2 refused; nothing was changed then.

examples:
  pairbot restore pairbot.zip
  pairbot restore pairbot.zip --db-url postgresql+psycopg://bot@localhost/trades
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "restore",
        help="put a backup back",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("archive", type=Path, metavar="FILE", help="written by `pairbot backup`")
    add_database_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where the backup is in place."""
    from pairbot_ext.backup.restore import restore

    config, database = database_of(args)
    # Never in the place of a configuration that somebody may start a bot with: its keys are gone.
    kept_config = Path(config["user_data_dir"]) / "config.from-backup.json"
    done = restore(args.archive, database, datetime.now(UTC), pairs_file_of(config), kept_config)
    replaced = () if done.replaced is None else (f"The database that was there is {done.replaced}",)
    notes = [*replaced, *done.notes, *(note.strip() for note in lost_journal(done.manifest))]
    if args.json:
        print_json(done.manifest, database=database.shown, notes=notes)
    else:
        print(f"Restored {database.shown}: {summary(done.manifest)}")
        print("\n".join(notes))
    return ExitCode.OK
