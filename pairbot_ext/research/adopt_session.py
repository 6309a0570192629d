"""What `pairbot adopt` does once its options are known: read files and candles, try, say."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path

from pairbot_ext.candles.files import candle_length
from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.research.adopt import Check, Stretch, best_epoch, check, latest_epochs
from pairbot_ext.research.costs import CostModel
from pairbot_ext.research.ledger import TrialLedger, trial_of
from pairbot_ext.research.market import load_market
from pairbot_ext.research.recheck import STRATEGY, strategy_folder
from pairbot_ext.research.session import terms_of
from pairbot_ext.research.walkforward import Plan, with_whitelist
from pairbot_ext.scan.options import read_config
from pairbot_ext.settings import parse_settings
from pairbot_ext.startup.checks import required_startup_candles
from pairbot_ext.support.errors import DataError, PairbotError


def parameter_file(args: argparse.Namespace) -> Path:
    """Where Freqtrade looks for the strategy's parameters: beside the strategy.

    :param args: the command's. :raises PairbotError: there is no strategy.
    """
    _, config = read_config(args.config, args.userdir)
    return strategy_folder(config) / f"{STRATEGY}.json"


def adopt_plan(args: argparse.Namespace, now: datetime) -> Check:
    """Try the epoch. `args` are the command's.

    :raises PairbotError: bad input, each with its value and a remedy.
    """
    if min(args.slippage_bp, args.legging_bp) < 0:
        raise PairbotError(
            "a cost in bp is below 0", value=min(args.slippage_bp, args.legging_bp), remedy="Give 0 or more"
        )
    _, config = read_config(args.config, args.userdir)
    settings = parse_settings(config.get("pairbot"))
    pairs_file = load_pairs_file(settings.pairs_path())
    user_data = Path(config.get("user_data_dir") or "user_data")
    epoch = best_epoch(args.epochs or latest_epochs(user_data))
    startup = required_startup_candles(pairs_file, settings, pairs_file.timeframe)
    candle = candle_length(pairs_file.timeframe)

    def market(span: str):
        return load_market(
            args.datadir, pairs_file.pairs, pairs_file.timeframe, settings, startup, timerange=span
        )

    before = market(f"{epoch.begin.timestamp():.0f}-{epoch.end.timestamp():.0f}")
    # Freqtrade makes a time range later where the candles before it are too few, never earlier.
    after = market(args.timerange or f"{(epoch.end + candle).timestamp():.0f}-")
    if after.end_row - min(after.first.values()) < timedelta(days=1) / candle:
        raise DataError(
            "hardly a candle is left to try the epoch on",
            value=f"hyperopt ended with {epoch.end:%Y-%m-%d %H:%M}",
            remedy="Leave a third of the candles: run hyperopt with --timerange, or download newer ones",
        )
    plan = Plan(
        pairs_file=pairs_file,
        market=after,
        settings=settings,
        terms=terms_of(config),
        costs=CostModel(args.slippage_bp, args.legging_bp),
        startup_candles=startup,
        options=None,
        placebos=0,
        seed=1,
        trial=trial_of(pairs_file),
    )
    ledger = TrialLedger(args.ledger) if args.ledger is not None else TrialLedger.beside(args.datadir)
    return check(with_whitelist(plan), before, epoch, ledger, now)


def lines(made: Check) -> list[str]:
    """What was found, for people. In-sample figures carry their label."""
    epoch = made.epoch
    chosen = ", ".join(f"{name} {value:g}" for name, value in sorted(epoch.overrides.items()))
    return [
        f"Epoch {epoch.number}, loss {epoch.loss:.3f}: {chosen}",
        "Costs are twice those assumed; a week is per cent of the wallet.",
        f"IN SAMPLE, chosen on it, {epoch.begin:%Y-%m-%d} to {epoch.end:%Y-%m-%d}: {_said(made.in_sample)}",
        f"Out of sample, {made.begin:%Y-%m-%d} to {made.end:%Y-%m-%d}: {_said(made.after)}",
        f"The pairs' own thresholds there: {_said(made.own)}",
        f"Epochs tried on these candles so far: {made.looks}",
    ]


def _said(stretch: Stretch) -> str:
    if not stretch.pair_trades:
        return "no pair trade"
    return (
        f"{stretch.pair_trades} pair trades in {stretch.weeks} weeks, {stretch.net_bp:+.1f} bp each, "
        f"a week {stretch.week:+.3f} ± {stretch.error:.3f} %"
    )
