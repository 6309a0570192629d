"""The desk of a trading bot: what each strategy callback asks, in dry-run and live.

One object per bot, built in `bot_start` and never kept in a module: /reload_config builds a new bot in the
same process.
"""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import IStrategy

from pairbot_ext.bridge import Bridge, Hooks
from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.broker import Broker
from pairbot_ext.execution.clock import Clock, SystemClock, as_datetime
from pairbot_ext.execution.coordinator import Coordinator
from pairbot_ext.execution.dryport import DryPort
from pairbot_ext.execution.eventlog import EventLog, event_log_path
from pairbot_ext.execution.guard import OrderGuard, VenuePort
from pairbot_ext.execution.intentfile import IntentFile
from pairbot_ext.execution.journal import Journal, JournalUnavailableError
from pairbot_ext.execution.limiter import WeightLimiter
from pairbot_ext.execution.liveport import LivePort
from pairbot_ext.execution.plan import EntryPlan
from pairbot_ext.execution.preflight import Cleared, Preflight, RefusedError, slippage_cap
from pairbot_ext.execution.reconciler import Reconciler
from pairbot_ext.execution.records import OrderRecord, PairTrade
from pairbot_ext.execution.states import Goal, PairState
from pairbot_ext.execution.watch import Watch
from pairbot_ext.redact import protect
from pairbot_ext.risk.desk import RiskDesk
from pairbot_ext.sizing import Leg, stake_for
from pairbot_ext.startup import is_on_loopback

logger = logging.getLogger(__name__)

SHUTDOWN_BUDGET_MS = 15_000
"""How long a shutdown works on pair trades that are half open before it parks them for the next start."""
REMEMBER_FINAL_MS = 3_600_000
"""Finished pair trades stay in memory so long: Freqtrade still asks for their orders' fees."""
_CONDITIONAL = ("stopPrice", "triggerPrice", "stopLossPrice", "takeProfitPrice", "trailingPercent")


