"""The desk of a trading bot: what each strategy callback asks, in dry-run and live.

One object per bot, built in `bot_start` and never kept in a module: /reload_config builds a new bot in the
same process.
"""

import logging
import secrets
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import IStrategy

from pairbot_ext.desk.freqtrade_orders import FreqtradeOrders, order_port
from pairbot_ext.desk.hearing import Hearing
from pairbot_ext.desk.storage import StorageVoice
from pairbot_ext.entry.both_legs import BothLegs
from pairbot_ext.entry.gate import EntryGate
from pairbot_ext.entry.pair_gate import PairGate
from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.host.hooks import Hooks
from pairbot_ext.journal.intentfile import IntentFile, intent_file_path
from pairbot_ext.journal.intents import Intents
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.registry import Registry
from pairbot_ext.model.entry_ask import EntryAsk, OrderAsk, StakeAsk
from pairbot_ext.model.records import OrderRecord, PairTrade
from pairbot_ext.model.states import Goal
from pairbot_ext.orders.guard import OrderGuard
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.pairtrade.coordinator import Coordinator
from pairbot_ext.pairtrade.facts import Knowledge
from pairbot_ext.pairtrade.missing import MissingAmounts
from pairbot_ext.pairtrade.native import NativeOrders
from pairbot_ext.pairtrade.performer import Performer
from pairbot_ext.pairtrade.prices import Prices
from pairbot_ext.pairtrade.urgency import most_at_risk_first
from pairbot_ext.recovery.lone import LoneExits
from pairbot_ext.recovery.orphans import Orphans
from pairbot_ext.recovery.reconciler import Reconciler
from pairbot_ext.recovery.silence import Silence
from pairbot_ext.recovery.standstill import Standstill
from pairbot_ext.risk.desk import RiskDesk
from pairbot_ext.risk.freshness import Freshness
from pairbot_ext.settings import parse_settings
from pairbot_ext.signals.port import Signals
from pairbot_ext.support.clock import Clock, SystemClock, as_datetime
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue import venue_of
from pairbot_ext.voice.eventlog import EventLog, event_log_path
from pairbot_ext.voice.watch import Watch

logger = logging.getLogger(__name__)

REMEMBER_FINAL_MS = 3_600_000
"""Finished pair trades stay in memory so long: Freqtrade still asks for their orders' fees."""


