"""A simulated exchange that can be put out of order, and configurations to look at it with.

Freqtrade and ccxt are real and reach the exchange in process. An untouched exchange is opened once per
session; a test that changes the venue makes a world of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from preflight_world import KEY_RIGHTS, World, base_config, pairs_document

from pairbot_ext.host import releases
from pairbot_ext.preflight import Setup, load_config


def newest_tested() -> dict[str, str]:
    """The releases a good set-up has."""
    newest = releases.tested()[0]
    return {"freqtrade": newest.freqtrade, "ccxt": newest.ccxt}


class BotApi:
    """A Bot API on loopback: answers getMe and getChat of one token and chat."""

    TOKEN = "123456:marked-telegram-token"
    CHAT = "4711"

    def __init__(self) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                outer.asked.append(path.rsplit("/", 1)[-1])
                status, answer = outer.answer(path, query)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, query: str) -> tuple[int, dict[str, Any]]:
        """As the real one answers."""
        if not path.startswith(f"/bot{self.TOKEN}/"):
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if path.endswith("/getMe"):
            return 200, {"ok": True, "result": {"id": 1, "is_bot": True, "username": "pairs_bot"}}
        if path.endswith("/getChat") and query == f"chat_id={self.CHAT}":
            return 200, {"ok": True, "result": {"id": 4711, "type": "private"}}
        return 400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def bot_api() -> Iterator[BotApi]:
    """The fake Bot API."""
    with closing(BotApi()) as api:
        yield api


@pytest.fixture(scope="session")
def healthy() -> World:
    """An exchange that nothing is wrong with. Not to be changed."""
    return World(rights=KEY_RIGHTS)


@pytest.fixture
def files(tmp_path: Path, repo_root: Path, bot_api: BotApi) -> Callable[..., Path]:
    """Write a pairs file and a configuration; returns the latter's path. Keyword arguments replace keys."""

    def write(pairs: dict[str, Any] | None = None, **changes: Any) -> Path:
        (tmp_path / "user_data").mkdir(exist_ok=True)
        pairs_path = tmp_path / "pairs.json"
        document = pairs_document() | (pairs or {})
        pairs_path.write_text(json.dumps(document))
        telegram = {
            "enabled": True,
            "token": BotApi.TOKEN,
            "chat_id": BotApi.CHAT,
            "allow_custom_messages": True,
        }
        config = base_config(repo_root, tmp_path, pairs_path) | {"telegram": telegram} | changes
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return path

    return write


@pytest.fixture
def make_setup(files: Callable[..., Path], healthy: World, bot_api: BotApi) -> Callable[..., Setup]:
    """A setup that nothing is wrong with but what the arguments say.

    `world` is the exchange, `live` the mode, `versions` and `telegram_url` replace the injected ones; other
    keywords are top-level keys of the configuration, `pairs` those of the pairs file.
    """

    def make(
        *,
        live: bool = True,
        world: World | None = None,
        versions: dict[str, str] | None = None,
        telegram_url: str | None = None,
        **changes: Any,
    ) -> Setup:
        venue = world or healthy
        config = load_config([str(files(**changes))], live=live)
        config["exchange"] |= venue.overlay(config["exchange"])
        return Setup(
            config,
            live=live,
            now=lambda: datetime.now(UTC) + timedelta(milliseconds=venue.skew_ms),
            open_exchange=venue.open,
            telegram_url=telegram_url or bot_api.url,
            versions=lambda: versions or newest_tested(),
        )

    return make


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freqtrade backs off after some errors; nothing here is worth waiting for."""
    monkeypatch.setattr(time, "sleep", lambda _secs: None)
