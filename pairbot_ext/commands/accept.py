"""`pairbot accept`: look at the new selection of pairs that waits, and take it over."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

DESCRIPTION = """\
`pairbot scan --every` asks before it takes many pairs away, and always with --ask. Without ID this shows what
waits; with ID it is put in force from now on. A running bot takes it over in its next loop, as after
/pairs_accept; open pair trades go on either way.
"""
EPILOG = """\
exit code: 0 accepted, or nothing waits; 1 something waits (without ID); 2 it cannot be accepted.

examples:
  pairbot accept
  pairbot accept 1f0c93ab --out user_data/pairs.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "accept",
        help="take over a new selection of pairs that waits",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="of the selection, as the message names it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="pairs file (default: the configuration's)")
    add_config_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 1 where something waits and was not accepted."""
    from pairbot_ext.pairs.renewal import note_of, proposal_text, renewal_text
    from pairbot_ext.pairs.renewal_files import accept_proposal, read_proposal

    path, now = args.out or _pairs_file(args), datetime.now(UTC)
    if args.id is not None:
        fresh = accept_proposal(path, args.id.lower(), "pairbot accept", now)
        note = note_of(fresh)
        assert note is not None
        print(note.model_dump_json(indent=2) if args.json else renewal_text(note, fresh.scan))
        return ExitCode.OK
    proposal = read_proposal(path)
    if proposal is None or not proposal.is_open(now):
        print("null" if args.json else f"No new selection waits beside {path}")
        return ExitCode.OK
    print(proposal.model_dump_json(indent=2) if args.json else proposal_text(proposal))
    return ExitCode.PROBLEM


def _pairs_file(args: argparse.Namespace) -> Path:
    from pairbot_ext.scan.options import read_config
    from pairbot_ext.settings import parse_settings

    files, config = read_config(args.config, args.userdir)
    if not files:
        raise PairbotError("no configuration names the pairs file", remedy="Give --out FILE or -c FILE")
    return parse_settings(config.get("pairbot")).pairs_path()
