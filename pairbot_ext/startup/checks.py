"""What is checked before a bot or a backtest starts: settings under which one leg could leave alone.

Freqtrade lets the config file and the strategy's parameter file override strategy attributes, so the
*effective* values are read from the strategy object after all of that.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.enums.runmode import TRADE_MODES
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.strategy import IStrategy

from pairbot_ext.candles.files import data_format
from pairbot_ext.models.protocol import Lengths
from pairbot_ext.pairs import Epoch, Pair, PairsFile
from pairbot_ext.pairs.accept import Terms, accept
from pairbot_ext.settings import MAX_STARTUP_CANDLES, Settings
from pairbot_ext.signals.breaks import MIN_CANDLES
from pairbot_ext.signals.paths import effective_thresholds
from pairbot_ext.support.errors import SettingsError
from pairbot_ext.venue import LIVE

LEAST_STOPLOSS = -0.9
"""A stop-loss nearer than this closes one leg alone; a distant one only stands in for the liquidation."""

ANALYSIS_MODES = (RunMode.UTIL_NO_EXCHANGE, RunMode.PLOT, RunMode.WEBSERVER, RunMode.OTHER)
"""Commands that look at a strategy without trading or backtesting it."""

_FILLS_AT_ONCE = ("IOC", "FOK")


def required_startup_candles(pairs_file: PairsFile, settings: Settings, timeframe: str) -> int:
    """Candles that must lie before the first decision.

    :raises SettingsError: where that is more than Freqtrade loads from Binance.
    """
    candle_secs = timeframe_to_seconds(timeframe)
    formation = math.ceil(pairs_file.longest_formation_secs / candle_secs)
    models = max((_history(epoch, pair, candle_secs) for epoch, pair in _pairs(pairs_file)), default=1)
    window = max(
        (_needed(pair, settings, formation, candle_secs) for _, pair in _pairs(pairs_file)), default=1
    )
    window = max(window, models)
    if window > MAX_STARTUP_CANDLES:
        raise SettingsError(
            f"the pairs need {window} candles before the first decision, "
            f"Freqtrade loads {MAX_STARTUP_CANDLES} from Binance at most",
            remedy="Use a shorter formation (`pairbot scan --formation`) or `pairbot.rolling_window_candles` "
            "or another model of these pairs",
        )
    needed = window + settings.rearm_lookback_candles
    if all(pair.is_frozen for _, pair in _pairs(pairs_file)):
        # Data that begin with the formation of the first epoch let that epoch trade from its first candle.
        needed = min(needed, max(formation, models, settings.rearm_lookback_candles + 1))
    return min(needed, MAX_STARTUP_CANDLES)


def _pairs(pairs_file: PairsFile) -> Iterator[tuple[Epoch, Pair]]:
    for epoch in pairs_file.epochs:
        for pair in epoch.pairs:
            yield epoch, pair


def _history(epoch: Epoch, pair: Pair, candle_secs: int) -> int:
    """What the model of a pair that has one in the file looks back on."""
    if not pair.is_frozen:
        return 1
    formation = math.ceil((epoch.formation_end - epoch.formation_start).total_seconds() / candle_secs)
    # An epoch without an end is outdated when it is older than its data were long (`pairs.accept`).
    end = epoch.valid_to or epoch.valid_from + (epoch.formation_end - epoch.formation_start)
    lasts = math.ceil((end - epoch.formation_end).total_seconds() / candle_secs)
    half_life = math.nan if pair.half_life_hours is None else pair.half_life_hours * 3600 / candle_secs
    return pair.spread_model.history_candles(Lengths(half_life, formation, lasts, candle_secs / 3600))


def _needed(pair: Pair, settings: Settings, formation: int, candle_secs: int) -> int:
    """What one pair's signals look back on: a frozen model on nothing, the break rules on so many half-lives
    of it, a rolling model on its window."""
    gate, breaks = settings.volatility_gate, settings.risk.break_stop
    needed = max(1, gate.period_candles + 1 if gate else 1)
    if not pair.is_frozen:
        return max(needed, settings.rolling_window_candles, formation)
    if breaks is None:
        return needed
    if pair.half_life_hours is None:
        return max(needed, formation)
    half_life = pair.half_life_hours * 3600 / candle_secs
    return max(needed, min(formation, max(MIN_CANDLES, math.ceil(breaks.window_half_lives * half_life))))


def check_start(strategy: IStrategy, pairs_file: PairsFile, settings: Settings) -> None:
    """Refuse a start under which a leg could live without its mate.

    :raises SettingsError: naming the setting, its effective value and the remedy.
    """
    config = strategy.config
    check_market(config, pairs_file)
    check_exits(strategy)
    check_orders(strategy)
    check_slots(strategy)
    check_pairs_source(config, settings)
    if config.get("runmode") not in ANALYSIS_MODES:
        check_startup_candles(strategy, pairs_file, settings)
    if config.get("runmode") in TRADE_MODES:
        check_live_venue(config)


def check_startup_candles(strategy: IStrategy, pairs_file: PairsFile, settings: Settings) -> None:
    """Refuse to start with less history than the models need. Raises SettingsError."""
    needed = required_startup_candles(pairs_file, settings, strategy.timeframe)
    least = max(1, needed - settings.rearm_lookback_candles)
    if strategy.startup_candle_count < least:
        raise SettingsError(
            f"startup_candle_count is {strategy.startup_candle_count}, the pairs need {least}",
            remedy="Remove startup_candle_count from the config; the strategy sets it",
        )


def check_trading_mode(config: Mapping[str, Any]) -> None:
    """Refuse anything but isolated futures. Raises SettingsError."""
    for key, wanted in (("trading_mode", "futures"), ("margin_mode", "isolated")):
        if str(config.get(key, "")) != wanted:
            raise SettingsError(
                f"config {key} must be {wanted!r}: one leg of every pair is short",
                value=repr(str(config.get(key, ""))),
                remedy=f'Set "{key}": "{wanted}"',
            )


def check_market(config: Mapping[str, Any], pairs_file: PairsFile) -> None:
    """Refuse another market than one-way isolated futures of this file's timeframe and stake currency.

    :raises SettingsError: naming the key; PairsFileError: the file does not go with the configuration.
    """
    check_trading_mode(config)
    for block in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        if config.get("exchange", {}).get(block, {}).get("verbose"):
            raise SettingsError(
                f"config exchange.{block}.verbose has ccxt print the key and the signature of every request",
                value=True,
                remedy="Remove it; -vvv logs the requests without them",
            )
        options = config.get("exchange", {}).get(block, {}).get("options", {})
        for key in ("hedged", "hedgeMode", "defaultHedged"):
            if options.get(key):
                raise SettingsError(
                    f"config exchange.{block}.options.{key} asks for hedge mode",
                    value=options[key],
                    remedy="Pairs need one-way mode: remove the option",
                )
        for key in ("adjustForTimeDifference", "timeDifference"):
            if options.get(key):
                raise SettingsError(
                    f"config exchange.{block}.options.{key} shifts the timestamps of orders",
                    value=options[key],
                    remedy="Whether a lost order can still arrive is judged by them: remove the option and "
                    "set the machine's clock (NTP)",
                )
    accept(pairs_file, Terms.of(config))


OWN_SPACES = frozenset({"buy", "sell"})
"""What hyperopt may tune: the thresholds of pairs."""


def check_spaces(config: Mapping[str, Any]) -> None:
    """Refuse hyperopt's spaces that would let one leg leave alone. Raises SettingsError."""
    spaces = set(config.get("spaces") or ["default"])
    if not spaces <= OWN_SPACES:
        raise SettingsError(
            "hyperopt may not tune these spaces: return targets, stop-losses, trailing stops and slots act "
            "on one leg, and a leg that leaves alone is no pair",
            value=" ".join(sorted(spaces)),
            remedy="Use --spaces buy sell: entry_z, exit_z, stop_z and max_half_lives of all pairs",
        )


