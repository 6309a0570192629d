"""What a running bot is measured by, in Prometheus' text format.

States are read when they are asked for; what happens is counted since the process began, from the journal and
the run's statistics, so that nothing in the way of an order counts anything.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Iterator

import freqtrade
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext import __version__
from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.service import PairService
from pairbot_ext.control.views import OverviewView, ScanView
from pairbot_ext.desk.trade_desk import TradeDesk
from pairbot_ext.journal.tables import EventRow, OrderRow
from pairbot_ext.model.states import PairState, Role
from pairbot_ext.risk.state import RiskState

SECS_ALONE = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
ROUND_TRIP_SECS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
UNCLEAR = "unclear"
"""Kind of the journal's event about an answer from which an order's fate cannot be told."""


class PairMetrics:
    """One bot's. Asked from the API server's threads."""

    def __init__(self, desk: TradeDesk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._alone = Histogram(
            "pairbot_leg_alone_seconds", "between leg A's first fill and both legs held, or none",
            buckets=SECS_ALONE, registry=self._registry,
        )  # fmt: skip
        self._round_trip = Histogram(
            "pairbot_order_round_trip_seconds", "from an order's sending to its answer", ("role",),
            buckets=ROUND_TRIP_SECS, registry=self._registry,
        )  # fmt: skip
        self._unclear = Counter(
            "pairbot_answers_unclear",
            "answers after which the venue had to be asked",
            registry=self._registry,
        )
        self._began_ms = self._answered_ms = desk.watch.statistics.started_ms
        self._answered: set[str] = set()
        self._event_id = 0
        self._alone_seen = 0

    def text(self, service: PairService) -> bytes:
        """Everything, for one scrape. Raises NotNowError where the journal cannot be read."""
        with self._lock:
            try:
                self._count_what_happened()
            except SQLAlchemyError as error:
                raise NotNowError(f"the journal cannot be read: {error}", remedy="Ask again") from error
            now = CollectorRegistry()
            now.register(_Now(self._desk, service.overview(), service.scan()))
            return generate_latest(self._registry) + generate_latest(now)

    def _count_what_happened(self) -> None:
        naked = self._desk.watch.statistics.naked_secs
        for secs in naked[self._alone_seen :]:
            self._alone.observe(secs)
        self._alone_seen = len(naked)
        with Session(self._desk.bridge.engine) as session:
            answered = session.execute(
                select(OrderRow.client_id, OrderRow.role, OrderRow.sent_ms, OrderRow.answered_ms).where(
                    OrderRow.answered_ms >= self._answered_ms, OrderRow.sent_ms.is_not(None)
                )
            ).all()
            for client_id, role, sent_ms, answered_ms in answered:
                if client_id not in self._answered and sent_ms is not None and answered_ms is not None:
                    self._round_trip.labels(Role(role).name.lower()).observe((answered_ms - sent_ms) / 1000)
                    self._answered_ms = max(self._answered_ms, answered_ms)
            # Others may be answered in the same millisecond.
            self._answered = {name for name, *_, at_ms in answered if at_ms == self._answered_ms}
            found = session.execute(
                select(EventRow.id, EventRow.kind).where(
                    EventRow.id > self._event_id, EventRow.at_ms >= self._began_ms, EventRow.kind == UNCLEAR
                )
            )
            for event_id, _kind in found:
                self._unclear.inc()
                self._event_id = max(self._event_id, event_id)


class _Now(Collector):
    """What is the case at this moment, and the run's own counters."""

    def __init__(self, desk: TradeDesk, overview: OverviewView, scan: ScanView) -> None:
        self._desk, self._overview, self._scan = desk, overview, scan

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield from self._of_the_bot()
        yield from self._of_pairs()
        yield from self._of_streams()

    def _of_the_bot(self) -> Iterator[Metric]:
        desk, overview = self._desk, self._overview
        yield InfoMetricFamily("pairbot", "what runs here", {
            "version": __version__, "freqtrade": freqtrade.__version__, "mode": overview.mode,
            "currency": overview.currency,
        })  # fmt: skip
        yield _labelled(
            "pairbot_risk_state", "1 for the state the bot is in", "state",
            {state.value: float(overview.risk.state == state) for state in RiskState},
        )  # fmt: skip
        yield GaugeMetricFamily("pairbot_request_weight", "used in this minute", desk.limiter.used())
        yield GaugeMetricFamily(
            "pairbot_request_weight_limit", "of a minute", desk.limiter.limits.weight_per_minute
        )
        yield GaugeMetricFamily("pairbot_journal_degraded", "1: the database cannot be written",
                                float(desk.journal.is_degraded))  # fmt: skip
        yield GaugeMetricFamily("pairbot_journal_lag_seconds", "the oldest change not in the database yet",
                                desk.journal.lag_secs)  # fmt: skip
        if desk.bridge.loop_secs is not None:
            yield GaugeMetricFamily("pairbot_loop_seconds", "the last loop took", desk.bridge.loop_secs)
        if (last := desk.bridge.bot.last_process) is not None:
            age_secs = desk.clock.now_ms() / 1000 - last.timestamp()
            yield GaugeMetricFamily(
                "pairbot_loop_age_seconds", "since the last loop ended", max(age_secs, 0.0)
            )
        yield GaugeMetricFamily("pairbot_positions_unread_seconds", "since positions could be read last",
                                desk.reconciler.unreadable_secs)  # fmt: skip
        yield GaugeMetricFamily("pairbot_scan_age_seconds", "of the pairs file", self._scan.age_days * 86_400)
        yield GaugeMetricFamily("pairbot_scan_in_force", "1: the pairs file allows entries now",
                                float(self._scan.is_valid_now))  # fmt: skip
        run = desk.watch.statistics
        counts = {"received": run.received, "accepted": run.accepted, "hedged": run.hedged,
                  "closed": run.closed, "aborted": run.aborted}  # fmt: skip
        yield _counted("pairbot_signals_and_trades", "of this run", "what", counts)
        yield _counted("pairbot_refused", "signals not taken", "code", run.refused)
        yield GaugeMetricFamily("pairbot_realised_profit", f"of this run, {overview.currency}", run.pnl)

    def _of_pairs(self) -> Iterator[GaugeMetricFamily]:
        overview = self._overview
        states = Tally(each.state for each in overview.open)
        yield _labelled(
            "pairbot_open_pair_trades", "by state", "state",
            {state.value: float(states[state.value]) for state in PairState if not state.is_final},
        )  # fmt: skip
        trades = {each.pair: each for each in overview.open}
        money = f"of open pairs, {overview.currency}"
        for name, text, values in (
            ("z", "of open pairs now, by the model at entry", {p: t.z for p, t in trades.items()}),
            ("hedge_error", "of open pairs", {p: t.hedge_error for p, t in trades.items()}),
            ("profit_now", f"{money}, if closed now", {p: t.profit_now for p, t in trades.items()}),
            ("funding", f"{money}, so far", {p: t.funding for p, t in trades.items()}),
            ("age_half_lives", "of open pairs", {p: t.age_half_lives for p, t in trades.items()}),
            ("watched_z", "on the last closed candle", {w.pair: w.z for w in overview.watched}),
        ):
            known = {pair: value for pair, value in values.items() if value is not None}
            yield _labelled(f"pairbot_pair_{name}", text, "pair", known)
        rules = GaugeMetricFamily("pairbot_rule_value", "what a risk rule reads", labels=("rule", "pair"))
        limits = GaugeMetricFamily("pairbot_rule_limit", "its limit", labels=("rule", "pair"))
        for rule in overview.risk.rules:
            key = (rule.rule, rule.pair or "")
            if rule.value is not None:
                rules.add_metric(key, rule.value)
            if rule.limit is not None:
                limits.add_metric(key, rule.limit)
        yield rules
        yield limits

    def _of_streams(self) -> Iterator[GaugeMetricFamily]:
        streams = self._overview.streams
        named = {} if streams is None else {each.name: each for each in streams.connections}
        ages = {name: each.age_secs for name, each in named.items() if each.age_secs is not None}
        yield _labelled("pairbot_stream_age_seconds", "since its last frame", "stream", ages)
        fresh = {name: float(each.is_fresh) for name, each in named.items()}
        yield _labelled("pairbot_stream_fresh", "1: believed", "stream", fresh)
        reconnects = {name: float(each.reconnects) for name, each in named.items()}
        yield _labelled("pairbot_stream_reconnects", "of this run", "stream", reconnects)


def _labelled(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _counted(name: str, text: str, label: str, values: dict[str, int] | Tally[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
