"""`pairbot scan`: find pairs in downloaded candles, or import a published table, and write a pairs file."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.commands import ExitCode
from pairbot_ext.errors import PairbotError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from pairbot_ext.pairs import PairsFile
    from pairbot_ext.scan.pipeline import Thresholds

DESCRIPTION = """\
Test every pair of symbols for cointegration over a formation window and write the selected pairs, with
their frozen models, to a pairs file that is at once Freqtrade's whitelist (RemotePairList). Beside FILE it
writes FILE.overlay.json; pass both configs to Freqtrade: -c config.json -c FILE.overlay.json.

"No tradable pair" is a normal answer: exit code 0 and an empty list that the bot accepts.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register `scan`."""
    parser = subparsers.add_parser(
        "scan",
        help="find pairs and write a pairs file",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_argument_group("source (one of)").add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--datadir",
        type=Path,
        metavar="DIR",
        help="candles in Freqtrade's layout, e.g. user_data/data/binance",
    )
    source.add_argument(
        "--import-table", type=Path, metavar="FILE", help="a Markdown or CSV table of pairs instead of a scan"
    )
    parser.add_argument("--timeframe", default="1h", help="candle length (default: 1h)")
    parser.add_argument(
        "--formation", type=int, default=1440, metavar="CANDLES", help="formation window (default: 1440)"
    )
    parser.add_argument(
        "--end",
        type=_utc_time,
        metavar="ISO",
        help="exclusive end of the formation window, UTC; pairs are valid from here (default: newest candle)",
    )
    parser.add_argument(
        "--symbols", nargs="+", metavar="SYMBOL", help="only these, e.g. ADA/USDT:USDT or ADA"
    )
    parser.add_argument("--rule", default="naive", choices=["naive"], help="selection rule (default: naive)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="pairs file to write; without it nothing is")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every tested pair as CSV")
    parser.add_argument(
        "--show", type=int, default=10, metavar="N", help="refused pairs to list with reasons (default: 10)"
    )
    model = parser.add_argument_group("thresholds written for every pair")
    model.add_argument("--entry-z", type=float, default=2.0, help="default: 2.0")
    model.add_argument("--exit-z", type=float, default=0.5, help="default: 0.5")
    model.add_argument("--stop-z", type=float, default=4.0, help="default: 4.0")
    model.add_argument("--max-half-lives", type=float, default=4.0, help="time stop (default: 4)")
    provenance = parser.add_argument_group("provenance written to the file")
    provenance.add_argument("--exchange-name", default="binance", help="default: binance")
    provenance.add_argument("--generated-at", type=_utc_time, metavar="ISO", help="default: now")
    provenance.add_argument(
        "--provenance",
        type=Path,
        metavar="FILE",
        help="JSON object merged into the file's scan block (for --import-table: where the table comes from)",
    )
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
    from pairbot_ext.scan.document import check_replaceable
    from pairbot_ext.scan.pipeline import Thresholds

    thresholds = Thresholds(args.entry_z, args.exit_z, args.stop_z, args.max_half_lives)
    if args.formation < 30:
        raise PairbotError(
            "--formation is too short for a cointegration test",
            value=args.formation,
            remedy="Use at least 30",
        )
    if args.out is not None:
        check_replaceable(args.out)
    if args.import_table is not None:
        return _import(args, thresholds)
    return _scan(args, thresholds)


def _scan(args: argparse.Namespace, thresholds: Thresholds) -> int:
    from pairbot_ext.scan.document import build_pairs_file
    from pairbot_ext.scan.pipeline import epoch_of, scan_window
    from pairbot_ext.scan.rules import Rule
    from pairbot_ext.scan.table import print_result, result_json, scan_facts
    from pairbot_ext.scan.universe import (
        Window,
        available_symbols,
        cut_window,
        floor_to_candle,
        last_close,
        load_candles,
    )

    symbols = _chosen(available_symbols(args.datadir, args.timeframe), args.symbols)
    frames = load_candles(args.datadir, args.timeframe, symbols)
    end = args.end or last_close(frames, args.timeframe)
    window = Window(args.timeframe, args.formation, floor_to_candle(end, args.timeframe))
    data = cut_window(frames, window)
    with _Progress(quiet=args.json) as progress:
        result = scan_window(data, Rule(args.rule), progress)
    if args.json:
        print(json.dumps(result_json(result), indent=2))
    else:
        print_result(_console(), result, limit=args.show)
    if args.csv is not None:
        _write_csv(args.csv, result.table)
    if args.out is not None:
        epoch = epoch_of(result, thresholds, valid_from=end)
        document = build_pairs_file(
            [epoch],
            scan=scan_facts(result) | _provenance(args.provenance),
            exchange=args.exchange_name,
            timeframe=args.timeframe,
            generated_at=args.generated_at or datetime.now(tz=UTC),
        )
        _write(args, document)
    return ExitCode.OK


def _import(args: argparse.Namespace, thresholds: Thresholds) -> int:
    from pairbot_ext.scan.imports import import_table
    from pairbot_ext.scan.table import print_pairs_file

    document = import_table(
        args.import_table,
        exchange=args.exchange_name,
        timeframe=args.timeframe,
        formation_candles=args.formation,
        generated_at=args.generated_at or datetime.now(tz=UTC),
        thresholds=thresholds,
        provenance=_provenance(args.provenance),
    )
    if args.json:
        print(document.model_dump_json(indent=2, exclude_none=True))
    else:
        print_pairs_file(_console(), document)
    if args.out is not None:
        _write(args, document)
    return ExitCode.OK


def _console() -> Console:
    """Standard output; wide enough for a table where it is not a terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


def _write(args: argparse.Namespace, document: PairsFile) -> None:
    from pairbot_ext.scan.document import write_scan

    beside = write_scan(args.out, document)
    print(f"Wrote {args.out} and {beside}: freqtrade ... -c config.json -c {beside}", file=sys.stderr)


def _chosen(available: list[str], wanted: list[str] | None) -> list[str]:
    if not wanted:
        return available
    by_name = {name: symbol for symbol in available for name in (symbol, symbol.split("/")[0])}
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise PairbotError(
            "--symbols names symbols without candles",
            value=", ".join(unknown),
            remedy=f"There are: {', '.join(symbol.split('/')[0] for symbol in available)}",
        )
    return sorted({by_name[name] for name in wanted})


def _provenance(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PairbotError(
            f"provenance file {path} cannot be read: {error}", remedy="Give a JSON object"
        ) from error
    if not isinstance(content, dict):
        raise PairbotError(
            f"provenance file {path} is not a JSON object",
            value=type(content).__name__,
            remedy='Like {"source": "…"}',
        )
    return content


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    try:
        table.to_csv(path, index=False)
    except OSError as error:
        raise PairbotError(
            f"--csv {path} cannot be written: {error.strerror}", remedy="Choose another path"
        ) from error


class _Progress:
    """A progress bar on stderr, so that stdout stays clean for tables and JSON."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True, disable=quiet)
        self._task = self._bar.add_task("testing pairs", total=None)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