def check_has_pairs(pairs_file: PairsFile, settings: Settings) -> None:
    """A bot waits for pairs, a backtest cannot: Freqtrade needs symbols. Raises SettingsError."""
    if not pairs_file.pairs:
        raise SettingsError(
            f"pairs file {settings.pairs_file} holds no pair, so there is nothing to backtest: "
            f"its scan ({pairs_file.scan.rule}) found no tradable pair, which is a normal answer",
            remedy="Scan another window (`pairbot scan --end`), or several (`--walk-forward`)",
        )


def check_candles(config: Mapping[str, Any], pairs_file: PairsFile) -> None:
    """Refuse a backtest some of whose candle files are missing: Freqtrade would leave the symbol out without
    a word, or end in a KeyError where mark or funding rates are missing.

    :raises SettingsError: naming the directory and what is not in it.
    """
    datadir = Path(config["datadir"])
    handler = get_datahandler(datadir, config.get("dataformat_ohlcv", "feather"))
    present = set(handler.ohlcv_get_available_data(datadir, TradingMode.FUTURES))
    # Binance's options for mark and funding candles in Freqtrade.
    wanted = (
        (str(config["timeframe"]), CandleType.FUTURES),
        ("1h", CandleType.MARK),
        ("1h", CandleType.FUNDING_RATE),
    )
    for timeframe, kind in wanted:
        missing = [symbol for symbol in pairs_file.pairs if (symbol, timeframe, kind) not in present]
        if missing:
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            raise SettingsError(
                f"no {timeframe} {kind} candles of {len(missing)} symbols of the pairs file in "
                f"{datadir / 'futures'}",
                value=shown,
                remedy=_other_format(config, datadir)
                or "Download them with `pairbot download`, name another directory with --datadir, "
                "or take their pairs out of the file",
            )


