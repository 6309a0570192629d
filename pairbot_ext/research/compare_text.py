"""A comparison of models in words, one table, JSON and one HTML page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from pairbot_ext.report.html import STYLE
from pairbot_ext.report.wording import counted, number, percent
from pairbot_ext.research.compare import FAMILY_LEVEL, Compared, Comparison, drawdown, held_hours
from pairbot_ext.research.costs import FILLS, CostModel
from pairbot_ext.research.texts import CAVEAT
from pairbot_ext.research.verdict import RULES, Evidence

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def sentences(result: Comparison, costs: CostModel) -> list[str]:
    """The headline and what must be known of it."""
    variants = result.variants
    shown = {level: [n for n, each in variants.items() if each.evidence is level] for level in Evidence}
    evidence = "; ".join(
        f"{level.upper()} for {_names(names)}" for level, names in reversed(shown.items()) if names
    )
    default = next(iter(variants))
    best = max(variants, key=lambda name: _rank(variants[name]))
    first = next(iter(variants.values()))
    count = max(len(each.weekly) for each in variants.values())
    placebos = max((chance.ts.size for chance in first.placebos.values()), default=0)
    said = [
        f"Evidence of an edge after costs: {evidence}.",
        f"Best of {len(variants)} by the deflated Sharpe ratio is {best}, net "
        f"{number(variants[best].figures.net, 1, signed=True)} bp per pair trade; the default, {default}, "
        f"{number(variants[default].figures.net, 1, signed=True)} bp. The best of several is better than it "
        "will be: the tests over all of them count, not its own interval.",
        *_tests(result, default),
        f"Deflated at {counted(result.trials, 'configuration')} ever tried on this data; probability of "
        f"overfitting over these {len(variants)} {percent(result.overfitting)} (CSCV).",
        f"All trade the same {counted(result.epochs, 'epoch')} from {result.begin:%Y-%m-%d} on, "
        f"{counted(count, 'week')}, and meet the same {placebos} draws of each kind of placebo.",
        f"Assumed beside fees and funding: slippage {costs.slippage_bp:g} bp and legging "
        f"{costs.legging_bp:g} bp of each leg and fill, {FILLS} fills a leg.",
    ]
    said += [
        f"{name}: {each.without} selections lack what it needs and keep the frozen model."
        for name, each in variants.items()
        if each.without
    ]
    if "phase-shuffled" not in first.placebos:
        said.append("No phase-shuffled placebos: a pairs file does not say by which rule to scan them.")
    if result.empty_epochs:
        said.append(f"{len(result.empty_epochs)} of {result.epochs} epochs have no pair.")
    return [*said, CAVEAT]


def _tests(result: Comparison, default: str) -> list[str]:
    if result.superior_to_cash is None:
        return ["Not computed without the library `arch`: Hansen's test and the stepwise test over all."]
    cash = [name for name, each in result.variants.items() if each.beats_cash]
    better = [name for name, each in result.variants.items() if each.beats_default]
    return [
        f"That none beats cash: p {number(result.superior_to_cash, 3)} (Hansen's test); named by the "
        f"stepwise test at {percent(FAMILY_LEVEL, 0)} for all together: {_names(cash)}.",
        f"That none beats {default}: p {number(result.superior_to_default, 3)}; named by the stepwise test: "
        f"{_names(better)}.",
    ]


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _rank(each: Compared) -> float:
    known = each.figures.deflated_sharpe
    return known if math.isfinite(known) else -1.0


def tables(result: Comparison) -> list[Table]:
    """What each earned, and where it stands among its placebos."""
    earned = Table(title="bp of N_A + N_B per pair trade, out of sample")
    places = Table(title="share of placebos below, and what else a verdict looks at")
    for table, names in (
        (earned, ("model", "trades", "weeks", "gross", "fees", "funding", "slip", "legging", "net", "95 %")),
        (
            places,
            ("model", "signs", "pairs", "phases", "2x costs", "late", "DSR", "drawdown", "held h", "verdict"),
        ),
    ):
        for name in names:
            table.add_column(name, justify="left" if name in ("model", "verdict") else "right")
    for name, each in result.variants.items():
        f, low_high = each.figures, [number(end, 0, signed=True) for end in each.interval_95]
        parts = [number(each.waterfall.get(part), 1, signed=True) for part in _PARTS]
        earned.add_row(name, str(f.pair_trades), str(f.weeks), *parts, " to ".join(low_high))
        step = each.outcome.market.step
        places.add_row(
            name,
            *(percent(f.places.get(kind), 0) for kind in _KINDS),
            *(number(net, 1, signed=True) for net in (f.stressed, f.delayed)),
            percent(f.deflated_sharpe),
            percent(drawdown(each.weekly)),
            number(held_hours(each.trades, step), 0),
            each.evidence.value,
        )
    return [earned, places]


_PARTS = ("gross", "fees", "funding", "slippage", "legging", "net")
_KINDS = ("sign-flipped", "random pairs", "phase-shuffled")


def as_json(result: Comparison) -> dict[str, Any]:
    """Everything but single trades, as JSON values; what is unknown is null."""
    return {
        "variants": {name: _variant(each) for name, each in result.variants.items()},
        "rules": {level.value: list(rules) for level, rules in RULES.items()},
        "trials": result.trials,
        "overfitting": _plain(result.overfitting),
        "superior_to_cash_p": _plain(result.superior_to_cash),
        "superior_to_default_p": _plain(result.superior_to_default),
        "begin": result.begin.isoformat(),
        "epochs": result.epochs,
        "empty_epochs": list(result.empty_epochs),
        "weeks_total": result.weeks_total,
        "seed": result.seed,
    }


def _variant(each: Compared) -> dict[str, Any]:
    f = each.figures
    return {
        "model": each.model.model_dump(mode="json"),
        "evidence": each.evidence.value,
        "missing": list(each.missing),
        "pair_trades": f.pair_trades,
        "weeks": f.weeks,
        "net_bp": _plain(f.net),
        "interval_95_bp": [_plain(end) for end in each.interval_95],
        "waterfall_bp": {name: _plain(value) for name, value in each.waterfall.items()},
        "stressed_bp": _plain(f.stressed),
        "delayed_bp": _plain(f.delayed),
        "deflated_sharpe": _plain(f.deflated_sharpe),
        "drawdown": drawdown(each.weekly),
        "places": {kind: _plain(place) for kind, place in f.places.items()},
        "beats_cash": each.beats_cash,
        "beats_default": each.beats_default,
        "pairs_without": each.without,
        "exits": dict(Counter(str(reason) for reason in each.trades.get("reason", ()))),
        "weekly": {when.isoformat(): float(value) for when, value in each.weekly.items()},  # type: ignore[attr-defined]
        "placebos": {
            kind: {
                "mean_bp": [_plain(value) for value in chance.means],
                "t": [_plain(value) for value in chance.ts],
                "pair_trades": [int(value) for value in chance.pair_trades],
            }
            for kind, chance in each.placebos.items()
        },
    }


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def compare_page(result: Comparison, costs: CostModel) -> str:
    """One HTML page: sentences, the tables, three pictures; plotly inside, no network."""
    said = sentences(result, costs)
    pictures = [
        ("Net per pair trade, with its 95 % interval", net_figure(result)),
        ("Running net", path_figure(result)),
        ("Place among placebos", place_figure(result)),
    ]
    body = [f"<h1>Models side by side</h1><p><strong>{escape(said[0])}</strong></p>"]
    body += [f"<p>{escape(each)}</p>" for each in said[1:]]
    body += [_html(table) for table in tables(result)]
    for position, (title, figure) in enumerate(pictures):
        drawn = figure.to_html(full_html=False, include_plotlyjs=position == 0)
        body.append(f"<h2>{escape(title)}</h2>{drawn}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Models side by side</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _html(table: Table) -> str:
    columns = [list(column.cells) for column in table.columns]
    head = "".join(f"<th>{escape(str(column.header))}</th>" for column in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in zip(*columns, strict=True)
    )
    return f"<h2>{escape(str(table.title))}</h2><table><tr>{head}</tr>{rows}</table>"


def _figure(x: str, y: str) -> Figure:
    from plotly.graph_objects import Figure, Layout

    return Figure(
        layout=Layout(
            template="simple_white", height=360, margin={"t": 10}, xaxis_title=x, yaxis_title=y,
            legend={"orientation": "h"},
        )
    )  # fmt: skip


def net_figure(result: Comparison) -> Figure:
    """Each model's mean net and interval."""
    figure = _figure("", "bp of N_A + N_B")
    names = list(result.variants)
    means = np.array([each.figures.net for each in result.variants.values()])
    low, high = np.array([each.interval_95 for each in result.variants.values()]).T
    reach = {"type": "data", "symmetric": False, "array": high - means, "arrayminus": means - low}
    figure.add_scatter(x=names, y=means, error_y=reach, mode="markers", showlegend=False)
    figure.add_hline(y=0, line_width=1)
    return figure


def path_figure(result: Comparison) -> Figure:
    """The running sum of weekly nets, all costs included."""
    figure = _figure("week of the entry", "bp of the wallet")
    for name, each in result.variants.items():
        figure.add_scatter(x=each.weekly.index, y=1e4 * each.weekly.cumsum(), name=name, mode="lines")
    return figure


def place_figure(result: Comparison) -> Figure:
    """The share of placebos of each kind that each model stands above."""
    figure = _figure("", "share of placebos below")
    for kind in _KINDS:
        shares = [each.figures.places.get(kind) for each in result.variants.values()]
        if any(share is not None for share in shares):
            figure.add_bar(x=list(result.variants), y=shares, name=kind)
    figure.add_hline(y=0.9, line_width=1, line_dash="dot", annotation_text="weak needs")
    return figure
