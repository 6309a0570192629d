"""From an event to a connection's frames, and what the fault schedule makes of it on the way."""

from __future__ import annotations

import heapq
import math

from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.stream.connection import CloseCode, Connection, Frame, FrameKind
from pairbot_ext.sim.venue.stream_faults import StreamFault, StreamRule, Update


class Delivery:
    """Hands updates to connections: at once, later, twice, in another order, or not at all."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._later: list[tuple[int, int, Connection, str]] = []
        self._later_count = 0
        self._answer_delay_ms = 0

    def deliver(self, connection: Connection, text: str, update: Update) -> None:
        """Send one update, unless a rule has it otherwise."""
        now_ms = self._gateway.venue.clock()
        if connection.end or now_ms < max(connection.silent_until_ms, connection.dead_until_ms):
            return
        faults = self._gateway.stream_faults
        rule = faults.on_update(update, now_ms) if len(faults) else None
        if rule is None:
            self.send(connection, text, now_ms)
        else:
            self._bend(connection, text, rule, now_ms)

    def release(self, now_ms: int) -> None:
        """Send what was held back until now."""
        while self._later and self._later[0][0] <= now_ms:
            _, _, connection, text = heapq.heappop(self._later)
            self.send(connection, text, now_ms)

    def next_ms(self) -> int | None:
        """When the next held back update is due."""
        return self._later[0][0] if self._later else None

    def take_answer_delay(self) -> int:
        """By how much the answer at hand has to wait, in ms; asked once for each request."""
        delay_ms, self._answer_delay_ms = self._answer_delay_ms, 0
        return delay_ms

    def send(self, connection: Connection, text: str, now_ms: int) -> None:
        """Send a text past all rules."""
        connection.put(Frame(FrameKind.TEXT, text, now_ms))
        behind, connection.behind_next = connection.behind_next, []
        for held in behind:
            connection.put(Frame(FrameKind.TEXT, held, now_ms))
        if connection.waiting > self._gateway.venue.engine.stream_terms.waiting_messages:
            connection.drop(now_ms, "slow consumer")

    def _hold(self, connection: Connection, text: str, due_ms: int) -> None:
        heapq.heappush(self._later, (due_ms, self._later_count, connection, text))
        self._later_count += 1

    def _bend(self, connection: Connection, text: str, rule: StreamRule, now_ms: int) -> None:
        fault = rule.fault
        until_ms = math.inf if rule.lasts_ms is None else now_ms + rule.lasts_ms
        if fault is StreamFault.SILENCE:
            connection.silent_until_ms = until_ms
        elif fault is StreamFault.DEAD:
            connection.dead_until_ms = until_ms
        elif fault is StreamFault.CUT:
            connection.cut(now_ms, text, rule.at_byte)
        elif fault is StreamFault.CLOSE:
            connection.shut(now_ms, CloseCode.GOING_AWAY, "closed by a fault rule")
        elif fault is StreamFault.DOUBLED:
            self.send(connection, text, now_ms)
            self.send(connection, text, now_ms)
        elif fault is StreamFault.REORDERED:
            connection.behind_next.append(text)
        elif fault in (StreamFault.LATE, StreamFault.ANSWER_FIRST):
            self._hold(connection, text, now_ms + max(1, rule.wait_ms))
        elif fault is StreamFault.UPDATE_FIRST:
            self._answer_delay_ms = max(self._answer_delay_ms, rule.wait_ms)
            self.send(connection, text, now_ms)
        elif fault is StreamFault.STALE_KEY:
            self._gateway.venue.listen_keys.forget()
        elif fault is StreamFault.SLOW_CONSUMER:
            connection.is_stuck = True
            self.send(connection, text, now_ms)
        # What is left is LOST: nothing is sent.
