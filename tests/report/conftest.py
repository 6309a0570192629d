"""Fixtures of the report tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_export import make_pairs_file

from pairbot_ext.pairs import write_pairs_file


@pytest.fixture
def pairs_path(tmp_path: Path) -> Path:
    """The pairs file of the small export."""
    path = tmp_path / "pairs.json"
    write_pairs_file(path, make_pairs_file())
    return path
