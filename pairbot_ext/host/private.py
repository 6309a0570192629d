"""Every name of Freqtrade's and ccxt's that no interface promises and this package relies on.

A release may rename any of them without a word: what needs a name that is gone does not start, and says
which. Each list belongs to what needs it: a bot is not refused for what only a replay reads. The check asks
the real classes; it needs no bot.
"""

import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pairbot_ext.host import releases
from pairbot_ext.support.errors import PairbotError

RPC_OF_PROVIDER = "_DataProvider__rpc"
LAST_CANDLES = "_IStrategy__last_candle_seen_per_pair"
"""Names with two leading underscores carry their class, whoever asks for them."""
POLL_TIMES = "_pairs_last_poll_time"
"""Used where a release has it (from 2026.9 on), else nothing needs it."""


@dataclass(frozen=True)
class Relied:
    """One name.

    :param owner: module and class, as "freqtrade.freqtradebot:FreqtradeBot".
    :param parameters: of a method, the first ones in their order, and what is given by keyword; None for a
        value that the class gives its instances.
    """

    owner: str
    name: str
    parameters: tuple[str, ...] | None = None


def _methods(owner: str, **methods: str) -> list[Relied]:
    return [Relied(owner, name, tuple(parameters.split())) for name, parameters in methods.items()]


def _values(owner: str, *names: str) -> list[Relied]:
    return [Relied(owner, name) for name in names]


BOT = (
    *_values("freqtrade.data.dataprovider:DataProvider", "_exchange", RPC_OF_PROVIDER),
    *_values("freqtrade.strategy:IStrategy", LAST_CANDLES, "_ft_params_from_file"),
    *_values("freqtrade.rpc:RPCManager", "_rpc", "registered_modules"),
    *_values("freqtrade.rpc:RPC", "_freqtrade"),
    *_values("freqtrade.rpc.telegram:Telegram", "_config", "_app", "_loop", "_keyboard"),
    *_methods("freqtrade.rpc.telegram:Telegram", _send_msg="msg parse_mode"),
    *_values(
        "freqtrade.freqtradebot:FreqtradeBot",
        *("_exit_lock", "exchange", "wallets", "rpc", "state", "active_pair_whitelist"),
    ),
    *_methods(
        "freqtrade.freqtradebot:FreqtradeBot",
        execute_entry="pair stake_amount price is_short ordertype enter_tag trade mode leverage_",
        execute_trade_exit="trade limit exit_check exit_tag ordertype sub_trade_amt",
        exit_positions="trades",
        startup="",
        process="",
        process_stopped="",
        update_trades_without_assigned_fees="",
        handle_onexchange_order="trade",
        update_trade_state="trade order_id action_order",
        get_free_open_trades="",
    ),
    *_values("freqtrade.exchange:Exchange", "_api", "_dry_run_open_orders"),
    *_methods(
        "freqtrade.exchange:Exchange",
        _lev_prep="pair leverage side accept_fail",
        _set_leverage="leverage pair",
        _fetch_and_calculate_funding_fees="pair amount is_short open_date",
        _get_funding_fees_from_exchange="pair since",
        set_margin_mode="pair margin_mode",
        get_trades_for_order="order_id pair since params",
        get_funding_fees="pair amount is_short open_date",
        fetch_positions="pair params",
        get_rate="pair refresh",
        fetch_l2_order_book="pair limit",
        fetch_orders="pair since params",
        create_order="pair ordertype side amount rate leverage",
        create_dry_run_order="pair ordertype side amount rate",
        get_maintenance_ratio_and_amt="pair notional_value",
    ),
    *_methods(
        "freqtrade.wallets:Wallets",
        update="require_update",
        validate_stake_amount="pair stake_amount",
        check_exit_amount="trade",
        get_available_stake_amount="",
    ),
    *_methods("freqtrade.worker:Worker", _sleep="sleep_duration"),
    *_methods(
        "ccxt:binance",
        fetch2="path api method",
        on_rest_response="code reason url method response_headers",
        throttle="cost",
        create_order="symbol type side amount price params",
        fetch_order="id symbol params",
        cancel_order="id symbol params",
        fetch_time="",
        load_time_difference="",
        set_markets_from_exchange="sourceExchange",
        set_margin_mode="marginMode symbol params",
        close="",
    ),
)


