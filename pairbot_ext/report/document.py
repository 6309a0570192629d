"""One report: pair trades, totals, equity and what they can show, put together from a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pairbot_ext.candles.files import candle_length
from pairbot_ext.report import wording
from pairbot_ext.report.database import JournalTrade
from pairbot_ext.report.equity import EquityPath, marked_path, realized_path
from pairbot_ext.report.funding import Unknown, unknown_funding
from pairbot_ext.report.funding import said as funding_said
from pairbot_ext.report.legs import PairTrade
from pairbot_ext.report.models import (
    ModelOf,
    choice,
    frozen_models,
    journal_models,
    rolling_models_at_entry,
    with_models,
)
from pairbot_ext.report.pairing import legs_of, pair_trades
from pairbot_ext.report.sources import Source, SourceKind
from pairbot_ext.report.summary import PairSummary, summarize, total
from pairbot_ext.support.errors import DataError
from pairbot_ext.support.redact import without_secrets

if TYPE_CHECKING:
    import pandas as pd

    from pairbot_ext.candles.funding import Known
    from pairbot_ext.pairs import PairsFile

LARGEST_HEDGE_ERROR = 0.02
_ABORTED = "ABORTED"
_FINAL = ("CLOSED", _ABORTED)
_NEEDS_HELP = ("UNKNOWN", "NEEDS_OPERATOR")


@dataclass(frozen=True)
class ForeignTrades:
    """Freqtrade trades of the source that belong to no known pair, by their tag."""

    tag: str
    trades: int
    profit: float


@dataclass(frozen=True)
class Report:
    """Everything a report says.

    :param lines: one per pair.
    :param statements: what the figures can and cannot show, the headline first.
    :param problems: what should not be; the command's exit code follows from it.
    :param until: the end of what is known.
    :param frames: candles by symbol, empty where none were given.
    """

    source: Source
    pairs_file: PairsFile | None
    trades: list[PairTrade]
    lines: list[PairSummary]
    everything: PairSummary
    equity: EquityPath
    statements: list[str]
    notes: list[str]
    problems: list[str]
    simulated: str
    until: datetime
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    unknown_funding: Unknown = field(default_factory=lambda: Unknown({}, 0.0))

    @property
    def first_opened(self) -> datetime | None:
        """When the first pair trade opened; None where there is none."""
        return self.trades[0].opened if self.trades else None


def build_report(
    source: Source,
    pairs_file: PairsFile | None,
    *,
    now: datetime,
    frames: Mapping[str, pd.DataFrame] | None = None,
    funding: Mapping[str, Known] | None = None,
    simulated: str = "",
) -> Report:
    """Pair up the source's trades and say what they show.

    :param pairs_file: names the legs and the frozen models; a journal makes it unnecessary.
    :param now: the end of what is known of a running bot.
    :param frames: candles of the legs (columns date, open, high, low, close, volume).
    :param funding: the rates on disk by symbol, for a backtest: what is not there was charged as 0.
    :param simulated: why the figures mean nothing, if the source itself does not know.
    :raises DataError: there are trades, but none of a known pair.
    """
    candles = dict(frames or {})
    legs = legs_of(pairs_file) if pairs_file else {}
    legs |= {each.plan.pair_id: (each.plan.leg_a, each.plan.leg_b) for each in source.journal or ()}
    own: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in source.rows:
        is_ours = row["pair"] in legs.get(str(row.get("enter_tag")), ())
        (own if is_ours else others).append(row)
    foreign = _foreign(others)
    if foreign and not own:
        raise DataError(
            f"None of the {len(source.rows)} trades in {source.path} belongs to a known pair",
            value=without_secrets(", ".join(repr(each.tag) for each in foreign[:5])),
            remedy="Name the pairs file they were made with: --pairs-file FILE",
        )
    trades = with_models(pair_trades(own, legs), _models(source, pairs_file, candles))
    aborted = {trade.id for trade in source.journal or () if trade.state == _ABORTED}
    trades = [replace(each, was_aborted=each.legs[0].pair_trade_id in aborted) for each in trades]
    # A backtest knows nothing after its end; its last trades are closed by force there.
    until = max([source.end or now, *(leg.closed for t in trades for leg in t.legs if leg.closed)])
    lines = summarize(trades, until=until, order=[i for i in legs if any(t.pair_id == i for t in trades)])
    everything = total(trades, until=until)
    equity = realized_path(trades, source.starting_balance)
    if candles and source.timeframe:
        step = timedelta(seconds=_seconds(source.timeframe))
        equity = marked_path(trades, candles, step, source.starting_balance) or equity
    chosen = choice(pairs_file, trades) if pairs_file else None
    statements = [
        wording.headline(everything, source.stake_currency),
        *wording.evidence(everything),
        *wording.costs(everything, source.kind, source.stake_currency),
    ]
    unknown = unknown_funding(trades, (funding or {}) if source.kind is SourceKind.BACKTEST else {})
    statements += funding_said(unknown, len(trades), source.stake_currency)
    if source.kind is not SourceKind.BACKTEST:
        statements += wording.legging(
            [trade.naked_secs(until) for trade in trades if trade.closed is not None],
            [each.hedged_secs for each in source.journal or () if each.hedged_secs is not None],
        )
    if everything.closed:
        statements += [wording.selection(chosen, trades[0].opened), *wording.one_of_many(len(lines))]
        statements.append(wording.drawdown(equity, source.stake_currency))
    return Report(
        source=source,
        pairs_file=pairs_file,
        trades=trades,
        lines=lines,
        everything=everything,
        equity=equity,
        statements=statements,
        notes=_notes(source, pairs_file, everything, foreign, own),
        problems=_problems(source, everything, lines),
        simulated=source.simulated or simulated,
        until=until,
        frames=candles,
        unknown_funding=unknown,
    )


def _seconds(timeframe: str) -> int:
    return int(candle_length(timeframe).total_seconds())


def _models(
    source: Source, pairs_file: PairsFile | None, candles: Mapping[str, pd.DataFrame]
) -> list[ModelOf]:
    found: list[ModelOf] = []
    if source.journal and source.timeframe:
        found.append(journal_models(source.journal, _seconds(source.timeframe)))
    if pairs_file is not None:
        found.append(frozen_models(pairs_file))
        is_rolling = any(not pair.has_frozen_beta for epoch in pairs_file.epochs for pair in epoch.pairs)
        if candles and is_rolling and source.timeframe:
            found.append(
                rolling_models_at_entry(
                    pairs_file, candles, _seconds(source.timeframe), source.rolling_window_candles
                )
            )
    return found


def _foreign(rows: list[dict[str, Any]]) -> list[ForeignTrades]:
    profits: dict[str, list[float]] = {}
    for row in rows:
        profits.setdefault(str(row.get("enter_tag")), []).append(row.get("profit_abs") or 0.0)
    return [ForeignTrades(tag, len(each), sum(each)) for tag, each in profits.items()]


def _notes(
    source: Source,
    pairs_file: PairsFile | None,
    everything: PairSummary,
    foreign: list[ForeignTrades],
    own: list[dict[str, Any]],
) -> list[str]:
    """What else a reader must know about these figures."""
    said = [*source.last_lines, *([source.left_out] if source.left_out else [])]
    money, traded = source.stake_currency, {str(row["enter_tag"]) for row in own}
    if everything.open:
        amount = wording.number(everything.open_profit, signed=True)
        realized = f" ({amount} {money} realized by partial exits)"
        said.append(
            f"{wording.counted(everything.open, 'pair trade')} still open, not in the money figures"
            f"{realized if everything.open_profit else ''}."
        )
    if everything.aborted:
        said.append(
            f"Entries given up after the first fill and unwound: {everything.aborted}. Their cost is in the "
            "net, their hedge error is not counted."
        )
    unfilled = _never_filled(source.journal or (), own)
    if unfilled:
        said.append(f"Planned and never filled: {unfilled}.")
    if foreign:
        what = ", ".join(
            f"{each.trades} tagged {without_secrets(each.tag)!r} "
            f"({wording.number(each.profit, 2, signed=True)} {money})"
            for each in foreign
        )
        said.append(f"Trades of no pair, not in this report: {what}.")
    if source.kind in (SourceKind.DRY_RUN, SourceKind.LIVE) and source.journal is None:
        said.append(
            "The database has no journal of pair trades: legs are matched by tag and time, and hedge ratios "
            "come from the pairs file."
        )
    if everything.pair_trades and everything.worst_hedge_error is None:
        said.append(
            "Hedge errors are not known: the models are rolling and no candles were given (--datadir DIR), "
            "or the pairs file is not the one the trades were made with."
        )
    if pairs_file and (idle := [each for each in pairs_file.pair_ids() if each not in traded]):
        shown = ", ".join(idle[:10]) + (f" and {len(idle) - 10} more" if len(idle) > 10 else "")
        said.append(f"Pairs of the pairs file without a pair trade: {shown}.")
    if pairs_file and source.made_at and pairs_file.generated_at > source.made_at:
        said.append(
            f"The pairs file was written {pairs_file.generated_at:%Y-%m-%d %H:%M} UTC, after the backtest "
            f"ran ({source.made_at:%Y-%m-%d %H:%M}): hedge ratios and half-lives may be another selection's."
        )
    return said


def _never_filled(journal: tuple[JournalTrade, ...], own: list[dict[str, Any]]) -> str:
    """Why planned pair trades left no trade behind, most frequent reason first."""
    filled = {row.get("pair_trade_id") for row in own}
    reasons = Counter(
        without_secrets(trade.reason).strip() or "no reason given"
        for trade in journal
        if trade.state in _FINAL and trade.id not in filled
    )
    return ", ".join(f"{count} ({reason})" for reason, count in reasons.most_common(5))


def _problems(source: Source, everything: PairSummary, lines: list[PairSummary]) -> list[str]:
    found = [without_secrets(fault) for fault in everything.faults]
    found += [
        f"{line.pair_id}: worst hedge error {wording.percent(line.worst_hedge_error, 2)}, "
        f"allowed are {wording.percent(LARGEST_HEDGE_ERROR, 0)}"
        for line in lines
        if (line.worst_hedge_error or 0.0) > LARGEST_HEDGE_ERROR
    ]
    if source.kind is SourceKind.BACKTEST and everything.naked_leg_hours > 0:
        found.append(f"one leg alone for {everything.naked_leg_hours:g} hours in a backtest")
    found += [
        f"{trade.plan.pair_id} ({trade.id}) is {trade.state}: "
        f"{without_secrets(trade.reason) or 'no reason given'}"
        for trade in source.journal or ()
        if trade.state in _NEEDS_HELP
    ]
    return found
