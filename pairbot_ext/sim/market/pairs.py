"""The pairs file that belongs to a served market."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pairbot_ext.sim.market.series import HOUR_MS
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.market.times import served_pairs_file

if TYPE_CHECKING:
    from pairbot_ext.pairs import PairsFile

FORMATION_CANDLES = 1440  # the window a bot loads before it trades; Freqtrade loads at most 2,494


def market_pairs_file(
    market: CandleMarket, *, now_ms: int, source: PairsFile | None = None
) -> PairsFile | None:
    """What a bot on this market should trade.

    :param source: a pairs file in recorded times, mapped to the served ones. Without it, a generated market
        gives its planted truth and a replayed one gives None: recorded prices come with no pairs of their
        own.
    """
    if source is not None:
        served = served_pairs_file(source, market.time_map)
        # A file that was scanned long after its candles is not from the future here.
        made = min(served.generated_at, datetime.fromtimestamp(now_ms // 1000, tz=UTC))
        return served.model_copy(update={"generated_at": made})
    return planted_pairs_file(market, now_ms=now_ms) if market.truth is not None else None


def planted_pairs_file(
    market: CandleMarket,
    *,
    now_ms: int,
    entry_z: float = 2.0,
    exit_z: float = 0.5,
    stop_z: float = 4.0,
) -> PairsFile:
    """The planted truth of a generated market as frozen models, valid from the candle running at `now_ms` on.

    p-values are 0: the pairs are known to be cointegrated, nothing was tested.

    :raises ValueError: the market was not generated.
    """
    from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of

    if market.truth is None:
        raise ValueError("recorded prices have no planted truth")
    candle_ms = market.candle_ms
    valid_from = datetime.fromtimestamp(now_ms // candle_ms * candle_ms / 1000, tz=UTC)
    epoch = Epoch(
        valid_from=valid_from,
        formation_start=valid_from - timedelta(milliseconds=FORMATION_CANDLES * candle_ms),
        formation_end=valid_from,
        pairs=tuple(
            Pair(
                id=pair.pair_id,
                leg_a=f"{pair.a}/USDT:USDT",
                leg_b=f"{pair.b}/USDT:USDT",
                hedge_ratio=pair.beta,
                alpha=market.truth.alpha[pair.pair_id],
                sigma=pair.sigma,
                half_life_hours=pair.half_life_candles * candle_ms / HOUR_MS,
                adf_p=0.0,
                coint_p=0.0,
                entry_z=entry_z,
                exit_z=exit_z,
                stop_z=stop_z,
            )
            for pair in market.truth.planted
        ),
    )
    return PairsFile(
        pairs=symbols_of((epoch,)),
        refresh_period=300,
        generated_at=datetime.fromtimestamp(now_ms // 1000, tz=UTC),
        exchange="binance",
        timeframe="1h" if candle_ms == HOUR_MS else "1m",
        scan=Scan(
            rule="planted: the true models of a simulated market, nothing was tested",
            selected=len(epoch.pairs),
            expected_false_positives=0.0,
        ),
        epochs=(epoch,),
    )
