"""`pairbot scan`: find pairs in candles, or import a published table, and write a pairs file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.commands import ExitCode
from pairbot_ext.errors import PairbotError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from pairbot_ext.pairs import Epoch, PairsFile
    from pairbot_ext.scan.knobs import ScanKnobs
    from pairbot_ext.scan.pipeline import ScanOptions, ScanResult
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
"""
MIN_FORMATION_CANDLES = 30


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `scan`."""
    from pairbot_ext.scan.options import add_knob_options
    from pairbot_ext.scan.rules import DEFAULT_RULE, Rule

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
        help="candles in Freqtrade's layout, e.g. user_data/data/binance",
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
    source.add_argument(
        "-c", "--config", action="append", metavar="FILE", help="default: config.json, if there"
    )
    window = parser.add_argument_group("formation")
    window.add_argument("--timeframe", default="1h", help="candle length (default: %(default)s)")
    window.add_argument(
        "--formation", type=int, default=1440, metavar="CANDLES", help="window length (default: %(default)s)"
    )
    window.add_argument(
        "--end",
        type=_utc_time,
        metavar="ISO",
        help="exclusive end of the formation window, UTC; pairs are valid from here (default: newest candle)",
    )
    window.add_argument("--walk-forward", action="store_true", help="one epoch per step over --timerange")
    window.add_argument(
        "--timerange", metavar="A-B", help="when the epochs of a walk-forward begin, as in Freqtrade"
    )
    window.add_argument(
        "--step", type=int, default=168, metavar="CANDLES", help="from epoch to epoch (default: %(default)s)"
    )
    window.add_argument("--jobs", type=int, default=-1, help="worker processes (default: one per core)")
    parser.add_argument(
        "--rule",
        default=DEFAULT_RULE.value,
        choices=[rule.value for rule in Rule],
        help="selection rule (default: %(default)s)",
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
    provenance.add_argument("--exchange-name", default="binance", help="default: %(default)s")
    provenance.add_argument("--generated-at", type=_utc_time, metavar="ISO", help="default: now")
    provenance.add_argument(
        "--provenance",
        type=Path,
        metavar="FILE",
        help="JSON object merged into the file's scan block (for --import-table: where the table comes from)",
    )
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
    from pairbot_ext.scan.document import check_replaceable
    from pairbot_ext.scan.options import knobs_from, read_config

    _check_usage(args)
    _, config = read_config(args.config)
    knobs = knobs_from(args, config)
    if args.out is not None:
        check_replaceable(args.out)
    if args.import_table is not None:
        return _import(args, knobs)
    return _scan(args, knobs)


def _check_usage(args: argparse.Namespace) -> None:
    has_candles = args.datadir is not None or args.exchange is not None
    if has_candles == (args.import_table is not None):
        raise PairbotError(
            "scan needs one source", remedy="Give --datadir DIR, --exchange NAME or --import-table FILE"
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
    if args.step < 1:
        raise PairbotError("--step must be at least one candle", value=args.step)
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
    if args.append and args.out is None:
        raise PairbotError("--append needs --out FILE", remedy="Name the pairs file to add the epoch to")


def _scan(args: argparse.Namespace, knobs: ScanKnobs) -> int:
    from pairbot_ext.scan.document import append_epoch, build_pairs_file
    from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
    from pairbot_ext.scan.rules import Rule
    from pairbot_ext.scan.sources import from_datadir
    from pairbot_ext.scan.table import summary

    if args.exchange is not None:
        candles = _from_exchange(args)
    else:
        candles = from_datadir(args.datadir, args.timeframe, args.symbols)
    options = ScanOptions(Rule(args.rule), knobs, candles.markets)
    if args.walk_forward:
        results = _walk_forward(args, candles, options)
        step = results[0].window.candle * args.step
        epochs = [
            epoch_of(result, knobs.thresholds, result.window.end, result.window.end + step)
            for result in results
        ]
    else:
        end = args.end or candles.last_close()
        result = _one_window(args, candles, options, end)
        if result is None:
            return ExitCode.OK
        results, epochs = [result], [epoch_of(result, knobs.thresholds, end)]
    if args.csv is not None:
        _write_csv(args.csv, results)
    if args.out is not None:
        if args.append and args.out.exists():
            from pairbot_ext.pairs import load_pairs_file

            existing = load_pairs_file(args.out)
            epochs = append_epoch(existing, epochs[-1], exchange=args.exchange_name, timeframe=args.timeframe)
        document = build_pairs_file(
            epochs,
            scan=summary(results) | _provenance(args.provenance),
            exchange=args.exchange_name,
            timeframe=args.timeframe,
            generated_at=args.generated_at or datetime.now(tz=UTC),
        )
        _write(args, document)
    if args.plots is not None:
        _plots(args, candles, epochs)
    return ExitCode.OK


def _from_exchange(args: argparse.Namespace) -> Candles:
    import logging

    from pairbot_ext.scan.live import from_exchange
    from pairbot_ext.scan.options import read_config

    files, _ = read_config(args.config)
    args.end = args.end or datetime.now(tz=UTC)
    args.exchange_name = args.exchange
    logger = logging.getLogger("freqtrade")
    level = logger.level
    # Freqtrade tells a page per symbol at INFO; its progress bar and its warnings stay.
    logger.setLevel(logging.WARNING)
    try:
        return from_exchange(
            args.exchange,
            timeframe=args.timeframe,
            formation_candles=args.formation,
            end=args.end,
            universe=args.universe,
            note=lambda text: print(text, file=sys.stderr),
            symbols=args.symbols,
            configs=files,
            datadir=args.datadir,
        )
    finally:
        logger.setLevel(level)


def _one_window(
    args: argparse.Namespace, candles: Candles, options: ScanOptions, end: datetime
) -> ScanResult | None:
    """Scan and print one window; None where the user asked for the explanation of one pair."""
    from dataclasses import asdict

    from pairbot_ext.scan.explain import explain_pair
    from pairbot_ext.scan.pipeline import scan_window
    from pairbot_ext.scan.table import json_value, print_explanation, print_result, result_json
    from pairbot_ext.scan.universe import Window, cut_window, floor_to_candle

    window = Window(args.timeframe, args.formation, floor_to_candle(end, args.timeframe))
    data = cut_window(candles.frames, window, candles.funding)
    if args.explain is not None:
        explanation = explain_pair(data, options, args.explain)
        if args.json:
            document = asdict(explanation)
            document["numbers"] = {name: json_value(value) for name, value in document["numbers"].items()}
            print(json.dumps(document, indent=2))
        else:
            print_explanation(_console(), explanation)
        return None
    with _Progress("testing pairs", quiet=args.json) as progress:
        result = scan_window(data, options, progress)
    if args.json:
        print(json.dumps(result_json(result), indent=2))
    else:
        print_result(_console(), result, limit=args.show)
    return result


def _walk_forward(args: argparse.Namespace, candles: Candles, options: ScanOptions) -> list[ScanResult]:
    """Scan and print every epoch's window."""
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import ConfigurationError

    from pairbot_ext.scan.table import print_walk_forward, result_json
    from pairbot_ext.scan.walk_forward import Schedule, walk_forward

    try:
        span = TimeRange.parse_timerange(args.timerange)
    except ConfigurationError as error:
        raise PairbotError(
            "--timerange is malformed", value=args.timerange, remedy="Write it like 20251001-20260101"
        ) from error
    if span.startdt is None:
        raise PairbotError("--timerange needs a start", value=args.timerange, remedy="Like 20251001-")
    schedule = Schedule(
        args.timeframe, span.startdt, span.stopdt or candles.last_close(), args.formation, args.step
    )
    with _Progress("scanning windows", quiet=args.json) as progress:
        results = walk_forward(
            candles.frames,
            schedule.windows(),
            options,
            funding=candles.funding,
            jobs=args.jobs,
            progress=progress,
        )
    if args.json:
        print(json.dumps([result_json(result) for result in results], indent=2))
    else:
        print_walk_forward(_console(), results)
    return results


