"""Secrets never reach a report: a failed request's error message may hold the URL with the token in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pairbot_ext.preflight.results import CheckResult, Number

HIDDEN = "***"
_SECRET_KEYS = frozenset(
    (
        "key", "apikey", "api_key", "secret", "password", "uid", "token", "privatekey", "private_key",
        "walletaddress", "wallet_address", "jwt_secret_key", "ws_token", "accountid", "account_id", "db_url",
    )
)  # fmt: skip
_LEAST_LENGTH = 6
"""Shorter values ("key", "1") would tear holes into ordinary words."""


def secrets_of(config: Mapping[str, Any]) -> frozenset[str]:
    """Every value in a configuration whose key says that it is secret, whatever its depth."""
    return frozenset(_walk(config))


def _walk(block: Mapping[str, Any]) -> Iterator[str]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _walk(value)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from _walk(item if isinstance(item, Mapping) else {key: item})
        elif key.lower() in _SECRET_KEYS and isinstance(value, str):
            if key == "db_url":
                yield from _password_of(value)
            elif len(value) >= _LEAST_LENGTH:
                yield value


def _password_of(url: str) -> Iterator[str]:
    user, found, _ = url.partition("://")[2].rpartition("@")
    password = user.partition(":")[2]
    if found and password:
        yield password


def hide(text: str, secrets: frozenset[str]) -> str:
    """`text` without any of the secrets; the longest first, as one may contain another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def redacted(result: CheckResult, secrets: frozenset[str]) -> CheckResult:
    """The result without any of the secrets, in whatever field they came."""

    def clean(row: Mapping[str, Number]) -> dict[str, Number]:
        return {key: hide(value, secrets) if isinstance(value, str) else value for key, value in row.items()}

    return replace(
        result,
        text=hide(result.text, secrets),
        remedy=hide(result.remedy, secrets),
        numbers=clean(result.numbers),
        details=tuple(clean(row) for row in result.details),
    )
