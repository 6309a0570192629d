"""`pairbot prove`: what the engine relies on, claim by claim, on the demo venue and on the simulation."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path

from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import USERDIR, add_userdir_option

DESCRIPTION = """\
Runs a script of claims with the engine's own parts (venue, journal, order guard, reconciler) on Binance's
demo trading for futures, where nobody's money is traded, and the same script on a simulated exchange with the
venue's rules and prices. Prints and writes a table: claim, what the simulator says, what the venue said, the
same or not.

Keys come from the environment alone: PAIRBOT_DEMO_KEY and PAIRBOT_DEMO_SECRET, made on Binance's demo site.
Requests to any other host than the demo venue's are refused before they leave. With --read-only the live
venue is read with PAIRBOT_LIVE_KEY and PAIRBOT_LIVE_SECRET: nothing but GET leaves.
"""
EPILOG = """\
exit code: 0 everything that was shown is the same, 1 something differs, 2 refused or unusable.

examples:
  pairbot prove --accept-account
  pairbot prove --read-only
  pairbot prove --fixture user_data/prove/report.json --output tests/prove/proven/2026-11.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "prove",
        help="the engine's claims about the venue, on its demo site",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--read-only", action="store_true", help="only what reads, on the live venue")
    parser.add_argument(
        "--host", metavar="HOST", help="default: the demo venue's, with --read-only the live one's"
    )
    parser.add_argument(
        "--legs", nargs=2, metavar=("A", "B"), help="ccxt symbols (default: ADA/USDT:USDT ALGO/USDT:USDT)"
    )
    parser.add_argument(
        "--accept-account",
        action="store_true",
        help="this account, which is not known here, is a demo account",
    )
    add_userdir_option(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="default: prove/report.json in the userdir"
    )
    parser.add_argument(
        "--fixture",
        type=Path,
        metavar="REPORT",
        help="make a fixture of what a report recorded, and do nothing else",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where nothing that was shown differs."""
    if args.fixture is not None:
        return _make_fixture(args.fixture, args.output)
    from pairbot_ext.prove.account import keys_from
    from pairbot_ext.prove.hosts import LOOPBACK_VARIABLE, site_of
    from pairbot_ext.prove.proof import LEGS, Options, prove

    output = args.output or (args.userdir or Path(USERDIR)) / "prove" / "report.json"
    loopback = os.environ.get(LOOPBACK_VARIABLE)
    site = site_of(args.host, loopback, read_only=args.read_only)
    options = Options(
        site=site,
        keys=keys_from(os.environ, is_demo=site.is_demo),
        directory=output.parent,
        legs=(args.legs[0], args.legs[1]) if args.legs else LEGS,
        read_only=args.read_only,
        accept_account=args.accept_account,
        is_rehearsal=loopback is not None,
    )
    with warnings.catch_warnings():
        # The simulated exchange's certificate is self-signed by design.
        warnings.filterwarnings(
            "ignore", message="Unverified HTTPS request is being made to host '127.0.0.1'"
        )
        report = prove(options, (lambda _line: None) if args.json else lambda line: print(line, flush=True))
    written = report.write(output)
    if args.json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print()
        print("\n".join(report.lines()))
        print(f"\nWritten, to be attached to a bug report: {' and '.join(str(path) for path in written)}")
    return ExitCode.OK if report.is_same else ExitCode.PROBLEM


def _make_fixture(report: Path, output: Path | None) -> int:
    from pairbot_ext.prove.report import fixture_of
    from pairbot_ext.support.errors import PairbotError

    fixture = fixture_of(report)
    if output is None:
        raise PairbotError("a fixture needs a file", remedy="Name it with --output")
    if output.exists():
        raise PairbotError(
            "a file that exists is not overwritten", value=output, remedy="Name another --output"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    calls = sum(1 for name in fixture if not name.startswith("_"))
    print(f"{output}: recorded answers to {calls} calls")
    return ExitCode.OK
