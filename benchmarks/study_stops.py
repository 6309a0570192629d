"""False stops: how often the default stops close a healthy pair.

A healthy pair is an Ornstein-Uhlenbeck spread, sampled hourly (its exact AR(1)), over a random-walk leg B,
for ever. It is traded with the thresholds a scan writes, through the very functions the bot asks:
`exit_reason` and `break_verdict`. The model is the true one ("known") or estimated on a formation window of
as many half-lives as the scan demands at least ("estimated"); in the latter case a stop is not false in the
same sense, since the model itself is wrong.

The live stop looks between the candles. A spread that is seen continuously touches the stop more often than
its hourly samples: it is simulated at 60 steps a candle ("live").

Run: ``python -m benchmarks.study_stops [--trades 2000] [--write docs/statistics/stops.md]``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from benchmarks.running import in_sentences, spread
from benchmarks.synthetic import HOURLY_VOLATILITY, Share, markdown_table, write_or_print
from pairbot_ext.model.findings import Breach
from pairbot_ext.model.plan import EntryModel
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.model.thresholds import Thresholds as Levels
from pairbot_ext.settings.risk import BreakStop, RiskSettings
from pairbot_ext.settings.scan import Filters, Thresholds
from pairbot_ext.signals.breaks import break_verdict, pair_health
from pairbot_ext.signals.zpath import exit_reason
from pairbot_ext.stats.regression import fit_spread_model
from pairbot_ext.stats.reversion import half_life
from pairbot_ext.tasks import add_task_options

HALF_LIVES_CANDLES = (6.0, 12.0, 24.0, 32.0)
LIVE_STEPS = 60
"""Readings of the live books per candle in the simulation."""
MAX_Z_STOPS, MAX_TIME_STOPS, MAX_BREAK_STOPS = 0.03, 0.05, 0.03
BETA = 1.0
OUTCOMES = ("trades", "vetoed", *(reason.value for reason in ExitReason))
SPREAD_RATIO = 0.5
"""Volatility of the spread's innovations relative to leg B's returns."""


def levels() -> Levels:
    """The scan's default thresholds."""
    knobs = Thresholds()
    return Levels(knobs.entry_z, knobs.exit_z, knobs.stop_z, knobs.max_half_lives)


