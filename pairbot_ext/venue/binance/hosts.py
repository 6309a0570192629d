"""Where requests go: the interfaces of Binance USDⓈ-M futures in ccxt's configuration."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_FUTURES_INTERFACES = {
    f"fapi{access}{version}" for access in ("Public", "Private") for version in ("", "V2", "V3")
}
_FUTURES_STREAMS = "linear"


def is_on_loopback(config: Mapping[str, Any]) -> bool:
    """Whether every address of the exchange, for both of ccxt's clients, is the simulated one's.

    ccxt keeps its own address for every interface the config does not name, so those that futures orders and
    their streams go through must all be named.
    """
    exchange = config.get("exchange", {})
    for part in ("ccxt_sync_config", "ccxt_async_config"):
        urls = {**exchange.get("ccxt_config", {}), **exchange.get(part, {})}.get("urls", {}).get("api")
        if not isinstance(urls, Mapping) or not urls.keys() >= _FUTURES_INTERFACES:
            return False
        streams = urls.get("ws")
        if not isinstance(streams, Mapping) or _FUTURES_STREAMS not in streams:
            return False
        if {urlsplit(url).hostname for url in _addresses(urls)} != {"127.0.0.1"}:
            return False
    return True


def _addresses(urls: Mapping[str, Any]) -> Iterator[str]:
    for value in urls.values():
        if isinstance(value, Mapping):
            yield from _addresses(value)
        else:
            yield str(value)


def host_of(client: Any) -> str:
    """The address of the futures interface in ccxt's client; "" where it names none."""
    addresses = client.urls.get("api")
    return str(addresses.get("fapiPublic", "")) if isinstance(addresses, Mapping) else ""
