"""The running bot's REST API, as far as closing pair trades needs it."""

from collections.abc import Mapping
from typing import Any

import requests

from pairbot_ext.support.errors import PairbotError

TIMEOUT_SECS = 30.0


class BotApi:
    """Freqtrade's API server at the address the configuration names.

    :param config: Freqtrade's configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        server = config.get("api_server", {})
        host = server.get("listen_ip_address", "127.0.0.1")
        # A server that listens everywhere is reached here.
        host = "127.0.0.1" if host == "0.0.0.0" else host
        self._base = f"http://{host}:{server.get('listen_port', 8080)}/api/v1"
        self._login = (str(server.get("username", "")), str(server.get("password", "")))
        self.is_enabled = bool(server.get("enabled"))

    def is_running(self) -> bool:
        """Whether a bot answers there."""
        if not self.is_enabled:
            return False
        try:
            return requests.get(f"{self._base}/ping", timeout=3.0).status_code == 200
        except requests.RequestException:
            return False

    def open_trades(self) -> list[dict[str, Any]]:
        """Freqtrade's open trades. Raises PairbotError."""
        return list(self._ask("GET", "/status"))

    def force_exit(self, trade_id: int) -> str:
        """Exit one leg; the bot closes its mate. Raises PairbotError."""
        return str(self._ask("POST", "/forceexit", {"tradeid": str(trade_id)}).get("result", ""))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = requests.request(
                method, self._base + path, json=body, auth=self._login, timeout=TIMEOUT_SECS
            )
            response.raise_for_status()
            return response.json()
        except (requests.RequestException, ValueError) as error:
            raise PairbotError(
                f"the running bot refused {method} {path}: {error}",
                remedy="Check api_server.username and password, or stop the bot and use --direct",
            ) from error
