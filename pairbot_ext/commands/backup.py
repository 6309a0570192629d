"""`pairbot backup`: the bot's database, pairs file and configuration in one file, while it runs."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from pairbot_ext.backup.archive import Manifest
    from pairbot_ext.backup.databases import Database

DESCRIPTION = """\
Writes Freqtrade's tables and the journal as they are at one instant into a new file, with the pairs file and
the configuration (its secrets left out), and reads it back before it says so. The bot may run meanwhile.
SQLite and PostgreSQL; `pairbot restore` puts it back into either.
"""
EPILOG = """\
exit code: 0 written and read back, 2 not.

examples:
  pairbot backup pairbot.zip
  pairbot backup backups/ --keep 14 -c config.json -c live.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "backup",
        help="keep the bot's database in a file",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target", metavar="FILE", help="new file, or a folder (ends in /) that gets one named after the time"
    )
    add_database_options(parser)
    parser.add_argument(
        "--keep", type=int, metavar="N", help="of a folder: remove all but its N newest backups"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def add_database_options(parser: argparse.ArgumentParser) -> None:
    """Whose database it is."""
    add_config_options(parser)
    parser.add_argument("--db-url", metavar="URL", help="default: the configuration's, as Freqtrade finds it")


def run(args: argparse.Namespace) -> int:
    """Returns 0 where the backup was written and read back."""
    from pairbot_ext.backup.backup import Wanted, back_up

    if args.keep is not None and args.keep < 1:
        raise PairbotError("--keep must leave one backup at least", value=args.keep)
    target = Path(args.target)
    is_folder = target.is_dir() or args.keep is not None or args.target.endswith(("/", os.sep))
    config, database = database_of(args)
    wanted = Wanted(database, pairs_file_of(config), config.get("original_config", {}))
    path, manifest = back_up(wanted, target, datetime.now(UTC), is_folder=is_folder, keep=args.keep)
    if args.json:
        print_json(manifest, file=str(path), notes=list(lost_journal(manifest)))
    else:
        print(f"Wrote {path} ({path.stat().st_size:,} bytes): {summary(manifest)}")
        print("\n".join(lost_journal(manifest)), end="")
    return ExitCode.OK


def database_of(args: argparse.Namespace) -> tuple[dict[str, Any], Database]:
    """(the bot's configuration, its database)."""
    from pairbot_ext.backup.databases import Database
    from pairbot_ext.preflight import load_config
    from pairbot_ext.support.redact import protect

    config = load_config(args.config or (), live=False, userdir=args.userdir)
    protect(config=config)
    return config, Database.at(args.db_url or str(config["db_url"]), Path(config["user_data_dir"]))


def pairs_file_of(config: dict[str, Any]) -> Path | None:
    """Where the bot looks for its pairs file; None where its own settings cannot be read."""
    from pairbot_ext.settings import parse_settings

    try:
        return parse_settings(config.get("pairbot")).pairs_path()
    except PairbotError:
        return None


def summary(manifest: Manifest) -> str:
    """What is in a backup, in a line."""
    found = manifest.contents
    trades, events = (found.rows.get(name, 0) for name in ("pairbot_pair_trades", "pairbot_events"))
    return (
        f"{manifest.source} of {manifest.made_at}, {trades} pair trades ({len(found.open_pairs)} open), "
        f"{found.rows.get('trades', 0)} trades ({len(found.open_trades)} open), {events} events; "
        f"{', '.join(name for name in manifest.files)}"
    )


def lost_journal(manifest: Manifest) -> tuple[str, ...]:
    """A warning where pairs' trades came without the journal."""
    lost = manifest.contents.lost
    if not lost:
        return ()
    return (
        f"The journal knows nothing of {', '.join(lost)}: its tables were left behind (convert-db?). "
        "A bot started on them is HALTED; docs/backup.md says what to do.\n",
    )


def print_json(manifest: Manifest, **more: Any) -> None:
    """What was done, for programs."""
    import json
    from dataclasses import asdict

    print(json.dumps({**more, **asdict(manifest)}, indent=2))
