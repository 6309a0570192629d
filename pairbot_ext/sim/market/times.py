"""The time regimes: recorded time becomes served time by a shift, divided where it is compressed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pairbot_ext.sim.market.series import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from pairbot_ext.pairs import PairsFile

COMPRESSION = HOUR_MS // MINUTE_MS


@dataclass(frozen=True)
class TimeMap:
    """served = `served_ms` + (recorded − `recorded_ms`) / `divisor`, all in epoch ms.

    :param divisor: 1 where times are only shifted (or left alone), 60 where hours are served as minutes.
    """

    recorded_ms: int = 0
    served_ms: int = 0
    divisor: int = 1

    def served(self, recorded_ms: int) -> int:
        """Served time of a recorded one, rounded down to the millisecond."""
        return self.served_ms + (recorded_ms - self.recorded_ms) // self.divisor

    def recorded(self, served_ms: int) -> int:
        """Recorded time shown at a served one."""
        return self.recorded_ms + (served_ms - self.served_ms) * self.divisor


def compressed(recorded_now_ms: int, now_ms: int) -> TimeMap:
    """The hour of `recorded_now_ms` is served as the minute of `now_ms`, and so on before and after it."""
    return TimeMap(
        recorded_ms=recorded_now_ms // HOUR_MS * HOUR_MS,
        served_ms=now_ms // MINUTE_MS * MINUTE_MS,
        divisor=COMPRESSION,
    )


def shifted(recorded_now_ms: int, now_ms: int) -> TimeMap:
    """Whole days are added to recorded times: hours of the day and funding stamps stay what they were."""
    days = (now_ms - recorded_now_ms) // DAY_MS
    return TimeMap(recorded_ms=0, served_ms=days * DAY_MS)


def served_pairs_file(source: PairsFile, time_map: TimeMap) -> PairsFile:
    """The same pairs for the served market: epochs at served times; hours as minutes where it is compressed.

    Models on log prices (α, β, μ, σ) are per candle and stay what they are; half-lives shrink with the
    candles.
    """
    hours = time_map.divisor

    def moved(when: datetime) -> datetime:
        stamp = time_map.served(round(when.timestamp() * 1000))
        return datetime.fromtimestamp(stamp / 1000, tz=UTC)

    epochs = tuple(
        epoch.model_copy(
            update={
                "valid_from": moved(epoch.valid_from),
                "valid_to": None if epoch.valid_to is None else moved(epoch.valid_to),
                "formation_start": moved(epoch.formation_start),
                "formation_end": moved(epoch.formation_end),
                "pairs": tuple(
                    pair.model_copy(
                        update={"half_life_hours": pair.half_life_hours and pair.half_life_hours / hours}
                    )
                    for pair in epoch.pairs
                ),
            }
        )
        for epoch in source.epochs
    )
    timeframe = source.timeframe if hours == 1 else "1m"
    scan = source.scan.model_copy(
        update={
            "served_from": f"{source.scan.rule}; times moved, 1 recorded hour = {60 // hours} served minutes"
        }
    )
    made = moved(source.generated_at)
    return source.model_copy(
        update={"epochs": epochs, "timeframe": timeframe, "scan": scan, "generated_at": made}
    )
