"""What is seen of a rehearsal from outside: positions, equity and what is not hedged, whenever one of
them changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from pairbot_ext.model.sizing import MAX_HEDGE_ERROR
from pairbot_ext.rehearse.market import Legs
from pairbot_ext.sim.venue.venue import Venue


@dataclass(frozen=True)
class Sample:
    """The account from `at_ms` (epoch ms) on.

    :param held: signed amounts by symbol, base. :param equity: wallet and unrealised profit, quote.
    :param unhedged: notional of what has no mate, quote; 0 within the tolerance of a hedge.
    :param paid_in: since the start, quote; negative what was taken out.
    """

    at_ms: int
    held: tuple[tuple[str, Decimal], ...]
    equity: float
    unhedged: float
    paid_in: float = 0.0


class Observer:
    """Looks at the venue's books whenever it is told to.

    :param pairs: whose legs belong together; each symbol's mate is looked for in the first pair that has it.
    """

    def __init__(self, venue: Venue, pairs: list[Legs], now_ms: Callable[[], int]) -> None:
        self._venue = venue
        self._now_ms = now_ms
        self._pairs = pairs
        self.samples: list[Sample] = []
        self.paid_in = 0.0

    def look(self) -> None:
        """Note what has changed."""
        sample = self._sample()
        if not self.samples or _content(sample) != _content(self.samples[-1]):
            self.samples.append(sample)

    def _sample(self) -> Sample:
        account, now_ms = self._venue.account, self._now_ms()
        positions = account.open_positions()
        marks = {each.symbol: self._venue.market.mark_price(each.symbol, now_ms) for each in positions}
        equity = account.wallet + sum(
            (each.amount * (marks[each.symbol] - each.entry_price) for each in positions), Decimal(0)
        )
        # At the prices they were entered at, as the hedge was made: what the market does later is no error.
        notional = {each.symbol: float(each.amount * each.entry_price) for each in positions}
        held = tuple(sorted((each.symbol, each.amount) for each in positions))
        return Sample(now_ms, held, float(equity), self._unhedged(notional), self.paid_in)

    def _unhedged(self, notional: dict[str, float]) -> float:
        left, found = dict(notional), 0.0
        for pair in sorted(self._pairs, key=lambda each: each.leg_a not in notional):
            long_a, long_b = left.pop(pair.leg_a, 0.0), left.pop(pair.leg_b, 0.0)
            if not long_a and not long_b:
                continue
            whole = max(abs(long_a) * pair.beta, abs(long_b))
            covered = min(abs(long_a) * pair.beta, abs(long_b)) if long_a * long_b < 0 else 0.0
            # Two amount steps may part what is as close as it can be.
            if whole - covered > whole * 2 * MAX_HEDGE_ERROR:
                found += abs(long_a) - covered / pair.beta + abs(long_b) - covered
        return found + sum(abs(value) for value in left.values())


def _content(sample: Sample) -> tuple[object, ...]:
    return sample.held, sample.equity, sample.unhedged


def alone_ms(samples: list[Sample], end_ms: int) -> int:
    """How long something was not hedged, milliseconds."""
    ends = [sample.at_ms for sample in samples[1:]] + [end_ms]
    return sum(end - sample.at_ms for sample, end in zip(samples, ends, strict=True) if sample.unhedged)
