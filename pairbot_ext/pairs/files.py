"""Reading and writing pairs files: what is wrong is named by its place, what is replaced, replaced whole."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pairbot_ext.pairs.schema import PairsFile
from pairbot_ext.support.disk import sync_folder
from pairbot_ext.support.documents import plain, read_document
from pairbot_ext.support.errors import PairsFileError

_VALUE_CHARACTERS, _NAME_CHARACTERS, _MESSAGE_CHARACTERS = 100, 64, 600


def parse_pairs_file(document: Any, *, origin: str) -> PairsFile:
    """Validate a decoded JSON document.

    :param origin: how the message names the document, usually its path.
    :raises PairsFileError: naming the place in the document, the value found and what is expected.
    """
    try:
        return PairsFile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        count = error.error_count() - 1
        more = f" ({count} more problem{'s' if count > 1 else ''} after it)" if count else ""
        value = first["input"]
        is_short = isinstance(value, str | int | float | bool) or value is None
        raise PairsFileError(
            f"pairs file {origin}: {_place(document, first['loc'])}: {problem_text(first)}{more}",
            value=plain(repr(value), _VALUE_CHARACTERS) if is_short and first["type"] != "missing" else None,
            remedy="Correct the file or write it anew with `pairbot scan`; its schema is "
            "pairbot_ext/schemas/pairs_config.schema.json",
        ) from error


def _place(document: Any, loc: Sequence[int | str]) -> str:
    """Where in the document: `epochs[0].pairs[2] (AI_ALGO).hedge_ratio`."""
    text = ""
    for part in loc:
        key = part if isinstance(part, int) else plain(part, _NAME_CHARACTERS)
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
        try:
            document = document[part]
        except (LookupError, TypeError):
            document = None
        if isinstance(document, dict) and isinstance(document.get("id"), str):
            text += f" ({plain(document['id'], _NAME_CHARACTERS)})"
    return text or "the document"


_PATTERN_EXAMPLES = {
    "exchange": "binance",
    "rule": "one line of text",
    "leg_a": "ADA/USDT:USDT",
    "leg_b": "ADA/USDT:USDT",
    "pairs": "ADA/USDT:USDT",
    "timeframe": "1h",
    "id": "AI_ALGO (letters, digits, '_', '.', '-'; at most 64)",
}


def problem_text(error: ErrorDetails) -> str:
    """One of pydantic's errors in the words of the pairs file."""
    field = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no key of this file's format"
        case "greater_than" if field == "hedge_ratio":
            return "must be greater than 0; otherwise both legs would be on the same side"
        case "string_pattern_mismatch":
            return f"must look like {_PATTERN_EXAMPLES.get(field, error['ctx']['pattern'])}"
        case "tuple_type":
            return "must be a list"
        case "model_type":
            return "must be a JSON object"
        case "timezone_aware":
            return "needs a time zone, like 2026-02-01T20:40:21Z"
        case _:
            text = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            return plain(text, _MESSAGE_CHARACTERS)


def load_pairs_file(path: Path) -> PairsFile:
    """Read and validate `path`. Raises PairsFileError."""
    try:
        document = read_document(
            path, "pairs file", PairsFileError, "Restore it, or write it anew with `pairbot scan`"
        )
    except FileNotFoundError:
        raise PairsFileError(
            f"pairs file {path} does not exist",
            remedy="Name it in config `pairbot.pairs_file`, or write one with `pairbot scan --out FILE`",
        ) from None
    return parse_pairs_file(document, origin=str(path))


def write_pairs_file(path: Path, pairs_file: PairsFile) -> None:
    """Replace `path` in one step, so that a running bot reads either the old file or the new one."""
    document = pairs_file.model_dump(mode="json", exclude_none=True)
    for epoch in document["epochs"]:
        epoch.setdefault("valid_to", None)
    write_json(path, document)


def content_hash(pairs_file: PairsFile) -> str:
    """Of everything that decides what is traded: two files with the same one trade alike."""
    return hashlib.sha256(pairs_file.model_dump_json().encode()).hexdigest()[:16]


def write_json(path: Path, document: Any) -> None:
    """Write JSON so that a crash leaves either the old file or the new one; durable when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