class TradeDesk:
    """See the module. Callbacks of entries may raise: the strategy's gates turn that into a refusal."""

    def __init__(
        self,
        strategy: IStrategy,
        signals: Signals,
        leverage: int,
        *,
        clock: Clock | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._signals = signals
        self._clock = clock or SystemClock()
        self._bridge = Bridge.of(strategy)
        config = strategy.config
        self._venue = venue_of(config["exchange"]["name"])
        self._broker = Broker(self._bridge, self._venue, self._clock)
        path = intent_file_path(self._bridge.engine.url, Path(config["user_data_dir"]))
        self.journal = Journal(self._bridge.engine, self._clock, IntentFile(path))
        self.watch = Watch(
            self.journal,
            self._broker,
            self._clock,
            str(config["stake_currency"]),
            EventLog(event_log_path(config)),
        )
        self.limiter = WeightLimiter(self._clock, self._venue)
        self.port = order_port(self._bridge, self._broker, self._venue, self._clock, self.limiter)
        intents = Intents(self.journal, self._clock, rng or np.random.default_rng(secrets.randbits(128)))
        known = Knowledge(self._bridge, self._broker, self.journal, self._clock, intents)
        prices = Prices(self._bridge, self._broker, self._clock)
        native = NativeOrders(self.journal, known, intents, prices, is_dry_run=self._bridge.is_dry_run)
        self.guard = OrderGuard(self.journal, self.port, self._clock, native.take_over_exit)
        self.coordinator = Coordinator(
            self._bridge,
            self._broker,
            self.journal,
            self._clock,
            self.guard,
            known,
            Performer(self._broker, self.journal, known, intents, prices, self.guard, self._clock),
            MissingAmounts(self._broker, self.journal, known, self._clock),
            self._changed,
        )
        self.registry = Registry(self.journal, dry_run=self._bridge.is_dry_run)
        self.pairs = PairGate(self.registry, self.journal, self._broker, signals, self._clock, self._venue)
        self.watch.facts_of = self.coordinator.facts_of
        self.reconciler = Reconciler(
            self.journal, self._broker, self.coordinator, self._clock, self._bridge.deferred
        )
        self.lone_exits = LoneExits(self.journal, self._broker, self.guard, self._clock)
        self.orphans = Orphans(self.journal, self._broker, self._clock)
        candle_secs = timeframe_to_seconds(strategy.timeframe)
        self.risk = RiskDesk(
            parse_settings(config.get("pairbot")),
            self.journal,
            self._broker,
            self._clock,
            signals,
            self.registry,
            self.coordinator.facts_of,
            self.close,
            self._bridge.deferred,
            leverage=leverage,
            candle_secs=candle_secs,
        )
        self.freshness = Freshness(
            signals, self._broker, lambda text, is_warning: self._broker.tell(text, is_warning=is_warning)
        )
        self.standstill = Standstill(
            self._bridge, self._broker, self.journal, self.coordinator, self._clock, self.risk.enforce
        )
        self.entries = EntryGate(
            signals,
            self._broker,
            self.guard,
            self.limiter,
            BothLegs(self._bridge, self._broker, self.journal, leverage),
            native,
            self.watch,
            self.risk,
            self.pairs,
            leverage=leverage,
            timeframe_secs=candle_secs,
        )
        self.silence = Silence(self.limiter, self.journal, self._broker, self._clock)
        self.hearing = Hearing(
            parse_settings(config.get("pairbot")), self._bridge, self._broker, self._venue, self.journal,
            self.guard, self.coordinator, self.reconciler, self.risk, self.close, self._clock,
        )  # fmt: skip
        self.storage = StorageVoice(self.journal, self._broker)
        self._is_closed = False

    @classmethod
    def start(
        cls,
        strategy: IStrategy,
        signals: Signals,
        leverage: int,
        *,
        clock: Clock | None = None,
        rng: np.random.Generator | None = None,
    ) -> "TradeDesk":
        """Open the journal and take the bot's orders over. Raises PairbotError."""
        desk = cls(strategy, signals, leverage, clock=clock, rng=rng)
        desk.journal.open()
        try:
            desk._refuse_other_mode()
            desk.risk.load()
            desk.silence.load()
            desk._look_for_lost_journal()
            desk._bridge.install(desk._hooks())
            desk.hearing.start(strategy.config, np.random.default_rng(secrets.randbits(128)))
        except BaseException:
            desk.hearing.stop()
            desk.journal.close()
            raise
        # A report of this database must be able to say that its market was a simulated one.
        desk.journal.add_event(None, "started", simulated=desk._venue.is_on_loopback(strategy.config))
        return desk

    def _changed(self, before: PairTrade, after: PairTrade) -> None:
        """A pair trade has changed its state, goal or reason. A fault in here must not stop the legs."""
        self.watch.changed(before, after)
        try:
            text = self.pairs.ended(before, after)
            if text is not None:
                logger.warning(text)
                self._broker.tell(text, is_warning=True)
        except Exception:
            logger.exception(f"Pair trade {after.id}: what its end means for its pair is not kept")

    @property
    def bridge(self) -> Bridge:
        """The bot it trades for."""
        return self._bridge

    @property
    def clock(self) -> Clock:
        """What every time in the journal was read from."""
        return self._clock

    def _look_for_lost_journal(self) -> None:
        unknown = self.orphans.unknown()
        if unknown:
            self.risk.hold_for_lost_journal([f"{leg.symbol} ({leg.tag})" for leg in unknown])

    def _refuse_other_mode(self) -> None:
        mine = self._bridge.is_dry_run
        others = [trade.id for trade in self.journal.open_pair_trades() if trade.dry_run != mine]
        if others:
            modes = ("dry-run", "live") if mine else ("live", "dry-run")
            raise PairbotError(
                f"this bot runs {modes[0]}, its database holds {len(others)} open pairs of {modes[1]}",
                value=", ".join(others[:5]),
                remedy="Use a database per mode (db_url), or close them in the mode they were made in",
            )

    # -- the bot's orders --------------------------------------------------------------------------

    def _hooks(self) -> Hooks:
        orders = FreqtradeOrders(self.guard)
        return Hooks(
            create=orders.create,
            create_dry=orders.create_dry,
            fetch=self.guard.checked_fetch,
            cancelled=self.guard.checked_cancel,
            is_planned=lambda symbol: self.guard.armed(symbol) is not None,
            is_managed=lambda symbol: self.journal.owner_of(symbol) is not None,
            entry_done=self.coordinator.native_entry_done,
            before_request=self.limiter.before,
            after_request=self.limiter.after,
            asked_to_wait=self.limiter.asked_to_wait,
            request_ended=self.risk.note_request,
            book_read=self.risk.quotes.take,
            before_exits=self._exit_by_model,
            close_pair=self._take_exit_over,
            best_book=self.hearing.best_book,
            loop_begins=self.hearing.loop_begins,
            before_startup=self._before_startup,
            while_stopped=self.standstill.work,
        )

    # -- entries -----------------------------------------------------------------------------------

    def leverage(self, max_leverage: float) -> float:
        """See `EntryGate.leverage`."""
        return self.entries.leverage(max_leverage)

    def entry_price(self, ask: EntryAsk) -> float:
        """See `EntryGate.price`."""
        return self.entries.price(ask)

    def stake(self, ask: StakeAsk) -> float:
        """See `EntryGate.stake`."""
        return self.entries.stake(ask)

    def confirm_entry(self, ask: OrderAsk) -> bool:
        """See `EntryGate.confirm`."""
        return self.entries.confirm(ask)

    # -- exits and fills ---------------------------------------------------------------------------

    def exit_reason(self, trade: Trade, now: datetime) -> str | None:
        """Closes both legs at once where the model says so. Always None: Freqtrade has nothing left to do."""
        owner = self.journal.owner_of(trade.pair)
        # Not the state: it may be UNKNOWN or NEEDS_OPERATOR for the sake of a trim (I5).
        if owner is not None and owner.goal is Goal.OPEN and owner.was_hedged:
            opened_at = as_datetime(owner.created_ms)
            reason = self._signals.model_exit(owner.plan, opened_at, now)
            if reason is not None:
                self.risk.model_stop(owner, opened_at, now, reason)
            else:
                reason = self.risk.price_stop(owner)
            if reason is not None:
                self.close(owner, str(reason))
                self.risk.speak()
        return None

    def _exit_by_model(self) -> None:
        """Close what its model wants closed, before Freqtrade reads a price for each leg: a book that cannot
        be read must not hold up an exit that needs no price (I5). The caller holds Freqtrade's exit lock."""
        now = as_datetime(self._clock.now_ms())
        for trade in self.open_by_risk():
            if trade.goal is not Goal.OPEN or not trade.was_hedged:
                continue
            opened_at = as_datetime(trade.created_ms)
            try:
                reason = self._signals.model_exit(trade.plan, opened_at, now)
                if reason is not None:
                    self.risk.model_stop(trade, opened_at, now, reason)
                    self.close(trade, str(reason))
            except Exception:
                # The next pair has its turn, this one another when Freqtrade asks for its legs.
                logger.exception(f"Pair trade {trade.id} could not be asked for its exit")

    def open_by_risk(self) -> list[PairTrade]:
        """Open pair trades in the order they are closed in."""
        return most_at_risk_first(self.journal.open_pair_trades(), self.journal, self._broker)

    def _take_exit_over(self, symbol: str, reason: str, is_by_hand: bool) -> bool:
        """Freqtrade is about to exit a whole leg (force-exit, stop): its pair is closed instead. Only
        a person insists: a stop comes back in every loop, and would have no bound (I6)."""
        owner = self.journal.owner_of(symbol)
        if owner is not None:
            self.close(owner, reason, insists=is_by_hand)
        return owner is not None

    def close(self, trade: PairTrade, reason: str, *, insists: bool = False) -> None:
        """Close both legs, together. The caller holds Freqtrade's exit lock.

        :param insists: see `Coordinator.advance`.
        """
        self.coordinator.advance(trade.id, exit_reason=reason, insists=insists)

    def confirm_exit(self, trade: Trade) -> bool:
        """Whether Freqtrade may exit a leg on its own (force-exit, stop): yes, if it is still there. The mate
        may have closed it a moment ago; exiting it again would be refused."""
        return self.guard.armed(trade.pair) is not None or (bool(trade.is_open) and bool(trade.amount))

    def on_order_filled(self, trade: Trade, order: Order, now: datetime) -> None:  # noqa: ARG002
        """After any fill: hedge, trim or close what it calls for."""
        known = self.journal.order_by_venue_id(trade.pair, order.order_id)
        owner = self.journal.owner_of(trade.pair)
        pair_trade_id = known.pair_trade_id if known else owner.id if owner else None
        if pair_trade_id is not None:
            self.coordinator.advance(pair_trade_id)

    # -- life --------------------------------------------------------------------------------------

    def on_loop_start(self, now: datetime) -> None:  # noqa: ARG002
        """Recover what can be recovered, reconcile, finish what is half done."""
        self.standstill.is_over()
        self.entries.forget()
        self._reconcile()
        if self.journal.open_pair_trades():
            self.port.keep_warm()
        self.journal.forget_final(self._clock.now_ms() - REMEMBER_FINAL_MS)

    def _reconcile(self) -> None:
        self.guard.disarm()
        self._bridge.catch_up()
        self.journal.recover()
        self.storage.look()
        self.silence.look()
        self.limiter.renew(self._broker.rate_limits, is_busy=bool(self.journal.open_pair_trades()))
        self.hearing.on_loop()
        with self._bridge.exit_lock:
            self.reconciler.run()
            self.lone_exits.run()
            self.orphans.run()
            now = as_datetime(self._clock.now_ms())
            self.risk.on_loop(now)
            self.freshness.look(self.journal.open_pair_trades(), self.reconciler.unreadable_secs, now)
        self.journal.flush()
        self.storage.look()

    def _before_startup(self) -> None:
        """At start and after /start: before Freqtrade's own order update can delete anything."""
        self.standstill.is_over()
        self.reconciler.request()
        try:
            self._reconcile()
        except Exception:
            # The bot must come up and supervise what is open; every loop tries again.
            logger.exception("The reconciliation at start failed, it is repeated in the first loop")

    def cleanup(self) -> list[str]:
        """Finish or park what is half open, within SHUTDOWN_BUDGET_MS. Returns the final statistics."""
        if self._is_closed:
            return []
        self._is_closed = True
        self.guard.disarm()
        with ExitStack() as last_first:
            # Whatever fails or is interrupted: /reload_config opens the same database next.
            last_first.callback(self.watch.events.close)
            last_first.callback(self.journal.close)
            last_first.callback(self.port.close)
            self.hearing.stop()
            return self._park()

    def _park(self) -> list[str]:
        Trade.session.rollback()
        self.storage.look()
        self.standstill.shut_down()
        self._bridge.catch_up()
        lines = self.watch.statistics.lines(self._clock.now_ms(), self.watch.currency)
        for line in lines:
            logger.info(f"pairbot: {line}")
        return lines

    def orders_of(self, pair_trade_id: str) -> tuple[OrderRecord, ...]:
        """The orders of one pair trade."""
        return self.journal.orders_of(pair_trade_id)
