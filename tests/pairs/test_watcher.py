"""The pairs file under a running bot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairbot_ext.pairs import PairsFile, load_pairs_file, write_pairs_file
from pairbot_ext.pairs.watcher import PairsFileWatcher
from pairbot_ext.support.errors import PairsFileError


@pytest.fixture
def committed(repo_root: Path) -> PairsFile:
    return load_pairs_file(repo_root / "pairs_config.json")


@pytest.fixture
def path(tmp_path: Path, committed: PairsFile) -> Path:
    write_pairs_file(tmp_path / "pairs.json", committed)
    return tmp_path / "pairs.json"


def without_last_pair(file: PairsFile) -> PairsFile:
    (epoch,) = file.epochs
    fewer = epoch.model_copy(update={"pairs": epoch.pairs[:-1]})
    kept = {name for pair in fewer.pairs for name in pair.symbols}
    pairs = tuple(name for name in file.pairs if name in kept)
    return file.model_copy(update={"epochs": (fewer,), "pairs": pairs})


def test_nothing_new_says_nothing(path, committed) -> None:
    watcher = PairsFileWatcher(path)
    assert watcher.current == committed
    assert watcher.poll() is None
    os.utime(path)
    assert watcher.poll() is None


def test_a_rewritten_file_is_taken_over_and_its_differences_named(path, committed) -> None:
    watcher = PairsFileWatcher(path)
    smaller = without_last_pair(committed)
    write_pairs_file(path, smaller)
    change = watcher.poll()
    assert change is not None
    assert change.pairs_file == smaller == watcher.current
    for text in (str(path), "9 pairs", "new: none", "gone: 1000SATS_AEVO"):
        assert text in change.message
    assert watcher.poll() is None


def test_a_broken_file_keeps_the_last_good_one_and_is_reported_once(path, committed) -> None:
    watcher = PairsFileWatcher(path)
    text = path.read_text()
    path.write_text(text[:-40])
    change = watcher.poll()
    assert change is not None
    assert change.pairs_file is None
    assert "not JSON" in change.message
    assert "stay in force" in change.message
    assert watcher.current == committed
    assert [watcher.poll() for _ in range(3)] == [None] * 3
    write_pairs_file(path, without_last_pair(committed))
    repaired = watcher.poll()
    assert repaired is not None
    assert repaired.pairs_file is not None


def test_a_file_that_vanishes_and_returns(path, committed) -> None:
    watcher = PairsFileWatcher(path)
    path.unlink()
    change = watcher.poll()
    assert change is not None
    assert change.pairs_file is None
    assert str(path) in change.message
    assert watcher.poll() is None
    write_pairs_file(path, committed)
    assert watcher.poll() is None
    assert watcher.current == committed


def test_a_bad_file_at_the_start_is_an_error(tmp_path) -> None:
    with pytest.raises(PairsFileError, match="does not exist"):
        PairsFileWatcher(tmp_path / "none.json")