CONFIGURATION = (
    *_methods("freqtrade.configuration:Configuration", _process_logging_options="config", get_config=""),
)
"""Commands that read Freqtrade's configuration as a bot would."""
REHEARSAL = (
    *_values("freqtrade.exchange:Exchange", "_api_async"),
    *_methods(
        "freqtrade.rpc:RPC",
        _rpc_force_exit="trade_id ordertype amount",
        _rpc_force_entry="pair price",
        _rpc_delete="trade_id",
        _rpc_reload_trade_from_exchange="trade_id",
        _rpc_cancel_open_order="trade_id",
        _rpc_blacklist="add",
        _rpc_pause="",
        _rpc_stop="",
        _rpc_start="",
        _rpc_reload_config="",
    ),
)
"""`pairbot drill` and `pairbot replay`, whose bots die, and are told by people what to do."""
REPLAY = (
    *_values("freqtrade.exchange:Exchange", "_klines", "_pairs_last_refresh_time"),
    *_methods(
        "freqtrade.exchange:Exchange",
        _now_is_time_to_refresh="pair timeframe candle_type",
        refresh_latest_ohlcv="pair_list",
    ),
)
"""`pairbot replay`, which hands candles over as frames."""
RESEARCH = (*_values("freqtrade.exchange:Exchange", "_leverage_tiers"),)
"""`pairbot walkforward`, which reads brackets."""
RELIED_ON = (*BOT, *CONFIGURATION, *REHEARSAL, *REPLAY, *RESEARCH)
WHERE_PRESENT = (*_values("freqtrade.exchange:Exchange", POLL_TIMES),)
"""Looked for before they are used: a release without them is none the worse."""


def missing(relied: tuple[Relied, ...] = RELIED_ON) -> list[str]:
    """What is not there any more, or has other parameters: one sentence each."""
    return [fault for each in relied if (fault := _fault(each)) is not None]


def check(relied: tuple[Relied, ...], who: str = "the engine") -> None:
    """Refuse to go on with a release that lacks one of the names. Raises PairbotError naming them, what is
    installed and what was tested.

    :param who: relies on them, for the message.
    """
    faults = missing(relied)
    if faults:
        raise PairbotError(
            f"this release of Freqtrade or ccxt lacks what {who} relies on: {'; '.join(faults[:3])}",
            value=f"{len(faults)} of {len(relied)} names; {releases.described()}",
            remedy=f"Install {releases.tested_range()}: `make install`",
        )


def _fault(relied: Relied) -> str | None:
    module, _, name = relied.owner.partition(":")
    try:
        owner = getattr(__import__(module, fromlist=[name]), name)
    except (ImportError, AttributeError):
        return f"{relied.owner} is gone"
    if relied.parameters is None:
        is_there = hasattr(owner, relied.name) or relied.name in _given_to_instances(owner)
        return None if is_there else f"{name}.{relied.name} is gone"
    method = getattr(owner, relied.name, None)
    if not callable(method):
        return f"{name}.{relied.name} is gone"
    present = {each.name: each.kind for each in inspect.signature(method).parameters.values()}
    present.pop("self", None)
    # What is given by its keyword alone has no place.
    named = {each for each, kind in present.items() if kind is inspect.Parameter.KEYWORD_ONLY}
    placed = [each for each in relied.parameters if each not in named]
    if [each for each in present if each not in named][: len(placed)] == placed:
        return None
    return f"{name}.{relied.name} takes {', '.join(present) or 'nothing'}"


@cache
def _given_to_instances(owner: type) -> frozenset[str]:
    """Names of the attributes that the class's own code sets or annotates, inherited ones included.
    Read once: ccxt's classes have thousands of methods."""
    return frozenset(_stored_names(owner))


def _stored_names(owner: type) -> Iterator[str]:
    for each in owner.__mro__:
        yield from getattr(each, "__annotations__", {})
        for member in vars(each).values():
            code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
            if code is not None:
                stored = (each for each in dis.get_instructions(code) if each.opname == "STORE_ATTR")
                yield from (str(each.argval) for each in stored)
