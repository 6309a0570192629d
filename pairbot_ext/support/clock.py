"""The clock of the execution engine: injected, so that the same facts give the same decision."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time and waiting. Tests inject one that moves a virtual clock instead of waiting."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        ...

    def sleep(self, secs: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        return int(time.time() * 1000)

    def sleep(self, secs: float) -> None:
        """Wait."""
        time.sleep(secs)


def as_datetime(epoch_ms: int) -> datetime:
    """Epoch milliseconds as an aware datetime."""
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
