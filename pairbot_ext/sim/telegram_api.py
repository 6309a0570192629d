"""A Bot API on loopback, as far as Freqtrade and the pair commands use it.

It refuses what Telegram refuses: a wrong token, an unknown chat, a text that is empty or too long, markup
that does not close. In process it is reached through python-telegram-bot's `base_url`. A process of its own
reaches it without any change as an HTTPS proxy for api.telegram.org: `environment` names the variables.

Source of methods, limits and error texts: https://core.telegram.org/bots/api.
"""

from __future__ import annotations

import json
import re
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote

from pairbot_ext.sim.tls import LOOPBACK, self_signed_pem

HOST = "api.telegram.org"
MOST_CHARS = 4096
MOST_CAPTION_CHARS = 1024
MOST_PHOTO_BYTES = 10 * 1024 * 1024
_HTML_TAGS = frozenset(("b", "strong", "i", "em", "u", "s", "code", "pre", "a"))
_POLL_SECS = 0.2
_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}")


class RefusedError(Exception):
    """What Telegram answers with 400 or 401."""

    def __init__(self, text: str, code: int = 400) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Sent:
    """A message of the bot as the chat shows it, markup taken out.

    :param photo: the picture's bytes, or None.
    """

    text: str
    photo: bytes | None = None
    silent: bool = False


class _Html(HTMLParser):
    """Telegram's subset: known tags, all closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        if tag not in _HTML_TAGS:
            raise RefusedError(f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise RefusedError(f'Bad Request: can\'t parse entities: Unexpected end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(text: str, parse_mode: str | None) -> str:
    """The text without markup. Raises RefusedError where Telegram would refuse it."""
    match (parse_mode or "").lower():
        case "html":
            parser = _Html()
            parser.feed(text)
            parser.close()
            if parser.open:
                raise RefusedError(
                    f"Bad Request: can't parse entities: Can't find end tag \"{parser.open[-1]}\""
                )
            return parser.text
        case "markdown":
            return _markdown(text)
        case _:
            return text


def _markdown(text: str) -> str:
    """Telegram's old Markdown: `_`, `*`, backtick, three backticks and `[text](url)`; nothing nests."""
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("_", "*", "`", "["):
            out.append(text[at + 1])
            at += 2
            continue
        if text[at] not in "_*`[":
            out.append(text[at])
            at += 1
            continue
        mark = "```" if text.startswith("```", at) else text[at]
        close = "]" if mark == "[" else mark
        end = text.find(close, at + len(mark))
        if end < 0:
            offset = len(text[:at].encode())
            raise RefusedError(
                "Bad Request: can't parse entities: Can't find end of the entity starting at byte offset "
                f"{offset}"
            )
        out.append(text[at + len(mark) : end])
        at = end + len(close)
    return "".join(out)


