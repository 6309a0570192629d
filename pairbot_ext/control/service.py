"""Answers an operator's questions about a running bot and carries out what an operator wants.

Called from the threads of Telegram and of the API server, beside the bot's loop: what is read is replaced
whole by the loop, never changed in place; what closes takes Freqtrade's exit lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.control.accounts import AccountReader, Accounts, LivePrices
from pairbot_ext.control.heard import streams_view
from pairbot_ext.control.picture import pair_png
from pairbot_ext.control.refusals import NotNowError, UnknownPairError
from pairbot_ext.control.renewal import accept, epoch_at, renewal_fields
from pairbot_ext.control.views import (
    ActionView,
    OverviewView,
    PairTradeView,
    PairView,
    RiskView,
    RuleView,
    ScanView,
    WatchedView,
    trade_view,
)
from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.journal.ledger import read_ledger
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.states import Goal, PairState
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.pairs import Epoch, Pair, PairsFile
from pairbot_ext.risk.state import RELEASE
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.support.clock import as_datetime
from pairbot_ext.voice.messages import finite

logger = logging.getLogger(__name__)

EVERYTHING = "all"
MOST_ID_CHARS = 64
LOCK_TIMEOUT_SECS = 60.0
"""How long a command waits for the bot's loop to let go of Freqtrade's exit lock."""
MS_PER_DAY = 86_400_000
_OPENING = (PairState.PLANNED, PairState.A_SENT, PairState.B_SENT)


@dataclass(frozen=True)
class PairsNow:
    """What the strategy trades now.

    :param book: of the candles seen last; None before the first analysis.
    :param untradable: ids of pairs with a leg the venue does not trade.
    """

    pairs_file: PairsFile
    path: str
    book: SignalBook | None
    untradable: frozenset[str]
    candle_secs: int


class PairService:
    """See the module. Every method may raise PairbotError with a sentence for the operator.

    :param pairs_now: what the strategy trades; asked for every answer.
    """

    def __init__(self, desk: TradeDesk, pairs_now: Callable[[], PairsNow]) -> None:
        self._desk = desk
        self._pairs_now = pairs_now
        self.accounts = AccountReader(desk.journal, desk.bridge)

    # -- looking -----------------------------------------------------------------------------------

    def overview(self) -> OverviewView:
        """Risk state, open pair trades, watched pairs."""
        now_ms, pairs = self._desk.clock.now_ms(), self._pairs_now()
        return OverviewView(
            at_ms=now_ms,
            mode="dry-run" if self._desk.bridge.is_dry_run else "live",
            currency=self._desk.watch.currency,
            risk=self._risk(),
            open=tuple(self._open_views(pairs, now_ms)),
            watched=tuple(self._watched(pairs, now_ms)),
            streams=streams_view(self._desk.hearing.audible, self._desk.limiter.used()),
        )

    def pair(self, wanted: str) -> PairView:
        """One pair, by its id or by the id of a pair trade."""
        now_ms, pairs = self._desk.clock.now_ms(), self._pairs_now()
        pair_id = self._pair_id(wanted, pairs)
        return PairView(
            pair=pair_id,
            currency=self._desk.watch.currency,
            watched=next(iter(self._watched(pairs, now_ms, pair_id)), None),
            open=next(iter(self._open_views(pairs, now_ms, pair_id)), None),
            last_closed=self._last_closed(pair_id, pairs, now_ms),
        )

    def picture(self, wanted: str) -> bytes:
        """The pair's spread as a PNG. Raises NotNowError where it cannot be drawn."""
        now_ms, pairs = self._desk.clock.now_ms(), self._pairs_now()
        pair_id = self._pair_id(wanted, pairs)
        if pairs.book is None:
            raise NotNowError("no candle has been analysed yet", remedy="Ask again after the next candle")
        trade = next((t for t in self._desk.journal.open_pair_trades() if t.plan.pair_id == pair_id), None)
        try:
            return pair_png(pairs.book, pair_id, trade, as_datetime(now_ms))
        except ImportError as error:
            raise NotNowError(
                f"no picture: {error.name or 'matplotlib'} is not installed here",
                remedy="Install matplotlib into Freqtrade's environment",
            ) from error

    def scan(self) -> ScanView:
        """When and what the last scan found."""
        now_ms, pairs = self._desk.clock.now_ms(), self._pairs_now()
        file = pairs.pairs_file
        generated_ms = int(file.generated_at.timestamp() * 1000)
        epoch, is_valid = epoch_at(file, as_datetime(now_ms))
        return ScanView(
            pairs_file=pairs.path,
            generated_at_ms=generated_ms,
            age_days=(now_ms - generated_ms) / MS_PER_DAY,
            exchange=file.exchange,
            timeframe=file.timeframe,
            rule=file.scan.rule,
            combinations=file.scan.combinations,
            selected=file.scan.selected,
            expected_false_positives=file.scan.expected_false_positives,
            epochs=len(file.epochs),
            valid_from_ms=None if epoch is None else int(epoch.valid_from.timestamp() * 1000),
            valid_to_ms=None
            if epoch is None or epoch.valid_to is None
            else int(epoch.valid_to.timestamp() * 1000),
            is_valid_now=is_valid,
            pairs=() if epoch is None else tuple(pair.id for pair in epoch.pairs),
            **renewal_fields(pairs.path, file, as_datetime(now_ms)),
        )

    # -- acting ------------------------------------------------------------------------------------

    def close(self, wanted: str, by: str) -> ActionView:
        """Close a pair trade, or all of them, both legs at once. Never blocked by risk state or locks (I5).

        :param wanted: id of a pair or of a pair trade, or "all".
        :param by: who wants it, for the journal.
        :raises UnknownPairError: there is no such pair.
        :raises NotNowError: it is not open, or is being opened at this very moment.
        """
        trades = self._desk.open_by_risk()
        if wanted != EVERYTHING:
            pair_id = self._pair_id(wanted, self._pairs_now())
            trades = [trade for trade in trades if trade.plan.pair_id == pair_id]
            if not trades:
                raise NotNowError(f"pair {pair_id} is not open", remedy="Look at /pairs")
        if not trades:
            raise NotNowError("no pair is open", remedy="There is nothing to close")
        with self._exit_lock():
            results = [self._close_one(trade, by) for trade in trades]
        return ActionView(result="; ".join(results), pair_trades=tuple(trade.id for trade in trades))

    def lock(self, wanted: str, by: str) -> ActionView:
        """Enter this pair no more until it is unlocked. Its open pair trade goes on."""
        return ActionView(result=self._desk.risk.lock_pair(self._pair_id(wanted, self._pairs_now()), by))

    def unlock(self, wanted: str, by: str) -> ActionView:
        """The inverse of `lock`."""
        pairs = self._pairs_now()
        # A pair may have left the file since it was locked.
        memory = self._desk.registry.named(wanted)
        known = wanted if memory.lock or memory.barred else self._pair_id(wanted, pairs)
        return ActionView(result=self._desk.risk.unlock_pair(known, by))

    def halt(self, by: str) -> ActionView:
        """Kill switch: enter nothing, close every pair now."""
        trades = self._desk.journal.open_pair_trades()
        text = self._desk.risk.halt(by)
        try:
            with self._exit_lock():
                # The loop does it too; it may be stopped.
                self._desk.risk.enforce()
        except NotNowError:
            # The state is in force and stored already: whoever reads a refusal would think it is not.
            text = (
                f"{self._desk.risk.state} is in force. The bot's loop is busy: every open pair is closed in "
                f"its next pass. {RELEASE}"
            )
        return ActionView(result=text, pair_trades=tuple(trade.id for trade in trades))

    def resume(self, by: str) -> ActionView:
        """Release the bot: ACTIVE again."""
        return ActionView(result=self._desk.risk.resume(by))

    def accept(self, proposal_id: str, by: str) -> ActionView:
        """Put the new selection that waits in force; see `renewal.accept`."""
        return accept(self._pairs_now().path, proposal_id, by, as_datetime(self._desk.clock.now_ms()))

    # -- inside ------------------------------------------------------------------------------------

    def _close_one(self, trade: PairTrade, by: str) -> str:
        """Under the exit lock. One pair's fault must not keep the next one open."""
        name = f"{trade.plan.pair_id} ({trade.id})"
        now = self._desk.journal.pair_trade(trade.id)
        if now is None or now.state.is_final:
            return f"{name} has just been closed"
        if now.state in _OPENING and not now.was_hedged:
            return f"{name} is being opened at this moment ({now.state}): nothing done, ask again"
        self._desk.journal.add_event(trade.id, "close_by_hand", by=by)
        try:
            self._desk.close(now, ExitReason.OPERATOR, insists=True)
        except Exception as error:
            logger.exception(f"Pair trade {trade.id} could not be closed by {by}")
            return f"{name} could not be closed: {type(error).__name__}: {error}"
        after = self._desk.journal.pair_trade(trade.id)
        if after is None or after.state is PairState.CLOSED:
            return f"{name} closed"
        if after.goal is Goal.OPEN:
            return f"{name} is still {after.state}: an order's fate is unknown, ask again"
        return f"{name} is {after.state}: {after.reason}"

    @contextmanager
    def _exit_lock(self) -> Iterator[None]:
        lock = self._desk.bridge.exit_lock
        if not lock.acquire(timeout=LOCK_TIMEOUT_SECS):
            raise NotNowError(
                f"the bot's loop has been busy for {LOCK_TIMEOUT_SECS:.0f} s, nothing was closed",
                remedy="Ask again; `pairbot flatten --direct` works without the bot",
            )
        try:
            yield
        finally:
            lock.release()

    def _pair_id(self, wanted: str, pairs: PairsNow) -> str:
        """The pair meant: an id of the file or of an open pair trade, in any case, or a pair trade's own."""
        known = {each: each for each in pairs.pairs_file.pair_ids()}
        for trade in self._desk.journal.open_pair_trades():
            known[trade.plan.pair_id] = trade.plan.pair_id
            known[trade.id] = trade.plan.pair_id
        if wanted in known:
            return known[wanted]
        alike = {pair_id for name, pair_id in known.items() if name.lower() == wanted.lower()}
        if len(alike) == 1:
            return alike.pop()
        shown = wanted if len(wanted) <= MOST_ID_CHARS else f"{wanted[:MOST_ID_CHARS]}..."
        raise UnknownPairError(
            "no pair and no open pair trade has this id", value=repr(shown), remedy="/pairs lists them"
        )

    def _open_views(self, pairs: PairsNow, now_ms: int, only: str | None = None) -> list[PairTradeView]:
        """Of every open pair trade, or of one pair alone."""
        accounts = self.accounts.now()
        market = self.market(pairs, accounts, now_ms)
        return [
            trade_view(status, now_ms, candle_secs=pairs.candle_secs, market=market)
            for status in accounts.statuses
            if only is None or status.trade.plan.pair_id == only
        ]

    def market(self, pairs: PairsNow, accounts: Accounts, now_ms: int) -> LivePrices:
        """Prices now."""
        return LivePrices(
            self._desk.bridge, self._desk.hearing.audible, pairs.book, accounts.lines, as_datetime(now_ms)
        )

    def _last_closed(self, pair_id: str, pairs: PairsNow, now_ms: int) -> PairTradeView | None:
        try:
            latest = read_ledger(self._desk.bridge.engine, pair_id=pair_id, last=2)
        except SQLAlchemyError:
            return None
        closed = [status for status in latest if status.trade.state.is_final]
        return trade_view(closed[-1], now_ms, candle_secs=pairs.candle_secs) if closed else None

    def _watched(self, pairs: PairsNow, now_ms: int, only: str | None = None) -> list[WatchedView]:
        """Of every pair of the file, or of one alone."""
        now = as_datetime(now_ms)
        open_ids = {trade.plan.pair_id: trade.id for trade in self._desk.journal.open_pair_trades()}
        latest: dict[str, tuple[Pair, Epoch]] = {}
        for epoch in pairs.pairs_file.epochs:
            for pair in epoch.pairs:
                # The epoch in force shows its own thresholds; another one's pair is shown as not valid.
                if pair.id not in latest or not latest[pair.id][1].is_valid_at(now):
                    latest[pair.id] = (pair, epoch)
        return [
            WatchedView(
                pair=pair.id,
                leg_a=pair.leg_a,
                leg_b=pair.leg_b,
                z=_z_of(pairs.book, pair.id, now),
                entry_z=levels.entry,
                exit_z=levels.exit,
                stop_z=levels.stop,
                half_life_hours=pair.half_life_hours,
                is_valid=epoch.is_valid_at(now),
                is_tradable=pair.id not in pairs.untradable,
                locked=self._not_entered(pair),
                pair_trade=open_ids.get(pair.id),
            )
            for pair, epoch in latest.values()
            if only is None or pair.id == only
            for levels in [pair.thresholds or pair.own_thresholds]
        ]

    def _not_entered(self, pair: Pair) -> str | None:
        """Why a pair is not entered until a person releases it."""
        memory = self._desk.registry.of(*pair.symbols)
        if memory.lock is None and memory.barred is not None:
            return f"barred: {memory.barred}"
        return memory.lock or self._desk.registry.named(pair.id).lock

    def _risk(self) -> RiskView:
        risk = self._desk.risk
        return RiskView(
            state=risk.state,
            why=risk.trip.text if risk.trip else "",
            locked=risk.locked_pairs(),
            rules=tuple(
                RuleView(
                    rule=reading.rule,
                    value=finite(reading.value),
                    limit=finite(reading.limit),
                    unit=reading.unit,
                    pair=reading.pair_id,
                    note=reading.note,
                )
                for reading in risk.snapshot()
            ),
        )


def _z_of(book: SignalBook | None, pair_id: str, now: datetime) -> float | None:
    """z of the last closed candle by the newest model that covers it; None where it is missing."""
    if book is None:
        return None
    row = book.grid.rows_closed_by(now) - 1
    for path in reversed(book.paths):
        if path.pair.id == pair_id and 0 <= row - path.first_row < path.z.size:
            return finite(float(path.z[row - path.first_row]))
    return None
