"""The architecture page names what there is: rooms, files, invariants and the tests that hold them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

INVARIANTS = [f"I{number}" for number in range(1, 19)]


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs/architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", INVARIANTS)
def test_each_invariant_is_named_by_the_tests_that_hold_it(name, page, repo_root) -> None:
    row = re.search(rf"^\| {name} \| .+ \| (.+) \|$", page, re.M)
    assert row is not None, f"{name} has no line"
    files = re.findall(r"`(tests/[^`]+)`", row[1])
    assert files
    for file in files:
        text = (repo_root / file).read_text(encoding="utf-8")
        assert re.search(rf"\b{name}\b", text), f"{file} does not name {name}"


def test_no_file_is_named_that_is_not_there(page, repo_root) -> None:
    package = repo_root / "pairbot_ext"
    named = set(re.findall(r"`([\w/]+\.py)`", page))
    beside = {path.parent for path in package.rglob("*.py")}
    assert {name for name in named if not any((p / name).is_file() for p in {repo_root, *beside})} == set()


def test_every_room_of_the_journey_is_one(page, repo_root) -> None:
    journey = page.split("## The journey of one order")[1].split("##")[0]
    rooms = re.findall(r"^\| `(\w+)`", journey, re.M)
    assert len(rooms) > 8
    assert {room for room in rooms if not (repo_root / "pairbot_ext" / room).is_dir()} == set()


def test_the_glossary_is_short_and_its_words_are_used(page, repo_root) -> None:
    table = page.split("## Words")[1].split("##")[0]
    words = [word for row in re.findall(r"^\| ([^|]+) \|", table, re.M)[2:] for word in row.split(", ")]
    assert 15 <= len(words) <= 30
    code = "\n".join(path.read_text(encoding="utf-8") for path in (repo_root / "pairbot_ext").rglob("*.py"))
    assert [word for word in words if word.split()[-1].lower() not in code.lower()] == []
