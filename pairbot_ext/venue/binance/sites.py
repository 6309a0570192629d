"""Where Binance USDⓈ-M futures are served: for nobody's money, and for real money.

Source: ccxt 4.5.90, `urls['demo']` and the demo addresses of its pro client, and Binance's demo trading
(https://www.binance.com/en/support/faq/9be58f73e5e14338809e3b705b9687dd).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_LOOPBACK = "127.0.0.1"
_INTERFACES = {
    f"fapi{access}{version}": f"/fapi/v{version[1:] or 1}"
    for access in ("Public", "Private")
    for version in ("", "V2", "V3")
} | {"fapiData": "/futures/data"}
# ccxt's other interfaces: the wallet, spot, coin-margined … None of them is asked for, and none can be.
_OTHERS = (
    "public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4", "dapiPublic", "dapiPrivate",
    "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate", "papi", "papiV2",
)  # fmt: skip
_OTHER_STREAMS = (
    "spot", "margin", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi",
)  # fmt: skip
ONE_REQUEST_ONLY = frozenset({"timestamp", "signature", "recvwindow", "listenkey"})
"""Parameters, in lower case, that sign or date one request and say nothing of another."""
# A name that is never resolved: RFC 2606.
NOWHERE = "nowhere.invalid"


@dataclass(frozen=True)
class Site:
    """One place the venue is served at.

    :param rest, streams: origins; `is_demo`: what is traded there is nobody's money.
    """

    title: str
    rest: str
    streams: str
    is_demo: bool

    @property
    def hosts(self) -> frozenset[str]:
        """Host and, where one is named, port of both."""
        return frozenset(place_of(url) for url in (self.rest, self.streams))


DEMO = Site("Binance demo trading", "https://demo-fapi.binance.com", "wss://fstream.binancefuture.com", True)
LIVE = Site("Binance", "https://fapi.binance.com", "wss://fstream.binance.com", False)


def place_of(url: str) -> str:
    """ "host" or "host:port" of an address, without what stands before an "@"."""
    parts = urlsplit(url)
    return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")


def on_loopback(site: Site, port: int) -> Site:
    """The site as a simulated exchange of this machine serves it.

    The part before "@" makes ccxt choose the error table it chooses for the demo venue.
    """
    rest = f"https://demo-fapi@{_LOOPBACK}:{port}"
    return Site(f"{site.title}, simulated", rest, f"wss://{_LOOPBACK}:{port}", site.is_demo)


def client_settings(site: Site) -> dict[str, Any]:
    """Constructor arguments of ccxt's `binance` for one site: what it does not serve leads nowhere."""
    nowhere = {name: f"https://{NOWHERE}/{name}" for name in _OTHERS}
    streams: dict[str, Any] = {name: f"wss://{NOWHERE}/{name}" for name in _OTHER_STREAMS}
    streams["ws-api"] = {name: f"wss://{NOWHERE}/{name}" for name in ("spot", "linear", "inverse")}
    urls = {name: site.rest + path for name, path in _INTERFACES.items()}
    return {
        "urls": {"api": {**urls, **nowhere, "ws": {"linear": f"{site.streams}/ws", **streams}}},
        "options": {
            "defaultType": "swap",
            "defaultSubType": "linear",
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["linear"]},
            # Asked once, for all symbols: whether anybody uses the account.
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
    }
