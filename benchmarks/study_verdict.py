"""How often does `pairbot walkforward` say "weak" or "strong" where nothing is, and where an edge is known?

Null universes: coins of the real market drawn by lot, every one with its weeks in an order of its own, so
that no coin knows of another. Planted universes: the same, and in them pairs of which leg A is made of leg B
and an Ornstein-Uhlenbeck spread. Each is scanned, traded and judged by the walk-forward itself
(`research.walkforward.walk`), with 16 variants, a ledger of its own and placebos. The rule is the naive one
on three weeks of formation, because it finds pairs everywhere: only trades try a verdict.

One thing is shared: the phase-shuffled placebos of a null universe are other null universes of coins of the
same market. To shuffle a shuffled universe once more gives one of the same distribution. Planted universes
are shuffled for it, `SHUFFLES` times each.

Run: ``python -m benchmarks.study_verdict [--nulls 200] [--planted 40] [--store DIR]
[--write docs/statistics/verdict.md]``.
Bounds: "weak" or "strong" in 5 % of the null universes at most, "strong" in 80 % of the planted ones of the
largest size at least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from benchmarks.market_data import REAL_DATADIR
from benchmarks.running import in_sentences, spread
from benchmarks.synthetic import Share, markdown_table, write_or_print
from pairbot_ext.pairs import PairsFile
from pairbot_ext.pairs.writing import build_pairs_file
from pairbot_ext.research.account import Terms
from pairbot_ext.research.costs import CostModel, net_bp
from pairbot_ext.research.evidence import clustered_t, place_among
from pairbot_ext.research.ledger import TrialLedger
from pairbot_ext.research.market import Market, load_market, market_of
from pairbot_ext.research.placebos import Placebo, shuffled
from pairbot_ext.research.verdict import Evidence, Figures, verdict
from pairbot_ext.research.walkforward import Plan, simulate, walk, with_whitelist
from pairbot_ext.research.weeks import week_numbers
from pairbot_ext.scan.epochs import Schedule, scan_all
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.scan.table import summary
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.stats import compiled
from pairbot_ext.stats.candles import Columns
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks import add_task_options

COINS, FORMATION, STEP = 12, 504, 168
PLACEBOS, SHUFFLES = 20, 2
PLANTED_PAIRS, BETA, HALF_LIFE_CANDLES = 3, 0.8, 8.0
SIGMAS = (0.010, 0.013)
"""Standard deviations of planted spreads, log units: one set of universes each."""
OPTIONS = ScanOptions(Rule.NAIVE)
FIRST_SEED = 101
FOUND = (Evidence.WEAK, Evidence.STRONG)
NUMBERS = (
    *("pair_trades", "weeks", "net", "low_95", "low_90", "stressed", "delayed"),
    *("deflated_sharpe", "overfitting", "losing"),
)


def universe(market: Market, seed: int, settings: Settings, sigma: float) -> Market:
    """So many coins by lot, shuffled; with pairs planted in them, or without where `sigma` is 0."""
    rng = np.random.default_rng([seed, 29])
    names = sorted(market.frames)
    chosen = [names[place] for place in rng.choice(len(names), min(COINS, len(names)), replace=False)]
    few = replace(market, frames={name: market.frames[name] for name in chosen})
    made = shuffled(few, seed, FORMATION, settings)
    if not sigma:
        return made
    frames, funding = dict(made.frames), dict(made.funding)
    for number in range(PLANTED_PAIRS):
        leg_a, leg_b = chosen[2 * number], chosen[2 * number + 1]
        frames[leg_a] = follower(frames[leg_a], frames[leg_b], sigma, rng)
        del funding[leg_a]
    return market_of(frames, funding, made.timeframe, FORMATION, settings.volatility_gate)


def follower(
    frame: pd.DataFrame, other: pd.DataFrame, sigma: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Candles of a coin whose log price is BETA times the other's and a spread that comes back."""
    back = 0.5 ** (1 / HALF_LIFE_CANDLES)
    shocks = sigma * np.sqrt(1 - back**2) * rng.standard_normal(len(frame))
    shocks[0] = sigma * rng.standard_normal()
    log_b = np.log(other["close"].to_numpy(np.float64))
    close = np.exp(
        np.log(frame["close"].iloc[0]) + BETA * (log_b - log_b[0]) + lfilter([1.0], [1.0, -back], shocks)
    )
    opened = np.concatenate([[close[0]], close[:-1]])
    return frame.assign(
        open=opened, high=np.maximum(opened, close), low=np.minimum(opened, close), close=close
    )


