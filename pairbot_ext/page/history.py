"""The journal's events as the page shows them: the latest, what is new, and older ones on demand."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.tables import EventRow, PairTradeRow
from pairbot_ext.support.redact import scrub

SHOWN = 200


class History:
    """Reads the database when the journal has changed, and never otherwise. For one thread at a time."""

    def __init__(self, journal: Journal, bridge: Bridge) -> None:
        self._journal = journal
        self._bridge = bridge
        self._changes = -1
        self._last_id = 0
        self._latest: deque[dict[str, Any]] = deque(maxlen=SHOWN)

    def fresh(self) -> list[dict[str, Any]]:
        """What has been stored since the last call, oldest first; at the first one the latest."""
        changes = self._journal.changes
        if changes == self._changes:
            return []
        try:
            found = read_events(self._bridge, after=self._last_id)
        except SQLAlchemyError:
            # A database that cannot be read is told elsewhere; it is asked again with the next change.
            return []
        self._changes = changes
        if found:
            self._last_id = found[-1]["id"]
            self._latest.extend(found)
        return found

    def latest(self) -> list[dict[str, Any]]:
        """The last SHOWN, oldest first."""
        return list(self._latest)


def read_events(bridge: Bridge, *, after: int = 0, before: int | None = None) -> list[dict[str, Any]]:
    """The last SHOWN events with an id in (after, before), oldest first. Raises SQLAlchemyError."""
    wanted = (
        select(EventRow, PairTradeRow.pair_id)
        .outerjoin(PairTradeRow, PairTradeRow.id == EventRow.pair_trade_id)
        .where(EventRow.id > after)
        .order_by(EventRow.id.desc())
        .limit(SHOWN)
    )
    if before is not None:
        wanted = wanted.where(EventRow.id < before)
    with Session(bridge.engine) as session:
        rows = session.execute(wanted).all()
    return [_shown(event, pair_id) for event, pair_id in reversed(rows)]


def _shown(event: EventRow, pair_id: str | None) -> dict[str, Any]:
    try:
        detail = json.loads(event.detail)
    except ValueError:
        detail = {"detail": event.detail}
    if not isinstance(detail, dict):
        detail = {"detail": detail}
    named = detail.pop("pair", None)
    pair = pair_id or named
    return {
        "id": event.id,
        "at_ms": event.at_ms,
        "kind": event.kind,
        "trade": event.pair_trade_id,
        "pair": pair if pair is None else str(pair),
        "text": ", ".join(
            f"{key} {_plain(value)}" for key, value in detail.items() if value not in (None, "")
        ),
    }


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return scrub(value) if isinstance(value, str) else json.dumps(value)
