"""Secrets never reach a log, a message, a dump or a report.

Two nets. Values known to be secret (keys, tokens, passwords of the configuration) are taken out wherever they
stand; and what looks like a secret by its name or shape is taken out of texts that come from outside, such as
the URL with a signature in an error of ccxt, or the Bot API's answer that repeats the token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"
REMOVED = "[removed]"
_SECRET_KEYS = frozenset(
    (
        "key", "apikey", "api_key", "secret", "password", "uid", "token", "privatekey", "private_key",
        "walletaddress", "wallet_address", "jwt_secret_key", "ws_token", "accountid", "account_id",
        "bearer_token",
    )
)  # fmt: skip
_SECRET_URLS = frozenset(("url", "webhook_url"))
"""Of webhooks and Discord: whoever knows the address can write there."""
_LEAST_LENGTH = 6
"""Shorter values ("key", "1") would tear holes into ordinary words."""
_NAMED_SECRET = re.compile(
    r"(?i)((?:api-?_?key|secret|signature|token|password|listenkey)[\"']?\s*[=:]\s*[\"']?)[^\s&,;\"'}\)]+"
)
_BOT_TOKEN = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}")
# A Telegram token; a key or signature of an exchange (64 letters and digits) or a long part of a JWT.
_SECRET = re.compile(_BOT_TOKEN.pattern + r"|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b")
_PARAMETER = re.compile(r"(?i)((?:signature|[\w-]*apikey|api_key|listenkey)[\"']?\s*[=:]\s*[\"']?)[\w%-]+")


def _is_secret(key: str) -> bool:
    """Whether a value under this name, lower case, is one: headers name the key after the venue."""
    return key in _SECRET_KEYS or key.endswith("-apikey")


def secrets_of(config: Mapping[str, Any]) -> frozenset[str]:
    """Every value in a configuration whose key says that it is secret, whatever its depth; the addresses of
    webhooks; and the password in any URL."""
    return frozenset(_walk(config))


def _walk(block: Mapping[str, Any]) -> Iterator[str]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _walk(value)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from _walk(item if isinstance(item, Mapping) else {key: item})
        elif isinstance(value, str):
            if _is_secret(str(key).lower()) and len(value) >= _LEAST_LENGTH:
                yield value
            elif "://" in value:
                yield from _password_of(value)
                if key in _SECRET_URLS:
                    yield from _address(value)


def _password_of(url: str) -> Iterator[str]:
    user, found, _ = url.partition("://")[2].rpartition("@")
    password = user.partition(":")[2]
    if found and password:
        yield password
        yield unquote(password)


def _address(url: str) -> Iterator[str]:
    """The address, and its path alone: errors of HTTP libraries name the two apart."""
    yield url
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if len(path) >= _LEAST_LENGTH:
        yield path


def without_secret_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration that may be kept: every value whose key says that it is secret, however
    short, is HIDDEN, and so are passwords in URLs and addresses of webhooks."""
    secrets = secrets_of(config)

    def clean(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: clean(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(key, item) for item in value]
        if _is_secret(key.lower()) and value not in (None, "", True, False):
            return HIDDEN
        return hide(value, secrets) if isinstance(value, str) else value

    return {str(name): clean(str(name), value) for name, value in config.items()}


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without any of the secrets; the longest first, as one may contain another."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    return text


def without_secrets(text: str) -> str:
    """Text that came from outside, such as an exchange's answer, with what may be a key taken out."""
    return _SECRET.sub(REMOVED, _NAMED_SECRET.sub(rf"\1{REMOVED}", text))


class _Guard:
    """The secrets of this process, and the record factory that keeps them out of every log line.

    Process-wide like logging itself; /reload_config adds to it. It holds values, nothing of any bot.
    """

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._ordered: tuple[str, ...] = ()

    def add(self, secrets: Iterable[str]) -> None:
        found = {secret for secret in secrets if len(secret) >= _LEAST_LENGTH}
        self._secrets |= found | {quote(secret, safe="") for secret in found}
        self._ordered = tuple(sorted(self._secrets, key=len, reverse=True))

    def scrub(self, text: str) -> str:
        for secret in self._ordered:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return _BOT_TOKEN.sub(REMOVED, _PARAMETER.sub(rf"\1{REMOVED}", text))


_GUARD = _Guard()
_TRACEBACKS = logging.Formatter()


class _RedactingFactory:
    """Makes log records without secrets in message or traceback, for every handler there is or will be."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._inner(*args, **kwargs)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A line with the wrong placeholders: logging says so itself.
            return record
        clean = _GUARD.scrub(text)
        if clean != text:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0] is not None:
            trace = _TRACEBACKS.formatException(record.exc_info)
            clean = _GUARD.scrub(trace)
            if clean != trace:
                record.exc_text = clean
        return record


def protect(*secrets: str, config: Mapping[str, Any] | None = None) -> None:
    """Keep these values, and every secret of `config`, out of all log lines of this process from now on,
    and out of what passes `scrub`. May be called again: the values add up."""
    _GUARD.add(secrets)
    if config is not None:
        _GUARD.add(secrets_of(config))
    if not isinstance(logging.getLogRecordFactory(), _RedactingFactory):
        logging.setLogRecordFactory(_RedactingFactory(logging.getLogRecordFactory()))


def scrub(text: str) -> str:
    """`text` without the secrets named to `protect`, without signatures and without bot tokens."""
    return _GUARD.scrub(text)