def scanned(market: Market) -> PairsFile:
    """A walk-forward pairs file of the universe."""
    first = market.grid.start
    schedule = Schedule(
        market.timeframe, first + FORMATION * market.step, market.time(market.grid.size), FORMATION, STEP
    )
    windows = schedule.windows()
    columns = {symbol: Columns.of(frame) for symbol, frame in market.frames.items()}
    with compiled.one_of(1000):
        results = list(scan_all(columns, windows, OPTIONS))
    epochs = [
        epoch_of(each, OPTIONS.knobs.thresholds, each.window.end, each.window.end + schedule.step)
        for each in results
    ]
    return build_pairs_file(
        epochs, scan=summary(results), exchange="binance", timeframe=market.timeframe,
        generated_at=windows[-1].end,
    )  # fmt: skip


def plan_of(market: Market, settings: Settings, seed: int) -> Plan:
    """What is run on it; without phase-shuffled placebos, which the study makes itself."""
    return with_whitelist(
        Plan(
            pairs_file=scanned(market), market=market, settings=settings, terms=Terms(()), costs=CostModel(),
            startup_candles=FORMATION, options=None, placebos=PLACEBOS, seed=seed, trial={"universe": seed},
        )
    )  # fmt: skip


def one_universe(sigma: float, seed: int, *, market: Market, settings: Settings) -> list[dict[str, Any]]:
    """What the rules of the verdict look at, and t; nothing where no pair trade was made."""
    made = universe(market, seed, settings, sigma)
    plan = plan_of(made, settings, seed)
    nothing = [{"t": 0.0, **dict.fromkeys(NUMBERS, float("nan")), "pair_trades": 0, "weeks": 0}]
    row: dict[str, Any] = {"signs": float("nan"), "pairs": float("nan")}
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = walk(plan, TrialLedger(Path(folder) / "trials.jsonl"), now=datetime.now(UTC))
    except DataError:
        rows = [nothing[0] | row]
    else:
        figures = {name: getattr(result.figures, name) for name in NUMBERS}
        places = result.figures.places
        row = {"signs": places[Placebo.SIGNS], "pairs": places[Placebo.PAIRS]}
        rows = [{"t": t_of(result.outcome.pair_trades, plan)} | figures | row]
    # The planted pairs are in no relation any more: what chance makes of these coins.
    again = range(SHUFFLES if sigma else 0)
    for number in again:
        plan = plan_of(shuffled(made, 1000 * seed + number, FORMATION, settings), settings, seed)
        trades = simulate(plan).pair_trades if plan.pairs_file.pairs else pd.DataFrame()
        rows.append({**nothing[0], "signs": float("nan"), "pairs": float("nan"), "t": t_of(trades, plan)})
    return rows


def t_of(trades: pd.DataFrame, plan: Plan) -> float:
    """By which placebos are ranked."""
    return 0.0 if trades.empty else float(clustered_t(net_bp(trades, plan.costs), week_numbers(trades))[0])


