"""What is installed is all that is needed: the wheel alone, in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOST_BYTES = 5 * 2**20


@pytest.mark.process
def test_the_wheel_works_from_an_empty_folder(repo_root: Path, tmp_path: Path) -> None:
    source, site, empty = tmp_path / "source", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    # A build leaves its folders behind, and two tests at a time would share them.
    for name in ("pairbot_ext", "docs"):
        shutil.copytree(repo_root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*repo_root.glob("*.md"), repo_root / "pyproject.toml", repo_root / "LICENSE"):
        shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size <= MOST_BYTES
    install = ["install", "-q", "--no-deps", "--no-compile", "--target", str(site), str(wheel)]
    subprocess.run([*pip, *install], check=True)

    environment = os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=empty, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = said("pairbot_ext.cli", "--version").splitlines()[-1].removeprefix("documentation ")
    assert Path(where) == site / "share" / "doc" / "pairbot-ext"
    assert (Path(where) / "docs" / "runbook.md").is_file()
    assert "strategies/PairsArb.py: new" in said("pairbot_ext.cli", "init")
    assert list((site / "pairbot_ext" / "schemas").glob("*.json"))
    listed = said("freqtrade", "list-strategies", "--userdir", "user_data", "--no-color")
    assert "PairsArb" in listed
    assert " OK " in listed
    assert sorted(path.name for path in empty.iterdir()) == ["user_data"]
