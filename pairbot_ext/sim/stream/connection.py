"""One websocket connection as the venue sees it: what it asked for and what waits to be sent to it.

Pure: whoever carries the frames takes them with `take` and is told of new ones through `on_frames`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from pairbot_ext.sim.stream.names import Root, StreamName


class CloseCode(IntEnum):
    """Why the venue closes a connection (RFC 6455)."""

    GOING_AWAY = 1001
    POLICY = 1008


class FrameKind(StrEnum):
    """What the transport has to do."""

    TEXT = "text"
    PING = "ping"
    CLOSE = "close"
    CUT = "cut"  # the connection drops after `number` bytes of the text's frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing to send.

    :param number: close code, or bytes of a cut. :param sent_ms: when it left the venue, epoch ms.
    """

    kind: FrameKind
    text: str
    sent_ms: int
    number: int = 0


def _nothing() -> None:
    return None


@dataclass(eq=False)
class Connection:
    """Subscriptions and outgoing frames of one client.

    :param number: counts from 1. :param path: root and form, such as "/private/ws": no listen key is in it.
    :param root: None for a bare `/ws`. :param combined: wraps each message as {"stream", "data"}.
    :param key: listen key, once there is one.
    :param end: why the connection is over, "" while it is not.
    """

    number: int
    path: str
    root: Root | None
    opened_ms: int
    combined: bool
    streams: dict[str, StreamName] = field(default_factory=dict)
    key: str | None = None
    end: str = ""
    sent: int = 0
    on_frames: Callable[[], None] = _nothing
    pinged_ms: int = 0
    unanswered_ms: int | None = None
    # What faults make of it.
    silent_until_ms: float = 0
    dead_until_ms: float = 0
    is_stuck: bool = False
    behind_next: list[str] = field(default_factory=list)
    _frames: deque[Frame] = field(default_factory=deque)
    _incoming_ms: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.pinged_ms = self.opened_ms

    def is_served(self, name: StreamName) -> bool:
        """Whether this root delivers that stream; the others accept it and stay silent."""
        return (self.root or Root.PUBLIC) is name.root

    def count_incoming(self, now_ms: int) -> int:
        """Count one incoming message; how many came within the last second."""
        self._incoming_ms.append(now_ms)
        while self._incoming_ms[0] <= now_ms - 1000:
            self._incoming_ms.popleft()
        return len(self._incoming_ms)

    @property
    def waiting(self) -> int:
        """Frames not yet taken."""
        return len(self._frames)

    def put(self, frame: Frame) -> None:
        """Queue a text or a ping; nothing follows a close."""
        if self.end:
            return
        self._frames.append(frame)
        if frame.kind is FrameKind.TEXT:
            self.sent += 1
        if not self.is_stuck:
            self.on_frames()

    def shut(self, now_ms: int, code: CloseCode, reason: str) -> None:
        """Queue a close frame; what was queued before it still goes out."""
        self._finish(Frame(FrameKind.CLOSE, reason, now_ms, code), reason)

    def cut(self, now_ms: int, text: str, at_byte: int) -> None:
        """Have the connection dropped within the frame of `text`."""
        self._finish(Frame(FrameKind.CUT, text, now_ms, at_byte), "cut")

    def _finish(self, frame: Frame, why: str) -> None:
        if not self.end:
            self._frames.append(frame)
            self.end = why
            self.on_frames()

    def leave(self) -> None:
        """Nobody reads on: what was queued goes with the client."""
        self.end = self.end or "left"
        self._frames.clear()

    def drop(self, now_ms: int, reason: str) -> None:
        """Close and forget what was queued."""
        if not self.end:
            self._frames.clear()
            self.is_stuck = False
            self.shut(now_ms, CloseCode.POLICY, reason)

    def take(self, until_ms: float = math.inf) -> Frame | None:
        """The next frame that left the venue by then, None where there is none."""
        if self.is_stuck or not self._frames or self._frames[0].sent_ms > until_ms:
            return None
        return self._frames.popleft()
