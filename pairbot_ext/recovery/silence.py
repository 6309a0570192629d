"""The venue asks to send nothing, or has banned this address: told once, kept over restarts, waited for."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.journal.ledger import has_journal
from pairbot_ext.journal.tables import SettingRow
from pairbot_ext.orders.limiter import WeightLimiter
from pairbot_ext.support.clock import Clock, as_datetime
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)

KEY = "venue.silent_until_ms"
WORTH_TELLING_MS = 30_000


class Silence:
    """Keeps and tells what the limiter has heard. Asked once per loop, before anything is sent."""

    def __init__(self, limiter: WeightLimiter, journal: Journal, broker: Broker, clock: Clock) -> None:
        self._limiter = limiter
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._kept_ms = 0

    def load(self) -> None:
        """What an earlier run was told still holds."""
        self._kept_ms = int(self._journal.setting(KEY) or 0)
        self._limiter.silent_until_ms = max(self._limiter.silent_until_ms, self._kept_ms)

    def look(self) -> None:
        """Store and tell a silence that is worth it."""
        until_ms, now_ms = self._limiter.silent_until_ms, self._clock.now_ms()
        if until_ms <= self._kept_ms or until_ms - now_ms < WORTH_TELLING_MS:
            return
        self._kept_ms = until_ms
        try:
            self._journal.set_setting(KEY, until_ms)
        except PairbotError as error:
            logger.warning(f"A restart would not know of it: {error}")
        self._broker.tell(
            f"The venue takes nothing from this address until {as_datetime(until_ms):%H:%M:%S} UTC "
            f"({(until_ms - now_ms) / 1000:.0f} s): nothing is sent, exits go out at its end. Look for other "
            "programs on this address",
            is_warning=True,
        )


def wait_out(config: Mapping[str, Any], clock: Clock) -> None:
    """At a start, before the first request: wait for the end of a silence an earlier run was told of. Every
    request in it would make it longer."""
    if not config.get("db_url"):
        return
    try:
        engine = create_engine(config["db_url"])
        try:
            if not has_journal(engine):
                return
            with Session(engine) as session:
                stored = session.scalar(select(SettingRow.value).where(SettingRow.key == KEY))
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        logger.warning(f"Whether the venue has banned this address cannot be read: {error}")
        return
    left_secs = (int(stored or 0) - clock.now_ms()) / 1000
    if left_secs > 0:
        logger.warning(f"The venue has banned this address for {left_secs:.0f} s more: waiting for its end")
        clock.sleep(left_secs)