def healthy_pair(
    candles: int, half_life_candles: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log closes of both legs and the spread's own high of |u| within each candle, shape (candles,) each.

    The spread starts in its stationary distribution.
    """
    scale = SPREAD_RATIO * HOURLY_VOLATILITY
    rho = 0.5 ** (1.0 / (half_life_candles * LIVE_STEPS))
    # Innovations of the fine process whose hourly samples have the innovation volatility `scale`.
    fine = scale * math.sqrt((1.0 - rho**2) / (1.0 - rho ** (2 * LIVE_STEPS)))
    start = fine / math.sqrt(1.0 - rho**2) * rng.standard_normal()
    steps = fine * rng.standard_normal(candles * LIVE_STEPS)
    u, _ = lfilter([1.0], [1.0, -rho], steps, zi=[rho * start])
    by_candle = u.reshape(candles, LIVE_STEPS)
    log_b = np.cumsum(HOURLY_VOLATILITY * rng.standard_normal(candles))
    return BETA * log_b + by_candle[:, -1], log_b, by_candle


def sigma_of(half_life_candles: float) -> float:
    """Stationary standard deviation of the spread."""
    return SPREAD_RATIO * HOURLY_VOLATILITY / math.sqrt(1.0 - 0.25 ** (1.0 / half_life_candles))


def estimated(log_a: np.ndarray, log_b: np.ndarray) -> EntryModel | None:
    """The model a scan would freeze; None where it sees no reversion or a hedge ratio it refuses."""
    fit = fit_spread_model(log_a, log_b)
    found = half_life(log_a - fit.alpha - fit.beta * log_b).candles
    if not math.isfinite(found) or fit.beta < Filters().min_beta:
        return None
    return EntryModel(fit.alpha, fit.beta, fit.mu, fit.sigma, found)


def trade_pair(
    log_a: np.ndarray, log_b: np.ndarray, fine_u: np.ndarray, model: EntryModel, first: int, rules: BreakStop
) -> Counter[str]:
    """Trade one pair from row `first` on; how its pair trades ended, and what else would have stopped them.

    Keys: "trades", an exit reason each, "vetoed" (entries the break rule refused), and "live": closed by the
    live z-stop between candles, where the closed-candle rules alone would have gone on or closed otherwise.
    """
    at = levels()
    tally: Counter[str] = Counter()
    z = (log_a - model.alpha - model.beta * log_b - model.mu) / model.sigma
    rows = max(30, math.ceil(rules.window_half_lives * model.half_life_candles))

    def broken(row: int) -> bool:
        window = slice(max(0, row + 1 - rows), row + 1)
        health = pair_health(log_a[window], log_b[window], model)
        verdict = break_verdict(rules, health, model.half_life_candles, model.beta)
        return isinstance(verdict, Breach)

    opened: int | None = None
    direction = 0
    # A pair trade that the end of the path would cut off is not begun: it would be a long one.
    last_entry = z.size - 2 - math.ceil(at.max_half_lives * model.half_life_candles)
    confirm = RiskSettings().confirm_readings
    is_armed, is_judged = True, False
    for row in range(first, z.size):
        if opened is None and row > last_entry:
            break
        if opened is None:
            is_armed |= abs(z[row]) <= at.exit
            if is_armed and at.entry <= abs(z[row]) < at.stop:
                if broken(row):
                    tally["vetoed"] += not is_judged
                    is_judged = True
                    continue
                opened, direction = row, -int(np.sign(z[row]))
                tally["trades"] += 1
            else:
                is_judged = False
            continue
        # Between the last candle and this one. Leg B's share of z is that of the candle's close.
        live = -direction * (fine_u[row] - model.mu + log_a[row] - fine_u[row, -1] - model.alpha
                             - model.beta * log_b[row]) / model.sigma  # fmt: skip
        beyond = np.convolve(live >= at.stop, np.ones(confirm), "valid") == confirm
        reason: str | None = None
        if beyond.any():
            reason = ExitReason.STOP_LIVE
        else:
            reason = exit_reason(at, direction, z[row], row - opened, model.half_life_candles)
            if reason is None and broken(row):
                reason = ExitReason.BREAK
        if reason is not None:
            tally[str(reason)] += 1
            opened, is_armed = None, reason in (ExitReason.REVERTED, ExitReason.TIME)
    return tally


def traded(half_life_candles: float, is_estimated: bool, seed: int, draw: int) -> list[dict[str, int]]:
    """How the pair trades of one healthy pair ended."""
    tally: Counter[str] = Counter()
    rules = RiskSettings().break_stop
    assert rules is not None
    formation = math.ceil(Filters().min_half_lives_in_formation * half_life_candles)
    rng = np.random.default_rng([seed, int(half_life_candles), is_estimated, draw])
    candles = formation + math.ceil(40 * half_life_candles)
    log_a, log_b, fine_u = healthy_pair(candles, half_life_candles, rng)
    model: EntryModel | None = EntryModel(0.0, BETA, 0.0, sigma_of(half_life_candles), half_life_candles)
    if is_estimated:
        model = estimated(log_a[:formation], log_b[:formation])
    if model is not None:
        tally = trade_pair(log_a, log_b, fine_u, model, formation, rules)
    return [{outcome: tally[outcome] for outcome in OUTCOMES}]


def until(args: argparse.Namespace, half_life_candles: float, *, is_estimated: bool) -> Counter[str]:
    """Healthy pairs of one half-life until so many pair trades have ended.

    :raises RuntimeError: as many pairs as pair trades are asked for do not suffice.
    """
    tasks = [(half_life_candles, is_estimated, args.seed, draw) for draw in range(args.trades)]
    part = f"{'estimated' if is_estimated else 'known'}-{half_life_candles:g}"
    tally: Counter[str] = Counter()
    with closing(spread(traded, tasks, args, part=part)) as results:
        for (row,) in results:
            tally.update(row)
            if tally["trades"] >= args.trades:
                return tally
    raise RuntimeError(f"{args.trades} pairs make only {tally['trades']} pair trades")


@in_sentences
def main(argv: list[str]) -> int:
    """Print (and write) the table. Returns 1 if a bound is missed with the known model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=2_000, help="per row (default 2,000)")
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--write", type=Path)
    add_task_options(parser)
    args = parser.parse_args(argv)
    rows: list[list[object]] = []
    above: list[str] = []
    for is_estimated in (False, True):
        total: Counter[str] = Counter()
        for half_life_candles in HALF_LIVES_CANDLES:
            tally = until(args, half_life_candles, is_estimated=is_estimated)
            total += tally
            rows.append(row_of(tally, f"{half_life_candles:g}", is_estimated=is_estimated))
            print("  ".join(str(cell) for cell in rows[-1]), file=sys.stderr, flush=True)
            if not is_estimated:
                above += [f"{what} at {half_life_candles:g} candles" for what in missed(tally)]
        rows.append(row_of(total, "all", is_estimated=is_estimated))
        if not is_estimated:
            overall = missed(total)
    write_or_print(report(rows, args.trades, args.seed, overall, above), args.write)
    return int(bool(overall))


