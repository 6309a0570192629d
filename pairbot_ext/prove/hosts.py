"""Where a proof may send anything: a list of hosts, checked at every single request.

Trading goes to the demo venue alone, whatever a setting, a variable or a redirect says, so that a real key
can do nothing. With `--read-only` the live venue may be read: GET, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue.binance.sites import DEMO, LIVE, NOWHERE, Site, on_loopback, place_of

LOOPBACK_VARIABLE = "PAIRBOT_PROVE_LOOPBACK"
_LOOPBACK = "127.0.0.1"


class ForbiddenHostError(PairbotError):
    """A request that must not be sent; it was not."""


def site_of(host: str | None, loopback: str | None, *, read_only: bool) -> Site:
    """The site a proof runs on.

    :param host: what the user named; None is the demo venue's, and with `read_only` the live one's.
    :param loopback: address of a simulated exchange that stands in for the site; on 127.0.0.1 only.
    :raises ForbiddenHostError: a host that is not on the list, or the live one without `read_only`.
    """
    sites = {place_of(site.rest): site for site in (DEMO, LIVE)}
    wanted = place_of((LIVE if read_only else DEMO).rest) if host is None else host.strip().lower()
    site = sites.get(wanted)
    if site is None:
        raise ForbiddenHostError(
            "prove sends nothing to this host",
            value=host,
            remedy=f"It knows {place_of(DEMO.rest)}, and for reading alone {place_of(LIVE.rest)}",
        )
    if not (site.is_demo or read_only):
        raise ForbiddenHostError(
            "prove places orders, and this host trades real money",
            value=wanted,
            remedy="Leave --host out for the demo venue, or use --read-only",
        )
    return site if loopback is None else on_loopback(site, _loopback_port(loopback))


def _loopback_port(address: str) -> int:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if (
        parts.scheme != "https"
        or parts.netloc != f"{_LOOPBACK}:{port}"
        or port is None
        or parts.path not in ("", "/")
    ):
        raise ForbiddenHostError(
            f"{LOOPBACK_VARIABLE} puts an exchange of this machine in the venue's place, and nothing else",
            value=address,
            remedy=f"Write https://{_LOOPBACK}:PORT, or unset it",
        )
    return port


def check_addresses(site: Site, addresses: Mapping[str, Any]) -> None:
    """Every address a client knows is the site's, or leads nowhere: ccxt adds its own where none is named.

    :raises ForbiddenHostError: one is another's.
    """
    for name, address in addresses.items():
        if isinstance(address, Mapping):
            check_addresses(site, address)
        elif place_of(str(address)) not in site.hosts | {NOWHERE}:
            raise ForbiddenHostError(
                f"ccxt's interface {name} leads to another host", value=place_of(str(address))
            )


class GuardedSession(requests.Session):
    """A session that reaches the hosts of one site and no other.

    :param read_only: only GET leaves.
    """

    def __init__(self, site: Site, *, read_only: bool) -> None:
        super().__init__()
        self._site = site
        self._read_only = read_only
        self.trust_env = place_of(site.rest).partition(":")[0] != _LOOPBACK
        self.max_redirects = 0

    def another(self) -> GuardedSession:
        """The same with connections of its own."""
        return GuardedSession(self._site, read_only=self._read_only)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Every request passes here, redirected ones too.

        :raises ForbiddenHostError: it was not sent.
        """
        if place_of(str(request.url)) not in self._site.hosts:
            raise ForbiddenHostError("prove sends nothing to this host", value=place_of(str(request.url)))
        if self._read_only and request.method != "GET":
            raise ForbiddenHostError("a proof that only reads sends no such request", value=request.method)
        return super().send(request, **options)
