"""A bot with a page, as its visitors reach it: raw requests, streams, and a login that is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import requests
from browser import Tab
from harness import Rig


@dataclass
class World:
    """A bot and how to reach it."""

    rig: Rig
    port: int
    login: tuple[str, str]

    @property
    def url(self) -> str:
        """Of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self) -> Any:
        """What the bot has on its API server."""
        return self.rig.bot.strategy.pairs._control

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request below /api/v1, with the login unless `auth` says otherwise."""
        options = {"auth": self.login, "timeout": 20, **options}
        return requests.request(method, f"{self.url}/api/v1/{path}", **options)

    def raw(
        self, method: str, path: str, headers: dict[str, str], *parts: bytes
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Exactly these bytes: nobody tidies the path up, and a body may be shorter than is said."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        for part in parts:
            connection.send(part)
        return connection, connection.getresponse()

    def frames(self, response: requests.Response) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (event, document)."""
        event = ""
        for line in response.iter_lines():
            text = line.decode()
            if text.startswith("event: "):
                event = text[7:]
            elif text.startswith("data: "):
                yield event, json.loads(text[6:])


def log_in(tab: Tab, name: str, password: str) -> None:
    """As a person does."""
    tab.until("!document.querySelector('#login').hidden", "the login")
    for field, text in (("username", name), ("password", password)):
        tab.value(f"document.querySelector('#{field}').value = ''")
        tab.click(f"#{field}")
        tab.type(text)
    tab.press("Enter", 13)
