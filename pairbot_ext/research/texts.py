"""A walk-forward in words, tables and JSON: the verdict and the place among placebos first."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from rich.table import Table

from pairbot_ext.report.wording import counted, number, percent
from pairbot_ext.research.beside import KIND, SCHEMA_VERSION
from pairbot_ext.research.capacity import VOLUME_SHARE
from pairbot_ext.research.costs import FILLS, CostModel
from pairbot_ext.research.placebos import NET_EDGES
from pairbot_ext.research.verdict import RULES
from pairbot_ext.research.walkforward import Plan, WalkForward

CAVEAT = (
    "Out of sample means after the formation that chose the pairs. The rules and their thresholds were "
    "chosen by people who have seen such data; the ledger counts only what was tried here."
)

CONFIRMED = {
    True: "`freqtrade backtesting` makes the same trades: candles, sides, amounts, exit reasons, profit.",
    False: "`freqtrade backtesting` does NOT make these trades: no figure here counts.",
    None: "Not confirmed by `freqtrade backtesting` (--no-check): the figures are the simulator's.",
}


def sentences(result: WalkForward, costs: CostModel) -> list[str]:
    """The headline and what must be known of it."""
    f, mean = result.figures, result.mean
    each_kind = next(iter(result.placebos.values())).ts.size
    places = ", ".join(f"{percent(place, 1)} of the {kind}" for kind, place in f.places.items())
    low, high = (number(end, 1, signed=True) for end in result.interval_95)
    stressed, delayed = (number(net, 1, signed=True) for net in (f.stressed, f.delayed))
    spa = result.superior_ability
    said = [
        f"Evidence of an edge after costs: {result.evidence.upper()}.",
        f"Above {places} placebos ({each_kind} of each kind, by the mean net over its standard error).",
        f"Out of sample, net {number(mean.mean, 1, signed=True)} bp per pair trade, fees, funding, slippage "
        f"and legging included (95 % interval {low} to {high} bp, bootstrap of whole weeks), "
        f"{counted(mean.n, 'pair trade')} in {mean.weeks} of {counted(result.weeks_total, 'week')}.",
        f"At twice the costs {stressed} bp; with fills one candle later {delayed} bp.",
        _beside(costs),
        f"Deflated Sharpe ratio {percent(f.deflated_sharpe)} at {counted(result.trials, 'configuration')} "
        f"ever tried on this data. Of {result.variants + 1} variants the best in one half of the weeks is "
        f"below the median of the other half in {percent(f.overfitting)} of the splits (probability of "
        f"overfitting, CSCV), and loses there in {percent(f.losing)}.",
        "Superior predictive ability: not computed, the library `arch` is not installed."
        if spa is None
        else f"Superior predictive ability over the variants: p {number(spa, 3)}.",
    ]
    if result.missing:
        said.append("For a better verdict is missing: " + "; ".join(result.missing) + ".")
    said.append(
        f"An edge of this size shows with 80 % power after about {number(result.still_needed, 0)} more "
        "pair trades."
        if math.isfinite(result.still_needed)
        else "No edge was seen, so no number of further trades follows from it."
    )
    said.append(_capacity(result))
    said.append(CONFIRMED[result.is_confirmed])
    if "phase-shuffled" not in result.placebos:
        said.append("No phase-shuffled placebos: a pairs file does not say by which rule to scan them.")
    if result.empty_epochs:
        shown = ", ".join(result.empty_epochs[:5]) + (" …" if len(result.empty_epochs) > 5 else "")
        said.append(f"{len(result.empty_epochs)} of {result.epochs} epochs have no pair: {shown}.")
    return [*said, CAVEAT]


def _beside(costs: CostModel) -> str:
    """What costs beside fees and funding, and how that is known."""
    legging = f"legging {costs.legging_bp:.2g} bp"
    if costs.replayed:
        return (
            f"Beside fees and funding: {legging} of each leg and fill, measured on "
            f"{counted(costs.replayed, 'replayed pair trade')}; slippage {costs.slippage_bp:g} bp, assumed, "
            f"{FILLS} fills a leg."
        )
    return (
        f"Assumed beside fees and funding: slippage {costs.slippage_bp:g} bp and {legging} of each leg and "
        f"fill, {FILLS} fills a leg."
    )


def _capacity(result: WalkForward) -> str:
    half, most = (number(float(np.quantile(result.capacities, q)), 0) for q in (0.5, 0.1))
    return (
        f"At {percent(VOLUME_SHARE)} of the volume of the candles they are filled in, half of the pair "
        f"trades could be {half} USDT large, nine in ten {most}; they were "
        f"{number(float(result.trades['notional'].median()), 0)}."
    )


def tables(result: WalkForward) -> list[Table]:
    """Costs, placebos, benchmarks."""
    costs = Table(title="bp of N_A + N_B per pair trade")
    for name in result.waterfall:
        costs.add_column(name, justify="right")
    costs.add_row(*(number(value, 1, signed=True) for value in result.waterfall.values()))
    placebos = Table(title="placebos: mean net, bp")
    for name in ("kind", "count", "5 %", "median", "95 %", "strategy above", "pair trades each"):
        placebos.add_column(name, justify="left" if name == "kind" else "right")
    for kind, chance in result.placebos.items():
        known = chance.means[np.isfinite(chance.means)]
        quantiles = np.quantile(known, [0.05, 0.5, 0.95]) if known.size else [math.nan] * 3
        placebos.add_row(
            kind,
            str(chance.ts.size),
            *(number(float(each), 1, signed=True) for each in quantiles),
            percent(result.figures.places[kind]),
            number(float(chance.pair_trades.mean()), 0),
        )
    others = Table(title="return over the same time, and turnover")
    for name in (*result.benchmarks, "turnover per week, wallets"):
        others.add_column(name, justify="right")
    others.add_row(
        *(percent(each) for each in result.benchmarks.values()), number(result.turnover_per_week, 2)
    )
    return [costs, placebos, others]


def inputs_of(plan: Plan) -> dict[str, Any]:
    """What a result was made of, as far as two results must agree in it to be compared."""
    digest = hashlib.sha256()
    for symbol in sorted(plan.market.close):
        digest.update(symbol.encode() + plan.market.close[symbol].tobytes())
    epochs, terms = plan.pairs_file.epochs, plan.terms
    end = epochs[-1].valid_to or plan.market.time(plan.market.grid.size)
    return {
        "candles": digest.hexdigest()[:16],
        "symbols": sorted(plan.market.close),
        "timeframe": plan.market.timeframe,
        "from": epochs[0].valid_from.isoformat(),
        "to": end.isoformat(),
        "fee": terms.fee,
        "stake": terms.stake,
        "wallet": terms.wallet,
        "slots": _plain(terms.slots),
        "leverage": plan.settings.leverage,
        "slippage_bp": plan.costs.slippage_bp,
        "legging_bp": plan.costs.legging_bp,
        "placebos": plan.placebos,
        "seed": plan.seed,
    }


def as_json(result: WalkForward, plan: Plan) -> dict[str, Any]:
    """Everything as JSON values; what is unknown is null."""
    figures = {
        name: _plain(getattr(result.figures, name))
        for name in (
            *("pair_trades", "weeks", "net", "low_95", "low_90", "stressed", "delayed"),
            *("deflated_sharpe", "overfitting", "losing"),
        )
    }
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "inputs": inputs_of(plan),
        "evidence": result.evidence.value,
        "missing": list(result.missing),
        "rules": {level.value: list(rules) for level, rules in RULES.items()},
        "places": {kind: _plain(place) for kind, place in result.figures.places.items()},
        "net_bp": _plain(result.mean.mean),
        "interval_95_bp": [_plain(each) for each in result.interval_95],
        "figures": figures,
        "waterfall_bp": {name: _plain(value) for name, value in result.waterfall.items()},
        "trials": result.trials,
        "variants": result.variants,
        "superior_ability_p": _plain(result.superior_ability),
        "still_needed": _plain(result.still_needed),
        "weeks_total": result.weeks_total,
        "epochs": result.epochs,
        "empty_epochs": list(result.empty_epochs),
        "capacity": {f"{q:g}": float(np.quantile(result.capacities, q)) for q in (0.1, 0.5, 0.9)},
        "turnover_per_week": _plain(result.turnover_per_week),
        "benchmarks": {name: _plain(value) for name, value in result.benchmarks.items()},
        "net_edges_bp": NET_EDGES.tolist(),
        "placebos": {
            kind: {
                "mean_bp": [_plain(each) for each in chance.means],
                "t": [_plain(each) for each in chance.ts],
                "pair_trades": [int(each) for each in chance.pair_trades],
                "nets": [int(each) for each in chance.counts],
            }
            for kind, chance in result.placebos.items()
        },
        "weekly": {when.isoformat(): _plain(value) for when, value in result.weekly.items()},  # type: ignore[attr-defined]
        "trades": [
            {
                str(name): value.isoformat() if hasattr(value, "isoformat") else _plain(value)
                for name, value in row.items()
            }
            for row in result.trades.to_dict("records")
        ],
        "seed": result.seed,
        "confirmed_by_freqtrade": result.is_confirmed,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else None if value is None else value
