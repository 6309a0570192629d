"""docs/library.md runs as it stands, and every public name of a room is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pairbot_ext import report, research, scan, stats

ROOMS = (stats, scan, research, report)


def test_the_page_runs_block_by_block(repo_root: Path, tmp_path: Path) -> None:
    page = (repo_root / "docs/library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) == 6
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(repo_root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 pair trade, +1.27 after fees" in done.stdout
    assert "6 tested, 0.3 expected by chance" in done.stdout
    assert re.search(r"^(none|weak|strong): [1-9]\d* pair trades", done.stdout, re.M), done.stdout
    assert "plotly" in (tmp_path / "placebos.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_each_public_name_is_there_and_has_a_docstring(room) -> None:
    assert room.__all__
    for name in room.__all__:
        assert getattr(room, name).__doc__, name


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_what_is_not_public_is_an_attribute_error(room) -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        _ = room.nothing_of_the_kind


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_public_name_is_no_module_s(room) -> None:
    """Importing a module would replace the name by the module."""
    modules = {path.stem for path in Path(room.__path__[0]).glob("*.py")}
    assert modules & set(room.__all__) == set()
