"""The house rule is checked, and the check is no decoration: each kind of violation turns it red."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pairbot_ext.reference.floors import floors


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """The contract's verdict on the package below `root`, as `make lint` asks for it."""
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(linter), "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def house(repo_root: Path, tmp_path: Path) -> Path:
    """A copy of the package and its contract, to be spoilt."""
    shutil.copy(repo_root / "pyproject.toml", tmp_path)
    shutil.copytree(
        repo_root / "pairbot_ext", tmp_path / "pairbot_ext", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def add_line(house: Path, module: str, line: str) -> None:
    path = house / "pairbot_ext" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")


def test_the_house_as_it_is_keeps_its_contract(house: Path) -> None:
    verdict = lint(house)
    assert verdict.returncode == 0, verdict.stdout
    assert "0 broken" in verdict.stdout


def test_an_arrow_up_turns_the_contract_red(house: Path) -> None:
    add_line(house, "signals/zpath.py", "from pairbot_ext.desk import trade_desk")
    verdict = lint(house)
    assert verdict.returncode == 1
    assert "pairbot_ext.signals is not allowed to import pairbot_ext.desk" in verdict.stdout


def test_a_circle_between_rooms_turns_the_contract_red(house: Path) -> None:
    """Two rooms of one floor: neither arrow points up, together they are a circle."""
    add_line(house, "orders/limiter.py", "from pairbot_ext.host import logfile")
    add_line(house, "host/logfile.py", "from pairbot_ext.orders import limiter")
    verdict = lint(house)
    assert verdict.returncode == 1
    assert "pairbot_ext.orders is not allowed to import pairbot_ext.host" in verdict.stdout
    assert "pairbot_ext.host is not allowed to import pairbot_ext.orders" in verdict.stdout


@pytest.mark.parametrize("module", ["model/plan.py", "stats/rolling.py", "pairtrade/decide.py"])
@pytest.mark.parametrize("library", ["freqtrade.persistence", "ccxt", "sqlalchemy"])
def test_what_is_pure_stays_pure(house: Path, module: str, library: str) -> None:
    add_line(house, module, f"import {library}")
    verdict = lint(house)
    assert verdict.returncode == 1
    assert re.search(rf"is not allowed to import {library.split('.')[0]}", verdict.stdout)


def test_the_package_root_holds_the_command_and_nothing_else(repo_root: Path) -> None:
    package = repo_root / "pairbot_ext"
    assert {path.name for path in package.glob("*.py")} == {"__init__.py", "cli.py"}


def test_every_room_is_on_a_floor(repo_root: Path) -> None:
    rooms = {path.parent.name for path in (repo_root / "pairbot_ext").glob("*/__init__.py")} | {"cli"}
    assert {room for floor in floors() for room in floor} == rooms


def test_no_file_of_the_package_is_longer_than_a_reader_keeps_in_mind(repo_root: Path) -> None:
    lengths = {
        path.relative_to(repo_root): len(path.read_text(encoding="utf-8").splitlines())
        for path in (repo_root / "pairbot_ext").rglob("*.py")
    }
    assert {str(path): lines for path, lines in lengths.items() if lines > 400} == {}
