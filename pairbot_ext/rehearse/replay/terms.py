"""Under which conditions a replay trades: network, books, and how often an order goes wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from pairbot_ext.support.errors import PairbotError


@dataclass(frozen=True)
class Terms:
    """See docs/replay.md for what each number means and where it comes from.

    :param latency_ms: round trip of every request.
    :param spread_bp: best ask less best bid, basis points of the price; never below one tick.
    :param depth_usdt: what rests at the best price on each side, and a fifth more at each of the next.
    :param partial_share: of the orders, filled in part (three to nine tenths, evenly drawn) as if the book
        had moved; the rest expires.
    :param fault_share: of the orders, whose request or answer is lost (see `mishaps`).
    :param ticks: prices wander inside candles, by the candle's own range; without, they go straight from
        open to the extremes to close, and hardly move between two orders.
    :param seed: of chance. It decides by symbol, side, role and time, so that stretches played one after the
        other meet what the whole would have met.
    """

    latency_ms: int = 50
    spread_bp: float = 0.0
    depth_usdt: float = 100_000.0
    partial_share: float = 0.0
    fault_share: float = 0.0
    ticks: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (
            ("latency_ms", 0, 4_000), ("spread_bp", 0, 1_000), ("depth_usdt", 1, 1e12),
            ("partial_share", 0, 1), ("fault_share", 0, 0.5), ("seed", 0, 2**63),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise PairbotError(
                    f"--{name.replace('_', '-')} must lie between {least:g} and {most:g}", value=value
                )

    def to_json(self) -> dict[str, Any]:
        """For the result, and for what a state belongs to."""
        return asdict(self)


PRESETS = {
    "calm": Terms(),
    "busy": Terms(latency_ms=150, spread_bp=3.0, depth_usdt=20_000.0, partial_share=0.05, fault_share=0.002),
    "crash": Terms(latency_ms=500, spread_bp=30.0, depth_usdt=2_000.0, partial_share=0.3, fault_share=0.05),
}
"""Numbers and sources: docs/replay.md."""


def terms_of(preset: str, **given: Any) -> Terms:
    """A preset with what was given besides. Raises PairbotError."""
    return replace(PRESETS[preset], **{name: value for name, value in given.items() if value is not None})
