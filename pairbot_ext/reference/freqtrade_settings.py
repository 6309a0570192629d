"""What PairsArb asks of Freqtrade's own settings. The tests break each of them and see it refused."""

from __future__ import annotations

from dataclasses import dataclass

from pairbot_ext.settings import MAX_STARTUP_CANDLES
from pairbot_ext.startup.checks import LEAST_STOPLOSS


@dataclass(frozen=True)
class Demand:
    """One setting.

    :param key: as in config.json, dotted; strategy attributes by the name that overrides them.
    :param wanted: what it must be.
    :param why: what would happen otherwise.
    """

    key: str
    wanted: str
    why: str


REFUSED_AT_START = (
    Demand("trading_mode", '`"futures"`', "one leg of every pair is short"),
    Demand("margin_mode", '`"isolated"`', "a leg's loss must not reach the other positions"),
    Demand("timeframe", "that of the pairs file", "half-lives and models belong to one timeframe"),
    Demand("stake_currency", "what every symbol settles in (`USDT`)", "sizes are in the stake currency"),
    Demand(
        "exchange.ccxt_config.options.hedged",
        "not set; nor `hedgeMode`, `defaultHedged`",
        "pairs need one-way mode; the same in `ccxt_sync_config` and `ccxt_async_config`",
    ),
    Demand(
        "exchange.ccxt_config.options.adjustForTimeDifference",
        "not set; nor `timeDifference`",
        "they shift the timestamps by which a lost order is judged: set the machine's clock instead",
    ),
    Demand(
        "exchange.ccxt_config.verbose",
        "not set",
        "ccxt would print the key and the signature of every request",
    ),
    Demand("minimal_roi", "empty", "a return target closes the winning leg alone"),
    Demand("trailing_stop", "false", "it closes one leg alone"),
    Demand("use_custom_stoploss", "false", "it closes one leg alone"),
    Demand(
        "stoploss",
        f"{LEAST_STOPLOSS} or less (the strategy sets -0.99)",
        "a near stop closes one leg alone; the distant one stands in for the liquidation",
    ),
    Demand("use_exit_signal", "true", "without it no pair is ever closed"),
    Demand("exit_profit_only", "false", "it keeps the losing leg"),
    Demand("position_adjustment_enable", "false", "it changes one leg's size alone"),
    Demand("position_stacking", "not set", "a symbol would be in two pair trades"),
    Demand("order_types.stoploss_on_exchange", "false", "a stop on the exchange closes one leg alone"),
    Demand(
        "order_types.entry",
        '`"market"`, or `"limit"` with `order_time_in_force.entry` `"IOC"` or `"FOK"`; likewise '
        "`exit`, `force_entry`, `force_exit`, `emergency_exit`",
        "a resting order leaves the mate alone",
    ),
    Demand("max_open_trades", "2 or more, or -1", "a pair trade takes two; an odd number wastes one"),
    Demand(
        "pairlists",
        "a RemotePairList must name the file of `pairbot.pairs_file`",
        "the whitelist and the pairs would differ",
    ),
    Demand(
        "startup_candle_count",
        f"not set: the strategy computes it, {MAX_STARTUP_CANDLES:,} at most",
        "the model needs its whole window before the first decision",
    ),
    Demand(
        "exchange.name",
        '`"binance"`, where `dry_run` is false',
        "the engine knows the answers of no other venue",
    ),
)
"""Refused at the start by name, value and remedy; effective values, after config and parameter file."""

PREFLIGHT_ONLY = (
    Demand("entry_pricing.use_order_book", "true", "Binance's futures tickers carry no bid and ask"),
    Demand("exit_pricing.use_order_book", "true", "the same"),
    Demand("exchange.pair_blacklist", "names no leg", "its pair would never trade"),
    Demand("db_url", "a file or a server, not memory", "pair trades would be forgotten at a stop"),
    Demand("telegram.allow_custom_messages", "true", "no message about pairs gets through otherwise"),
    Demand("telegram.enabled", "true", "nobody is told when a pair needs an operator"),
)
"""Looked at by `pairbot preflight` only."""

RECOMMENDED = (
    Demand(
        "entry_pricing.price_side",
        '`"other"`; `exit_pricing` likewise',
        "leg A crosses the spread: both legs take, none waits",
    ),
    Demand(
        "exchange.ccxt_config.timeout",
        "`5000` (ms)",
        "for so long an exit waits for an answer that never comes before its mate's exit goes out",
    ),
    Demand("cancel_open_orders_on_exit", "`false`", "the engine settles its own orders"),
    Demand(
        "internals.process_throttle_secs",
        "`5`",
        "shorter loops need more of the venue's request weight; `pairbot preflight` computes it",
    ),
    Demand("force_entry_enable", "`false`", "a forced entry of one leg is refused anyway"),
    Demand("initial_state", '`"running"`', "a stopped bot supervises nothing"),
)
"""As the delivered config.json has them."""
