"""Numbers and sentences of a report. Every sentence carries its numbers; none promises anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import median

from pairbot_ext.report.equity import EquityPath
from pairbot_ext.report.evidence import FEW_WEEKS, ClusteredMean, best_of_chance
from pairbot_ext.report.models import Choice
from pairbot_ext.report.sources import SourceKind
from pairbot_ext.report.summary import PairSummary

EXAMPLE_EDGE_BP = 10.0
"""Of the sentence that says how many pair trades a small edge would need."""
FILLS_PER_NOTIONAL = 2
"""Every unit of N_A + N_B is filled twice, at the entry and at the exit."""
UNKNOWN = "–"
TOO_FEW, TOO_FEW_WEEKS = 10, 3
"""Fewer pair trades or weeks say nothing about their own scatter."""

_FILL_CAVEATS = {
    SourceKind.BACKTEST: "A backtest fills both legs at a candle's open: bid-ask spread, slippage and the "
    "time between two orders are not in these figures.",
    SourceKind.DRY_RUN: "Dry-run fills are simulated against the order book of the moment; a real order "
    "may fill worse.",
    SourceKind.BOT: "",
    SourceKind.LIVE: "Fills, fees and funding are the exchange's own as Freqtrade booked them.",
}


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A number with thousands separators and a typographic minus; a dash where it is unknown."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    # Rounded first: no "−0.00".
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''},.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """A ratio as per cent."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{number(100 * value, digits)} %"


def interval(mean: ClusteredMean | None, digits: int = 1) -> str:
    """`low to high`, or a dash where there is no interval."""
    if mean is None or not math.isfinite(mean.low):
        return UNKNOWN
    return f"{number(mean.low, digits, signed=True)} to {number(mean.high, digits, signed=True)}"


def duration(secs: float) -> str:
    """Hours, minutes or seconds; seconds to the hundredth where they are few."""
    if secs >= 3600:
        return f"{secs / 3600:,.1f} h"
    if secs >= 120:
        return f"{secs / 60:.1f} min"
    return f"{secs:.2f} s" if 0 < secs < 10 else f"{secs:.0f} s"


