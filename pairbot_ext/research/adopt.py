"""The best epoch of a hyperopt on candles it has not seen: whether its parameters may replace the file's.

The best of a hundred tries looks good on the candles it was chosen on, whether there is anything to find or
not. So the strategy switches Freqtrade's own export off, and this writes `PairsArb.json` where the epoch
holds afterwards: more than so many looks at that stretch explain, and more than the pairs' own thresholds.
It is no proof of an edge, which `pairbot walkforward` asks for; it keeps out what is plainly overfitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from pairbot_ext.pairs import write_json
from pairbot_ext.research.costs import STRESS, net_bp
from pairbot_ext.research.evidence import best_of_chance
from pairbot_ext.research.ledger import TrialLedger
from pairbot_ext.research.loss import weekly_stressed
from pairbot_ext.research.market import Market
from pairbot_ext.research.walkforward import Plan, simulate
from pairbot_ext.research.weeks import week_numbers
from pairbot_ext.support.errors import DataError, PairbotError

COMMAND, STRATEGY = "adopt", "PairsArb"
OVERRIDES = {
    "entry_z": "entry",
    "exit_z": "exit",
    "stop_z": "stop",
    "max_half_lives": "max_half_lives",
    "window_candles": "window_candles",
    "max_half_life_hours": "max_half_life_hours",
}
"""What each parameter of the strategy is called among a book's overrides."""
LEAST_TRADES, LEAST_WEEKS = 20, 4
MOST_OFF = 0.05
"""Share of the legs hyperopt made by which the simulator's number may differ: a real venue's steps are others
than the bundled ones, another pairs file makes other trades altogether."""


@dataclass(frozen=True)
class Epoch:
    """One epoch of a hyperopt. :param spaces: parameters by space. :param begin, end: first, last candle."""

    number: int
    loss: float
    spaces: Mapping[str, Mapping[str, float]]
    legs: int
    begin: datetime
    end: datetime

    @property
    def overrides(self) -> dict[str, float]:
        """What a signal book is given."""
        return {
            OVERRIDES[name]: float(value)
            for values in self.spaces.values()
            for name, value in values.items()
            if name in OVERRIDES
        }


@dataclass(frozen=True)
class Stretch:
    """What one set of thresholds made of one stretch, costs twice what is assumed.

    :param net_bp: mean of a pair trade, bp of N_A + N_B. :param week, error: mean week and its standard
        error, per cent of the wallet.
    """

    pair_trades: int
    weeks: int
    net_bp: float
    week: float
    error: float


@dataclass(frozen=True)
class Check:
    """The epoch in sample and after, and the pairs' own thresholds after.

    :param objections: why it may not be written; none where it holds.
    """

    epoch: Epoch
    begin: datetime
    end: datetime
    in_sample: Stretch
    after: Stretch
    own: Stretch
    looks: int
    objections: Sequence[str]


def best_epoch(path: Path) -> Epoch:
    """The one with the least loss of a `.fthypt` file. Raises DataError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(
            f"the epochs {path} cannot be read: {error.strerror}", remedy="Name a .fthypt file"
        ) from error
    best: dict[str, Any] | None = None
    for line in lines:
        try:
            each = json.loads(line)
            if each["results_metrics"] and (each["loss"] < best["loss"] if best else True):
                best = each
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} holds a line that is no epoch", value=line[:40], remedy="Run the hyperopt again"
            ) from error
    if best is None:
        raise DataError(f"{path} holds no epoch", value=0, remedy="Run `freqtrade hyperopt` first")
    figures = best["results_metrics"]
    if figures["strategy_name"] != STRATEGY:
        raise DataError(
            f"{path} is of another strategy", value=figures["strategy_name"], remedy=f"Take one of {STRATEGY}"
        )
    begin, end = (
        datetime.fromtimestamp(figures[name] / 1000, UTC) for name in ("backtest_start_ts", "backtest_end_ts")
    )
    spaces = {name: dict(best["params_details"].get(name, {})) for name in ("buy", "sell")}
    return Epoch(best["current_epoch"], float(best["loss"]), spaces, int(figures["total_trades"]), begin, end)


def latest_epochs(user_data: Path) -> Path:
    """The file of the last hyperopt. Raises DataError where there was none."""
    folder = user_data / "hyperopt_results"
    try:
        name = json.loads((folder / ".last_result.json").read_text(encoding="utf-8"))["latest_hyperopt"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"no hyperopt result in {folder}", remedy="Run `freqtrade hyperopt`, or give --epochs FILE"
        ) from error
    return folder / str(name)


def stretch_of(plan: Plan, overrides: Mapping[str, float], begin: datetime) -> tuple[Stretch, int]:
    """What these thresholds make of the plan's market, and with how many legs."""
    outcome = simulate(plan, overrides=overrides)
    trades = outcome.pair_trades
    if trades.empty:
        return Stretch(0, 0, float("nan"), 0.0, 0.0), 0
    end = plan.market.time(plan.market.end_row)
    weeks = weekly_stressed(trades, begin, end, plan.terms.wallet, plan.costs).to_numpy()
    found = Stretch(
        pair_trades=len(trades),
        weeks=int(np.unique(week_numbers(trades)).size),
        net_bp=float(net_bp(trades, plan.costs, STRESS).mean()),
        week=float(weeks.mean()),
        error=float(np.std(weeks, ddof=1)) / sqrt(weeks.size) if weeks.size > 1 else 0.0,
    )
    return found, len(outcome.legs)


