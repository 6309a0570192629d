"""Reading a JSON file that others may have written: bounded, strict, and one message where it is bad."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairbot_ext.support.errors import PairbotError

MAX_BYTES = 16 * 1024 * 1024
"""Far above any pairs file: a year of weekly epochs with ten pairs each is a quarter of a megabyte."""


def plain(text: str, limit: int) -> str:
    """`text` on one line and at most `limit` characters long; what a terminal would act on is escaped."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit]
    )
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def read_document(path: Path, kind: str, error_type: Callable[..., PairbotError], remedy: str) -> Any:
    """The decoded JSON of `path`.

    :param kind: how a message names the file: "pairs file".
    :param error_type: of what is raised, called as PairbotError is.
    :param remedy: what to do where the content is bad.
    :raises PairbotError: of `error_type`: missing, not a regular file, larger than MAX_BYTES, not UTF-8, not
        JSON, a key given twice in one object, nested too deeply, a number no computer reads.
    """
    where = f"{kind} {path}"
    try:
        if path.exists() and not path.is_file():
            raise error_type(f"{where} cannot be read: it is no regular file", remedy=remedy)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise error_type(f"{where} is larger than {MAX_BYTES:,} bytes and is not read", remedy=remedy)
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise error_type(f"{where} cannot be read: {error}", remedy=remedy) from error
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except json.JSONDecodeError as error:
        raise error_type(
            f"{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", remedy=remedy
        ) from error
    except _TwinKeyError as error:
        raise error_type(f"{where} gives a key twice in one object", value=error, remedy=remedy) from None
    except RecursionError:
        raise error_type(f"{where} is nested too deeply to be read", remedy=remedy) from None
    except ValueError as error:
        # Python refuses integers of more than 4,300 digits.
        raise error_type(f"{where} holds a number that cannot be read: {error}", remedy=remedy) from None


class _TwinKeyError(Exception):
    """Which of two values counts would depend on the reader, and Freqtrade has its own."""


def _without_twins(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) < len(items):
        names = [name for name, _ in items]
        raise _TwinKeyError(plain(next(name for name in names if names.count(name) > 1), 60))
    return found
