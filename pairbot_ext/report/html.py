"""A report as HTML pages that need nothing but themselves: style and pictures inside, no script, no network.

The pages carry a content security policy that forbids every request, so that a mistake here could not send
anybody's figures anywhere either.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

from pairbot_ext.pairs import Pair
from pairbot_ext.report.document import Report
from pairbot_ext.report.evidence import ClusteredMean
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.picture import TradeMark
from pairbot_ext.report.summary import PairSummary
from pairbot_ext.report.wording import (
    UNKNOWN,
    counted,
    duration,
    evidence,
    headline,
    interval,
    number,
    one_of_many,
    percent,
    short_reason,
)
from pairbot_ext.support.redact import without_secrets

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 28px 56px; max-width: 1280px; background: #fff; color: #1b1b1b;
  font: 14px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; font-weight: 600; margin: 0 0 2px; }
h2 { font-size: 15px; font-weight: 600; margin: 36px 0 8px; }
p { margin: 0 0 8px; max-width: 92ch; }
a { color: #005a8d; text-decoration: none; } a:hover { text-decoration: underline; }
p.source { max-width: none; }
.source, .small { color: #5c5c5c; font-size: 13px; }
.simulated { border: 1px solid #b8860b; padding: 8px 12px; margin: 16px 0; max-width: 82ch; }
.problems { border: 1px solid #b3261e; padding: 8px 12px; margin: 16px 0; }
.problems li { color: #8c1d18; }
.lead { display: flex; flex-wrap: wrap; gap: 4px 40px; align-items: baseline; margin: 22px 0 4px; }
.lead .figure { font-size: 40px; font-weight: 600; letter-spacing: -0.5px; line-height: 1.1; }
.lead .figure small { font-size: 20px; font-weight: 400; }
ul { margin: 6px 0; padding-left: 20px; } li { max-width: 82ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { font-weight: 600; text-align: right; vertical-align: bottom; border-bottom: 1px solid #1b1b1b;
  padding: 4px 7px; line-height: 1.25; }
td { text-align: right; padding: 4px 7px; border-bottom: 1px solid #e6e6e6; white-space: nowrap; }
th.text, td.text { text-align: left; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tr.total td { font-weight: 600; border-top: 1px solid #1b1b1b; border-bottom: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 20px; margin: 8px 0; font-size: 13px; }
dt { color: #5c5c5c; } dd { margin: 0; }
img { max-width: 100%; height: auto; display: block; }
svg { display: block; }
@media print { body { padding: 0; max-width: none; } a { color: inherit; } }
"""
_PLOT_WIDTH, _PLOT_HEIGHT = 130, 14
_OFTEN_TRADED = 10


