"""Order books around a price: deterministic, on the tick and the step, as deep and as wide as asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from zlib import crc32

from pairbot_ext.sim.market.base import Book
from pairbot_ext.sim.symbols import SymbolSpec
from pairbot_ext.support.errors import PairbotError

_BP = Decimal("0.0001")


@dataclass(frozen=True)
class BookShape:
    """How a book looks. Distances in basis points of the price, depth in quote.

    :param spread_bp: best ask minus best bid; never below one tick.
    :param gap_bp: distance between neighbouring levels; never below one tick.
    :param levels: levels per side.
    :param top_notional: amount resting at the best level, give or take `jitter` of it.
    :param growth: each level holds this multiple of the one before it.
    :param jitter: share by which amounts vary from second to second and level to level.
    """

    spread_bp: float = 1.0
    gap_bp: float = 1.0
    levels: int = 20
    top_notional: float = 20_000.0
    growth: float = 1.2
    jitter: float = 0.3

    def __post_init__(self) -> None:
        fits = (
            self.spread_bp >= 0
            and self.gap_bp >= 0
            and self.levels >= 1
            and self.top_notional > 0
            and self.growth > 0
            and 0 <= self.jitter < 1
        )
        if not fits:
            raise PairbotError(
                "No order book has this shape",
                value=self,
                remedy="Distances ≥ 0, at least 1 level, depth and growth > 0, jitter in [0, 1)",
            )


DEFAULT_SHAPE = BookShape()


def build_book(
    spec: SymbolSpec,
    price: Decimal,
    now_ms: int,
    shape: BookShape = DEFAULT_SHAPE,
    levels: int | None = None,
) -> Book:
    """The book of one symbol: `price` lies at the best bid or between the best prices.

    Prices are multiples of the tick, amounts of the step and at least the minimum amount; bids that would
    fall to 0 are left out. The same arguments give the same book.

    :param levels: only so many of the shape's levels per side.
    """
    shown = shape.levels if levels is None else levels
    tick = spec.price_tick
    spread = _ticks(price, shape.spread_bp, tick)
    gap = _ticks(price, shape.gap_bp, tick)
    middle = int((price / tick).to_integral_value(ROUND_HALF_EVEN))
    best_bid = max(1, middle - spread // 2)
    best_ask = best_bid + spread
    second = now_ms // 1000
    bids = tuple(
        _level(spec, best_bid - i * gap, i, f"{spec.symbol} bid {second}", shape)
        for i in range(shown)
        if best_bid - i * gap > 0
    )
    asks = tuple(
        _level(spec, best_ask + i * gap, i, f"{spec.symbol} ask {second}", shape) for i in range(shown)
    )
    return Book(bids=bids, asks=asks)


def _ticks(price: Decimal, distance_bp: float, tick: Decimal) -> int:
    distance = price * Decimal(str(distance_bp)) * _BP
    return max(1, int((distance / tick).to_integral_value(ROUND_HALF_EVEN)))


def _level(spec: SymbolSpec, ticks: int, rank: int, salt: str, shape: BookShape) -> tuple[Decimal, Decimal]:
    price = ticks * spec.price_tick
    noise = 1.0 + shape.jitter * (2.0 * crc32(f"{salt} {rank}".encode()) / 0xFFFFFFFF - 1.0)
    notional = Decimal(str(round(shape.top_notional * shape.growth**rank * noise, 2)))
    amount = notional / price // spec.amount_step * spec.amount_step
    return price, max(amount, spec.min_amount)
