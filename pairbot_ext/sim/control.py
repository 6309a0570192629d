"""The control API: what the venue truly holds, its log, and the levers of a rehearsal.

Served beside Binance's paths under `/control`, so it is reachable from this machine only.
GET  /control/state                   clock, balance, positions, open orders
GET  /control/requests?since=N        the log, records numbered above N
GET  /control/fills?since=N           fills with a trade id above N
GET  /control/income                  every booking
POST /control/actions                 {"actions": [{"do": "close_position", "symbol": "ADAUSDT"}, ...]}
GET  /control/streams                 every stream connection, the closed ones too
PUT  /control/streams                 terms of the streams, such as {"connection_ms": 60000}
POST /control/faults                  one fault rule, added to the schedule
POST /control/stream-faults           one rule about streams, added to the schedule
PUT  /control/faults                  a whole schedule, in place of the present one
DELETE /control/faults                no faults any more
POST /control/network                 {"round_trip_ms": 50}
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from pairbot_ext.sim.rest import shapes
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.rest.messages import Answer, Request, json_bytes
from pairbot_ext.sim.stream.connection import Connection
from pairbot_ext.sim.stream.hub import StreamHub
from pairbot_ext.sim.tls import LOOPBACK
from pairbot_ext.sim.venue.actions import Action, apply
from pairbot_ext.sim.venue.faults import FaultRule, Schedule
from pairbot_ext.sim.venue.options import StreamTerms
from pairbot_ext.sim.venue.stream_faults import StreamRule
from pairbot_ext.support.errors import PairbotError

PREFIX = "/control/"
_TIMEOUT_SECS = 10.0


class _Actions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    actions: tuple[Action, ...]


class _Network(BaseModel):
    model_config = ConfigDict(extra="forbid")
    round_trip_ms: int = Field(ge=0, le=60_000)


class _StreamTermChanges(RootModel[dict[str, int | float]]):
    """Some of `StreamTerms`."""


class SimulatedExchange:
    """What the server serves: Binance's paths by the gateway, streams by the hub, `/control` here."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.streams = StreamHub(gateway)
        self._routes: dict[str, Callable[[Request], Any]] = {
            "GET state": lambda _: self.state(),
            "GET requests": self._requests,
            "GET fills": self._fills,
            "GET income": lambda _: [shapes.income(row) for row in gateway.venue.account.income],
            "GET streams": lambda _: self.streams.report(),
            "PUT streams": self._set_stream_terms,
            "POST actions": self._act,
            "POST faults": self._add_fault,
            "POST stream-faults": self._add_stream_fault,
            "PUT faults": self._set_faults,
            "DELETE faults": lambda _: self._load(Schedule()),
            "POST network": self._set_network,
        }

    @property
    def round_trip_ms(self) -> int:
        """Network round trip in ms."""
        return self.gateway.round_trip_ms

    def now_ms(self) -> int:
        """The venue's time, epoch ms."""
        return self.gateway.venue.clock.running()

    def tick(self) -> int | None:
        """Let time pass at the venue; when it next has to, epoch ms, where something is held back."""
        self.gateway.locked(self.streams.pump)
        return self.streams.next_ms()

    def open_stream(self, path: str, query: str) -> Connection:
        """Open a websocket: see `StreamHub.open`."""
        return self.gateway.locked(lambda: self.streams.open(path, query))

    def receive(self, connection: Connection, text: str) -> None:
        """A text message on a websocket."""
        self.gateway.locked(lambda: self.streams.receive(connection, text))

    def ping(self, connection: Connection) -> bool:
        """A ping on a websocket; whether it gets its pong."""
        return self.gateway.locked(lambda: self.streams.ping(connection))

    def pong(self, connection: Connection) -> None:
        """A pong on a websocket."""
        self.gateway.locked(lambda: self.streams.pong(connection))

    def leave(self, connection: Connection) -> None:
        """A websocket is gone."""
        self.gateway.locked(lambda: self.streams.leave(connection))

    def handle(self, request: Request) -> Answer:
        """Answer one request of either kind."""
        if not request.path.startswith(PREFIX):
            return self.gateway.locked(lambda: self._answer(request))
        route = self._routes.get(f"{request.method} {request.path.removeprefix(PREFIX)}")
        if route is None:
            return Answer(404, json_bytes({"error": f"no such control path: {request.call}"}))
        try:
            return Answer(200, json_bytes(self.gateway.locked(lambda: route(request))))
        except (ValidationError, PairbotError, ValueError) as error:
            return Answer(400, json_bytes({"error": str(error)}))

    def _answer(self, request: Request) -> Answer:
        answer = self.gateway.handle(request)
        delay_ms = self.streams.take_answer_delay()
        self.streams.pump()
        return replace(answer, delay_ms=answer.delay_ms + delay_ms) if delay_ms else answer

    def state(self) -> dict[str, Any]:
        """The venue's truth: what it holds, not what it answers."""
        venue = self.gateway.venue
        engine = venue.engine
        return {
            "now_ms": venue.clock(),
            "account": shapes.account(engine),
            "positions": [
                shapes.position_risk(engine, position) for position in venue.account.open_positions()
            ],
            "open_orders": [
                shapes.queried_order(engine.spec(order.request.symbol), order)
                for order in engine.open_orders.values()
            ],
            "open_algo_orders": [
                shapes.algo_order(engine.spec(order.request.symbol), order)
                for order in venue.conditional.open_orders()
            ],
            "fault_rules": len(self.gateway.faults),
            "stream_fault_rules": len(self.gateway.stream_faults),
            "requests": len(self.gateway.log.requests),
            "fills": len(engine.fills),
        }

    def _requests(self, request: Request) -> Any:
        since = int(request.params().get("since", "0"))
        return [record.as_dict() for record in self.gateway.log.since(since)]

    def _fills(self, request: Request) -> Any:
        since = int(request.params().get("since", "0"))
        engine = self.gateway.venue.engine
        return [
            shapes.trade(engine.spec(fill.symbol), fill)
            | {"clientOrderId": fill.client_order_id, "liquidation": fill.liquidation}
            for fill in engine.fills
            if fill.trade_id > since
        ]

    def _act(self, request: Request) -> Any:
        results: list[dict[str, Any]] = []
        for action in _Actions.model_validate_json(request.body).actions:
            try:
                refusal = apply(action, self.gateway.venue)
            except PairbotError as error:  # the ones before it have happened; say so one by one
                results.append({"do": action.do, "refused": {"code": 0, "msg": str(error)}})
                continue
            results.append({"do": action.do, "refused": refusal.payload() if refusal else None})
        return {"actions": results}

    def _add_fault(self, request: Request) -> Any:
        self.gateway.faults.add(FaultRule.model_validate_json(request.body))
        return {"fault_rules": len(self.gateway.faults)}

    def _add_stream_fault(self, request: Request) -> Any:
        self.gateway.stream_faults.add(StreamRule.model_validate_json(request.body))
        return {"stream_fault_rules": len(self.gateway.stream_faults)}

    def _set_stream_terms(self, request: Request) -> Any:
        engine = self.gateway.venue.engine
        changes = _StreamTermChanges.model_validate_json(request.body).root
        engine.stream_terms = StreamTerms.model_validate(engine.stream_terms.model_dump() | changes)
        return engine.stream_terms.model_dump(mode="json")

    def _set_faults(self, request: Request) -> Any:
        return self._load(Schedule.model_validate_json(request.body))

    def _load(self, schedule: Schedule) -> Any:
        self.gateway.load_schedule(schedule)
        return {"fault_rules": len(self.gateway.faults)}

    def _set_network(self, request: Request) -> Any:
        self.gateway.round_trip_ms = _Network.model_validate_json(request.body).round_trip_ms
        return {"round_trip_ms": self.gateway.round_trip_ms}


