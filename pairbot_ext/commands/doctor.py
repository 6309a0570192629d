"""`pairbot doctor`: what a bug report needs, in one file, secrets removed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from pairbot_ext.journal.ledger import PairStatus

DESCRIPTION = """\
Writes one JSON file: releases, configuration without secrets, persons and amounts, what the pairs file lists,
every preflight check that stays on this machine, states and order times of the last pair trades, the end of
the bot's log and of its pair events. Nothing is sent anywhere, nothing of the bot is touched; look the file
through before you attach it. What is broken is reported, not tripped over.
"""
EPILOG = """\
exit code: 0 written, 2 it cannot be written.

examples:
  pairbot doctor
  pairbot doctor --userdir ~/bot/user_data --out report.json
"""
LAST = 50


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="collect what a bug report needs, secrets removed",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("pairbot-doctor.json"), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print the document and write no file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the document, or print it."""
    from pairbot_ext.preflight import load_config
    from pairbot_ext.preflight.doctor import SCHEMA, examine

    _check_replaceable(args, SCHEMA)
    document = examine(
        lambda: load_config(args.config or (), live=False, userdir=args.userdir),
        _pairs,
        now=datetime.now(UTC),
    )
    if args.json:
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return ExitCode.OK
    from pairbot_ext.pairs import write_json

    try:
        write_json(args.out, document)
    except OSError as error:
        raise PairbotError(f"{args.out} cannot be written: {error.strerror or error}") from error
    missing = [name for name, part in document.items() if isinstance(part, dict) and "not_there" in part]
    print(f"Wrote {args.out}, {args.out.stat().st_size / 1000:.0f} kB. Look it through before you attach it.")
    for name in missing:
        print(f"  {name}: {document[name]['not_there']}")
    return ExitCode.OK


def _pairs(url: str) -> Sequence[PairStatus]:
    from sqlalchemy import create_engine

    from pairbot_ext.commands.status import read_only
    from pairbot_ext.journal.ledger import has_journal, read_ledger

    engine = create_engine(read_only(url))
    try:
        return read_ledger(engine, last=LAST) if has_journal(engine) else []
    finally:
        engine.dispose()


def _check_replaceable(args: argparse.Namespace, schema: str) -> None:
    """Refuse to replace what is no report of an earlier doctor."""
    if args.json or not args.out.exists():
        return
    try:
        is_ours = json.loads(args.out.read_text(encoding="utf-8")).get("schema") == schema
    except (OSError, ValueError, AttributeError):
        is_ours = False
    if not is_ours:
        raise PairbotError(
            f"{args.out} is there already and is no report of pairbot doctor; it was not overwritten",
            remedy="Name another file with --out",
        )