def file_stem(pair_id: str) -> str:
    """A file name for a pair id, whatever a foreign database holds."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in pair_id).lstrip(".")


def index_page(report: Report, equity_png: bytes | None, files: Sequence[str] = ()) -> str:
    """The first page: the net figure, what it can show, every pair, equity.

    :param files: names of the data files beside it, to link to.
    """
    source = report.source
    body = [
        f"<h1>Pair report: {_text(source.strategy or source.kind.value)}</h1>",
        f'<p class="source">{_source_line(report)}</p>',
        _simulated(report),
        _lead(report.everything, source.stake_currency),
        _list("problems", "Not as it should be", report.problems),
        "<h2>What these pair trades can and cannot show</h2>" if report.everything.closed else "",
        "".join(f"<p>{_text(each)}</p>" for each in report.statements[1:]),
        "".join(f'<p class="small">{_text(each)}</p>' for each in report.notes),
    ]
    if report.lines:
        body += ["<h2>Pairs</h2>", _pair_table(report)]
    if equity_png is not None:
        body += ["<h2>Equity and drawdown</h2>", _picture(equity_png, "Net result and drawdown over time")]
    if files:
        links = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in files)
        body.append(f'<h2>Data</h2><p>{links}</p><p class="small">{_LEGEND}</p>')
    return _page("Pair report", body)


def pair_page(
    report: Report,
    line: PairSummary,
    pair: Pair | None,
    marks: Sequence[TradeMark],
    pictures: Sequence[bytes],
    extra: str | None = None,
) -> str:
    """One pair: its figures, its pictures, every pair trade.

    :param marks: z at opening and close of the pair's trades, as far as candles were given.
    :param extra: name of an interactive version beside this page.
    """
    currency = report.source.stake_currency
    trades = [trade for trade in report.trades if trade.pair_id == line.pair_id]
    body = [
        '<p><a href="../index.html">All pairs</a></p>',
        f"<h1>{_text(line.pair_id)}</h1>",
        f'<p class="source">{_source_line(report)}</p>',
        _simulated(report),
        _lead(line, currency),
        "".join(f"<p>{_text(each)}</p>" for each in (*evidence(line), *one_of_many(len(report.lines)))),
        _facts(trades, pair),
    ]
    if pictures:
        body.append("<h2>Spread, z, entries and exits</h2>")
        body += [_picture(each, f"Spread and z of {line.pair_id}") for each in pictures]
    else:
        body.append('<p class="small">No picture of the spread: no candles of both legs were given.</p>')
    if extra:
        body.append(f'<p class="small"><a href="{escape(extra)}">The same, interactive</a></p>')
    body += ["<h2>Pair trades</h2>", _trade_table(report, trades, marks)]
    return _page(f"{line.pair_id} – pair report", body)


_LEGEND = (
    "bp: basis points of both legs' notional at the entry fills (N_A + N_B). Fees are what Freqtrade booked, "
    "funding is positive when received. Held: median, in half-lives of the model at entry. Hedge error: "
    "|β·N_A − N_B| / (N_A + N_B). Naked: time with exactly one leg open."
)


def _page(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _text(value: str) -> str:
    return escape(without_secrets(value))


def _source_line(report: Report) -> str:
    source, first = report.source, report.source.start or report.first_opened
    parts = [source.kind.value, source.path.name]
    if source.timeframe:
        parts.append(f"{source.timeframe} candles")
    if first is not None:
        parts.append(f"{first:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC")
    if source.starting_balance is not None:
        parts.append(f"started with {number(source.starting_balance, 0)} {source.stake_currency}")
    return " · ".join(escape(part) for part in parts)


def _simulated(report: Report) -> str:
    return f'<div class="simulated">{_text(report.simulated)}</div>' if report.simulated else ""


def _lead(line: PairSummary, currency: str) -> str:
    mean = line.net_bp
    if mean is None:
        return f'<div class="lead"><span>{_text(headline(line, currency))}</span></div>'
    aside = [f"{number(line.profit, signed=True)} {currency} on {counted(mean.n, 'closed pair trade')}"]
    if math.isfinite(mean.low):
        aside.insert(0, f"95 % interval {interval(mean)} bp, clustered by week")
    aside.append(f"{counted(mean.weeks, 'week')}, {percent(line.win_rate, 0)} won")
    return (
        f'<div class="lead"><span class="figure">{number(mean.mean, 1, signed=True)} <small>bp net per pair '
        "trade, fees and funding included</small></span></div>"
        f'<p class="source">{_text(" · ".join(aside))}</p>'
    )


def _list(name: str, title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    rows = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f'<div class="{name}"><strong>{_text(title)}</strong><ul>{rows}</ul></div>'


def _picture(png: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _table(heads: Sequence[tuple[str, bool]], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """:param heads: (header as HTML, whether the column holds text). :param rows: (class, cells as HTML)."""
    head = "".join(f"<th{' class=text' if is_text else ''}>{name}</th>" for name, is_text in heads)
    lines = []
    for name, cells in rows:
        shown = "".join(
            f"<td{' class=text' if is_text else ''}>{cell}</td>"
            for cell, (_, is_text) in zip(cells, heads, strict=True)
        )
        lines.append(f'<tr class="{name}">{shown}</tr>' if name else f"<tr>{shown}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _pair_table(report: Report) -> str:
    money = escape(report.source.stake_currency)
    limit = _plot_limit(report)
    kinds = list(report.everything.exit_counts)
    heads = [
        ("pair", True), ("pair<br>trades", False), ("won", False), ("net<br>bp", False),
        ("95 % interval<br>bp", False), (f"−{limit:.0f} … 0 … +{limit:.0f}<br>bp", True),
        (f"net<br>{money}", False), ("gross", False), ("fees", False), ("funding", False),
        ("held,<br>half-lives", False), ("worst<br>hedge error", False), ("naked<br>time", False),
        *((_text(kind).replace(" ", "<br>"), False) for kind in kinds),
    ]  # fmt: skip
    rows = []
    for line in (*report.lines, report.everything):
        mean, is_total = line.net_bp, line is report.everything
        name = _text(line.pair_id)
        link = name if is_total else f'<a href="pairs/{escape(file_stem(line.pair_id))}.html">{name}</a>'
        cells = [
            link,
            f"{line.pair_trades:,}" + (f" ({line.open} open)" if line.open else ""),
            percent(line.win_rate, 0),
            number(None if mean is None else mean.mean, 1, signed=True),
            interval(mean, 0),
            _interval_plot(mean, limit),
            number(line.profit),
            number(line.gross),
            number(-line.fees),
            number(line.funding),
            number(line.median_held_half_lives, 1),
            percent(line.worst_hedge_error, 2),
            duration(line.naked_leg_hours * 3600),
            *(str(count) for count in line.exit_counts.values()),
        ]
        rows.append(("total" if is_total else "", cells))
    return _table(heads, rows)


def _plot_limit(report: Report) -> float:
    """Half the width of the interval plot in bp: the total and every pair with some trades fit."""
    means = [line.net_bp for line in (*report.lines, report.everything) if line.net_bp is not None]
    often = [mean for mean in means if mean.n >= _OFTEN_TRADED] or means
    largest = max((abs(mean.mean) for mean in often), default=1.0)
    step = 10.0 ** math.floor(math.log10(max(largest, 1.0)))
    return math.ceil(1.5 * largest / step) * step


def _interval_plot(mean: ClusteredMean | None, limit: float) -> str:
    """A dot at the mean, a bar over the interval, a line at zero; what lies outside is cut, without a dot."""
    if mean is None:
        return ""

    def x(value: float) -> float:
        return _PLOT_WIDTH / 2 * (1 + max(-1.0, min(1.0, value / limit)))

    middle, marks = _PLOT_HEIGHT / 2, ""
    if math.isfinite(mean.low):
        marks = (
            f'<line x1="{x(mean.low):.1f}" x2="{x(mean.high):.1f}" y1="{middle}" y2="{middle}" '
            'stroke="#1b1b1b" stroke-width="1.4"/>'
        )
    if abs(mean.mean) < limit:
        marks += f'<circle cx="{x(mean.mean):.1f}" cy="{middle}" r="3.2" fill="#1b1b1b"/>'
    return (
        f'<svg width="{_PLOT_WIDTH}" height="{_PLOT_HEIGHT}" role="img" aria-label="{interval(mean)} bp">'
        f'<line x1="{_PLOT_WIDTH / 2}" x2="{_PLOT_WIDTH / 2}" y1="0" y2="{_PLOT_HEIGHT}" stroke="#b0b0b0"/>'
        f"{marks}</svg>"
    )


def _facts(trades: Sequence[PairTrade], pair: Pair | None) -> str:
    legs = [leg for trade in trades for leg in trade.legs_a][:1] + [
        leg for trade in trades for leg in trade.legs_b
    ][:1]
    facts = [("legs", " / ".join(leg.symbol for leg in legs))]
    betas = [trade.beta for trade in trades if trade.beta is not None]
    if betas:
        spread = number(min(betas), 3)
        if max(betas) - min(betas) >= 0.0005:
            spread += f" to {number(max(betas), 3)}"
        facts.append(("hedge ratio at entry", spread))
    if pair is not None:
        frozen = "frozen at the end of its formation" if pair.is_frozen else "rolling"
        facts.append(("model", frozen if pair.model is None else pair.model.name))
        levels = pair.thresholds or pair.own_thresholds
        facts.append(
            (
                "thresholds of |z|",
                f"entry {levels.entry:g}, exit {levels.exit:g}, stop {levels.stop:g}; time stop after "
                f"{levels.max_half_lives:g} half-lives",
            )
        )
        if pair.half_life_hours is not None:
            facts.append(("half-life", f"{number(pair.half_life_hours, 1)} h"))
    return "<dl>" + "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in facts) + "</dl>"


def _trade_table(report: Report, trades: Sequence[PairTrade], marks: Sequence[TradeMark]) -> str:
    z_of = {mark.opened: mark for mark in marks}
    planned = {each.id: each.plan.z for each in report.source.journal or ()}
    heads = [
        ("opened UTC", True), ("closed UTC", True), ("spread", True), ("z at<br>entry", False),
        ("z at<br>exit", False), ("held", False), ("half-<br>lives", False), ("gross", False),
        ("fees", False), ("funding", False), (f"net<br>{escape(report.source.stake_currency)}", False),
        ("net<br>bp", False), ("hedge<br>error", False), ("naked<br>time", False), ("exit", True),
    ]  # fmt: skip
    rows = []
    for trade in trades:
        mark = z_of.get(trade.opened)
        z_entry = mark.z_open if mark else planned.get(trade.legs[0].pair_trade_id or "")
        reasons = ", ".join(short_reason(reason) for reason in trade.exit_reasons)
        is_open = trade.closed is None
        rows.append(
            (
                "",
                [
                    f"{trade.opened:%Y-%m-%d %H:%M}",
                    UNKNOWN if trade.closed is None else f"{trade.closed:%Y-%m-%d %H:%M}",
                    "short" if trade.is_short_spread else "long",
                    number(z_entry, 2, signed=True),
                    number(mark.z_close if mark else None, 2, signed=True),
                    UNKNOWN if trade.held_hours is None else duration(3600 * trade.held_hours),
                    number(trade.held_half_lives, 1),
                    UNKNOWN if is_open else number(trade.gross),
                    number(-trade.fees),
                    number(trade.funding),
                    UNKNOWN if is_open else number(trade.profit),
                    UNKNOWN if is_open else number(trade.net_bp, 1),
                    percent(trade.hedge_error, 2),
                    duration(trade.naked_secs(report.until)),
                    _text("entry given up" if trade.was_aborted else "open" if is_open else reasons),
                ],
            )
        )
    return _table(heads, rows)
