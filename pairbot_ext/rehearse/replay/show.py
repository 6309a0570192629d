"""A replay in a terminal, and as Markdown for a document: the same tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pairbot_ext.rehearse.replay.inputs import when_text
from pairbot_ext.rehearse.replay.result import (
    SIMULATED,
    distribution,
    headline,
    weight,
    whole_trades,
)
from pairbot_ext.rehearse.replay.session import Replayed

MOST_ROWS = 40


@dataclass(frozen=True)
class Sheet:
    """One table: heads, and rows as long as the heads."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_text: Sequence[bool]


def sheets(played: Replayed, most_rows: int | None = MOST_ROWS) -> list[Sheet]:
    """Everything there is to see, in order.

    :param most_rows: of lists; None shows all.
    """
    found = [_conditions(played)]
    if played.comparison is not None:
        found += [_causes(played), *_exceptions(played, most_rows)]
    return [*found, _legging(played), *_refused(played), _trades(played, most_rows)]


def _conditions(played: Replayed) -> Sheet:
    terms, used = played.terms, weight(played)
    rows = [
        ("time", f"{when_text(played.begin_ms)} to {when_text(played.reached_ms)}"),
        ("latency, ms", f"{terms.latency_ms:g}"),
        ("spread, bp (one tick at least)", f"{terms.spread_bp:g}"),
        ("at the best price, USDT", f"{terms.depth_usdt:g}"),
        ("partial fills, share of orders", f"{terms.partial_share:.1%}"),
        ("lost requests or answers", f"{terms.fault_share:.1%}"),
        ("prices inside candles", _prices(played)),
        ("weight, most in a minute", f"{used['most_per_minute']:g} of {used['limit_per_minute']:g}"),
        ("weight, mean of an hour", f"{used['per_hour']:.0f}"),
        ("orders bent", ", ".join(f"{name} {n}" for name, n in played.counted.mishaps.items()) or "none"),
    ]
    return Sheet("Conditions", ("", ""), rows, (True, True))


def _prices(played: Replayed) -> str:
    base = f"{played.inputs.detail} candles" if played.inputs.detail else "open, extremes, close"
    return base + (", wandering between" if played.terms.ticks else ", straight between")


def _causes(played: Replayed) -> Sheet:
    beside = played.comparison
    assert beside is not None
    rows = [("profit of the backtest", f"{beside.backtest_profit:+.2f}")]
    rows += [(cause.value, f"{value:+.4f}") for cause, value in beside.causes.items() if abs(value) >= 5e-5]
    rows += [
        ("not explained (rounding)", f"{beside.unexplained:+.4f}"),
        ("profit of the replay", f"{beside.replay_profit:+.2f}"),
    ]
    currency = str(played.inputs.raw.get("stake_currency", "USDT"))
    return Sheet("From backtest to replay", ("", currency), rows, (True, False))


def _exceptions(played: Replayed, most_rows: int | None) -> list[Sheet]:
    beside = played.comparison
    assert beside is not None
    rows = []
    for side in beside.exceptions:
        first = side.backtest or side.replay
        assert first is not None
        rows.append(
            (
                first.pair_id,
                when_text(first.opened_ms),
                f"{side.backtest.pnl:+.2f}" if side.backtest else "-",
                f"{side.replay.pnl:+.2f}" if side.replay else "-",
                side.why,
            )
        )
    heads = ("pair", "opened", "backtest", "replay", "why")
    title = f"Not the same: {len(rows)} of {len(beside.sides)} pair trades"
    return [
        Sheet(_some(title, rows, most_rows), heads, rows[:most_rows], (True, True, False, False, True))
    ] * bool(rows)


def _legging(played: Replayed) -> Sheet:
    done = [each.legging for each in whole_trades(played) if each.legging is not None]
    series = (
        ("legging, bp", [each.cost_bp for each in done]),
        ("all fills against the opening, bp", [each.shortfall_bp for each in done]),
        ("a leg alone, s", [each.alone_secs for each in done]),
    )
    rows = []
    for name, values in series:
        found = distribution(values)
        numbers = [found["mean"], *found["quantiles"].values()] if values else []
        rows.append((name, str(found["count"]), *(f"{number:.3f}" for number in numbers)))
        rows[-1] += ("",) * (9 - len(rows[-1]))
    heads = ("per pair trade", "count", "mean", "5 %", "25 %", "median", "75 %", "95 %", "most")
    return Sheet("Cost of legging", heads, rows, (True, *[False] * 8))


def _refused(played: Replayed) -> list[Sheet]:
    rows = [(code, str(count)) for code, count in played.refused.most_common()]
    return [Sheet("Entries refused", ("check", "times"), rows, (True, False))] * bool(rows)


def _trades(played: Replayed, most_rows: int | None) -> Sheet:
    rows = []
    for each in played.ledger.trades:
        end = "open" if each.closed_ms is None else when_text(each.closed_ms)
        legging = each.legging
        rows.append(
            (
                each.pair_id,
                when_text(each.opened_ms),
                "aborted" if each.is_aborted else end,
                f"{each.pnl:+.2f}",
                f"{legging.alone_secs:.3f}" if legging else "",
                f"{legging.cost_bp:+.2f}" if legging else "",
                f"{legging.shortfall_bp:+.2f}" if legging else "",
                each.reason,
            )
        )
    heads = ("pair", "opened", "left", "profit", "alone, s", "legging, bp", "fills, bp", "why")
    return Sheet(
        _some("Pair trades", rows, most_rows), heads, rows[:most_rows],
        (True, True, True, False, False, False, False, True),
    )  # fmt: skip


def _some(title: str, rows: Sequence[object], most_rows: int | None) -> str:
    cut = most_rows is not None and len(rows) > most_rows
    return f"{title}, the first {most_rows}; all with --json" if cut else title


def remarks(played: Replayed) -> list[str]:
    """What must be said besides, a sentence each."""
    found = list(played.inputs.notes)
    if played.stopped:
        found.append(f"Ended early. {played.stopped}")
    if played.is_interrupted:
        found.append(f"Stopped by Ctrl+C after the candle of {when_text(played.reached_ms)}")
    found += [f"The account's books are doubted: {doubt}" for doubt in played.doubts]
    return found


def show(played: Replayed, console: Console | None = None) -> None:
    """Print it."""
    # Wider than a terminal rather than a column of single letters.
    console = console or Console()
    console.print(f"[bold]{escape(headline(played))}[/bold]", highlight=False, soft_wrap=True)
    for remark in remarks(played):
        console.print(f"  {escape(remark)}", style="yellow", highlight=False, soft_wrap=True)
    console.print(f"  {SIMULATED}", highlight=False, soft_wrap=True)
    for sheet in sheets(played):
        table = Table(title=sheet.title, title_justify="left", show_header=any(sheet.heads))
        for head, is_text in zip(sheet.heads, sheet.is_text, strict=True):
            table.add_column(head, justify="left" if is_text else "right", overflow="fold")
        for row in sheet.rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)


def markdown(played: Replayed) -> str:
    """For a document."""
    lines = [headline(played) + ".", "", *(f"- {remark}" for remark in remarks(played))]
    for sheet in sheets(played, None):
        lines += ["", f"## {sheet.title}", ""]
        lines.append("| " + " | ".join(sheet.heads) + " |")
        lines.append("|" + "|".join("---" if is_text else "---:" for is_text in sheet.is_text) + "|")
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in sheet.rows]
    return "\n".join(lines) + "\n"