def row_of(tally: Counter[str], half_life: str, *, is_estimated: bool) -> list[object]:
    """One line of the table."""
    count, vetoed = tally["trades"], tally["vetoed"]
    closed, live = tally[ExitReason.STOP], tally[ExitReason.STOP_LIVE]
    return [
        "estimated" if is_estimated else "known", half_life, count, Share(closed + live, count),
        f"{live} of {closed + live}", Share(tally[ExitReason.TIME], count),
        Share(tally[ExitReason.BREAK], count), Share(vetoed, count + vetoed),
    ]  # fmt: skip


def missed(tally: Counter[str]) -> list[str]:
    """The targets these pair trades miss, with the figure."""
    count = tally["trades"]
    found = {
        "z-stops": (tally[ExitReason.STOP] + tally[ExitReason.STOP_LIVE], MAX_Z_STOPS),
        "time stops": (tally[ExitReason.TIME], MAX_TIME_STOPS),
        "break stops": (tally[ExitReason.BREAK], MAX_BREAK_STOPS),
    }
    return [f"{what} {Share(k, count)}" for what, (k, most) in found.items() if k > most * count]


def report(rows: list[list[object]], trades: int, seed: int, overall: list[str], above: list[str]) -> str:
    """The page.

    :param overall: targets missed by all half-lives together; :param above: by one of them.
    """
    at, rules = Thresholds(), RiskSettings().break_stop
    assert rules is not None
    header = ["model", "half-life, candles", "pair trades", "z-stops", "of them between candles",
              "time stops", "break stops", "entries vetoed"]  # fmt: skip
    return (
        "# False stops on healthy pairs\n\n"
        f"Ornstein-Uhlenbeck spreads that never break, hourly candles, at least {trades} pair trades a "
        f"row, seed {seed}. Thresholds are the scan's defaults: in at {at.entry_z:g}, out at {at.exit_z:g}, "
        f"stop at {at.stop_z:g}, {at.max_half_lives:g} half-lives at most. Break stop as configured by "
        f"default: window {rules.window_half_lives:g} half-lives, half-life above "
        f"{rules.max_half_life_ratio:g} times the model's, hedge ratio drifted by more than "
        f"{rules.max_beta_drift_percent:g} %, or the augmented "
        f"Dickey-Fuller test (constant, one lag, model of the entry) no longer rejects at "
        f"{rules.test_level_percent} %. The live stop sees {LIVE_STEPS} prices a candle and wants "
        f"{RiskSettings().confirm_readings} in a row. Brackets: exact 95 % intervals.\n\n"
        + markdown_table(header, rows)
        + f"\nTargets with the known model: z-stops ≤ {100 * MAX_Z_STOPS:g} %, time stops ≤ "
        f"{100 * MAX_TIME_STOPS:g} %, break stops ≤ {100 * MAX_BREAK_STOPS:g} % of pair trades: "
        f"{'MISSED by all together: ' + '; '.join(overall) if overall else 'met by all together'}"
        f"{'. Above it alone: ' + '; '.join(above) if above else ', and by each half-life'}.\n\n"
        "*estimated*: the model was fitted on a formation window of "
        f"{Filters().min_half_lives_in_formation:g} half-lives, the least a scan accepts. Its half-life is "
        "estimated too short and its mean is off, so time stops and break stops come more often although the "
        "pair is healthy: that is the price of not knowing the model, not of the stop.\n\n"
        "With a window of 30 half-lives instead of 45 the Dickey-Fuller test would stop about one healthy "
        "pair trade in six: it has no power on so few candles, and is left out there.\n\n"
        "Command: `python -m benchmarks.study_stops`.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