def _other_format(config: Mapping[str, Any], datadir: Path) -> str | None:
    """What to do where the candles are there, in a format that is not the configured one."""
    configured, found = config.get("dataformat_ohlcv", "feather"), data_format(datadir)
    return (
        None
        if found == configured
        else f'The candles there are in another format: "dataformat_ohlcv": "{found}"'
    )


def check_exits(strategy: IStrategy) -> None:
    """Refuse effective settings that close or resize one leg alone. Raises SettingsError."""
    rules: list[tuple[str, Callable[[Any], bool], str]] = [
        ("minimal_roi", lambda v: not v, "a return target closes the winning leg alone: use {}"),
        ("trailing_stop", lambda v: not v, "a trailing stop closes one leg alone: use false"),
        ("use_custom_stoploss", lambda v: not v, "a custom stop closes one leg alone: use false"),
        (
            "stoploss",
            lambda v: v <= LEAST_STOPLOSS,
            f"a stop closes one leg alone: use {LEAST_STOPLOSS} or less",
        ),
        ("use_exit_signal", bool, "without it no pair is ever closed: use true"),
        ("exit_profit_only", lambda v: not v, "it keeps the losing leg: use false"),
        ("position_adjustment_enable", lambda v: not v, "it changes one leg's size alone: use false"),
    ]
    for name, is_fine, why in rules:
        value = getattr(strategy, name)
        if not is_fine(value):
            raise SettingsError(
                f"effective setting {name}: {why}",
                value=value,
                remedy=f"Look for {name} in the config files and in the strategy's .json parameter file",
            )
    if strategy.config.get("position_stacking"):
        raise SettingsError(
            "position_stacking lets a symbol be in two pair trades", value=True, remedy="Remove it"
        )


def check_orders(strategy: IStrategy) -> None:
    """Refuse effective order types that rest in the book. Raises SettingsError."""
    types, in_force = strategy.order_types, strategy.order_time_in_force
    if types.get("stoploss_on_exchange"):
        raise SettingsError(
            "effective setting order_types.stoploss_on_exchange: a stop on the exchange closes one leg alone",
            value=True,
            remedy="Set it to false",
        )
    for order, direction in (
        ("entry", "entry"),
        ("exit", "exit"),
        ("force_entry", "entry"),
        ("force_exit", "exit"),
        ("emergency_exit", "exit"),
    ):
        kind = types.get(order, types.get(direction))
        if kind != "market" and in_force.get(direction) not in _FILLS_AT_ONCE:
            raise SettingsError(
                f"effective setting order_types.{order} would let an order rest while the mate is filled",
                value=f"{kind}, {in_force.get(direction)}",
                remedy='Use "market", or "limit" with order_time_in_force "IOC"',
            )


def check_slots(strategy: IStrategy) -> None:
    """Refuse fewer slots than one pair needs. Raises SettingsError."""
    if 0 <= strategy.max_open_trades < 2:
        raise SettingsError(
            "max_open_trades leaves no room for two legs",
            value=strategy.max_open_trades,
            remedy="Use twice the number of pairs that may be open together, or -1",
        )


def check_pairs_source(config: Mapping[str, Any], settings: Settings) -> None:
    """Refuse a whitelist that comes from another file than the pairs. Raises SettingsError."""
    for pairlist in config.get("pairlists", []):
        if pairlist.get("method") != "RemotePairList":
            continue
        url = str(pairlist.get("pairlist_url", ""))
        listed = Path(url.split("file:///", 1)[1]) if url.startswith("file:///") else None
        if listed is None or listed.resolve() != settings.pairs_path().resolve():
            raise SettingsError(
                f"the whitelist comes from pairlist_url {url}, the pairs from pairbot.pairs_file "
                f"{settings.pairs_file}",
                remedy="Name the same file in both; `pairbot scan` writes an overlay config that does",
            )


def check_overrides(pairs_file: PairsFile, overrides: Mapping[str, float]) -> None:
    """Refuse strategy parameters that contradict a pair's own thresholds. Raises SettingsError."""
    for epoch in pairs_file.epochs:
        for pair in epoch.pairs:
            try:
                effective_thresholds(pair, overrides)
            except ValueError as error:
                raise SettingsError(
                    f"the strategy parameters do not go with pair {pair.id}: {error}",
                    value=", ".join(f"{name} {value:g}" for name, value in overrides.items()),
                    remedy="Change or delete the strategy's .json parameter file",
                ) from error


def check_live_venue(config: Mapping[str, Any]) -> None:
    """Refuse live trading on any venue but the one the engine is written for. Raises SettingsError."""
    exchange = config.get("exchange", {}).get("name")
    if not config.get("dry_run", True) and exchange not in LIVE:
        titles = ", ".join(venue.title for venue in LIVE.values())
        raise SettingsError(
            f"live trading of pairs works on {titles} only, not on {exchange}",
            remedy='Set "dry_run": true',
        )
