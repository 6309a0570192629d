"""Two answers to one request, compared field by field: a row for each field of either."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_DIGITS = re.compile(r"-?\d+")
_EPOCH_MS_DIGITS = 13
_ABSENT = object()
_SIDES, _POSITION_SIDES = {"BUY", "SELL"}, {"BOTH", "LONG", "SHORT"}
_ORDER_TYPES = {
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
}  # fmt: skip
# https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition
VOCABULARY: dict[str, set[str]] = {
    "side": _SIDES,
    "positionSide": _POSITION_SIDES,
    "type": _ORDER_TYPES,
    "origType": _ORDER_TYPES,
    "orderType": _ORDER_TYPES,
    "timeInForce": {"GTC", "IOC", "FOK", "GTX", "GTD"},
    "status": {
        "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH", "TRADING",
    },
    "algoStatus": {"NEW", "CANCELED", "FINISHED", "TRIGGERING", "TRIGGERED", "REJECTED", "EXPIRED"},
    "algoType": {"CONDITIONAL"},
    "workingType": {"MARK_PRICE", "CONTRACT_PRICE"},
    "priceMatch": {"NONE"},
    "selfTradePreventionMode": {"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"},
    "marginType": {"ISOLATED", "CROSSED"},
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One field of one answer.

    :param source: the recording; `call`: method and path; `path`: the field in it, `[n]` in lists.
    :param problem: what differs, starting with the aspect; empty where nothing does.
    """

    source: str
    call: str
    path: str
    recorded: str
    ours: str
    problem: str


@dataclass(frozen=True)
class Terms:
    """How far one recording can be compared.

    :param exact: it came from the wire: decimals and magnitudes count. Documentation writes "0" and "1.000"
        of one and the same field.
    :param quoted_numbers: the recording tool kept whole numbers as texts.
    :param equal_under: below these paths both sides come from the same rules: values are equal.
    """

    exact: bool
    quoted_numbers: bool = False
    equal_under: str = ""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a JSON value; an empty list or object is a field of its own."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def rows(source: str, call: str, recorded: Any, ours: Any, terms: Terms) -> list[Row]:
    """A row for each field of either answer."""
    theirs, found = dict(leaves(recorded)), dict(leaves(ours))
    return [
        Row(
            source, call, path, _text(theirs.get(path, _ABSENT)), _text(found.get(path, _ABSENT)),
            _problem(path, theirs.get(path, _ABSENT), found.get(path, _ABSENT), terms),
        )
        for path in {**theirs, **found}
    ]  # fmt: skip


def _text(value: Any) -> str:
    return "-" if value is _ABSENT else repr(value)


def _problem(path: str, recorded: Any, ours: Any, terms: Terms) -> str:
    if ours is _ABSENT:
        return "absent: Binance has it"
    if recorded is _ABSENT:
        return "extra: Binance has it not"
    if (
        terms.quoted_numbers
        and type(ours) is int
        and isinstance(recorded, str)
        and _DIGITS.fullmatch(recorded)
    ):
        recorded = int(recorded)
    if (recorded is None) != (ours is None):
        return "null: on one side only"
    if not _same_kind(recorded, ours):
        return f"type: {type(recorded).__name__} there, {type(ours).__name__} here"
    if terms.equal_under and re.match(terms.equal_under, path):
        return "" if recorded == ours else "value: of the same rules"
    if isinstance(ours, str):
        return _text_problem(path.rpartition(".")[2], recorded, ours, terms)
    if isinstance(ours, int) and len(str(abs(recorded))) == _EPOCH_MS_DIGITS:
        return "" if len(str(ours)) == _EPOCH_MS_DIGITS else "magnitude: no time in ms"
    return ""


def _same_kind(recorded: Any, ours: Any) -> bool:
    numbers = (int, float)
    if isinstance(recorded, numbers) and isinstance(ours, numbers):
        return isinstance(recorded, bool) is isinstance(ours, bool)  # JSON has one kind of number
    return type(recorded) is type(ours)


def _text_problem(name: str, recorded: str, ours: str, terms: Terms) -> str:
    known = VOCABULARY.get(name)
    if known is not None:
        return "" if ours in known else f"vocabulary: none of {sorted(known)}"
    numeric = _DECIMAL.fullmatch(recorded), _DECIMAL.fullmatch(ours)
    if not all(numeric):
        return "form: a number on one side only" if any(numeric) and recorded and ours else ""
    if not terms.exact:
        return ""
    if len(recorded.partition(".")[2]) != len(ours.partition(".")[2]):
        return "decimals: another number of them"
    theirs, here = abs(float(recorded)), abs(float(ours))
    if theirs and here and abs(math.log10(here / theirs)) > 1:
        return "magnitude: more than tenfold apart"
    return ""
