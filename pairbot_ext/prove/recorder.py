"""What was asked and answered, kept for the report: without keys, signatures and amounts of money."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from pairbot_ext.prove.fields import Row, Terms, rows
from pairbot_ext.venue.binance.sites import ONE_REQUEST_ONLY

MOST_EXAMPLES = 3
"""Of one call and status."""
_ROWS_KEPT = 5
# Names of fields that say how much an account holds, or whose it is.
_PRIVATE = re.compile(
    r"(?i)balance|^total|withdraw|listenkey|alias|uid|feetier|tradegroupid|^income$|walletbal"
)
_DIGIT = re.compile(r"\d")


class Recorder:
    """Listens to one ccxt client and its copies. May be called by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._examples: dict[str, list[dict[str, Any]]] = {}
        self.requests = 0

    def attach(self, client: Any) -> None:
        """Hear every answer of a client."""
        heard = client.on_rest_response

        def on_rest_response(code: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:
            self.note(
                method, url, int(code), str(rest[0]) if rest else "", rest[2] if len(rest) > 2 else None
            )
            return heard(code, reason, url, method, headers, *rest)

        client.on_rest_response = on_rest_response

    def note(self, method: str, url: str, status: int, text: str, sent: Any = None) -> None:
        """Keep one answer."""
        try:
            answer = json.loads(text)
        except ValueError:
            return
        parts = urlsplit(url)
        asked = parse_qsl(parts.query) + (parse_qsl(sent) if isinstance(sent, str) else [])
        query = urlencode(sorted((k, v) for k, v in asked if k.lower() not in ONE_REQUEST_ONLY))
        call = f"{method} {parts.path}"
        with self._lock:
            self.requests += 1
            kept = self._examples.setdefault(call, [])
            if sum(each["status"] == status for each in kept) < MOST_EXAMPLES:
                kept.append({"query": query, "status": status, "response": masked(shortened(answer))})

    def recordings(self) -> dict[str, Any]:
        """By call, as a fixture holds them."""
        with self._lock:
            return {
                call: {"kind": "recorded", "examples": list(self._examples[call])}
                for call in sorted(self._examples)
            }


def shortened(answer: Any) -> Any:
    """The first rows of every list: a market list has hundreds of them."""
    if isinstance(answer, list):
        return [shortened(each) for each in answer[:_ROWS_KEPT]]
    if isinstance(answer, dict):
        return {key: shortened(value) for key, value in answer.items()}
    return answer


def masked(answer: Any, name: str = "") -> Any:
    """An answer whose private fields keep their form and lose their digits: "25.72" becomes "00.00"."""
    if isinstance(answer, dict):
        return {key: masked(value, key) for key, value in answer.items()}
    if isinstance(answer, list):
        return [masked(each, name) for each in answer]
    if not _PRIVATE.search(name) or isinstance(answer, bool) or answer is None:
        return answer
    if isinstance(answer, int | float):
        return type(answer)(0)
    text = str(answer)
    return _DIGIT.sub("0", text) if re.fullmatch(r"-?[\d.]+", text) else "removed"


def compared(simulated: dict[str, Any], venue: dict[str, Any]) -> tuple[int, list[Row]]:
    """How many fields were compared, and which differ, between two recordings of the same script.

    Answers belong together by call, status and number; of a list the first row stands for all: how many there
    are is the account's and the market's.
    """
    found: list[Row] = []
    for call in sorted(simulated.keys() & venue.keys()):
        for status, theirs, ours in _matched(venue[call]["examples"], simulated[call]["examples"]):
            found += rows(str(status), call, _first(theirs), _first(ours), Terms(exact=False))
    return len(found), [row for row in found if row.problem]


def _matched(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Iterator[tuple[int, Any, Any]]:
    for status in sorted({each["status"] for each in theirs} & {each["status"] for each in ours}):
        for there, here in zip(
            (each["response"] for each in theirs if each["status"] == status),
            (each["response"] for each in ours if each["status"] == status),
            strict=False,
        ):
            # An empty list has no fields to compare.
            if there not in ([], {}) and here not in ([], {}):
                yield status, there, here


def _first(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_first(answer[0])] if answer else []
    if isinstance(answer, dict):
        return {key: _first(value) for key, value in answer.items()}
    return answer
