"""What `pairbot walkforward` does once its options are known: read, scan, run, print, write."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.pairs import PairsFile, load_pairs_file, with_model
from pairbot_ext.pairs.writing import build_pairs_file
from pairbot_ext.research.account import Terms
from pairbot_ext.research.costs import CostModel
from pairbot_ext.research.ledger import TrialLedger, trial_of
from pairbot_ext.research.market import Market, load_market
from pairbot_ext.research.page import walkforward_page
from pairbot_ext.research.recheck import Recheck
from pairbot_ext.research.sheet import walkforward_sheet
from pairbot_ext.research.texts import as_json, sentences, tables
from pairbot_ext.research.walkforward import Plan, walk, with_whitelist
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.options import knobs_from, read_config
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.session import ScanProgress
from pairbot_ext.scan.sources import Candles, from_datadir
from pairbot_ext.scan.table import summary
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.startup.checks import required_startup_candles
from pairbot_ext.support.errors import DataError, PairbotError, SettingsError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.tasks.options import workers_from
from pairbot_ext.tasks.workers import Backend, Workers

LEAST_PLACEBOS = 20


def run_walkforward(args: argparse.Namespace, out: TextIO) -> int:
    """Run and print. `args` are the command's.

    :raises PairbotError: bad input, each with its value and a remedy.
    """
    plan, ledger, workers = prepare(args)
    now = datetime.now(UTC)
    with ExitStack() as stack:
        recheck = None
        if args.check and plan.pairs_file.pairs:
            _, config = read_config(args.config, args.userdir)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pairbot-check-")))
            recheck = Recheck(plan.pairs_file, config, plan.terms, args.datadir, folder)
            stack.callback(recheck.close)
        with ScanProgress("walk-forward", quiet=args.json) as bar:
            result = walk(
                plan, ledger, now=now, workers=workers, store=args.store,
                progress=lambda _, done, total: bar(done, total),
            )  # fmt: skip
        difference = None if recheck is None else recheck.difference(result.outcome)
        if recheck is not None:
            result = replace(result, is_confirmed=difference is None)
    if args.json:
        print(json.dumps(as_json(result, plan), indent=1, allow_nan=False), file=out)
    else:
        console = Console(file=out, width=None if out.isatty() else 120)
        for sentence in sentences(result, plan.costs):
            console.print(sentence, highlight=False, markup=False)
        for table in tables(result):
            console.print(table)
    if args.out is not None:
        written("--out", args.out, walkforward_page(result, plan.costs).encode())
    if args.png is not None:
        written("--png", args.png, walkforward_sheet(result))
    if difference is not None:
        print(f"error: no figure above counts: {difference}", file=sys.stderr)
        return ExitCode.PROBLEM
    return ExitCode.OK


def written(option: str, path: Path, content: bytes) -> None:
    """Write a file an option names and say where. Raises PairbotError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PairbotError(
            f"{option} {path} cannot be written: {error.strerror}", remedy="Choose another path"
        ) from error
    print(f"Wrote {path}", file=sys.stderr)


def prepare(
    args: argparse.Namespace, models: Iterable[SpreadModel] = ()
) -> tuple[Plan, TrialLedger, Workers]:
    """What a walk-forward and a comparison need, from their options: scanned, read, checked.

    :param models: whose longest memory decides where trading begins.
    :raises PairbotError: bad input, each with its value and a remedy.
    """
    if args.placebos < LEAST_PLACEBOS:
        raise PairbotError(
            "--placebos are too few to tell a place among them",
            value=args.placebos,
            remedy=f"Give {LEAST_PLACEBOS} at least, 200 for a figure to show",
        )
    if min(args.slippage_bp, args.legging_bp) < 0:
        raise PairbotError(
            "a cost in bp is below 0", value=min(args.slippage_bp, args.legging_bp), remedy="Give 0 or more"
        )
    _, config = read_config(args.config, args.userdir)
    settings = parse_settings(config.get("pairbot"))
    plan = plan_from(args, config, settings, models)
    ledger = TrialLedger(args.ledger) if args.ledger is not None else TrialLedger.beside(args.datadir)
    workers = Workers(Backend.SERIAL) if args.backend is None and args.jobs == 1 else workers_from(args)
    return plan, ledger, workers


