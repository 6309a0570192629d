"""Check of the API server: the page, the metrics and FreqUI live on it."""

from __future__ import annotations

import ipaddress
import socket

from pairbot_ext.preflight.results import Finding, Status
from pairbot_ext.preflight.setup import Setup


def api_server(setup: Setup) -> Finding:
    """Its address is free, and this machine's alone. For one that is taken Freqtrade waits for ever."""
    config = setup.config.get("api_server") or {}
    if not config.get("enabled"):
        return Finding(Status.PASS, "the API server is off: no page, no metrics, no commands but Telegram's")
    host, port = str(config.get("listen_ip_address", "")), int(config.get("listen_port", 0))
    place = f"{host}:{port}"
    if not setup.is_starting:
        # The bot that is starting has opened it already.
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.create_server((host, port), family=family):
                pass
        except OSError as error:
            return Finding(
                Status.WARN,
                f"{place} cannot be opened: {error.strerror or error}",
                "If this bot runs already, that is it. Else stop what listens there, or set another "
                "api_server.listen_port: Freqtrade would wait for it for ever",
            )
    if not _is_loopback(host):
        return Finding(
            Status.WARN,
            f"the API server listens on {place}: other machines can reach it, and it speaks plain HTTP",
            "Set api_server.listen_ip_address to 127.0.0.1, and use a tunnel or a proxy with TLS",
        )
    return Finding(Status.PASS, f"the API server's address {place} is free and this machine's alone")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
