"""Scan and walk-forward results that lie in the user's folder, found by what they say they are.

A result is asked for by a key that a listing has given, never by a path: nothing that a request says is
joined to a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairbot_ext.control.refusals import UnknownPairError

LEFT_OUT = frozenset(
    {"data", "logs", "backtest_results", "hyperopt_results", "freqaimodels", "models", "plot", "strategies"}
)
"""Folders of Freqtrade's that hold none, and much else."""
MOST_DEPTH, MOST_FILES, MOST_BYTES = 3, 2_000, 4 * 1024 * 1024
SUFFIX = ".json"
WALK_FORWARD = ("evidence", "trials", "epochs", "confirmed_by_freqtrade")
SCANNED = ("leg_a", "leg_b", "coint_p", "adf_p", "q_value", "hedge_ratio", "half_life_hours", "reason")


class Results:
    """The results below one folder.

    :param folder: the user_data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int], dict[str, Any] | None]] = {}

    def listing(self) -> list[dict[str, Any]]:
        """What there is, the newest first: key, kind, name, when it was written, and a sentence."""
        with self._lock:
            found = {}
            for path in self._files():
                state = path.stat()
                stamp = (state.st_mtime_ns, state.st_size)
                if path not in self._known or self._known[path][0] != stamp:
                    self._known[path] = (stamp, self._entry(path, state.st_mtime_ns // 1_000_000))
                found[path] = self._known[path]
            self._known = found
            entries = [entry for _, entry in found.values() if entry is not None]
        return sorted(entries, key=lambda entry: (-entry["written_ms"], entry["name"]))

    def result(self, key: str) -> dict[str, Any]:
        """One result: its entry and the tables made of it. Raises UnknownPairError."""
        self.listing()
        for path, (_, entry) in list(self._known.items()):
            if entry is not None and entry["key"] == key:
                document = _read(path)
                if document is not None:
                    return {**entry, **_tables(entry["kind"], document)}
        raise UnknownPairError("there is no such result any more", remedy="Look at the list again")

    def _files(self) -> Iterator[Path]:
        root = self._folder.resolve()
        left = MOST_FILES
        for where, folders, names in os.walk(root):
            depth = len(Path(where).relative_to(root).parts)
            folders[:] = sorted(
                name for name in folders if name not in LEFT_OUT and not name.startswith(".")
            ) if depth < MOST_DEPTH else []  # fmt: skip
            for name in sorted(names):
                path = Path(where) / name
                if path.suffix != SUFFIX or path.is_symlink() or not path.is_file():
                    continue
                left -= 1
                if left < 0:
                    return
                yield path

    def _entry(self, path: Path, written_ms: int) -> dict[str, Any] | None:
        document = _read(path)
        kind = None if document is None else _kind(document)
        if document is None or kind is None:
            return None
        name = path.relative_to(self._folder.resolve()).as_posix()
        return {
            "key": hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16],
            "kind": kind,
            "name": name.encode("utf-8", "replace").decode("utf-8"),
            "written_ms": written_ms,
            "says": _says(kind, document),
        }


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object of bounded size, or None: a folder of the user's holds anything."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _kind(document: dict[str, Any]) -> str | None:
    if document.get("kind") == "walkforward":
        return "walk-forward"
    if {"variants", "begin", "trials"} <= document.keys() and isinstance(document["variants"], dict):
        return "comparison"
    if {"formation_start", "pairs", "rule"} <= document.keys() and isinstance(document["pairs"], list):
        return "scan"
    if {"epochs", "scan", "pairs"} <= document.keys() and isinstance(document["epochs"], list):
        return "pairs file"
    return None


def _says(kind: str, document: dict[str, Any]) -> str:
    """One sentence. A document that others have changed says less."""
    if kind == "walk-forward":
        low, high = (*_numbers(document.get("interval_95_bp")), None, None)[:2]
        net = _bp(document.get("net_bp"))
        text = f"evidence: {document.get('evidence')}; net {net} a pair trade"
        return f"{text}, 95 % interval {_bp(low)} to {_bp(high)}" if low is not None else text
    if kind == "comparison":
        return f"{len(document['variants'])} models side by side"
    if kind == "scan":
        chosen = [row for row in document["pairs"] if isinstance(row, dict) and not row.get("reason")]
        return f"{len(chosen)} of {document.get('combinations')} combinations selected"
    return f"{len(document['epochs'])} epochs, rule: {_of(document, 'scan', 'rule')}"


def _tables(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """Facts and one table, everything as text; a series where there is one."""
    if kind == "walk-forward":
        figures = document.get("figures")
        waterfall = document.get("waterfall_bp")
        facts = {name: document.get(name) for name in WALK_FORWARD} | _dictionary(figures)
        rows: list[Any] = list(_dictionary(waterfall).items())
        return _shown(facts, ["step", "bp a pair trade"], rows) | {"series": _series(document.get("weekly"))}
    if kind == "comparison":
        columns = ["evidence", "pair_trades", "net_bp", "deflated_sharpe", "beats_cash"]
        rows = [
            (name, *(each.get(column) for column in columns))
            for name, each in document["variants"].items()
            if isinstance(each, dict)
        ]
        return _shown({"trials": document.get("trials")}, ["model", *columns], rows)
    if kind == "scan":
        found = [row for row in document["pairs"] if isinstance(row, dict)]
        columns = [column for column in SCANNED if any(column in row for row in found)]
        facts = {name: value for name, value in document.items() if not isinstance(value, list | dict)}
        return _shown(facts, columns, [[row.get(column) for column in columns] for row in found[:200]])
    columns = ["id", "leg_a", "leg_b", "hedge_ratio", "half_life_hours", "coint_p", "entry_z", "stop_z"]
    rows = [
        (epoch.get("valid_from"), *(pair.get(column) for column in columns))
        for epoch in document["epochs"][-3:]
        if isinstance(epoch, dict)
        for pair in epoch.get("pairs") or []
        if isinstance(pair, dict)
    ]
    return _shown(_dictionary(document.get("scan")), ["valid from", *columns], rows)


def _shown(facts: dict[str, Any], columns: list[str], rows: list[Any]) -> dict[str, Any]:
    return {
        "facts": [[str(name), _text(value)] for name, value in facts.items()],
        "columns": columns,
        "rows": [[_text(value) for value in row] for row in rows],
    }


def _series(weekly: Any) -> list[list[Any]]:
    """[week, value] of a walk-forward, in time."""
    known = _dictionary(weekly)
    return [[str(when), value] for when, value in sorted(known.items()) if isinstance(value, int | float)]


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _of(document: dict[str, Any], *path: str) -> Any:
    for name in path:
        document = _dictionary(document).get(name)  # type: ignore[assignment]
    return document


def _numbers(value: Any) -> list[float]:
    return [each for each in value if isinstance(each, int | float)] if isinstance(value, list) else []


def _bp(value: Any) -> str:
    return f"{value:+.2f} bp" if isinstance(value, int | float) else "unknown"


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value[:300] if isinstance(value, str) else json.dumps(value)[:300]
