"""`pairbot scan`: find pairs in candles, or import a published table, and write a pairs file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.errors import PairbotError

if TYPE_CHECKING:
    from pairbot_ext.pairs import Epoch
    from pairbot_ext.scan.sources import Candles

DESCRIPTION = """\
Test every pair of symbols for cointegration over a formation window and write the selected pairs, with
their frozen models, to a pairs file that is at once Freqtrade's whitelist (RemotePairList). Beside FILE it
writes FILE.overlay.json; pass both configs to Freqtrade: -c config.json -c FILE.overlay.json.

"No tradable pair" is a normal answer: exit code 0 and an empty list that the bot accepts.
"""
EXAMPLES = """\
examples:
  pairbot scan --datadir user_data/data/binance --end 2026-02-01 --out user_data/pairs.json
  pairbot scan --datadir user_data/data/binance --walk-forward --timerange 20251001-20260101 --out wf.json
  pairbot scan --exchange binance --universe 40 --out user_data/pairs.json
  pairbot scan --datadir user_data/data/binance --end 2026-02-01 --explain ALGO_VET
  pairbot scan --exchange binance --universe 40 --out user_data/pairs.json --every week
"""
MIN_FORMATION_CANDLES = 30
DEFAULT_EXCHANGE = "binance"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `scan`."""
    from pairbot_ext.scan.options import add_knob_options, add_renewal_options
    from pairbot_ext.settings.knobs import DEFAULT_RULE, Rule
    from pairbot_ext.tasks.options import add_task_options
    from pairbot_ext.userdir.options import add_config_options

    parser = subparsers.add_parser(
        "scan",
        help="find pairs and write a pairs file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_argument_group("source")
    source.add_argument(
        "--datadir",
        type=Path,
        metavar="DIR",
        help="candles in Freqtrade's layout, e.g. user_data/data/binance (with --userdir: those in it)",
    )
    source.add_argument(
        "--exchange",
        metavar="NAME",
        help="fetch what is missing from there first, into DIR or Freqtrade's own place",
    )
    source.add_argument(
        "--universe",
        type=int,
        default=30,
        metavar="N",
        help="its perpetuals by volume (default: %(default)s)",
    )
    source.add_argument(
        "--import-table", type=Path, metavar="FILE", help="a Markdown or CSV table of pairs instead of a scan"
    )
    source.add_argument(
        "--symbols", nargs="+", metavar="SYMBOL", help="only these, e.g. ADA/USDT:USDT or ADA"
    )
    add_config_options(parser)
    window = parser.add_argument_group("formation")
    window.add_argument("--timeframe", default="1h", help="candle length (default: %(default)s)")
    window.add_argument(
        "--formation", type=int, default=1440, metavar="CANDLES", help="window length (default: %(default)s)"
    )
    window.add_argument(
        "--end",
        type=_utc_time,
        metavar="ISO",
        help="exclusive end of the window, UTC; pairs are valid from here (default: newest close of most)",
    )
    window.add_argument("--walk-forward", action="store_true", help="one epoch per step over --timerange")
    window.add_argument(
        "--timerange", metavar="A-B", help="when the epochs of a walk-forward begin, as in Freqtrade"
    )
    window.add_argument(
        "--step", type=int, default=168, metavar="CANDLES", help="from epoch to epoch (default: %(default)s)"
    )
    add_task_options(parser.add_argument_group("who scans the windows of a walk-forward"))
    parser.add_argument(
        "--block-mib",
        type=float,
        metavar="MIB",
        help="memory of the block of pairs each thread tests; bounds the memory, not the result",
    )
    parser.add_argument(
        "--rule",
        default=DEFAULT_RULE.value,
        choices=[rule.value for rule in Rule],
        help="selection rule (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        metavar="KIND",
        help="model the pairs are traded with, like kalman or half_life_window:window_half_lives=5 "
        "(default: the frozen one; docs/models.md)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="FILE", help="pairs file to write; without it none is")
    output.add_argument("--append", action="store_true", help="add the epoch to FILE instead of replacing it")
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    output.add_argument("--csv", type=Path, metavar="FILE", help="write every tested pair as CSV")
    output.add_argument("--plots", type=Path, metavar="DIR", help="draw every selected pair (HTML and PNG)")
    output.add_argument(
        "--explain", metavar="PAIR", help="every number and check behind one pair, e.g. ALGO_VET"
    )
    output.add_argument(
        "--show", type=int, default=10, metavar="N", help="refused pairs to list with reasons (default: 10)"
    )
    provenance = parser.add_argument_group("provenance written to the file")
    provenance.add_argument(
        "--exchange-name", help="default: the data directory's name where it is an exchange's, else binance"
    )
    provenance.add_argument("--generated-at", type=_utc_time, metavar="ISO", help="default: now")
    provenance.add_argument(
        "--provenance",
        type=Path,
        metavar="FILE",
        help="JSON object merged into the file's scan block (for --import-table: where the table comes from)",
    )
    add_renewal_options(parser)
    add_knob_options(parser)
    parser.set_defaults(run=run)


def _utc_time(text: str) -> datetime:
    """ISO date or time; UTC unless it says otherwise."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ISO time such as 2025-07-08 or 2025-07-08T12:00"
        ) from None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def run(args: argparse.Namespace) -> int:
    """Scan or import; prints the result and writes the files asked for."""
    _check_usage(args)
    from pairbot_ext.scan.session import run_scan

    if args.exchange_name is None:
        args.exchange_name = _exchange_of(args.datadir)
    return run_scan(args, _draw)


def _exchange_of(datadir: Path | None) -> str:
    """Freqtrade keeps each exchange's candles in a directory of its name."""
    from importlib.util import find_spec

    name = datadir.resolve().name.lower() if datadir is not None else ""
    # ccxt has a module for each exchange; to load it for its list of them takes most of a second.
    spec = find_spec("ccxt")
    folders = (spec and spec.submodule_search_locations) or []
    is_exchange = name.isidentifier() and any(
        Path(folder, "abstract", f"{name}.py").exists() for folder in folders
    )
    return name if is_exchange else DEFAULT_EXCHANGE


def _draw(args: argparse.Namespace, candles: Candles, epochs: Sequence[Epoch]) -> None:
    """One picture per selected pair, with its models of all epochs."""
    from pairbot_ext.report.picture import PairSpan
    from pairbot_ext.report.plots import plot_pair
    from pairbot_ext.scan.session import ScanProgress

    spans: dict[str, list[PairSpan]] = {}
    for epoch in epochs:
        for pair in epoch.pairs:
            spans.setdefault(pair.id, []).append(PairSpan(pair, epoch.valid_from, epoch.valid_to, epoch))
    try:
        with ScanProgress("drawing pairs", quiet=args.json) as progress:
            for number, (pair_id, models) in enumerate(spans.items(), start=1):
                plot_pair(
                    candles.frames,
                    models,
                    timeframe=args.timeframe,
                    window_candles=args.formation,
                    start=epochs[0].formation_start,
                    out_html=args.plots / f"{pair_id}.html",
                    out_png=args.plots / f"{pair_id}.png",
                )
                progress(number, len(spans))
    except OSError as error:
        raise PairbotError(
            f"--plots {args.plots} cannot be written: {error.strerror}", remedy="Choose another directory"
        ) from error
    print(f"Wrote {len(spans)} pictures to {args.plots}", file=sys.stderr)


def _check_usage(args: argparse.Namespace) -> None:
    from pairbot_ext.tasks.options import workers_from

    if args.userdir is not None and not (args.datadir or args.exchange or args.import_table):
        args.datadir = args.userdir / "data" / (args.exchange_name or DEFAULT_EXCHANGE)
    has_candles = args.datadir is not None or args.exchange is not None
    if has_candles == (args.import_table is not None):
        raise PairbotError(
            "scan needs one source",
            remedy="Give --datadir DIR, --userdir DIR, --exchange NAME or --import-table FILE",
        )
    if args.universe < 2:
        raise PairbotError("--universe must hold two symbols at least", value=args.universe)
    if args.exchange is not None and args.walk_forward:
        raise PairbotError(
            "--walk-forward over a universe chosen by today's volume would look into the future",
            remedy="Download candles of a fixed list of symbols and use --datadir",
        )
    if args.formation < MIN_FORMATION_CANDLES:
        raise PairbotError(
            "--formation is too short for a cointegration test",
            value=args.formation,
            remedy=f"Use at least {MIN_FORMATION_CANDLES}",
        )
    if args.model is not None:
        from pairbot_ext.scan.model_option import model_of

        model_of(args.model)
        if args.import_table is not None:
            raise PairbotError(
                "an imported table has no model that another could start from",
                value=f"--model {args.model}",
                remedy="Scan candles, or leave --model out",
            )
    if args.step < 1:
        raise PairbotError("--step must be at least one candle", value=args.step)
    workers_from(args)
    spread = [name for name in ("backend", "scheduler", "store") if getattr(args, name) is not None]
    if spread and not args.walk_forward:
        raise PairbotError(
            "one window is scanned by this process",
            value=", ".join(f"--{name}" for name in spread),
            remedy="Leave those options out, or give --walk-forward",
        )
    if args.walk_forward and args.timerange is None:
        raise PairbotError(
            "--walk-forward needs --timerange A-B", remedy="Like --timerange 20251001-20260101"
        )
    single = [name for name in ("end", "explain") if getattr(args, name) is not None]
    if args.walk_forward and (single or args.append):
        raise PairbotError(
            "--walk-forward makes its own epochs",
            value=", ".join(f"--{name}" for name in [*single, *(["append"] if args.append else [])]),
            remedy="Leave those options out",
        )
    if args.every is None and (args.once or args.ask):
        raise PairbotError("--once and --ask belong to --every PERIOD", remedy="Like --every week --ask")
    if args.every is not None:
        _check_renewal(args)
    if args.append and args.out is None:
        raise PairbotError("--append needs --out FILE", remedy="Name the pairs file to add the epoch to")


def _check_renewal(args: argparse.Namespace) -> None:
    if args.out is None:
        raise PairbotError("--every needs --out FILE", remedy="Name the pairs file that is renewed")
    if args.keep_files < 1:
        raise PairbotError("--keep-files must keep one file at least", value=args.keep_files)
    others = ("end", "explain", "walk_forward", "append", "import_table", "csv", "plots", "generated_at")
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(args, name)]
    if given:
        raise PairbotError(
            "--every scans the newest candles again and again",
            value=", ".join(given),
            remedy="Leave those options out",
        )
