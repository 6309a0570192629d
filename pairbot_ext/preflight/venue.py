"""Checks against the exchange's public data: clock, symbols, candles, books, request weight."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import ccxt
import pandas as pd
from freqtrade.enums import CandleType
from freqtrade.exchange import timeframe_to_seconds

from pairbot_ext.host.access import client_of
from pairbot_ext.preflight.effective import capacity
from pairbot_ext.preflight.results import Finding, Number, Status
from pairbot_ext.preflight.setup import NotCheckedError, Setup
from pairbot_ext.stats.candles import missing_candles
from pairbot_ext.venue.protocol import RateLimits, RequestBudget

WARN_SKEW_SHARE = 0.5
"""Of the skew the venue tolerates: the way there takes its share as well."""
PERPETUAL = timedelta(days=3650)
"""A perpetual's delivery is dated decades ahead, where it has a date; a delisting has a near one."""
LOOKBACK_CANDLES = 24
MAX_LATE_CANDLES = 1
"""Candles by which the newest may lag: right after the full hour it is still on its way."""

LEAST_LOOP_SECS = 0.1
"""A loop takes that long even where process_throttle_secs is 0."""


def reachable(setup: Setup) -> Finding:
    """The exchange answers."""
    try:
        exchange = setup.exchange()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    client = client_of(exchange)
    began = time.perf_counter()
    client.fetch_time()
    round_trip_ms = (time.perf_counter() - began) * 1000
    host = setup.venue.host(client)
    is_simulated = "@127.0.0.1" in host or "//127.0.0.1" in host
    return Finding(
        Status.PASS,
        f"{exchange.name}{' (simulated, on this machine)' if is_simulated else ''}: "
        f"{len(exchange.markets)} markets, round trip {round_trip_ms:.0f} ms",
        numbers={
            "markets": len(exchange.markets),
            "round_trip_ms": round(round_trip_ms, 1),
            "is_simulated": is_simulated,
        },
    )


def clock(setup: Setup) -> Finding:
    """This machine's clock against the exchange's: signed requests with a wrong time are refused."""
    client = client_of(setup.exchange())
    samples = []
    for _ in range(3):
        before = setup.now().timestamp() * 1000
        theirs = client.fetch_time()
        after = setup.now().timestamp() * 1000
        # The answer was dated somewhere between: the middle is wrong by half a round trip at most.
        samples.append(((after - before) / 2, (before + after) / 2 - theirs))
    error_ms, skew_ms = min(samples)
    most_ms = setup.venue.most_clock_skew_ms
    numbers = {"skew_ms": round(skew_ms), "uncertainty_ms": round(error_ms, 1), "limit_ms": most_ms}
    text = (
        f"this machine is {abs(skew_ms):.0f} ms {'ahead of' if skew_ms > 0 else 'behind'} the exchange "
        f"(±{error_ms:.0f} ms), limit {most_ms} ms"
    )
    remedy = "Synchronise the clock with NTP, e.g. `timedatectl set-ntp true`"
    if abs(skew_ms) > most_ms:
        return Finding(setup.grave, text, remedy, numbers)
    if abs(skew_ms) > WARN_SKEW_SHARE * most_ms:
        return Finding(Status.WARN, text, remedy, numbers)
    return Finding(Status.PASS, text, numbers=numbers)


def symbols(setup: Setup) -> Finding:
    """Every leg is traded now and is not about to be delisted. One that is only halted is waited for."""
    exchange, now, paused = setup.exchange(), setup.now(), setup.paused()
    problems: dict[str, str] = {}
    for symbol in setup.symbols():
        market: dict[str, Any] | None = exchange.markets.get(symbol)
        if market is None:
            problems[symbol] = "not listed"
        elif not market.get("active", True):
            problems[symbol] = f"not trading, status {market.get('info', {}).get('status', 'unknown')}"
        elif not exchange.market_is_tradable(market):
            problems[symbol] = "not a market Freqtrade can trade in this mode"
        else:
            delisted_at = exchange.check_delisting_time(symbol)
            if delisted_at is not None and delisted_at - now < PERPETUAL:
                problems[symbol] = f"delisted on {delisted_at:%Y-%m-%d %H:%M} UTC"
    lost = [pair.id for pair in setup.pairs() if any(symbol in problems for symbol in pair.symbols)]
    count, pairs = len(setup.symbols()), len(setup.pairs())
    numbers = {"symbols": count, "problems": len(problems), "pairs_lost": len(lost), "pairs": pairs}
    details = tuple({"symbol": symbol, "problem": problem} for symbol, problem in problems.items())
    if not problems:
        return Finding(Status.PASS, f"all {count} symbols trade, none is to be delisted", numbers=numbers)
    if problems.keys() <= paused:
        return Finding(
            Status.WARN,
            f"{len(problems)} of {count} symbols do not trade now, which {len(lost)} of {pairs} pairs wait "
            "for: " + _some([f"{symbol} {problem}" for symbol, problem in problems.items()]),
            "Nothing: a pair is entered as soon as both legs trade again",
            numbers,
            details,
        )
    return Finding(
        Status.FAIL if len(lost) == pairs else setup.grave,
        f"{len(problems)} of {count} symbols cannot be traded, which disables {len(lost)} of {pairs} pairs: "
        + _some([f"{symbol} {problem}" for symbol, problem in problems.items()]),
        "Choose pairs anew with `pairbot scan`, or take the named pairs out of the pairs file",
        numbers,
        details,
    )


