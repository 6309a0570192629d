"""The architecture page names what there is: rooms, files, invariants and the tests that hold them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

INVARIANTS = [f"I{number}" for number in range(1, 13)]


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


def test_every_room_and_every_file_of_the_engine_is_listed(page, repo_root) -> None:
    package = repo_root / "pairbot_ext"
    own = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    rooms = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").is_file()}
    engine = {path.name for path in (package / "execution").glob("*.py")} - {"__init__.py"}
    assert {name for name in own | rooms | engine if f"`{name}`" not in page} == set()


def test_no_file_is_named_that_is_not_there(page, repo_root) -> None:
    package = repo_root / "pairbot_ext"
    places = [package, package / "execution", repo_root]
    named = set(re.findall(r"`([\w/]+\.py)`", page))
    assert {name for name in named if not any((place / name).is_file() for place in places)} == set()