def judged(
    rows: Sequence[Mapping[str, Any]], pools: Sequence[np.ndarray]
) -> list[tuple[Evidence, list[str]]]:
    """The verdict of each universe with its phase-shuffled placebos."""
    found = []
    for row, pool in zip(rows, pools, strict=True):
        places = {
            Placebo.SIGNS: row["signs"],
            Placebo.PAIRS: row["pairs"],
            Placebo.PHASES: place_among(row["t"], pool),
        }
        numbers = {name: row[name] for name in NUMBERS}
        found.append(verdict(Figures(**numbers, places={str(kind): place for kind, place in places.items()})))
    return found


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the shares. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datadir", type=Path, default=REAL_DATADIR)
    parser.add_argument("--nulls", type=int, default=200)
    parser.add_argument("--planted", type=int, default=40, help="of each size")
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    settings = parse_settings({})
    symbols = list(from_datadir(args.datadir, "1h").frames)
    market = load_market(args.datadir, symbols, "1h", settings, FORMATION)
    shared = {"market": market, "settings": settings}
    names = {0.0: "without a pair"} | {sigma: f"planted, {1e4 * sigma:g} bp" for sigma in SIGMAS}
    found, verdicts = {}, {}
    for sigma, name in names.items():
        seeds = [FIRST_SEED + number for number in range(args.planted if sigma else args.nulls)]
        tasks = [(sigma, seed) for seed in seeds]
        part = f"{1e4 * sigma:g}bp"
        rows = list(spread(one_universe, tasks, args, shared=shared, part=part))
        own = [first for first, *_ in rows]
        if sigma:
            pools = [np.array([each["t"] for _, *others in rows for each in others])] * len(own)
        else:
            ts = np.array([row["t"] for row in own])
            pools = [np.delete(ts, number) for number in range(len(own))]
        found[name], verdicts[name] = own, judged(own, pools)
    write_or_print(report(found, verdicts, len(symbols)), args.write)
    false, *strong = (
        sum(level in counted for level, _ in verdicts[name]) / len(verdicts[name])
        for name, counted in zip(names.values(), (FOUND, *[FOUND[1:]] * len(SIGMAS)), strict=True)
    )
    return int(false > 0.05 or max(strong) < 0.8)


def report(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    verdicts: Mapping[str, Sequence[tuple[Evidence, list[str]]]],
    symbols: int,
) -> str:
    """The document."""
    levels = []
    for kind, found in verdicts.items():
        counts = [sum(level is each for level, _ in found) for each in Evidence]
        shares = [str(Share(count, len(found))) for count in counts]
        trades, net, weeks = (
            np.array([row[name] for row in rows[kind]], np.float64)
            for name in ("pair_trades", "net", "weeks")
        )
        said = f"{np.mean(trades):.0f} in {np.mean(weeks):.0f} weeks", f"{np.nanmean(net):+.1f}"
        levels.append([kind, len(found), *said, *shares])
    rules = []
    for kind, found in verdicts.items():
        missing = [rule for _, lacking in found for rule in lacking]
        for rule in dict.fromkeys(missing):
            rules.append([kind, rule, f"{missing.count(rule)} of {len(found)}"])
    return (
        "# How often the verdict is wrong\n\n"
        f"Universes of {COINS} coins drawn from {symbols} real ones, hourly, May to December 2025, each "
        f"coin's weeks in an order of its own; {FORMATION} candles of formation, a new scan by the naive "
        f"rule every {STEP} candles, 16 variants beside it, {PLACEBOS} placebos of signs and pairs. Planted: "
        f"{PLANTED_PAIRS} pairs with hedge ratio {BETA:g}, half-life {HALF_LIFE_CANDLES:g} candles, and the "
        "standard deviation of the spread that is named, of leg A. Made by "
        "`python -m benchmarks.study_verdict`.\n\n"
        + markdown_table(
            ["universes", "count", "pair trades", "net bp", *(f"said {each.value}" for each in Evidence)],
            levels,
        )
        + "\nRules that were in the way of the next better verdict:\n\n"
        + markdown_table(["universes", "rule", "missed in"], rules)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
