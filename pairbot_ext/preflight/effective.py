"""Checks of what the strategy will really trade with: market, pricing, exits, orders, slots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pairbot_ext.preflight.results import Finding, Status
from pairbot_ext.preflight.setup import STRATEGY_FAILED, NotCheckedError, Setup
from pairbot_ext.signals.arbiter import most_pairs_at_once
from pairbot_ext.startup.checks import (
    check_exits,
    check_orders,
    check_slots,
    check_startup_candles,
    required_startup_candles,
)


def market_mode(setup: Setup) -> Finding:
    """Futures, isolated, one-way, the pairs file's timeframe and stake currency."""
    setup.pairs_file()
    try:
        setup.check_market()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    return Finding(
        Status.PASS,
        f"futures, isolated, one-way; timeframe {setup.config.get('timeframe')}, "
        f"{setup.config.get('stake_currency')}",
    )


def pricing(setup: Setup) -> Finding:
    """Prices come from the order book: Binance's futures tickers carry no bid and ask."""
    wrong = [
        name
        for name in ("entry_pricing", "exit_pricing")
        if not setup.config.get(name, {}).get("use_order_book")
    ]
    if wrong:
        return Finding(
            Status.FAIL,
            f"{' and '.join(wrong)}: use_order_book is not true",
            f'Set "use_order_book": true in {" and ".join(wrong)}',
        )
    entry, exit_ = (setup.config[name] for name in ("entry_pricing", "exit_pricing"))
    return Finding(
        Status.PASS,
        f"order book; entry side {entry.get('price_side')}, exit side {exit_.get('price_side')}",
    )


def strategy_settings(setup: Setup) -> Finding:
    """No effective setting lets one leg leave alone, and enough history is loaded."""
    try:
        strategy = setup.strategy()
    except NotCheckedError as error:
        is_own = error.why == STRATEGY_FAILED
        text = error.in_full if is_own else f"not checked: {error}"
        return Finding(error.status, text, error.remedy)
    settings, pairs_file = setup.settings(), setup.pairs_file()
    check_exits(strategy)
    check_orders(strategy)
    check_startup_candles(strategy, pairs_file, settings)
    return Finding(
        Status.PASS,
        f"{strategy.get_strategy_name()}: stoploss {strategy.stoploss:g}, no ROI, no trailing, "
        f"{strategy.startup_candle_count} startup candles",
        numbers={
            "stoploss": strategy.stoploss,
            "startup_candles": strategy.startup_candle_count,
            "needed_startup_candles": required_startup_candles(pairs_file, settings, strategy.timeframe),
        },
    )


@dataclass(frozen=True)
class Capacity:
    """How many pairs can be open at once.

    :param by_coins: because a coin is in one open pair trade at most.
    :param slots: effective max_open_trades; None is unlimited.
    """

    by_coins: int
    slots: int | None

    @property
    def pairs(self) -> int:
        """What both allow."""
        return self.by_coins if self.slots is None else min(self.by_coins, self.slots // 2)


def capacity(setup: Setup) -> Capacity:
    """Of the effective strategy and the pairs of the epoch. Raises NotCheckedError without them."""
    limit = setup.strategy().max_open_trades
    by_coins = most_pairs_at_once([pair.symbols for pair in setup.pairs()])
    return Capacity(by_coins, None if limit < 0 or math.isinf(limit) else int(limit))


def slots(setup: Setup) -> Finding:
    """How many pairs can be open at once: shared coins and max_open_trades both limit it."""
    check_slots(setup.strategy())
    found, count = capacity(setup), len(setup.pairs())
    numbers = {
        "pairs": count,
        "open_at_once": found.pairs,
        "allowed_by_shared_coins": found.by_coins,
        "max_open_trades": found.slots,
    }
    allowed = "is unlimited" if found.slots is None else f"{found.slots} allows {found.slots // 2}"
    text = (
        f"{found.pairs} of {count} pairs can be open at once: shared coins allow {found.by_coins}, "
        f"max_open_trades {allowed}"
    )
    if found.slots is not None and found.slots % 2:
        return Finding(
            Status.WARN,
            f"{text}; one slot is never used",
            f"Set max_open_trades to {found.slots - 1} or {found.slots + 1}",
            numbers,
        )
    return Finding(Status.PASS, text, numbers=numbers)