class ControlClient:
    """Python's side of the control API, for another process than the server's."""

    def __init__(self, port: int) -> None:
        self._base = f"https://{LOOPBACK}:{port}{PREFIX}"
        # Self-signed, made at the server's start, and never leaving this machine.
        self._context = ssl._create_unverified_context()

    def _send(self, method: str, path: str, payload: object | None = None) -> Any:
        body = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(self._base + path, data=body, method=method)
        # No proxy from the environment may see a loopback address.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_SECS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise PairbotError(
                f"The simulated exchange refused {method} {path}", value=error.read().decode()
            ) from error
        except OSError as error:
            raise PairbotError(
                "The simulated exchange does not answer",
                value=f"{self._base}: {error}",
                remedy="Is pairbot exchange running on that port?",
            ) from error

    def state(self) -> dict[str, Any]:
        """What the venue holds."""
        return dict(self._send("GET", "state"))

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Log records numbered above `since`."""
        return list(self._send("GET", f"requests?since={since}"))

    def fills(self, since: int = 0) -> list[dict[str, Any]]:
        """Fills with a trade id above `since`."""
        return list(self._send("GET", f"fills?since={since}"))

    def act(self, *actions: BaseModel) -> list[dict[str, Any]]:
        """Make things happen; one result each, with the venue's refusal where it refused."""
        payload = {"actions": [action.model_dump(mode="json") for action in actions]}
        return list(self._send("POST", "actions", payload)["actions"])

    def add_fault(self, rule: FaultRule) -> None:
        """Add a fault rule; its count starts now."""
        self._send("POST", "faults", rule.model_dump(mode="json"))

    def add_stream_fault(self, rule: StreamRule) -> None:
        """Add a rule about streams; its count starts now."""
        self._send("POST", "stream-faults", rule.model_dump(mode="json"))

    def streams(self) -> list[dict[str, Any]]:
        """Every stream connection, the closed ones too."""
        return list(self._send("GET", "streams"))

    def set_stream_terms(self, **terms: float) -> None:
        """Change some of `StreamTerms`."""
        self._send("PUT", "streams", terms)

    def clear_faults(self) -> None:
        """Forget every rule."""
        self._send("DELETE", "faults")

    def set_round_trip(self, ms: int) -> None:
        """Set the network round trip."""
        self._send("POST", "network", {"round_trip_ms": ms})
