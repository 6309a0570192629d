"""The hub of all streams: who is connected, what they asked for, what they are sent and when.

Pure: no socket and no clock but the venue's. Everything happens at one settled instant of the venue
(`Gateway.locked`), so that REST and streams tell the same story.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any
from urllib.parse import parse_qs

from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.stream.connection import CloseCode, Connection, Frame, FrameKind
from pairbot_ext.sim.stream.delivery import Delivery
from pairbot_ext.sim.stream.names import NotSimulatedError, Root, StreamName, parse
from pairbot_ext.sim.stream.private import event_of
from pairbot_ext.sim.stream.public import PublicStream, as_text
from pairbot_ext.sim.stream.requests import RequestError, answer
from pairbot_ext.sim.venue.stream_faults import Update
from pairbot_ext.sim.venue.tape import BookServed, Happening, ListenKeyEnded

_MOST_REMEMBERED = 100
_WORDS = ("ws", "stream")


class UpgradeRefusedError(Exception):
    """The websocket is not opened: answer with HTTP `status`."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class StreamHub:
    """All streams of one venue."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._venue = gateway.venue
        self._delivery = Delivery(gateway)
        self._connections: list[Connection] = []
        self._ended: deque[Connection] = deque(maxlen=_MOST_REMEMBERED)
        self._public: dict[StreamName, PublicStream] = {}
        self._listeners: dict[StreamName, list[Connection]] = {}
        self._count = 0
        self._venue.engine.tape.listen(self._told)

    # -- connections --

    def open(self, path: str, query: str) -> Connection:
        """A new connection at `path`, with the streams its address names.

        :raises UpgradeRefusedError: no such path, too many or unknown streams, or a fault.
        """
        now_ms = self._venue.clock()
        rule = self._gateway.stream_faults.on_upgrade(path, now_ms)
        if rule is not None:
            raise UpgradeRefusedError(rule.status, rule.name or "refused by a fault rule")
        root, word, rest = _place(path)
        params = parse_qs(query)
        names = rest.split("/") if rest else []
        if word == "stream":
            names += [name for part in params.get("streams", []) for name in part.split("/")]
        key = params.get("listenKey", [None])[0]
        self._count += 1
        connection = Connection(
            self._count,
            f"/{root}/{word}" if root else f"/{word}",
            root,
            now_ms,
            combined=word == "stream",
        )
        if root is Root.PRIVATE:
            connection.key = key or next(iter(names), None)
        else:
            try:
                self.subscribe(connection, names, unknown_ok=True)
            except RequestError as error:
                raise UpgradeRefusedError(400, str(error)) from None
        self._connections.append(connection)
        return connection

    def receive(self, connection: Connection, text: str) -> None:
        """One text message of the client."""
        if self._counts(connection) and connection.dead_until_ms <= self._venue.clock():
            reply = as_text(answer(self, connection, text))
            self._delivery.send(connection, reply, self._venue.clock())
            self._tell_public()

    def ping(self, connection: Connection) -> bool:
        """A ping of the client; whether it gets its pong, which waits behind what is unsent."""
        is_held_up = connection.is_stuck or connection.dead_until_ms > self._venue.clock()
        return self._counts(connection) and not is_held_up

    def pong(self, connection: Connection) -> None:
        """A pong of the client."""
        self._counts(connection)
        connection.unanswered_ms = None

    def leave(self, connection: Connection) -> None:
        """The connection is gone."""
        connection.leave()
        if connection in self._connections:
            self._connections.remove(connection)
            self._ended.append(connection)
        self.unsubscribe(connection, list(connection.streams))

    def _counts(self, connection: Connection) -> bool:
        now_ms = self._venue.clock()
        if connection.count_incoming(now_ms) > self._venue.engine.stream_terms.messages_per_sec:
            connection.drop(now_ms, "Too many requests")
        return not connection.end

    # -- subscriptions --

    def refuses_subscription(self, connection: Connection) -> bool:
        """Whether a fault refuses the SUBSCRIBE at hand."""
        now_ms = self._venue.clock()
        return self._gateway.stream_faults.on_subscribe(connection.path, now_ms) is not None

    def subscribe(self, connection: Connection, texts: list[str], *, unknown_ok: bool = False) -> None:
        """Add streams by their names.

        :param unknown_ok: a name in an address is not checked: ccxt's carries a number.
        :raises RequestError: too many, unknown, or not simulated; then none is added.
        """
        found: list[StreamName] = []
        for text in texts:
            if text == self._venue.listen_keys.valid and connection.root is Root.PRIVATE:
                connection.key = text
                continue
            try:
                name = parse(text)
            except NotSimulatedError:
                raise RequestError(2, f"Invalid request: {text} is not simulated") from None
            if name is not None:
                found.append(name)
            elif not unknown_ok:
                raise RequestError(2, "Invalid request: invalid stream")
        added = {name.text: name for name in found if name.text not in connection.streams}
        most = self._venue.engine.stream_terms.streams_per_connection
        if len(connection.streams) + len(added) > most:
            raise RequestError(2, f"Invalid request: more than {most} streams on one connection")
        connection.streams |= added
        for name in added.values():
            if connection.is_served(name):
                if name not in self._public:
                    self._public[name] = PublicStream(self._venue, name)
                self._listeners.setdefault(name, []).append(connection)

    def unsubscribe(self, connection: Connection, texts: list[str]) -> None:
        """Remove streams by their names; others are none of our business."""
        for text in texts:
            name = connection.streams.pop(text, None)
            if name is None or connection not in self._listeners.get(name, ()):
                continue
            self._listeners[name].remove(connection)
            if not self._listeners[name]:
                del self._listeners[name], self._public[name]

    # -- what is told --

    def pump(self) -> None:
        """Let time pass: delayed updates, public streams, heartbeats, ages."""
        now_ms, terms = self._venue.clock(), self._venue.engine.stream_terms
        self._delivery.release(now_ms)
        for connection in list(self._connections):
            if connection.end:
                self.leave(connection)
            elif now_ms - connection.opened_ms >= terms.connection_ms:
                connection.shut(now_ms, CloseCode.GOING_AWAY, "connection too old")
            elif (asked := connection.unanswered_ms) and now_ms - asked >= terms.pong_within_ms:
                connection.drop(now_ms, "no pong")
            elif now_ms - connection.pinged_ms >= terms.ping_every_ms and connection.dead_until_ms <= now_ms:
                connection.pinged_ms = now_ms
                connection.unanswered_ms = connection.unanswered_ms or now_ms
                connection.put(Frame(FrameKind.PING, str(now_ms), now_ms))
        self._tell_public()

    def next_ms(self) -> int | None:
        """When the next delayed update is due, epoch ms; None where none waits."""
        return self._delivery.next_ms()

    def take_answer_delay(self) -> int:
        """By how many ms a fault wants the answer of the present request to come later."""
        return self._delivery.take_answer_delay()

    def _tell_public(self) -> None:
        now_ms = self._venue.clock()
        for name, stream in list(self._public.items()):
            for event in stream.events(now_ms):
                wrapped = None
                for connection in list(self._listeners.get(name, ())):
                    text = event.text
                    if connection.combined:
                        wrapped = wrapped or _wrapped(name.text, text)
                        text = wrapped
                    self._delivery.deliver(
                        connection, text, Update(event.type, connection.path, event.symbol)
                    )

    def _told(self, happening: Happening) -> None:
        if isinstance(happening, BookServed):
            for stream in self._public.values():
                stream.touch(happening.symbol, happening.book)
            return
        keys = self._venue.listen_keys
        ended = happening if isinstance(happening, ListenKeyEnded) else None
        key = keys.valid if ended is None else ended.key
        listening = [connection for connection in self._connections if key and connection.key == key]
        if not listening:
            return
        now_ms = self._venue.clock()
        if ended is not None and ended.closed:
            for connection in listening:
                connection.shut(now_ms, CloseCode.GOING_AWAY, "listen key closed")
            return
        event = event_of(self._venue.engine, happening, now_ms)
        if event is None:
            return
        text, order = as_text(event), event.get("o", {})
        for connection in listening:
            wrapped = _wrapped(str(key), text) if connection.combined else text
            update = Update(
                event["e"],
                connection.path,
                order.get("s", ""),
                order.get("c", ""),
                order.get("x", ""),
                order.get("X", ""),
            )
            self._delivery.deliver(connection, wrapped, update)

    def report(self) -> list[dict[str, Any]]:
        """Every open connection and the latest closed ones, for people and tests."""
        return [
            {
                "number": connection.number,
                "path": connection.path,
                "opened_ms": connection.opened_ms,
                "streams": list(connection.streams),
                "has_valid_key": connection.key is not None
                and connection.key == self._venue.listen_keys.valid,
                "sent": connection.sent,
                "waiting": connection.waiting,
                "end": connection.end,
            }
            for connection in [*self._ended, *self._connections]
        ]


def _wrapped(stream: str, text: str) -> str:
    return f'{{"stream":{json.dumps(stream)},"data":{text}}}'


def _place(path: str) -> tuple[Root | None, str, str]:
    """Root, "ws" or "stream", and what follows them in a path."""
    parts = path.strip("/").split("/", 1)
    root = Root(parts[0]) if parts[0] in set(Root) else None
    rest = path.strip("/") if root is None else (parts[1] if len(parts) > 1 else "")
    word, _, names = rest.partition("/")
    if word not in _WORDS:
        raise UpgradeRefusedError(404, f"no websocket at {path}")
    return root, word, names
