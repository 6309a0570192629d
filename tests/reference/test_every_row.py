"""The table of docs/execution.md is whole: each input, each reason not to enter, each exit reason, each case
of the tables in the tests has its row, and each row its test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import operator_messages
import pytest

from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.risk.freshness import Input

ROW = re.compile(r"^\| (.+) \| (.+) \| (.+) \| (.+) \| `([a-z_/]+\.py)(?:::(\w+))?(?:\[(\w+)\])?` \|$", re.M)
TABLES = ("entry/test_every_refusal.py", "desk/test_every_way_out.py")
"""Tests whose cases are all rows."""


@pytest.fixture(scope="module")
def table(repo_root: Path) -> str:
    text = (repo_root / "docs/execution.md").read_text(encoding="utf-8")
    return text.split("## Everything that can happen")[1].split("\n## ")[0]


def cases_of(path: Path) -> set[str]:
    """Keys of a module's CASES or WAYS, and its other parametrized names, as strings in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_there_are_rows_enough_and_none_is_malformed(table: str) -> None:
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| cause")]
    assert len(ROW.findall(table)) == len(lines) >= 60


def test_every_row_has_its_test(table: str, repo_root: Path) -> None:
    for cause, _, _, _, file, function, case in ROW.findall(table):
        path = repo_root / "tests" / file
        assert path.is_file(), f"{cause}: {file}"
        text = path.read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, f"{cause}: {function}"
        known = cases_of(path) | {str(reason) for reason in ExitReason}
        rules = {name.lower() for name in re.findall(r"Rule\.([A-Z_]+)", text)}
        assert not case or case in known or any(case.startswith(rule) for rule in rules), f"{cause}: {case}"


def test_every_input_reason_and_exit_has_its_row(table: str) -> None:
    causes = [row[0] for row in ROW.findall(table)]
    assert [each for each in Input if not any(cause.startswith(each) for cause in causes)] == []
    codes = set(operator_messages.refusal_codes()) - {"…"}
    rows = " ".join(" ".join(row[:4]) for row in ROW.findall(table))
    assert {code for code in codes if f"`{code}`" not in rows} == set()
    assert {reason.value for reason in ExitReason if f"`{reason}`" not in rows} == set()


@pytest.mark.parametrize("file", TABLES)
def test_every_case_has_its_row(table: str, repo_root: Path, file: str) -> None:
    tree = ast.parse((repo_root / "tests" / file).read_text(encoding="utf-8"))
    tables = [
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in ("CASES", "WAYS")
    ]
    keys = {
        key.value
        for each in tables
        if isinstance(each, ast.Dict)
        for key in each.keys
        if isinstance(key, ast.Constant)
    }
    assert len(keys) >= 20
    named = {row[6] for row in ROW.findall(table) if row[4] == file}
    assert keys - named == set()
