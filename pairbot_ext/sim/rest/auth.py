"""Who signed a request, and is it still fresh? The checks Binance makes before it looks at anything else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.venue.errors import Code, VenueError

DEFAULT_RECV_WINDOW_MS = 5000
MAX_RECV_WINDOW_MS = 60_000
# A request from the future is refused beyond this: "1000ms ahead of the server's time".
MAX_AHEAD_MS = 1000


@dataclass(frozen=True)
class Credentials:
    """The one key pair the simulated account accepts."""

    key: str
    secret: str


def _signed_text(request: Request) -> tuple[str, str]:
    """The text a signature covers and the signature itself: query and body, concatenated without "&"."""
    query, body = request.query, request.body
    signature = ""
    for part in ("query", "body"):
        text = query if part == "query" else body
        head, found, tail = text.rpartition("signature=")
        if found and (not head or head.endswith("&")):
            signature = tail
            text = head.removesuffix("&")
            if part == "query":
                query = text
            else:
                body = text
    return query + body, signature


def _integer(params: Mapping[str, str], name: str) -> int:
    try:
        return int(params[name])
    except (KeyError, ValueError):
        raise VenueError(Code.MANDATORY_PARAM, name=name) from None


def recv_window_ms(params: Mapping[str, str]) -> int:
    """How old a request may be on arrival, in ms."""
    if "recvWindow" not in params:
        return DEFAULT_RECV_WINDOW_MS
    window = _integer(params, "recvWindow")
    if not 0 < window <= MAX_RECV_WINDOW_MS:
        raise VenueError(Code.INVALID_PARAMETER, name="recvWindow")
    return window


def check_fresh(params: Mapping[str, str], now_ms: int) -> None:
    """Refuse a request older than its recvWindow, or from the future.

    :raises VenueError: −1021, or −1102 without a usable timestamp.
    """
    stamp = _integer(params, "timestamp")
    window = recv_window_ms(params)
    if stamp > now_ms + MAX_AHEAD_MS:
        error = VenueError(Code.INVALID_TIMESTAMP)
        error.msg = f"Timestamp for this request was {MAX_AHEAD_MS}ms ahead of the server's time."
        raise error
    if now_ms - stamp > window:
        raise VenueError(Code.INVALID_TIMESTAMP)


def check_key(request: Request, credentials: Credentials) -> None:
    """Refuse a missing or foreign API key.

    :raises VenueError: −2014 without a key, −2015 with one the account does not know.
    """
    key = request.headers.get("x-mbx-apikey", "")
    if not key:
        raise VenueError(Code.BAD_API_KEY_FORMAT)
    if not hmac.compare_digest(key.encode(), credentials.key.encode()):
        raise VenueError(Code.REJECTED_KEY)


def check_signature(request: Request, credentials: Credentials) -> None:
    """Refuse what was not signed with the account's secret (HMAC-SHA256 over the exact text sent).

    :raises VenueError: −1022, or −1102 without a signature.
    """
    text, signature = _signed_text(request)
    if not signature:
        raise VenueError(Code.MANDATORY_PARAM, name="signature")
    expected = hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.lower()):
        raise VenueError(Code.INVALID_SIGNATURE)
