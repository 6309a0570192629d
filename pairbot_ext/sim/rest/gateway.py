"""From a raw request to the venue and back: the order of checks, what a fault bends, the log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from pairbot_ext.sim.rest import account_routes, market_routes, order_routes
from pairbot_ext.sim.rest.answers import bend
from pairbot_ext.sim.rest.auth import Credentials, check_fresh, check_key, check_signature
from pairbot_ext.sim.rest.messages import Answer, Delivery, Request, json_bytes
from pairbot_ext.sim.rest.params import Params
from pairbot_ext.sim.rest.routes import Call, Route
from pairbot_ext.sim.venue.actions import apply
from pairbot_ext.sim.venue.errors import VenueError
from pairbot_ext.sim.venue.faults import FaultRule, Faults, Schedule
from pairbot_ext.sim.venue.log import RequestRecord, VenueLog, public_params
from pairbot_ext.sim.venue.rate_limits import LimitError, RateLimits
from pairbot_ext.sim.venue.stream_faults import StreamFaults
from pairbot_ext.sim.venue.venue import Venue

ROUTES: dict[str, Route] = market_routes.ROUTES | account_routes.ROUTES | order_routes.ROUTES
NO_SUCH_PATH = -5000
LATE = "late"
T = TypeVar("T")


@dataclass
class _Outcome:
    """What became of one request at the venue, before a fault bends the answer."""

    answer: Answer
    code: int = 0
    executed: bool = False
    order_id: int | None = None


class Gateway:
    """Answers Binance's REST calls. One request at a time: the venue is one thread's world.

    :param round_trip_ms: network round trip that the transport adds.
    """

    def __init__(
        self,
        venue: Venue,
        credentials: Credentials,
        *,
        limits: RateLimits | None = None,
        schedule: Schedule | None = None,
        round_trip_ms: int = 0,
    ) -> None:
        self.venue = venue
        self.limits = limits or RateLimits()
        self.log = VenueLog()
        self.round_trip_ms = round_trip_ms
        self._credentials = credentials
        self._lock = threading.RLock()
        self._is_held = False
        self.faults = Faults(Schedule(), venue.clock())
        self.stream_faults = StreamFaults((), 0, venue.clock())
        self.load_schedule(schedule or Schedule())

    def load_schedule(self, schedule: Schedule) -> None:
        """Replace the fault schedule; counts and times start now."""
        with self._lock:
            now_ms = self.venue.clock()
            self.faults = Faults(schedule, now_ms)
            self.stream_faults = StreamFaults(schedule.streams, schedule.seed, now_ms)
            for timed in schedule.timed:
                for action in timed.actions:
                    self.venue.timeline.schedule(now_ms + timed.at_ms, partial(apply, action, self.venue))

    def locked(self, work: Callable[[], T]) -> T:
        """Run `work` at one settled instant of the venue, between two requests.

        Called again within `work` it stays at that instant.
        """
        with self._lock:
            if self._is_held:
                return work()
            self.venue.settle()
            self._is_held = True
            try:
                with self.venue.clock.held_at(self.venue.clock.running()):
                    return work()
            finally:
                self._is_held = False

    def tick(self) -> None:
        """Let time pass at the venue while nobody asks."""
        with self._lock:
            self.venue.settle()

    def handle(self, request: Request) -> Answer:
        """Execute one request at the venue's current time; what it sees and changes is all of one instant."""
        return self.locked(lambda: self._handle(request))

    def _handle(self, request: Request) -> Answer:
        now_ms, params = self.venue.clock(), request.params()
        route = ROUTES.get(request.call)
        weight = 1 if route is None else route.weight_of(params)
        rule: FaultRule | None = None
        try:
            self.limits.count_request(weight, now_ms)
            if route is None:
                outcome = _no_such_path(request)
            else:
                rule = self.faults.pick(request.call, params, self._client_id(params), now_ms)
                outcome = self._execute(request, route, params, rule)
        except LimitError as refusal:
            outcome = _refused(refusal, {"Retry-After": str(refusal.retry_after_secs)})
        answer = outcome.answer if rule is None else bend(outcome.answer, rule)
        meters = self.limits.headers(now_ms, with_orders=route is not None and route.counts_order)
        answer = replace(answer, headers={**meters, **answer.headers})
        status = answer.status if answer.delivery is Delivery.SEND else 0
        self._note(
            request, params, outcome, rule, weight=weight, status=status, delivery=answer.delivery.value
        )
        return answer

    def _note(
        self,
        request: Request,
        params: Mapping[str, str],
        outcome: _Outcome,
        rule: FaultRule | None,
        *,
        weight: int,
        status: int,
        delivery: str,
    ) -> None:
        self.log.add(
            RequestRecord(
                number=self.log.next_number(),
                received_ms=self.venue.clock(),
                call=request.call,
                params=public_params(params),
                weight=weight,
                status=status,
                code=outcome.code,
                delivery=delivery,
                executed=outcome.executed,
                fault="" if rule is None else rule.name or rule.answer.value,
                order_id=outcome.order_id,
            )
        )

    def _client_id(self, params: Mapping[str, str]) -> str:
        """The client order id a request is about, also where it names the order by its number."""
        named = params.get("newClientOrderId") or params.get("origClientOrderId")
        if named:
            return named
        number = params.get("orderId", "")
        order = self.venue.engine.orders.get(int(number)) if number.isdigit() else None
        return order.request.client_order_id if order else ""

    def _execute(
        self, request: Request, route: Route, params: Mapping[str, str], rule: FaultRule | None
    ) -> _Outcome:
        symbol = params.get("symbol")
        if rule is None:
            return self._carry_out(request, route, params, None)
        for action in rule.before:
            apply(action, self.venue, symbol)
        if not rule.executes:
            # The client sees only what the rule says; this is what it stands on.
            outcome = _Outcome(Answer(200, b"{}"))
        elif rule.execute_delay_ms:
            self.venue.timeline.schedule(
                self.venue.clock() + rule.execute_delay_ms,
                lambda: self._carry_out_late(request, route, params, rule),
            )
            outcome = _Outcome(Answer(200, b"{}"))
        else:
            outcome = self._carry_out(request, route, params, rule)
        for action in rule.after:
            apply(action, self.venue, symbol)
        return outcome

    def _carry_out_late(
        self, request: Request, route: Route, params: Mapping[str, str], rule: FaultRule
    ) -> None:
        """The request arrives after its client has given up; the log shows it a second time."""
        outcome = self._carry_out(request, route, params, rule)
        self._note(request, params, outcome, rule, weight=0, status=0, delivery=LATE)

    def _carry_out(
        self, request: Request, route: Route, params: Mapping[str, str], rule: FaultRule | None
    ) -> _Outcome:
        now_ms = self.venue.clock()
        try:
            if route.signed or route.keyed:
                check_key(request, self._credentials)
            if route.signed:
                check_fresh(params, now_ms)
                check_signature(request, self._credentials)
            if route.counts_order:
                self.limits.count_order(now_ms)
            call = Call(self.venue, Params(params), now_ms, rule.fill_rule if rule else None)
            payload = route.handler(call)
        except LimitError as refusal:
            return _refused(refusal, {"Retry-After": str(refusal.retry_after_secs)})
        except VenueError as refusal:
            return _refused(refusal, {})
        order_id = payload.get("orderId") if isinstance(payload, dict) else None
        return _Outcome(Answer(200, json_bytes(payload)), executed=True, order_id=order_id)


def _refused(refusal: VenueError, headers: Mapping[str, str]) -> _Outcome:
    answer = Answer(refusal.status, json_bytes(refusal.payload()), headers)
    return _Outcome(answer, code=refusal.code)


def _no_such_path(request: Request) -> _Outcome:
    text = f"Path {request.path}, Method {request.method} is not simulated: linear futures trading only"
    return _Outcome(Answer(404, json_bytes({"code": NO_SUCH_PATH, "msg": text})), code=NO_SUCH_PATH)