@dataclass
class FakeTelegram:
    """One bot and one chat. Use as a context manager.

    :param chat_id: the chat the bot may write to; `say` may come from any.
    :ivar sent: what the bot has written, in order.
    :ivar refused: what Telegram would not take, with the reason.
    """

    token: str = "123456789:fake-telegram-token-0123456789abcdefgh"
    chat_id: int = 4711
    sent: list[Sent] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    commands: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._updates: list[dict[str, Any]] = []
        self._next_id = 1
        self._is_closing = False
        self._folder = tempfile.TemporaryDirectory(prefix="pairbot-telegram-")
        certificate, key = self_signed_pem(HOST)
        self._certificate = Path(self._folder.name) / "ca.pem"
        self._certificate.write_bytes(certificate)
        pem = Path(self._folder.name) / "key.pem"
        pem.write_bytes(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        pem.unlink()
        self._server = _Server(self, context)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Of the server; requests go to `<url>/bot<token>/<method>`."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """For a process that is to take this for api.telegram.org, as HTTPS proxy and only trusted root."""
        return {
            "HTTPS_PROXY": self.url,
            "SSL_CERT_FILE": str(self._certificate),
            "REQUESTS_CA_BUNDLE": str(self._certificate),
        }

    # -- the person at the other end -------------------------------------------------------------

    def say(self, text: str, *, chat_id: int | None = None, user_id: int = 42) -> None:
        """Somebody writes to the bot."""
        command = _COMMAND.match(text)
        entities = [{"type": "bot_command", "offset": 0, "length": command.end()}] if command else []
        chat = self.chat_id if chat_id is None else chat_id
        with self._changed:
            self._updates.append(
                {
                    "update_id": self._take_id(),
                    "message": {
                        "message_id": self._take_id(),
                        "date": int(time.time()),
                        "chat": {"id": chat, "type": "private"},
                        "from": {"id": user_id, "is_bot": False, "first_name": "Operator"},
                        "text": text,
                        "entities": entities,
                    },
                }
            )
            self._changed.notify_all()

    def wait(self, reached: Callable[[], bool], what: str, timeout_secs: float = 20.0) -> None:
        """Wait for `reached()`, which is asked after every call. Raises TimeoutError."""
        deadline = time.perf_counter() + timeout_secs
        with self._changed:
            while not reached():
                left = deadline - time.perf_counter()
                if left <= 0:
                    last = [message.text[:200] for message in self.sent[-3:]]
                    raise TimeoutError(
                        f"the bot did not {what} within {timeout_secs:g} s; it said {last}, "
                        f"refused were {self.refused[-3:]}"
                    )
                self._changed.wait(min(left, _POLL_SECS))

    def ask(self, text: str, *, answers: int = 1, timeout_secs: float = 20.0) -> list[Sent]:
        """Write to the bot from the right chat and wait for so many messages."""
        before = len(self.sent)
        self.say(text)
        self.wait(lambda: len(self.sent) >= before + answers, f"answer {text!r}", timeout_secs)
        return self.sent[before:]

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    # -- the API ---------------------------------------------------------------------------------

    def answer(self, path: str, fields: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """One method, as Telegram answers it."""
        _, _, rest = path.partition("/bot")
        token, _, method = unquote(rest).partition("/")
        try:
            if token != self.token:
                raise RefusedError("Unauthorized", 401)
            result = self._call(method, fields)
        except RefusedError as refused:
            with self._changed:
                self.refused.append(f"{method}: {refused}")
                self._changed.notify_all()
            return refused.code, {"ok": False, "error_code": refused.code, "description": str(refused)}
        with self._changed:
            self.calls.append(method)
            self._changed.notify_all()
        return 200, {"ok": True, "result": result}

    def _call(self, method: str, fields: Mapping[str, Any]) -> Any:
        match method:
            case "getMe":
                return {"id": 1, "is_bot": True, "first_name": "pairs", "username": "pairs_bot"}
            case "getChat":
                self._check_chat(fields)
                return {"id": self.chat_id, "type": "private"}
            case "getUpdates":
                return self._get_updates(int(fields.get("offset") or 0), float(fields.get("timeout") or 0))
            case "sendMessage":
                return self._send_message(fields)
            case "sendPhoto":
                return self._send_photo(fields)
            case "setMyCommands":
                self.commands[_scope(fields)] = list(_decoded(fields.get("commands", "[]")))
                return True
            case "getMyCommands":
                return self.commands.get(_scope(fields), [])
            case "deleteWebhook":
                return True
        raise RefusedError("Not Found", 404)

    def _check_chat(self, fields: Mapping[str, Any]) -> None:
        if str(fields.get("chat_id")) != str(self.chat_id):
            raise RefusedError("Bad Request: chat not found")

    def _get_updates(self, offset: int, timeout_secs: float) -> list[dict[str, Any]]:
        deadline = time.perf_counter() + timeout_secs
        with self._changed:
            if offset < 0:
                self._updates = self._updates[offset:]
            else:
                self._updates = [update for update in self._updates if update["update_id"] >= offset]
            while not self._updates and not self._is_closing and time.perf_counter() < deadline:
                self._changed.wait(_POLL_SECS)
            return list(self._updates)

    def _send_message(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_chat(fields)
        text = shown(str(fields.get("text", "")), fields.get("parse_mode"))
        if not text.strip():
            raise RefusedError("Bad Request: message text is empty")
        if len(text) > MOST_CHARS:
            raise RefusedError("Bad Request: message is too long")
        return self._keep(Sent(text, silent=str(fields.get("disable_notification")).lower() == "true"))

    def _send_photo(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_chat(fields)
        photo = fields.get("photo")
        if not isinstance(photo, bytes) or len(photo) > MOST_PHOTO_BYTES:
            raise RefusedError("Bad Request: PHOTO_INVALID_DIMENSIONS")
        caption = shown(str(fields.get("caption", "")), fields.get("parse_mode"))
        if len(caption) > MOST_CAPTION_CHARS:
            raise RefusedError("Bad Request: message caption is too long")
        return self._keep(Sent(caption, photo))

    def _keep(self, sent: Sent) -> dict[str, Any]:
        with self._changed:
            self.sent.append(sent)
            number = self._take_id()
        return {
            "message_id": number,
            "date": int(time.time()),
            "chat": {"id": self.chat_id, "type": "private"},
            "text": sent.text,
        }


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _scope(fields: Mapping[str, Any]) -> str:
    scope = _decoded(fields.get("scope") or "{}")
    return f"{scope.get('type', 'default')}:{scope.get('chat_id', '')}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, outer: FakeTelegram, context: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.outer = outer
        self.context = context

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        """A proxy's tunnel, to Telegram only: what comes through it is answered here."""
        if self.path.partition(":")[0] != HOST:
            self.send_error(403)
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self._answer(path, {name: values[-1] for name, values in parse_qs(query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(self.path.partition("?")[0], _fields(self.headers.get("Content-Type", ""), body))

    def _answer(self, path: str, fields: Mapping[str, Any]) -> None:
        status, document = self.server.outer.answer(path, fields)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent: a request's path holds the token."""


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type.startswith("multipart/form-data"):
        message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        fields: dict[str, Any] = {}
        for part in message.get_payload():
            assert not isinstance(part, str)
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            is_file = part.get_filename() is not None
            fields[str(name)] = payload if is_file else bytes(payload or b"").decode()
        photo = fields.get("photo")
        if isinstance(photo, str) and photo.startswith("attach://"):
            fields["photo"] = fields.get(photo.removeprefix("attach://"))
        return fields
    if content_type.startswith("application/json"):
        return dict(json.loads(body or b"{}"))
    return {name: values[-1] for name, values in parse_qs(body.decode()).items()}