def plan_from(
    args: argparse.Namespace,
    config: Mapping[str, Any],
    settings: Settings,
    models: Iterable[SpreadModel] = (),
) -> Plan:
    """What the command's options ask for: candles read, windows scanned.

    :param models: as of `prepare`.
    :raises PairbotError: bad input, each with its value and a remedy.
    """
    options: ScanOptions | None = None
    costs = CostModel(args.slippage_bp, args.legging_bp)
    if args.legging is not None:
        costs = CostModel.measured(args.legging, args.slippage_bp)
    if args.pairs_file is not None:
        pairs_file = load_pairs_file(args.pairs_file)
        timeframe = pairs_file.timeframe
        symbols = list(from_datadir(args.datadir, timeframe, args.symbols).frames)
        trial = trial_of(pairs_file)
    else:
        options = ScanOptions(Rule(args.rule), knobs_from(args, dict(config)))
        candles = from_datadir(args.datadir, args.timeframe, args.symbols)
        pairs_file, timeframe, symbols = (
            _scanned(args, candles, options),
            args.timeframe,
            list(candles.frames),
        )
        trial = {
            "rule": args.rule,
            "formation": args.formation,
            "step": args.step,
            "timerange": args.timerange or "",
            "knobs": options.knobs.model_dump(mode="json"),
            "symbols": sorted(symbols),
        }
    if len(symbols) < 2:
        raise DataError(
            "a pair needs two symbols",
            value=", ".join(symbols),
            remedy="Download more with `pairbot download`, or name more with --symbols",
        )
    files = [pairs_file, *(with_model(pairs_file, model) for model in models)]
    startup = 1
    if pairs_file.pairs:
        startup = max(required_startup_candles(each, settings, timeframe) for each in files)
    # Random pairs and shuffled universes look at every symbol.
    wanted = list(dict.fromkeys([*pairs_file.pairs, *symbols]))
    market: Market = load_market(args.datadir, wanted, timeframe, settings, startup)
    return with_whitelist(
        Plan(
            pairs_file=pairs_file,
            market=market,
            settings=settings,
            terms=terms_of(config),
            costs=costs,
            startup_candles=startup,
            options=options,
            placebos=args.placebos,
            seed=args.seed,
            trial=trial,
        )
    )


def _scanned(args: argparse.Namespace, candles: Candles, options: ScanOptions) -> PairsFile:
    if len(candles.frames) < 2:
        raise DataError(
            "a pair needs two symbols",
            value=", ".join(candles.frames),
            remedy="Download more with `pairbot download`, or name more with --symbols",
        )
    schedule = _schedule(args, candles)
    windows = schedule.windows()
    with ScanProgress("scanning windows", quiet=args.json) as progress:
        results = walk_forward(candles.frames, windows, options, funding=candles.funding, progress=progress)
    epochs = [
        epoch_of(each, options.knobs.thresholds, each.window.end, each.window.end + schedule.step)
        for each in results
    ]
    # Dated by its data, not by the clock: what is kept of an interrupted run belongs to the same file.
    return build_pairs_file(
        epochs,
        scan=summary(results),
        exchange="binance",
        timeframe=args.timeframe,
        generated_at=results[-1].window.end,
    )


def _schedule(args: argparse.Namespace, candles: Candles) -> Schedule:
    """When the epochs begin: inside the data, the first one after a whole formation.

    :raises DataError: the data are shorter than a formation, or the time range lies outside them.
    """
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import ConfigurationError

    first = min(frame["date"].iloc[0] for frame in candles.frames.values() if len(frame)).to_pydatetime()
    last = candles.last_close()
    schedule = Schedule(args.timeframe, first, last, args.formation, max(args.step, 1))
    earliest = first + schedule.step / max(args.step, 1) * args.formation
    if args.formation < 30 or args.step < 1:
        raise PairbotError(
            "--formation must be 30 candles at least and --step 1", value=f"{args.formation}, {args.step}"
        )
    if earliest >= last:
        raise DataError(
            "the formation is longer than the data",
            value=f"{args.formation} candles, the data hold {(last - first) // (schedule.step / args.step)}",
            remedy="Give a shorter --formation, or download more candles",
        )
    if args.timerange is None:
        return Schedule(args.timeframe, earliest, last, args.formation, args.step)
    try:
        span = TimeRange.parse_timerange(args.timerange)
    except ConfigurationError as error:
        raise PairbotError(
            "--timerange is malformed", value=args.timerange, remedy="Write it like 20251001-20260101"
        ) from error
    begin, end = span.startdt or earliest, span.stopdt or last
    # A candle is dated by its opening, so "until today's midnight" is inside.
    if begin < earliest or begin >= last or end > last + timedelta(days=1):
        raise DataError(
            "--timerange lies outside the data",
            value=f"{args.timerange}; candles {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            remedy=f"Epochs can begin from {earliest:%Y-%m-%d}, a formation after the first candle, to "
            f"{last:%Y-%m-%d}",
        )
    return Schedule(args.timeframe, begin, min(end, last), args.formation, args.step)


def terms_of(config: Mapping[str, Any]) -> Terms:
    """Freqtrade's money and slots, its own defaults where the configuration says nothing."""
    for key in ("amend_last_stake_amount", "available_capital", "enable_protections"):
        if config.get(key):
            raise SettingsError(
                f"the simulator does not know {key}", value=config[key], remedy="Leave it out for this study"
            )
    stake, slots = config.get("stake_amount", 500), float(config.get("max_open_trades", 10))
    return Terms(
        whitelist=(),
        fee=float(config.get("fee", 0.0005)),
        stake=None if stake == "unlimited" else float(stake),
        wallet=float(config.get("dry_run_wallet", 10_000)),
        slots=inf if slots < 0 else slots,
        tradable_ratio=float(config.get("tradable_balance_ratio", 0.99)),
        reserve=float(config.get("amount_reserve_percent", 0.05)),
    )
