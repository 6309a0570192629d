"""Texts from outside, such as an exchange's answer in an exit reason, without what may be a key in them."""

from __future__ import annotations

import re

_NAMED_SECRET = re.compile(
    r"(?i)((?:api-?key|secret|signature|token|password|listenkey)\s*[=:]\s*)[^\s&,;\"']+"
)
# A Telegram token; a key or signature of an exchange (64 letters and digits) or a long part of a JWT.
_SECRET = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b")


def without_secrets(text: str) -> str:
    """Text that came from outside, such as an exchange's answer, with what may be a key taken out."""
    return _SECRET.sub("[removed]", _NAMED_SECRET.sub(r"\1[removed]", text))
