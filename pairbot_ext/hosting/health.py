"""Is the bot well? Asked of its API server: it answers, and its loop has run a moment ago.

With the standard library alone, since a container asks once a minute.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pairbot_ext.support.errors import PairbotError

TIMEOUT_SECS = 10.0
MOST_AGE_SECS = 120.0
"""Freqtrade itself sleeps for 30 s after an error of the exchange; the loop of a busy bot takes a minute."""
MOST_BYTES = 100_000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""A server that listens everywhere is reached here."""
_SERVER = "FREQTRADE__API_SERVER__"


@dataclass(frozen=True)
class Health:
    """What was found, as a sentence."""

    is_well: bool
    text: str


@dataclass(frozen=True)
class ApiServer:
    """Where a bot's API server is, and the login."""

    url: str
    username: str
    password: str

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> ApiServer:
        """From the `api_server` block of a configuration."""
        host = str(settings.get("listen_ip_address") or "127.0.0.1")
        host = EVERYWHERE.get(host, f"[{host}]" if ":" in host else host)
        return cls(
            f"http://{host}:{settings.get('listen_port') or 8080}",
            str(settings.get("username") or ""),
            str(settings.get("password") or ""),
        )

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> ApiServer:
        """From Freqtrade's variables, secrets already read (`with_secrets`)."""
        names = ("listen_ip_address", "listen_port", "username", "password")
        return cls.of_settings({name: environment.get(_SERVER + name.upper()) for name in names})


def ask(server: ApiServer, now_secs: float, most_age_secs: float = MOST_AGE_SECS) -> Health:
    """Whether the loop of the bot behind `server` has run within `most_age_secs`.

    :param now_secs: Unix time.
    """
    try:
        last = _ask(server).get("last_process_ts")
    except urllib.error.HTTPError as error:
        if error.code == 401:
            return Health(False, f"{server.url} refuses the login of user {server.username!r}")
        return Health(False, f"{server.url} answers {error.code}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Health(False, f"{server.url} does not answer as a bot does: {reason}")
    if not isinstance(last, int | float) or isinstance(last, bool) or last <= 0:
        return Health(False, "the bot answers, its loop has not run yet")
    age_secs = now_secs - last
    if age_secs > most_age_secs:
        return Health(
            False, f"the bot answers, its loop ran {age_secs:.0f} s ago (at most {most_age_secs:g} s)"
        )
    return Health(True, f"the bot answers, its loop ran {max(age_secs, 0):.0f} s ago")


def _ask(server: ApiServer) -> dict[str, Any]:
    if not server.url.startswith(("http://", "https://")):
        raise PairbotError("the API server's address is no address of the web", value=server.url)
    login = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    request = urllib.request.Request(
        f"{server.url}/api/v1/health", headers={"Authorization": f"Basic {login}"}
    )
    # No proxy: it is this machine, or this container, that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_SECS) as answer:
        found = json.loads(answer.read(MOST_BYTES))
    if not isinstance(found, dict):
        raise ValueError("no health in its answer")
    return found