def _import(args: argparse.Namespace, knobs: ScanKnobs) -> int:
    from pairbot_ext.scan.imports import import_table
    from pairbot_ext.scan.table import print_pairs_file

    document = import_table(
        args.import_table,
        exchange=args.exchange_name,
        timeframe=args.timeframe,
        formation_candles=args.formation,
        generated_at=args.generated_at or datetime.now(tz=UTC),
        thresholds=knobs.thresholds,
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

    return Console(width=None if sys.stdout.isatty() else 160)


def _write(args: argparse.Namespace, document: PairsFile) -> None:
    from pairbot_ext.scan.document import write_scan

    beside = write_scan(args.out, document)
    print(f"Wrote {args.out} and {beside}: freqtrade ... -c config.json -c {beside}", file=sys.stderr)


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


def _write_csv(path: Path, results: Sequence[ScanResult]) -> None:
    import pandas as pd

    tables: list[pd.DataFrame] = []
    for result in results:
        table = result.table.copy()
        table.insert(0, "formation_end", result.window.end.isoformat())
        tables.append(table)
    try:
        pd.concat(tables).to_csv(path, index=False)
    except OSError as error:
        raise PairbotError(
            f"--csv {path} cannot be written: {error.strerror}", remedy="Choose another path"
        ) from error


def _plots(args: argparse.Namespace, candles: Candles, epochs: Sequence[Epoch]) -> None:
    """One picture per selected pair, with its models of all epochs."""
    from pairbot_ext.report.picture import PairSpan
    from pairbot_ext.report.plots import plot_pair

    spans: dict[str, list[PairSpan]] = {}
    for epoch in epochs:
        for pair in epoch.pairs:
            spans.setdefault(pair.id, []).append(PairSpan(pair, epoch.valid_from, epoch.valid_to))
    with _Progress("drawing pairs", quiet=args.json) as progress:
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
    print(f"Wrote {len(spans)} pictures to {args.plots}", file=sys.stderr)


class _Progress:
    """A progress bar on stderr, so that stdout stays clean for tables and JSON."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True, disable=quiet)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