def check(plan: Plan, before: Market, epoch: Epoch, ledger: TrialLedger, now: datetime) -> Check:
    """Try the epoch on the plan's market, which begins after the epoch's last candle.

    :param before: the market the hyperopt saw, where its figures are made again.
    :raises DataError: the markets overlap, or the figures are not those of this file and configuration.
    """
    begin, end = (plan.market.time(row) for row in (min(plan.market.first.values()), plan.market.end_row))
    if begin <= epoch.end:
        raise DataError(
            "the candles to try the epoch on are ones it was chosen on",
            value=f"{begin:%Y-%m-%d %H:%M}; hyperopt ended with {epoch.end:%Y-%m-%d %H:%M}",
            remedy="Give --timerange after it, and leave candles for that: hyperopt with --timerange too",
        )
    in_sample, legs = stretch_of(replace(plan, market=before), epoch.overrides, epoch.begin)
    if abs(legs - epoch.legs) > max(MOST_OFF * epoch.legs, 2):
        raise DataError(
            "the epoch's trades are not those of this pairs file and configuration",
            value=f"{epoch.legs} legs in the hyperopt, {legs} now",
            remedy="Give the -c, --datadir and pairs file the hyperopt had",
        )
    span = [begin.isoformat(), end.isoformat()]
    trial = {**plan.trial, "thresholds": epoch.overrides, "out_of_sample": span}
    ledger.add(COMMAND, [trial], now)
    tried = [each for each in ledger.tried(COMMAND) if each.get("pairs") == plan.trial.get("pairs")]
    looks = sum(each["out_of_sample"][1] >= span[0] and each["out_of_sample"][0] <= span[1] for each in tried)
    after, _ = stretch_of(plan, epoch.overrides, begin)
    own, _ = stretch_of(plan, {}, begin)
    return Check(epoch, begin, end, in_sample, after, own, looks, objections(after, own, looks))


def objections(after: Stretch, own: Stretch, looks: int) -> list[str]:
    """Why parameters may not replace the pairs' own thresholds; empty where they may.

    :param looks: how many different epochs have been tried on this stretch, this one included.
    """
    found = []
    if after.pair_trades < LEAST_TRADES or after.weeks < LEAST_WEEKS:
        found.append(
            f"{after.pair_trades} pair trades in {after.weeks} weeks are too few to tell: {LEAST_TRADES} in "
            f"{LEAST_WEEKS} are needed"
        )
    hurdle = best_of_chance(looks) * after.error
    if not after.week > hurdle:
        found.append(
            f"the mean week is {after.week:+.3f} % of the wallet, the best of {looks} tried there shows "
            f"{hurdle:+.3f} % by chance"
        )
    if not after.week > own.week:
        found.append(f"the pairs' own thresholds make {own.week:+.3f} % a week there")
    return found


def write_parameters(path: Path, made: Check, now: datetime) -> None:
    """Write the strategy's parameter file, with what it rests on.

    :raises PairbotError: there is a file that is not this strategy's.
    """
    if path.exists():
        try:
            name = json.loads(path.read_text(encoding="utf-8")).get("strategy_name")
        except (OSError, ValueError, AttributeError):
            name = "no parameter file"
        if name != STRATEGY:
            raise PairbotError(
                f"{path} is not a parameter file of {STRATEGY}", value=name, remedy="Choose another --out"
            )
    said = (
        f"adopted {now:%Y-%m-%d} after {made.after.pair_trades} pair trades out of sample, "
        f"{made.begin:%Y-%m-%d} to {made.end:%Y-%m-%d}"
    )
    params = {**{name: dict(values) for name, values in made.epoch.spaces.items()}, COMMAND: {"said": said}}
    document = {"strategy_name": STRATEGY, "params": params, "ft_stratparam_v": 1}
    try:
        write_json(path, {**document, "export_time": now.isoformat()})
    except OSError as error:
        raise PairbotError(
            f"{path} cannot be written: {error.strerror}", remedy="Choose another --out"
        ) from error