def counted(count: int, noun: str) -> str:
    """`1 week`, `2 weeks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def headline(everything: PairSummary, currency: str) -> str:
    """The net figure, costs included, before anything else."""
    mean = everything.net_bp
    if mean is None:
        return "No pair trade has closed: there is no result yet."
    text = (
        f"Net {number(mean.mean, 1, signed=True)} bp per pair trade, fees and funding included"
        f"{{}}: {number(everything.profit, 2, signed=True)} {currency} on "
        f"{counted(mean.n, 'closed pair trade')} in {counted(mean.weeks, 'week')}."
    )
    has_interval = math.isfinite(mean.low)
    return text.format(f" (95 % interval {interval(mean)} bp, clustered by week)" if has_interval else "")


def evidence(everything: PairSummary) -> list[str]:
    """What so many pair trades can and cannot show."""
    mean = everything.net_bp
    if mean is None:
        return []
    if not math.isfinite(mean.low):
        return [
            f"{counted(mean.n, 'pair trade')} of a single week: no interval can be given, and nothing "
            "follows from the figure."
        ]
    if mean.low > 0:
        reading = (
            "The interval lies above zero on these trades. That is a statement about this period and these "
            "fills, not about the next period."
        )
    elif mean.high < 0:
        reading = "The interval lies below zero: these trades lost money after costs."
    else:
        reading = "The interval includes zero: these trades cannot tell the result from chance."
    if mean.n < TOO_FEW or mean.weeks < TOO_FEW_WEEKS:
        return [
            reading,
            f"{counted(mean.n, 'pair trade')} in {counted(mean.weeks, 'week')} are too few to say how "
            "results scatter: nothing follows from the figure.",
        ]
    power = (
        f"The standard error is {number(mean.se, 1)} bp. {counted(mean.n, 'pair trade')} that scatter like "
        f"these (standard deviation {number(mean.sd, 0)} bp) reveal an edge of "
        f"{number(mean.detectable, 0)} bp or more with 80 % power at the 5 % level; a smaller edge, or a "
        "smaller loss, stays invisible."
    )
    if mean.detectable > EXAMPLE_EDGE_BP:
        needed = float(f"{mean.needed_for(EXAMPLE_EDGE_BP):.2g}")
        power += f" An edge of {EXAMPLE_EDGE_BP:.0f} bp would take about {needed:,.0f} pair trades."
    said = [reading, power]
    if mean.weeks < FEW_WEEKS:
        said.append(
            f"With {counted(mean.weeks, 'week')} the interval itself is rough, and rather too short than "
            "too long."
        )
    return said


def costs(everything: PairSummary, kind: SourceKind, currency: str) -> list[str]:
    """Where gross became net, and what is missing in it."""
    mean = everything.net_bp
    if mean is None:
        return []
    said = [
        f"Gross {number(everything.gross, 2, signed=True)}, fees {number(-everything.fees, 2, signed=True)}, "
        f"funding {number(everything.funding, 2, signed=True)}, net "
        f"{number(everything.profit, 2, signed=True)} {currency}."
    ]
    caveat = _FILL_CAVEATS[kind]
    if kind is not SourceKind.LIVE:
        caveat += f" Each basis point they cost per fill takes {FILLS_PER_NOTIONAL} bp off the net"
        left = mean.mean / FILLS_PER_NOTIONAL
        caveat += f": at {number(left, 1)} bp per fill nothing is left." if left > 0 else "."
    said.append(caveat)
    if kind is SourceKind.BACKTEST and everything.funding == 0 and (everything.median_held_hours or 0) >= 8:
        said.append(
            "Funding is exactly zero although pairs were held over funding times: were the funding rates "
            "downloaded?"
        )
    return said


def legging(naked_secs: Sequence[float], hedged_secs: Sequence[float]) -> list[str]:
    """How long one leg stood alone, in seconds per pair trade, and how long an entry took."""
    said = []
    if naked_secs:
        said.append(
            f"One leg alone, entry and exit together: median {duration(median(naked_secs))}, longest "
            f"{duration(max(naked_secs))} per pair trade."
        )
    if hedged_secs:
        said.append(
            f"From the decision to both legs filled: median {duration(median(hedged_secs))}, longest "
            f"{duration(max(hedged_secs))}."
        )
    return said


def selection(chosen: Choice | None, first_opened: datetime) -> str:
    """Whether the pairs were chosen before they were traded."""
    if chosen is None:
        return (
            "Whether the pairs were chosen on earlier data is not known here: no pairs file covers these "
            "trades (--pairs-file). Results on the data that chose the pairs mean nothing."
        )
    if chosen.epochs == 1:
        return (
            f"Out of sample: the pairs were chosen on data to {chosen.formation_end:%Y-%m-%d %H:%M}, the "
            f"first was opened {first_opened:%Y-%m-%d %H:%M} UTC."
        )
    return (
        f"Out of sample: {chosen.epochs} selections in turn, and each pair trade opened after the "
        "end of the data that chose it."
    )


def one_of_many(pairs: int) -> list[str]:
    """How easily one of many pairs looks good."""
    if pairs < 3:
        return []
    return [
        f"The best of {pairs} pairs without any edge stands out by {number(best_of_chance(pairs), 1)} "
        "standard errors on average: a single pair's result is no finding."
    ]


def drawdown(equity: EquityPath, currency: str) -> str:
    """The deepest fall and how it was measured."""
    how = (
        "open pair trades marked at every candle's close"
        if equity.is_marked
        else "closed pair trades only: what open ones lost in between is not in it"
    )
    fall = equity.drawdown
    if fall is None:
        return f"No drawdown ({how})."
    share = "" if fall.ratio is None else f" ({percent(fall.ratio)} of the equity at its high)"
    return (
        f"Largest drawdown {number(fall.amount)} {currency}{share}, from {fall.high_at:%Y-%m-%d %H:%M} to "
        f"{fall.low_at:%Y-%m-%d %H:%M} UTC, {'made good' if fall.is_over else 'not made good'} "
        f"by the end; {how}."
    )


def exits(summary: PairSummary) -> str:
    """`reverted 12, stop 1`: how many closed for each reason."""
    return ", ".join(f"{short_reason(name)} {count}" for name, count in summary.exit_reasons.items())


def short_reason(name: str) -> str:
    """An exit reason as people say it."""
    return name.replace("pair_", "").replace("_", " ")
