"""A report as JSON, CSV and a table for the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pairbot_ext.report.document import Report
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.summary import PairSummary
from pairbot_ext.report.wording import duration, exits, interval, number, percent
from pairbot_ext.support.redact import without_secrets

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA_VERSION = 1
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def pair_record(line: PairSummary) -> dict[str, Any]:
    """One line of the pair table. Money in the stake currency, NaN as None."""
    mean = line.net_bp
    return plain(
        {
            "pair": line.pair_id,
            "pair_trades": line.pair_trades,
            "open": line.open,
            "aborted": line.aborted,
            "wins": line.wins,
            "win_rate": line.win_rate,
            "gross": line.gross,
            "fees": -line.fees,
            "funding": line.funding,
            "net": line.profit,
            "net_bp_mean": mean and mean.mean,
            "net_bp_low95": mean and mean.low,
            "net_bp_high95": mean and mean.high,
            "net_bp_standard_error": mean and mean.se,
            "net_bp_standard_deviation": mean and mean.sd,
            "net_bp_detectable": mean and mean.detectable,
            "weeks": mean.weeks if mean else 0,
            "median_held_hours": line.median_held_hours,
            "median_held_half_lives": line.median_held_half_lives,
            "worst_hedge_error": line.worst_hedge_error,
            "naked_leg_hours": line.naked_leg_hours,
            "worst_naked_secs": line.worst_naked_secs,
            "exit_reasons": line.exit_reasons,
        }
    )


def trade_record(trade: PairTrade, until: datetime, unknown: int = 0) -> dict[str, Any]:
    """One pair trade. Money in the stake currency, NaN as None; times ISO 8601 UTC.

    :param unknown: funding settlements without a rate.
    """
    return plain(
        {
            "pair": trade.pair_id,
            "pair_trade_id": trade.legs[0].pair_trade_id,
            "direction": "short spread" if trade.is_short_spread else "long spread",
            "opened": trade.opened,
            "closed": trade.closed,
            "exit": " + ".join(trade.exit_reasons),
            "aborted": trade.was_aborted,
            "notional": trade.notional,
            "gross": trade.gross,
            "fees": -trade.fees,
            "funding": trade.funding,
            "funding_settlements_unknown": unknown,
            "net": trade.profit,
            "net_bp": trade.net_bp,
            "hedge_ratio": trade.beta,
            "hedge_error": trade.hedge_error,
            "held_hours": trade.held_hours,
            "held_half_lives": trade.held_half_lives,
            "naked_secs": trade.naked_secs(until),
        }
    )


def as_json(report: Report) -> dict[str, Any]:
    """The whole report; the simulated-market sentence first where there is one."""
    source, fall = report.source, report.equity.drawdown
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "simulated": report.simulated or None,
            "headline": report.statements[0],
            "statements": report.statements[1:],
            "notes": report.notes,
            "problems": report.problems,
            "source": {
                "kind": source.kind.value,
                "file": source.path.name,
                "strategy": source.strategy,
                "timeframe": source.timeframe,
                "stake_currency": source.stake_currency,
                "starting_balance": source.starting_balance,
                "from": source.start or report.first_opened,
                "until": report.until,
            },
            "total": pair_record(report.everything),
            "pairs": [pair_record(line) for line in report.lines],
            "drawdown": fall and {**asdict(fall), "is_marked": report.equity.is_marked},
            "trades": [
                trade_record(trade, report.until, report.unknown_funding.of(trade))
                | {
                    "legs": [
                        {
                            "leg": "A" if leg in trade.legs_a else "B",
                            "symbol": leg.symbol,
                            "side": "short" if leg.is_short else "long",
                            "amount": leg.amount,
                            "open_rate": leg.open_rate,
                            "close_rate": leg.close_rate,
                            "opened": leg.opened.isoformat(),
                            "closed": leg.closed and leg.closed.isoformat(),
                            "net": leg.profit,
                        }
                        for leg in trade.legs
                    ]
                }
                for trade in report.trades
            ],
        }
    )


def pairs_csv(report: Report) -> str:
    """The pair table; its last line is the total."""
    records = [pair_record(line) for line in (*report.lines, report.everything)]
    for record, line in zip(records, (*report.lines, report.everything), strict=True):
        record["exit_reasons"] = without_secrets(exits(line))
    return _csv(records, report.simulated)


def trades_csv(report: Report) -> str:
    """One line per pair trade."""
    return _csv(
        [trade_record(trade, report.until, report.unknown_funding.of(trade)) for trade in report.trades],
        report.simulated,
    )


def pair_tables(
    lines: Sequence[PairSummary], everything: PairSummary, currency: str, *, title: str, note: str = ""
) -> tuple[Table, Table]:
    """The pair table in two parts that fit a terminal: the result, and what it is made of.

    :param note: a sentence the figures must not be seen without.
    """
    from rich.markup import escape

    result = _terminal_table(
        f"{title}\n{note}" if note else title,
        ("pair trades", "won", "net bp", "95 % interval", f"net {currency}"),
    )
    made_of = _terminal_table(
        note or None,
        ("gross", "fees", "funding", "held", "hedge error", "naked", "exits"),
        caption="held: median, half-lives; hedge error: worst; naked: one leg alone;\n"
        f"exits: {'/'.join(everything.exit_counts)}",
    )
    for line in (*lines, everything):
        if line is everything:
            result.add_section()
            made_of.add_section()
        mean = line.net_bp
        name = escape(line.pair_id)
        result.add_row(
            name,
            str(line.pair_trades),
            percent(line.win_rate, 0),
            number(None if mean is None else mean.mean, 1, signed=True),
            interval(mean, 0),
            number(line.profit),
        )
        made_of.add_row(
            name,
            number(line.gross),
            number(-line.fees),
            number(line.funding),
            number(line.median_held_half_lives, 1),
            percent(line.worst_hedge_error, 2),
            duration(line.naked_leg_hours * 3600),
            "/".join(str(count) for count in line.exit_counts.values()),
        )
    return result, made_of


def _terminal_table(title: str | None, columns: Sequence[str], caption: str | None = None) -> Table:
    from rich import box
    from rich.table import Table

    drawn = Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    drawn.add_column("pair", overflow="fold")
    for name in columns:
        drawn.add_column(name, justify="right")
    return drawn


def _csv(records: Iterable[Mapping[str, Any]], note: str) -> str:
    text = io.StringIO()
    rows = list(records)
    if rows:
        columns = [*rows[0], "note"] if note else list(rows[0])
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = {key: _cell(value) for key, value in row.items()}
            writer.writerow(cells | ({"note": note} if note else {}))
    return text.getvalue()


def _cell(value: Any) -> Any:
    # A spreadsheet would run text that looks like a formula.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def plain(value: Any) -> Any:
    """JSON's own types: NaN and infinities as None, times as ISO 8601, text without secrets."""
    if isinstance(value, Mapping):
        return {_clean(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _clean(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _clean(text: str) -> str:
    """`without_secrets`; the names of columns, symbols and reasons come again with every pair trade."""
    return without_secrets(text)
