"""The bot's health, asked of Freqtrade's own API server; and of what answers there without being a bot."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from deployed_bot import DeployedBot

from pairbot_ext.cli import main
from pairbot_ext.hosting.health import ApiServer, ask


def test_a_bot_that_runs_is_well(
    deployed: DeployedBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the container asks: by variables, the password in a file."""
    block = deployed.api
    password = tmp_path / "password"
    password.write_text(f"{block['password']}\n")
    monkeypatch.setenv("FREQTRADE__API_SERVER__LISTEN_IP_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("FREQTRADE__API_SERVER__LISTEN_PORT", str(block["listen_port"]))
    monkeypatch.setenv("FREQTRADE__API_SERVER__USERNAME", block["username"])
    monkeypatch.setenv("FREQTRADE__API_SERVER__PASSWORD_FILE", str(password))
    # A proxy is not asked for this machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert main(["health"]) == 0
    assert capsys.readouterr().out.startswith("the bot answers, its loop ran ")
    password.write_text("wrong")
    assert main(["health"]) == 1
    assert capsys.readouterr().out.endswith("refuses the login of user 'operator'\n")
    password.unlink()
    assert main(["health"]) == 2


def test_a_configuration_says_where_it_is(
    deployed: DeployedBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repo_root: Path
) -> None:
    """As a person asks beside a bot; the password in a file all the same."""
    config, password = tmp_path / "api.json", tmp_path / "password"
    config.write_text(json.dumps({"api_server": deployed.api | {"password": "another"}}))
    password.write_text(f"{deployed.api['password']}\n")
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setitem(os.environ, "FREQTRADE__API_SERVER__PASSWORD_FILE", str(password))
    assert main(["health", "-c", "config.json", "-c", str(config)]) == 0
    assert "FREQTRADE__API_SERVER__PASSWORD_FILE" not in os.environ


def test_a_loop_that_no_longer_runs_is_not_well(deployed: DeployedBot) -> None:
    server = ApiServer.of_settings(deployed.api)
    assert ask(server, time.time()).is_well
    later = ask(server, time.time() + 121)
    assert not later.is_well
    assert "(at most 120 s)" in later.text
    assert ask(server, time.time() + 121, most_age_secs=300).is_well


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Something that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b'{"last_process_ts": null}', "has not run yet"),
        (200, b'{"last_process_ts": true}', "has not run yet"),
        (200, b"{}", "has not run yet"),
        (200, b"[]", "no health"),
        (200, b"<html>", "does not answer as a bot does"),
        (503, b"", "answers 503"),
    ],
)
def test_what_is_no_bot_is_not_well(status: int, body: bytes, says: str) -> None:
    with answering(status, body) as url:
        health = ask(ApiServer(url, "a", "b"), time.time())
    assert not health.is_well
    assert says in health.text


def test_nothing_there_is_not_well(
    unused_port: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", "--url", f"http://127.0.0.1:{unused_port()}"]) == 1
    assert "Connection refused" in capsys.readouterr().out
    assert main(["health", "--url", "file:///etc/passwd"]) == 2


def test_a_server_that_listens_everywhere_is_reached_here() -> None:
    urls = [
        ApiServer.of_settings({"listen_ip_address": host}).url
        for host in ("0.0.0.0", "::", "::1", "10.0.0.5", None)
    ]
    assert urls == [
        f"http://{host}:8080" for host in ("127.0.0.1", "[::1]", "[::1]", "10.0.0.5", "127.0.0.1")
    ]
