"""What `pairbot scan` does once its options are known: load, scan, print, write."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from pairbot_ext.candles.files import floor_to_candle
from pairbot_ext.pairs import Epoch, PairsFile, Scan, epoch_with, lacks, load_pairs_file
from pairbot_ext.pairs.writing import append_epoch, build_pairs_file, check_replaceable, write_scan
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.explain import explain_pair
from pairbot_ext.scan.imports import import_table
from pairbot_ext.scan.model_option import model_of
from pairbot_ext.scan.options import knobs_from, read_config
from pairbot_ext.scan.pipeline import ScanOptions, ScanResult, epoch_of, scan_window
from pairbot_ext.scan.renewal import Selection, Terms, check_candles, run_every
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import Candles, from_datadir
from pairbot_ext.scan.table import (
    json_value,
    print_explanation,
    print_pairs_file,
    print_result,
    print_walk_forward,
    result_json,
    summary,
)
from pairbot_ext.scan.universe import Window, cut_window
from pairbot_ext.settings.scan import ScanKnobs
from pairbot_ext.stats.engine import BLOCK_MIB
from pairbot_ext.support.clock import SystemClock
from pairbot_ext.support.errors import DataError, PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.tasks.options import workers_from
from pairbot_ext.tasks.workers import Backend, Workers

# A window of 28 symbols takes some 0.08 s, a process 2 s until it begins.
WORTH_PROCESSES = 50_000

Draw = Callable[[argparse.Namespace, Candles, Sequence[Epoch]], None]


def run_scan(args: argparse.Namespace, draw: Draw) -> int:
    """Scan or import; prints the result and writes the files asked for. `args` are the command's.

    :param draw: draws every selected pair, with its models of all epochs.
    """
    _, config = read_config(args.config, args.userdir)
    knobs = knobs_from(args, config)
    if args.out is not None:
        check_replaceable(args.out)
    if args.import_table is not None:
        return _import(args, knobs)
    if args.every is not None:
        return _renew(args, knobs)
    return _scan(args, knobs, draw)


def _renew(args: argparse.Namespace, knobs: ScanKnobs) -> int:
    """Scan whenever the file is due."""
    from ccxt import BaseError
    from freqtrade.exceptions import FreqtradeException

    terms = Terms(args.every, args.ask, args.max_thinning, args.keep_files)
    block_mib = BLOCK_MIB if args.block_mib is None else args.block_mib

    def find(now: datetime) -> Selection:
        # Each scan notes its end in the options it is given.
        once = argparse.Namespace(**vars(args))
        once.end = now if args.exchange is not None else None
        try:
            candles = _candles(once)
        except (FreqtradeException, BaseError) as error:
            raise DataError(f"the candles cannot be fetched: {error}", remedy="It is tried again") from error
        end = floor_to_candle(once.end or candles.last_close(), args.timeframe)
        options = ScanOptions(Rule(args.rule), knobs, candles.markets, block_mib)
        data = cut_window(candles.frames, Window(args.timeframe, args.formation, end), candles.funding)
        check_candles(len(candles.frames), dict(data.rejected), end, now)
        with ScanProgress("testing pairs", quiet=args.json) as progress:
            result = scan_window(data, options, progress)
        if args.json:
            print(json.dumps(result_json(result), indent=2))
        else:
            print_result(_console(), result, limit=args.show)
        [epoch] = _with_model(args.model, [epoch_of(result, knobs.thresholds, end)])
        scan = Scan.model_validate(summary([result]) | _provenance(args.provenance))
        return Selection(epoch, scan, once.exchange_name, args.timeframe)

    return run_every(
        args.out, find, terms, SystemClock(), lambda text: print(text, file=sys.stderr, flush=True),
        once=args.once,
    )  # fmt: skip


def _candles(args: argparse.Namespace) -> Candles:
    if args.exchange is not None:
        return _from_exchange(args)
    return from_datadir(args.datadir, args.timeframe, args.symbols)


def _scan(args: argparse.Namespace, knobs: ScanKnobs, draw: Draw) -> int:
    candles = _candles(args)
    block_mib = BLOCK_MIB if args.block_mib is None else args.block_mib
    options = ScanOptions(Rule(args.rule), knobs, candles.markets, block_mib)
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
    epochs = _with_model(args.model, epochs)
    if args.csv is not None:
        _write_csv(args.csv, results)
    if args.out is not None:
        if args.append and args.out.exists():
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
        draw(args, candles, epochs)
    return ExitCode.OK


def _from_exchange(args: argparse.Namespace) -> Candles:
    from pairbot_ext.scan.live import from_exchange

    files, _ = read_config(args.config, args.userdir)
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
    with ScanProgress("testing pairs", quiet=args.json) as progress:
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
    windows = schedule.windows()
    with ScanProgress("scanning windows", quiet=args.json) as progress:
        results = walk_forward(
            candles.frames,
            windows,
            options,
            funding=candles.funding,
            workers=_workers(args, len(windows) * len(candles.frames) ** 2),
            store=args.store,
            progress=progress,
        )
    if args.json:
        print(json.dumps([result_json(result) for result in results], indent=2))
    else:
        print_walk_forward(_console(), results)
    return results


def _workers(args: argparse.Namespace, size: int) -> Workers:
    """What the user asked for; this thread where nothing was asked and the work is done before others begin.

    :param size: windows times symbols squared.
    """
    workers = workers_from(args)
    if args.backend is None and args.scheduler is None and size < WORTH_PROCESSES:
        return Workers(Backend.SERIAL)
    return workers


def _import(args: argparse.Namespace, knobs: ScanKnobs) -> int:
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
    return Console(width=None if sys.stdout.isatty() else 160)


def _with_model(text: str | None, epochs: list[Epoch]) -> list[Epoch]:
    """The selections, traded with the model that was asked for; what a pair lacks for it is said."""
    if text is None:
        return epochs
    model = model_of(text)
    without = [pair.id for epoch in epochs for pair in epoch.pairs if lacks(pair, model)]
    if without:
        print(f"Without half-life they keep the frozen model: {', '.join(without)}", file=sys.stderr)
    return [epoch_with(epoch, model) for epoch in epochs]


def _write(args: argparse.Namespace, document: PairsFile) -> None:
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


class ScanProgress:
    """A progress bar on stderr, so that stdout stays clean for tables and JSON."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._bar = Progress(console=Console(stderr=True), transient=True, disable=quiet)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> ScanProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