def candles(setup: Setup) -> Finding:
    """The newest candle of every leg is there and was traded in; without an exchange, those on disk."""
    try:
        setup.exchange()
    except NotCheckedError:
        if setup.live:
            raise
        return _stored_candles(setup)
    return _judge_candles(setup, _served_candles(setup), "the exchange", setup.grave)


def _served_candles(setup: Setup) -> dict[str, pd.DataFrame]:
    timeframe = str(setup.config["timeframe"])
    length = timedelta(seconds=timeframe_to_seconds(timeframe))
    since = setup.now() - (LOOKBACK_CANDLES + 2) * length
    listed = [symbol for symbol in setup.symbols() if symbol in setup.exchange().markets]
    answer = setup.exchange().refresh_latest_ohlcv(
        [(symbol, timeframe, CandleType.FUTURES) for symbol in listed],
        since_ms=int(since.timestamp() * 1000),
        cache=False,
        drop_incomplete=False,
    )
    # Drop the running candle here: whether Freqtrade did depends on how late it was asked.
    return {symbol: frame[frame["date"] + length <= setup.now()] for (symbol, _, _), frame in answer.items()}


def _stored_candles(setup: Setup) -> Finding:
    from freqtrade.data.history import load_pair_history

    timeframe, datadir = str(setup.config["timeframe"]), setup.config["datadir"]
    frames = {
        symbol: load_pair_history(
            symbol, timeframe, datadir, candle_type=CandleType.FUTURES, fill_up_missing=False
        )
        for symbol in setup.symbols()
    }
    return _judge_candles(setup, frames, f"{datadir}", Status.WARN)


def _judge_candles(setup: Setup, frames: Mapping[str, pd.DataFrame], place: str, grave: Status) -> Finding:
    length = timedelta(seconds=timeframe_to_seconds(str(setup.config["timeframe"])))
    newest_closed = _open_of_last_closed(setup.now(), length)
    late: dict[str, float] = {}
    details: list[dict[str, Number]] = []
    paused = setup.paused()
    looked_at = [symbol for symbol in setup.symbols() if symbol not in paused]
    for symbol in looked_at:
        frame = frames.get(symbol)
        if frame is None or frame.empty:
            late[symbol] = float("inf")
            details.append({"symbol": symbol, "newest": None, "late_candles": None, "missing": None})
            continue
        newest = frame["date"].iloc[-1].to_pydatetime()
        behind = (newest_closed - newest) / length
        # A candle nobody traded in is made up by Freqtrade: the true newest one lies before it.
        is_missing = missing_candles(frame.tail(LOOKBACK_CANDLES))
        empty = int(is_missing.iloc[::-1].cumprod().sum())
        if behind + empty > MAX_LATE_CANDLES:
            late[symbol] = behind + empty
        details.append(
            {
                "symbol": symbol,
                "newest": newest.isoformat(),
                "late_candles": round(behind + empty, 2),
                "missing": int(is_missing.sum()),
            }
        )
    count, timeframe = len(looked_at), setup.config["timeframe"]
    numbers: dict[str, Number] = {"symbols": count, "stale": len(late), "limit_candles": MAX_LATE_CANDLES}
    if late:
        shown = [
            f"{symbol} {'has none' if behind == float('inf') else f'{behind:.0f} candles behind'}"
            for symbol, behind in late.items()
        ]
        return Finding(
            grave,
            f"{len(late)} of {count} symbols lack the newest {timeframe} candle in {place}: {_some(shown)}",
            "Without it there is no z and no entry. On disk: `pairbot download`. On the exchange: see "
            "whether the coin still trades, and this machine's clock",
            numbers,
            tuple(details),
        )
    return Finding(
        Status.PASS,
        f"{count} symbols have the {timeframe} candle of {newest_closed:%Y-%m-%d %H:%M} UTC or the one "
        f"before ({place})",
        numbers=numbers,
        details=tuple(details),
    )


