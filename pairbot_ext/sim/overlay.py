"""The Freqtrade configuration that points unmodified Freqtrade and ccxt at the loopback exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

API_KEY = "pairbot-simulated-key-not-a-real-one"
API_SECRET = "pairbot-simulated-secret-not-a-real-one"

# ccxt's name for each of Binance's interfaces → its path. Only the linear futures ones are simulated. The
# others are pointed here too and refused, so that no setting whatever can make a simulated bot reach the real
# venue.
_SIMULATED = {
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
}
_REFUSED = (
    "public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4", "dapiPublic", "dapiPrivate",
    "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate", "papi", "papiV2",
)  # fmt: skip
REFUSED_PREFIX = "/not-simulated"
# Streams: ccxt puts /public, /market or /private before the last part of the linear address by itself.
_STREAMS = "/ws"
_REFUSED_STREAMS = (
    "spot", "margin", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi",
)  # fmt: skip


def base_url(port: int) -> str:
    """The server's address in the form that keeps ccxt's error table.

    ccxt chooses its table of error codes by how the URL starts; on a plain 127.0.0.1 eleven futures codes
    turn into a bare `ExchangeError`. The user part of the URL makes it start like Binance's own demo host.
    """
    return f"https://demo-fapi@127.0.0.1:{port}"


def ccxt_settings(port: int) -> dict[str, Any]:
    """Constructor arguments for ccxt's `binance`/`binanceusdm`, sync and async alike.

    Addresses, and what having others than Binance's takes: `verify` because the certificate is made at the
    start, the three options because `load_markets` would ask interfaces that are not simulated. How long a
    client waits, and all else, stays its own.
    """
    base = base_url(port)
    urls = {name: base + path for name, path in _SIMULATED.items()}
    urls |= {name: f"{base}{REFUSED_PREFIX}/{name}" for name in _REFUSED}
    return {
        "verify": False,
        "urls": {"api": {**urls, "ws": _stream_urls(port)}},
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["linear"]}},
    }


def _stream_urls(port: int) -> dict[str, Any]:
    """Addresses of ccxt.pro's streams: the linear ones are served, the others answered with 404."""
    base = f"wss://127.0.0.1:{port}"
    refused = {name: f"{base}{REFUSED_PREFIX}/{name}" for name in _REFUSED_STREAMS}
    orders = {name: f"{base}{REFUSED_PREFIX}/ws-api-{name}" for name in ("spot", "linear", "inverse")}
    return {"linear": base + _STREAMS, **refused, "ws-api": orders}


def port_of(document: Mapping[str, Any]) -> int:
    """The port an overlay of ours names."""
    port = urlsplit(document["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]).port
    assert port is not None, "the overlay always names the port"
    return port


def overlay(port: int) -> dict[str, Any]:
    """The configuration file to pass to Freqtrade as the last `-c`.

    It replaces the keys and repeats the addresses in the sync and async blocks, so that what the user's own
    files say there cannot win, and nothing else of them: timeouts, rate limits and `dry_run` are the user's.
    """
    settings = ccxt_settings(port)
    return {
        "$comment": "Simulated exchange on 127.0.0.1; not Binance. Made by pairbot, pass it as the last -c.",
        "exchange": {
            "name": "binance",
            "key": API_KEY,
            "secret": API_SECRET,
            # With it ccxt would exchange the addresses for those of the demo venue.
            "demo_trading": False,
            "ccxt_config": settings,
            "ccxt_sync_config": settings,
            "ccxt_async_config": settings,
        },
    }
