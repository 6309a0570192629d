"""Freqtrade's objects as every mode needs them: its exchange, its ccxt client, its configuration.

What no public method gives is asked for here and nowhere else; `private` lists the names.
"""

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import requests
from freqtrade.configuration import Configuration
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.strategy import IStrategy

from pairbot_ext.host import private


def exchange_of(provider: DataProvider) -> Exchange:
    """Freqtrade's exchange object, which the data provider keeps to itself.

    Its public methods answer what no provider method does: brackets, minimum stakes, amounts on the step.
    """
    return cast(Exchange, provider._exchange)


class _SilentConfiguration(Configuration):
    """Freqtrade's own, but reading it opens no log file and leaves the process's logging alone."""

    def _process_logging_options(self, config: dict[str, Any]) -> None:
        config.setdefault("verbosity", 0)


def read_configuration(arguments: dict[str, Any], runmode: RunMode | None) -> dict[str, Any]:
    """Freqtrade's configuration for parsed command-line arguments.

    :param runmode: None infers dry-run or live from `dry_run`, as `freqtrade trade` does.
    :raises FreqtradeException: it cannot be read. :raises PairbotError: this release reads it otherwise.
    """
    private.check(private.CONFIGURATION, "reading a configuration")
    return _SilentConfiguration(arguments, runmode).get_config()


def client_of(exchange: Exchange) -> Any:
    """The ccxt client behind Freqtrade's exchange object, for questions Freqtrade has no method for."""
    return exchange._api


def leverage_tiers(exchange: Exchange, symbol: str) -> Sequence[Mapping[str, Any]]:
    """Freqtrade's leverage brackets of one symbol, ascending; none where it has none. Raises PairbotError on
    a release that keeps them otherwise."""
    private.check(private.RESEARCH, "a walk-forward")
    return exchange._leverage_tiers.get(symbol, [])


def with_own_connections(client: Any) -> Any:
    """A copy of a ccxt client (settings, credentials, options, markets) that shares no connection with it: a
    second thread may use it."""
    twin = copy.copy(client)
    if isinstance(client.session, requests.Session):
        twin.session = requests.Session()
        twin.session.trust_env = client.session.trust_env
    return twin


def credentials_of(strategy: IStrategy) -> list[str]:
    """What signs requests to the venue; Freqtrade takes it out of its configuration."""
    exchange = None if strategy.dp is None else strategy.dp._exchange
    if exchange is None:
        return []
    values = (getattr(exchange._api, name, None) for name in exchange._api.requiredCredentials)
    return [value for value in values if isinstance(value, str) and value]


def analyse_again(strategy: IStrategy, symbols: list[str]) -> None:
    """Make the next loop analyse these symbols although their last candle has been seen.

    Freqtrade analyses a symbol once per candle. Where the mate's candle arrives a loop later, the first
    symbol would not see it until its own next candle.
    """
    seen: dict[str, datetime] = getattr(strategy, private.LAST_CANDLES)
    for symbol in symbols:
        seen.pop(symbol, None)


def forget_connections(exchange: Exchange) -> None:
    """Of a bot that has died: its async client must not complain about a session nobody closes any more."""
    exchange._api_async.session = None