def _open_of_last_closed(now: datetime, length: timedelta) -> datetime:
    secs = length.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // secs * secs, tz=now.tzinfo) - length


def request_weight(setup: Setup) -> Finding:
    """Requests this many pairs cause in the worst minute, against the venue's limit per address."""
    costs, limits = setup.venue.budget, _rate_limits(setup)
    most, source = limits.weight_per_minute, " (as documented)" if limits.documented else ""
    at_once, symbols_count = capacity(setup).pairs, len(setup.symbols())
    loop_secs = max(LEAST_LOOP_SECS, float(setup.config.get("internals", {}).get("process_throttle_secs", 5)))
    asked, heard = _held_per_minute(costs, at_once, loop_secs)
    is_heard = setup.settings().streams
    held, otherwise = (heard, asked) if is_heard else (asked, heard)
    candles_weight = symbols_count * costs.candles
    worst = held + candles_weight + at_once * costs.close_pair + costs.funding
    calls = -(-(setup.strategy().startup_candle_count + 1) // 499)
    startup = costs.startup + symbols_count * calls * costs.candles
    used = _used_weight(setup)
    peak = max(worst, startup)
    numbers: dict[str, Number] = {
        "held_per_minute": held,
        "held_per_minute_with_streams": heard,
        "held_per_minute_without_streams": asked,
        "worst_minute": worst,
        "startup": startup,
        "used_now": used,
        "limit_per_minute": most,
        "order_limits": limits.text,
        "closest_limit": (closest := _closest_limit(limits, peak, 2 * at_once)),
        "loop_secs": loop_secs,
    }
    text = (
        f"{at_once} open pairs need {held} of {most} weight a minute{source}, {worst} in the minute all of "
        f"them close, {startup} at start; "
        f"{otherwise} a minute {'without' if is_heard else 'with'} streams; closest limit: {closest}; "
        f"this IP has used {'?' if used is None else used} in the last minute"
    )
    remedy = (
        "Raise internals.process_throttle_secs, lower max_open_trades, or run other bots from another address"
    )
    if held > most:
        return Finding(Status.FAIL, text, remedy, numbers)
    if peak > most or (used or 0) + held > most:
        return Finding(Status.WARN, text, remedy, numbers)
    return Finding(Status.PASS, text, numbers=numbers)


def _closest_limit(limits: RateLimits, weight: int, orders: int) -> str:
    """Which of the venue's limits is used up most.

    :param weight: of the worst minute. :param orders: sent when all open pairs leave at once.
    """
    uses = [(weight / limits.weight_per_minute, f"{weight} of {limits.weight_per_minute} weight in a minute")]
    uses += [
        (orders / most, f"{orders} of {most} orders in {window_ms / 1000:g} s when all leave")
        for window_ms, most in limits.orders.items()
    ]
    return max(uses)[1]


def _rate_limits(setup: Setup) -> RateLimits:
    """What the venue says it takes; its documented limits where it does not answer."""
    try:
        return setup.venue.read_limits(client_of(setup.exchange()))
    except (NotCheckedError, ccxt.BaseError):
        return setup.venue.documented_limits


def _held_per_minute(costs: RequestBudget, at_once: int, loop_secs: float) -> tuple[int, int]:
    """Of open pairs at rest, streams off and on. While streams are silent the best prices of all symbols are
    asked for once a loop, which is what they may cost."""
    loops = 60 / loop_secs
    asked = round(at_once * costs.held_pair * loops) + costs.housekeeping
    heard = round(costs.all_best_prices * loops) + costs.housekeeping if at_once else costs.housekeeping
    return asked, heard


def _used_weight(setup: Setup) -> int | None:
    """As the exchange counts it, this command's own requests included; None where it does not say."""
    try:
        client = client_of(setup.exchange())
        client.fetch_time()
    except (NotCheckedError, ccxt.BaseError):
        return None
    return setup.venue.used_weight(client.last_response_headers)


def _some(names: list[str]) -> str:
    return "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