class Signals(Protocol):
    """What the desk asks of the signals (`rules.PairRules`)."""

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """The plan of the entry this pair has won on the last closed candle, or None."""
        ...

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """What the model at entry says about leaving on the last closed candle."""
        ...

    def has_recovered(self, pair_id: str, stopped_at: datetime, candle: datetime) -> bool:
        """Whether a pair that was stopped may be entered again."""
        ...


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
        self._leverage = leverage
        self._timeframe_secs = timeframe_to_seconds(strategy.timeframe)
        self._clock = clock or SystemClock()
        self._bridge = Bridge.of(strategy)
        self._broker = Broker(self._bridge)
        config = strategy.config
        self.journal = Journal(
            self._bridge.engine, self._clock, IntentFile(intent_file_path(config, self._bridge.is_dry_run))
        )
        self.watch = Watch(
            self.journal,
            self._broker,
            self._clock,
            str(config["stake_currency"]),
            EventLog(event_log_path(config)),
        )
        self.coordinator = Coordinator(
            self._bridge,
            self._broker,
            self.journal,
            self._clock,
            rng or np.random.default_rng(secrets.randbits(128)),
            self.watch.changed,
        )
        self.watch.facts_of = self.coordinator.facts_of
        self.limiter = WeightLimiter(self._clock)
        self.port: VenuePort = self._port()
        self.guard = OrderGuard(self.journal, self.port, self._clock, self.coordinator.take_over_exit)
        self.coordinator.guard = self.guard
        self.preflight = Preflight(self._bridge, self._broker, self.journal, leverage)
        self.reconciler = Reconciler(self.journal, self._broker, self.coordinator, self._clock)
        self.risk = RiskDesk(self.journal, self._broker, self._clock, self.close)
        self._cleared: dict[str, tuple[EntryPlan, Cleared]] = {}
        self._is_stopped = False
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
        protect(*desk._bridge.credentials, config=strategy.config)
        desk.journal.open()
        desk._refuse_other_mode()
        desk.risk.load()
        desk._bridge.install(desk._hooks())
        # A report of this database must be able to say that its market was a simulated one.
        desk.journal.add_event(None, "started", simulated=is_on_loopback(strategy.config))
        return desk

    def _refuse_other_mode(self) -> None:
        mine = self._bridge.is_dry_run
        others = [trade.id for trade in self.journal.open_pair_trades() if trade.dry_run != mine]
        if others:
            self.journal.close()
            modes = ("dry-run", "live") if mine else ("live", "dry-run")
            raise PairbotError(
                f"this bot runs {modes[0]}, its database holds {len(others)} open pairs of {modes[1]}",
                value=", ".join(others[:5]),
                remedy="Use a database per mode (db_url), or close them in the mode they were made in",
            )

    def _port(self) -> VenuePort:
        if self._bridge.is_dry_run:
            return DryPort(
                self._read_levels, self._broker.dry_market, self._bridge.keep_dry_order, self._clock
            )
        return LivePort(
            *(
                self._bridge.original(name)
                for name in ("create_order", "fetch_order", "cancel_order", "fetch_time")
            )
        )

    def _read_levels(self, symbol: str) -> Any:
        book = self._broker.book(symbol)
        return book.bids, book.asks

    # -- the bot's orders --------------------------------------------------------------------------

    def _hooks(self) -> Hooks:
        return Hooks(
            create=self._create,
            create_dry=self._create_dry,
            fetch=self.guard.checked_fetch,
            cancelled=self.guard.checked_cancel,
            is_planned=lambda symbol: self.guard.armed(symbol) is not None,
            is_managed=lambda symbol: self.journal.owner_of(symbol) is not None,
            entry_done=self.coordinator.native_entry_done,
            before_request=self.limiter.before,
            after_request=self.limiter.after,
            before_startup=self._before_startup,
            while_stopped=self._while_stopped,
        )

    def _create(
        self, symbol: str, kind: str, side: str, amount: float, _price: Any, params: dict[str, Any]
    ) -> dict[str, Any]:
        reduce_only = str(params.get("reduceOnly", "")).lower() == "true"
        conditional = any(key in params for key in _CONDITIONAL)
        order = self.guard.claim(symbol, kind, side, amount, reduce_only=reduce_only, conditional=conditional)
        return self.guard.transmit(order)

    def _create_dry(
        self, symbol: str, kind: str, side: str, amount: float, _price: float, is_reduce: bool, is_stop: bool
    ) -> dict[str, Any]:
        armed = self.guard.armed(symbol)
        reduce_only = is_reduce if armed is None else armed.reduce_only
        order = self.guard.claim(symbol, kind, side, amount, reduce_only=reduce_only, conditional=is_stop)
        return self.guard.transmit(order)

    # -- entries -----------------------------------------------------------------------------------

    def leverage(self, max_leverage: float) -> float:
        """The configured leverage; where the symbol allows less, the entry is refused in `stake`."""
        return float(min(self._leverage, int(max_leverage)))

    def entry_price(
        self, symbol: str, now: datetime, proposed: float, pair_id: str | None, side: str
    ) -> float:
        """Limit of an entry: the price proposed, plus the slippage cap. Of planned orders: their own."""
        if self.guard.armed(symbol) is not None:
            return proposed
        plan = self._signals.entry_plan(pair_id or "", now)
        if plan is None:
            return proposed
        reach = slippage_cap(plan)
        return proposed * (1 + reach if side == "long" else 1 - reach)

    def stake(
        self,
        symbol: str,
        now: datetime,
        price: float,
        proposed_stake: float,
        min_stake: float,
        max_stake: float,
        leverage: float,
        pair_id: str | None,
        side: str,
    ) -> float:
        """Stake of leg A, or 0 where the pair is refused; then it is locked until the next candle."""
        if self.guard.armed(symbol) is not None:
            return proposed_stake
        self._cleared.pop(symbol, None)
        plan = self._signals.entry_plan(pair_id or "", now)
        if plan is None or plan.leg_a != symbol or plan.side(Leg.A) != side:
            return 0.0
        self.watch.received(plan)
        try:
            self.risk.check_entry(plan)
            self._check_stopped(plan)
            self._check_fresh(plan)
            if leverage != self._leverage:
                raise RefusedError(
                    "leverage", f"{symbol} allows leverage {leverage:g}, configured is {self._leverage}"
                )
            if not self.limiter.has_room_for_entries:
                raise RefusedError("weight", f"{self.limiter.used()} of the venue's request weight are used")
            cleared = self.preflight.clear(plan, proposed_stake, now)
            sizing = cleared.sizing[Leg.A]
            stake = stake_for(sizing.amount, sizing.step, price, leverage)
            if not min_stake <= stake <= max_stake:
                raise RefusedError(
                    "size",
                    f"leg A needs a stake of {stake:.2f}, Freqtrade allows {min_stake:.2f} to "
                    f"{max_stake:.2f}",
                )
        except RefusedError as refused:
            self._refuse(plan, refused, now)
            return 0.0
        self._cleared[symbol] = (plan, cleared)
        return stake

    def _check_stopped(self, plan: EntryPlan) -> None:
        stopped_ms = self.watch.stopped_ms.get(plan.pair_id)
        if stopped_ms is not None:
            stopped_at = as_datetime(stopped_ms)
            if not self._signals.has_recovered(plan.pair_id, stopped_at, plan.candle):
                raise RefusedError("stopped", f"stopped at {stopped_at} and not back inside exit_z since")
            del self.watch.stopped_ms[plan.pair_id]

    def _check_fresh(self, plan: EntryPlan) -> None:
        """No symbol is entered again on the candle it was closed on, as in a backtest: the signal is the one
        the close was decided on."""
        candle_start = plan.candle + timedelta(seconds=self._timeframe_secs)
        for symbol in (plan.leg_a, plan.leg_b):
            if self._broker.was_closed_since(symbol, candle_start):
                raise RefusedError("just_closed", f"{symbol} was closed on this candle")

    def _refuse(self, plan: EntryPlan, refused: RefusedError, now: datetime) -> None:
        self.watch.refused(plan, refused)
        # Freqtrade would ask again every loop, 12 weight each.
        self._broker.lock(plan.leg_a, now, f"pairbot: {refused.code}")

    def confirm_entry(
        self, symbol: str, now: datetime, amount: float, pair_id: str | None, rate: float, order_type: str
    ) -> bool:
        """The last gate. Only leg A by signal, in the amount that was checked, and the engine's own orders:
        a native entry of leg B, a forced entry of a leg, an entry Freqtrade has resized are refused."""
        if self.guard.armed(symbol) is not None:
            return True
        plan, cleared = self._cleared.pop(symbol, (None, None))
        if plan is None or cleared is None or plan.pair_id != pair_id:
            logger.info(f"An entry of {symbol} ({pair_id}) is refused: no pair has been checked for it")
            return False
        sizing = cleared.sizing[Leg.A]
        if abs(amount - float(sizing.amount)) >= float(sizing.step):
            refused = RefusedError("resized", f"Freqtrade would order {amount}, checked were {sizing.amount}")
            self._refuse(plan, refused, now)
            return False
        try:
            order = self.coordinator.plan_entry(plan, cleared.sizing, rate, order_type, cleared.books)
        except JournalUnavailableError as error:
            self._refuse(plan, RefusedError("journal", str(error)), now)
            return False
        self.watch.statistics.accepted += 1
        self.guard.arm(order.client_id)
        return True

    # -- exits and fills ---------------------------------------------------------------------------

    def exit_reason(self, trade: Trade, now: datetime) -> str | None:
        """Closes both legs at once where the model says so. Always None: Freqtrade has nothing left to do."""
        owner = self.journal.owner_of(trade.pair)
        # Not the state: it may be UNKNOWN or NEEDS_OPERATOR for the sake of a trim (I5).
        if owner is not None and owner.goal is Goal.OPEN and owner.was_hedged:
            reason = self._signals.model_exit(owner.plan, as_datetime(owner.created_ms), now)
            if reason is not None:
                self.close(owner, str(reason))
        return None

    def close(self, trade: PairTrade, reason: str) -> None:
        """Close both legs, back to back. The caller holds Freqtrade's exit lock."""
        self.coordinator.advance(trade.id, exit_reason=reason)

    def confirm_exit(self, trade: Trade) -> bool:
        """Whether Freqtrade may exit a leg on its own (force-exit, stop): yes, if it is still there. The mate
        may have closed it a moment ago; exiting it again would be answered -2022."""
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
        self._is_stopped = False
        self._cleared.clear()
        self._reconcile()
        self.journal.forget_final(self._clock.now_ms() - REMEMBER_FINAL_MS)

    def _reconcile(self) -> None:
        self.guard.disarm()
        self._bridge.catch_up()
        self.journal.recover()
        with self._bridge.exit_lock:
            self.reconciler.run()
            self.risk.on_loop()
        self.journal.flush()

    def _before_startup(self) -> None:
        """At start and after /start: before Freqtrade's own order update can delete anything."""
        self._is_stopped = False
        self.reconciler.request()
        try:
            self.watch.load_stops()
            self._reconcile()
        except Exception:
            # The bot must come up and supervise what is open; every loop tries again.
            logger.exception("The reconciliation at start failed, it is repeated in the first loop")

    def _while_stopped(self) -> None:
        """Freqtrade is STOPPED and runs no loop: half-open pairs are still finished, open ones unattended."""
        try:
            self._finish_while_stopped()
        except Exception:
            # Freqtrade has no net here: what is raised would end the process.
            logger.exception("Half-open pair trades could not be finished while stopped, it is tried again")

    def _finish_while_stopped(self) -> None:
        open_trades = self.journal.open_pair_trades()
        if not self._is_stopped:
            self._is_stopped = True
            if open_trades:
                names = ", ".join(f"{trade.plan.pair_id} ({trade.state})" for trade in open_trades)
                self._broker.tell(
                    f"The bot is stopped: {len(open_trades)} pair trades are not supervised: {names}. "
                    "Half-open ones are still finished; nothing else is closed until /start",
                    is_warning=True,
                )
        half_open = [trade for trade in open_trades if trade.state is not PairState.HEDGED]
        with self._bridge.exit_lock:
            # The kill switch works in a stopped bot too.
            self.risk.enforce()
            for trade in half_open:
                self._finish(trade)

    def _finish(self, trade: PairTrade) -> None:
        """One pass over a half-open pair trade; a fault in it does not keep the next from its own (I5)."""
        try:
            self.coordinator.advance(trade.id, may_explain=True)
        except Exception:
            logger.exception(f"Pair trade {trade.id} could not be finished, it is tried again")

    def cleanup(self) -> list[str]:
        """Finish or park what is half open, within SHUTDOWN_BUDGET_MS. Returns the final statistics."""
        if self._is_closed:
            return []
        self._is_closed = True
        self.guard.disarm()
        Trade.session.rollback()
        deadline_ms = self._clock.now_ms() + SHUTDOWN_BUDGET_MS
        while (half_open := self._half_open()) and self._clock.now_ms() < deadline_ms:
            for trade in half_open:
                self._finish(trade)
            if self._half_open():
                self._clock.sleep(0.5)
        for trade in self._half_open():
            text = f"Pair trade {trade.id} of {trade.plan.pair_id} is parked in state {trade.state}"
            logger.warning(f"{text}: the next start goes on with it")
            self._broker.tell(f"{text}: start the bot again soon, or use pairbot flatten", is_warning=True)
        lines = self.watch.statistics.lines(self._clock.now_ms(), self.watch.currency)
        for line in lines:
            logger.info(f"pairbot: {line}")
        self.journal.close()
        self.watch.events.close()
        return lines

    def _half_open(self) -> list[PairTrade]:
        resting = (PairState.HEDGED, PairState.NEEDS_OPERATOR)
        return [trade for trade in self.journal.open_pair_trades() if trade.state not in resting]

    def orders_of(self, pair_trade_id: str) -> tuple[OrderRecord, ...]:
        """The orders of one pair trade."""
        return self.journal.orders_of(pair_trade_id)


def intent_file_path(config: dict[str, Any], is_dry_run: bool) -> Path:
    """Where the preallocated intents of this bot's database lie."""
    digest = hashlib.sha256(str(config.get("db_url", "")).encode()).hexdigest()[:12]
    name = f"pairbot-intents-{'dry' if is_dry_run else 'live'}-{digest}.dat"
    return Path(config["user_data_dir"]) / name
