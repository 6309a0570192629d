"""What the source can say to an operator: texts of messages, refusals and errors, read from the code itself.

A text is a template: `…` stands for what is filled in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pairbot_ext"

NOT_FOR_OPERATORS = (
    "backup/",
    "sim/",
    "scan/",
    "candles/",
    "pairs/writing.py",
    "report/",
    "research/",
    "stats/",
    "tasks/",
    "demo/",
    "reference/",
    "commands/",
    "preflight/",
    "prove/",
    "rehearse/",
    "userdir/",
)
"""The simulated exchange, and commands whose messages go to whoever has just typed them. The preflight and
the proof have pages of their own."""

ALL_TEXTS_OF = (
    "pairs/renewal.py",
    "pairs/watcher.py",
    "pairtrade/decide.py",
    "pairtrade/retries.py",
    "recovery/standstill.py",
    "risk/desk.py",
    "risk/state.py",
    "runtime/renewals.py",
    "voice/messages.py",
    "voice/watch.py",
)
"""Modules whose every sentence ends in a message: reasons, headlines, what happens next."""

TELLERS = ("tell", "_tell", "send_msg")
LEAST_WORDS = 3


@dataclass(frozen=True)
class Text:
    """One template and where it stands."""

    place: str
    template: str

    @property
    def fingerprint(self) -> str:
        """Its longest fixed part: what a reader would search the runbook for."""
        return max((" ".join(part.split()) for part in self.template.split("…")), key=len).strip(" .;:,(-")


def _template(node: ast.expr) -> str:
    """`f"{symbol} is locked: {why}"` as `… is locked: …`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(value.value if isinstance(value, ast.Constant) else "…" for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _template(left) + _template(right)
        case _:
            return "…"


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _modules() -> tuple[tuple[str, ast.Module], ...]:
    return _parsed(PACKAGE)


@lru_cache
def _parsed(package: Path) -> tuple[tuple[str, ast.Module], ...]:
    names = [path.relative_to(package).as_posix() for path in sorted(package.rglob("*.py"))]
    return tuple(
        (name, ast.parse((package / name).read_text(encoding="utf-8")))
        for name in names
        if not name.startswith(NOT_FOR_OPERATORS)
    )


def refusal_codes() -> dict[str, list[str]]:
    """{code of a RefusedError: where it is raised}; `…` for a code that is not a literal."""
    found: dict[str, list[str]] = {}
    for name, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node) == "RefusedError":
                code = node.args[0]
                shown = code.value if isinstance(code, ast.Constant) else "…"
                found.setdefault(str(shown), []).append(f"{name}:{node.lineno}")
    return found


def _error_types() -> set[str]:
    """PairbotError and the classes derived from it at the top of a module, by name."""
    names = {"PairbotError"}
    bases: dict[str, set[str]] = {}
    for _, tree in _modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    while more := {name for name, of in bases.items() if of & names} - names:
        names |= more
    return names


def texts() -> list[Text]:
    """Every text that is told or raised, once."""
    errors = _error_types() | {"error_type"}
    found: dict[str, Text] = {}
    for name, tree in _modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = _name(node)
            if called in errors or called in TELLERS:
                # A refusal's code comes before its text.
                template = _template(node.args[1 if called == "RefusedError" and len(node.args) > 1 else 0])
                _add(found, f"{name}:{node.lineno}", template)
    for name in ALL_TEXTS_OF:
        for place, template in _sentences(name):
            _add(found, place, template)
    return list(found.values())


def _add(found: dict[str, Text], place: str, template: str) -> None:
    text = Text(place, " ".join(template.split()))
    if len(text.fingerprint.split()) >= LEAST_WORDS or "refus" in text.fingerprint:
        found.setdefault(text.template, text)


def _sentences(name: str) -> Iterator[tuple[str, str]]:
    """Every string of a module that is neither documentation nor for the log nor an event's name."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update(id(each) for each in ast.walk(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            if isinstance(of, ast.Name) and of.id == "logger":
                skipped.update(id(each) for each in ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(each) for each in ast.walk(node) if each is not node)
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.JoinedStr | ast.Constant):
            continue
        template = _template(node)
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
            yield f"{name}:{node.lineno}", template
