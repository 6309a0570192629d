"""The live bot over recorded candles: loops after each candle's close until it is at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.enums import CandleType
from freqtrade.exceptions import FreqtradeException, OperationalException, TemporaryError
from freqtrade.persistence import Trade

from pairbot_ext.host.given_candles import give_candles
from pairbot_ext.model.states import PairState
from pairbot_ext.pairs import write_pairs_file
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.machine import WORKER_SLEEPS_SECS, Machine
from pairbot_ext.rehearse.replay.inputs import Inputs
from pairbot_ext.rehearse.replay.mishaps import Mishaps
from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.sim.market.series import MINUTE_MS, interval_ms
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.venue.engine import VenueOptions
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import PairbotError

LOOP_AFTER_MS = 1_000
"""Freqtrade's worker wakes a second after a candle has closed (`timeframe_offset`)."""
MOST_LOOPS = 24
"""After one candle. At five seconds each: two minutes; what has not settled then waits for the next one."""
RENEWED_BEFORE_MS = 30_000
CANDLES_WEIGHT = 2
"""Of one request for a symbol's last candles."""
LEVELS_GAP_BP = 1.0


class StoppedError(PairbotError):
    """Freqtrade has stopped the bot, as it does where going on would be wrong."""


def venue_market(inputs: Inputs, terms: Terms) -> CandleMarket:
    """The candles with the books of these terms."""
    market = inputs.market(
        BookShape(spread_bp=terms.spread_bp, gap_bp=LEVELS_GAP_BP, top_notional=terms.depth_usdt)
    )
    return market.ticking(terms.seed) if terms.ticks else market


class ReplayMachine(Machine):
    """See the module.

    :param venue: of an earlier stretch, to go on with.
    :ivar weight: request weight by minute of the epoch.
    """

    def __init__(
        self,
        directory: Path,
        clock: VirtualTime,
        inputs: Inputs,
        terms: Terms,
        market: CandleMarket,
        venue: Venue | None = None,
    ) -> None:
        self.inputs = inputs
        self.terms = terms
        super().__init__(
            directory, clock, market,
            options=VenueOptions(deposit=Decimal(str(inputs.wallet))),
            round_trip_ms=terms.latency_ms, venue=venue,
        )  # fmt: skip
        self.gateway.faults = Mishaps(terms, clock.now_ms())
        self.weight: Counter[int] = Counter()
        self.loops = 0
        self.mishaps: Counter[str] = Counter()
        self._rows = 0

    # -- the bot -----------------------------------------------------------------------------------

    def raw_configuration(self) -> dict[str, Any]:
        """See `Machine`."""
        path = self.directory / "pairs.json"
        begun = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        made = min(self.inputs.pairs_file.generated_at, begun)
        # A file from the future is refused, rightly: what it says is what each of its selections knew.
        write_pairs_file(path, self.inputs.pairs_file.model_copy(update={"generated_at": made}))
        return self.inputs.configuration(self.directory, path)

    def made(self) -> None:
        """The candles need not be asked for: they are here."""
        exchange, timeframe = self.bot.exchange, self.inputs.timeframe
        # What a bot holds that has run for a while.
        self._rows = self.bot.strategy.startup_candle_count + exchange.ohlcv_candle_limit(
            timeframe, CandleType.FUTURES
        )
        give_candles(exchange, timeframe, self._candles, self._asked)

    def _candles(self, symbol: str, opened: datetime) -> pd.DataFrame | None:
        frame = self.inputs.frames.get(symbol)
        if frame is None:
            return None
        end = int(frame["date"].searchsorted(pd.Timestamp(opened)))
        return frame.iloc[max(0, end - self._rows) : end].reset_index(drop=True)

    def _asked(self, symbols: int) -> None:
        """All at once, as Freqtrade asks: one round trip, and the weight of each."""
        self.clock.advance(self.terms.latency_ms)
        self.gateway.limits.count_request(CANDLES_WEIGHT * symbols, self.venue.clock())
        self.weight[self.clock.now_ms() // MINUTE_MS] += CANDLES_WEIGHT * symbols

    # -- driving -----------------------------------------------------------------------------------

    def run(self, from_ms: int, until_ms: int, after: Callable[[int], bool]) -> int:
        """Every candle that opens in (from_ms, until_ms].

        :param after: told each of them when it is done; False ends the replay.
        :return: the last candle done.
        :raises StoppedError: Freqtrade has stopped the bot.
        """
        candle_ms, detail = self.inputs.candle_ms, self.inputs.detail
        done_ms = from_ms
        for opened_ms in range(from_ms + candle_ms, until_ms + 1, candle_ms):
            self._before_close(opened_ms)
            self._go_to(opened_ms + LOOP_AFTER_MS)
            self._until_rest()
            if detail is not None and opened_ms < until_ms:
                self._between(opened_ms, candle_ms, interval_ms(detail))
            done_ms = opened_ms
            if not after(opened_ms):
                break
        return done_ms

    def _before_close(self, opened_ms: int) -> None:
        """What an hour without loops leaves old is read anew before the candle closes: what Freqtrade reads
        hourly, and the prices of open legs, or the first loop would judge stops by prices of an hour ago. It
        also makes a bot that was just started the equal of one that has run all along."""
        self._go_to(opened_ms - RENEWED_BEFORE_MS)
        exchange = self.bot.exchange
        exchange.reload_markets(force=True)
        for trade in Trade.get_open_trades():
            with suppress(FreqtradeException):
                exchange.get_rate(trade.pair, refresh=True, side="exit", is_short=trade.is_short)

    def _go_to(self, at_ms: int) -> None:
        self.clock.advance(max(0, at_ms - self.clock.now_ms()))
        self.exchange.tick()

    def _until_rest(self) -> None:
        for _ in range(MOST_LOOPS):
            before = len(self.venue.engine.fills)
            self._once()
            if len(self.venue.engine.fills) == before and self._is_at_rest():
                return
            self.clock.sleep(self.inputs.pause_secs)

    def _between(self, opened_ms: int, candle_ms: int, step_ms: int) -> None:
        """Inside the candle, while anything is open: prices move, stops look at them."""
        for at_ms in range(opened_ms + step_ms, opened_ms + candle_ms, step_ms):
            if not self._open_pair_trades():
                return
            if at_ms > self.clock.now_ms():
                self._go_to(at_ms)
                self._until_rest()

    def _once(self) -> None:
        self.loops += 1
        try:
            self.bot.process()
        except TemporaryError:
            self.clock.sleep(WORKER_SLEEPS_SECS)
        except OperationalException as error:
            raise StoppedError(f"Freqtrade has stopped the bot: {error}") from error
        except FreqtradeException as error:
            raise StoppedError(f"Freqtrade has ended: {error}") from error
        finally:
            self._count()

    def _count(self) -> None:
        """Take the venue's log over: it keeps every request, and months of them are many."""
        for record in self.gateway.log.requests:
            self.weight[record.received_ms // MINUTE_MS] += record.weight
            if record.fault:
                self.mishaps[record.fault] += 1
        self.gateway.log.requests.clear()

    def _open_pair_trades(self) -> list[Any]:
        return list(self.desk.journal.open_pair_trades())

    def _is_at_rest(self) -> bool:
        return all(trade.state is PairState.HEDGED for trade in self._open_pair_trades())
