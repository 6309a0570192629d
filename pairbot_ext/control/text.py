"""Views as lines of plain text, narrow enough for a phone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pairbot_ext.control.heard import priced, streams_lines
from pairbot_ext.control.views import (
    LegView,
    OrderView,
    OverviewView,
    PairTradeView,
    PairView,
    RiskView,
    ScanView,
    WatchedView,
)


def when(epoch_ms: int) -> str:
    """2026-02-02 01:00:05.123, UTC."""
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _minute(epoch_ms: int) -> str:
    return when(epoch_ms)[:16]


def _z(value: float | None) -> str:
    return "z unknown" if value is None else f"z {value:+.2f}"


def _span(secs: float) -> str:
    return f"{secs / 3600:.1f} h" if secs >= 3600 else f"{secs / 60:.1f} min"


def _age(trade: PairTradeView) -> str:
    if trade.age_secs is None:
        return ""
    shown = _span(trade.age_secs)
    if trade.age_half_lives is None:
        return f"age {shown}"
    return f"age {shown} = {trade.age_half_lives:.2f} half-lives (stop at {trade.max_half_lives:g})"


def money_line(trade: PairTradeView, currency: str = "") -> str:
    """Profit with funding: of what is open at prices now, else what was realised."""
    unit = f" {currency}" if currency else ""
    funding = f" (funding {trade.funding:+.4f} included)"
    if trade.profit_now is not None:
        return f"PnL {trade.profit_now:+.4f}{unit}{funding}"
    if trade.profit is not None:
        return f"profit {trade.profit:+.4f}{unit}{funding}"
    return f"PnL unknown (funding so far {trade.funding:+.4f}{unit})" if trade.funding else ""


def trade_lines(trade: PairTradeView, currency: str = "") -> list[str]:
    """One pair trade in a few lines."""
    mode = "dry-run" if trade.dry_run else "live"
    now = f", now {trade.z:+.2f}" if trade.z is not None else ""
    lines = [
        f"{trade.pair} {trade.state} {trade.direction}, {mode}",
        f"  id {trade.id}, since {when(trade.updated_ms)}",
        f"  {_z(trade.z_at_entry)} at entry{now} (exit {trade.exit_z:g}, stop {trade.stop_z:g})",
    ]
    hedge = [] if trade.hedge_error is None else [f"hedge error {trade.hedge_error:.2%}"]
    hedge += [] if trade.naked_secs is None else [f"naked {trade.naked_secs:.3f} s"]
    prices = [
        f"{leg.leg} {leg.price:.8g}{priced(leg.price_source, leg.price_age_secs)}"
        for leg in trade.legs
        if leg.price is not None and leg.price_age_secs is not None
    ]
    for part in (", ".join(hedge), "; ".join(prices), money_line(trade, currency), _age(trade), trade.reason):
        if part:
            lines.append(f"  {part}")
    return lines


def leg_line(leg: LegView) -> str:
    """Side, symbol, amounts, prices."""
    text = f"  {leg.leg} {leg.side:<5} {leg.symbol} held {leg.held} of {leg.planned}"
    for name, price in (("in at", leg.entry_price), ("out at", leg.exit_price), ("now", leg.price)):
        text += "" if price is None else f", {name} {price:.8g}"
    for name, money in (("profit", leg.profit), ("PnL", leg.profit_now)):
        text += "" if money is None else f", {name} {money:+.4f}"
    return text + (f", funding {leg.funding:+.4f}" if leg.funding else "")


def order_line(order: OrderView) -> str:
    """What was sent, what became of it, and when."""
    times = ", ".join(
        f"{name} {when(value)}"
        for name, value in (
            ("intent", order.intent_ms),
            ("sent", order.sent_ms),
            ("answer", order.answered_ms),
            ("settled", order.settled_ms),
        )
        if value is not None
    )
    error = f" ({order.error})" if order.error else ""
    return (
        f"    {order.client_id} {order.type} {order.side} {order.filled} of {order.amount} "
        f"{order.status}{error}: {times}"
    )


def status_lines(trade: PairTradeView, currency: str = "", *, with_orders: bool = False) -> list[str]:
    """One pair trade with its legs and, if wanted, every order."""
    lines = [*trade_lines(trade, currency), *(leg_line(leg) for leg in trade.legs)]
    return [*lines, *(order_line(order) for order in trade.orders)] if with_orders else lines


def watched_line(pair: WatchedView) -> str:
    """`ADA_ALGO z +1.20, enters at 2.00, locked by Telegram`."""
    notes = [_z(pair.z), f"enters at {pair.entry_z:g}"]
    notes += [f"open as {pair.pair_trade}"] if pair.pair_trade else []
    notes += [] if pair.is_valid else ["not valid now"]
    notes += [] if pair.is_tradable else ["not traded by the venue"]
    notes += [f"LOCKED {pair.locked}"] if pair.locked else []
    return f"{pair.pair} {', '.join(notes)}"


def risk_lines(risk: RiskView) -> list[str]:
    """The state, and why where it is not ACTIVE."""
    return [f"risk {risk.state}" + (f": {risk.why}" if risk.why else "")]


def overview_lines(overview: OverviewView) -> list[str]:
    """Answer to /pairs."""
    flat = [pair for pair in overview.watched if pair.pair_trade is None]
    number = "1 pair" if len(overview.open) == 1 else f"{len(overview.open)} pairs"
    lines = [f"{number} open, {len(flat)} watched, {overview.mode}"]
    lines += risk_lines(overview.risk)
    for trade in overview.open:
        lines += ["", *trade_lines(trade, overview.currency)]
    if overview.streams is not None:
        lines += ["", *streams_lines(overview.streams)]
    if flat:
        lines += ["", "watched:", *(watched_line(pair) for pair in flat)]
    return lines


def pair_lines(pair: PairView) -> list[str]:
    """Answer to /pair ID."""
    lines = []
    if pair.watched is not None:
        watched = pair.watched
        lines += [watched_line(watched), f"  leg A {watched.leg_a}, leg B {watched.leg_b}"]
        half_life = (
            "estimated anew every candle"
            if watched.half_life_hours is None
            else _span(watched.half_life_hours * 3600)
        )
        lines += [f"  exit {watched.exit_z:g}, stop {watched.stop_z:g}, half-life {half_life}"]
    else:
        lines += [f"{pair.pair} is no longer in the pairs file"]
    for title, trade in (("open:", pair.open), ("last closed:", pair.last_closed)):
        if trade is not None:
            lines += ["", title, *status_lines(trade, pair.currency)]
    return lines


def scan_lines(scan: ScanView) -> list[str]:
    """Answer to /pairs_scan."""
    lines = [
        f"scan of {_minute(scan.generated_at_ms)} UTC, {scan.age_days:.1f} days old",
        f"{scan.exchange} {scan.timeframe}, rule: {scan.rule}",
    ]
    if scan.combinations:
        tested = f"tested {scan.combinations} combinations"
        if scan.expected_false_positives is not None:
            tested += f"; about {scan.expected_false_positives:.1f} of them pass p < 0.05 by chance alone"
        lines.append(tested)
    if scan.valid_from_ms is None:
        return [*lines, "the file holds no epoch: nothing is entered"]
    until = "open-ended" if scan.valid_to_ms is None else f"until {_minute(scan.valid_to_ms)}"
    state = "valid now" if scan.is_valid_now else "NOT valid now: nothing is entered"
    return [
        *lines,
        f"epoch from {_minute(scan.valid_from_ms)} {until}, {state}",
        f"{len(scan.pairs)} pairs: {', '.join(scan.pairs) or 'none'}",
        f"from {scan.pairs_file}",
        *(["", scan.renewed] if scan.renewed else []),
        *(["", f"last renewal failed: {scan.renewal_failed}"] if scan.renewal_failed else []),
        *(["", scan.proposal.text] if scan.proposal else []),
    ]


def proposal_lines(scan: ScanView) -> list[str]:
    """Answer to /pairs_accept without an id."""
    return [scan.proposal.text] if scan.proposal else ["No new selection waits: the pairs in force stay"]


def chunks(lines: Iterable[str], most_chars: int) -> list[str]:
    """The lines joined to texts of at most `most_chars`; a longer line is cut into pieces."""
    texts: list[str] = []
    current = ""
    for line in lines:
        pieces = [line[at : at + most_chars] for at in range(0, len(line), most_chars)] or [""]
        for piece in pieces:
            joined = f"{current}\n{piece}" if current else piece
            if len(joined) > most_chars:
                texts.append(current)
                joined = piece
            current = joined
    return [*texts, current] if current else texts
