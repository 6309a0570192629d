"""The store keeps what it was given, goes on, and refuses or mends what is not its own."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import task_functions
from dask_processes import wait_until

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.tasks import run
from pairbot_ext.tasks import store as store_room

DRIFT = np.zeros(2000)
TASKS = [(seed,) for seed in range(12)]


def walks(store: Path, tasks: Any = TASKS, drift: np.ndarray = DRIFT, **options: Any) -> Any:
    return run(task_functions.walk, tasks, shared={"drift": drift}, store=store, **options)


def interrupted(store: Path, after: int = 7) -> list[Path]:
    """The parts of a run that was given up after so many tasks: one for each."""
    results = walks(store)
    for number in range(after):
        next(results)
        wait_until(lambda: len(parts_of(store)) > number, "a part before the next task")  # noqa: B023
    results.close()
    return parts_of(store)


def parts_of(store: Path) -> list[Path]:
    """Those that are on disk."""
    return sorted(store.glob("part-*.parquet"))


@pytest.fixture(autouse=True)
def _soon_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_room, "PART_SECS", 0.01)


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    plain = list(run(task_functions.none_or_two, [(number,) for number in range(7)]))
    for _ in range(2):
        kept = list(run(task_functions.none_or_two, [(number,) for number in range(7)], store=tmp_path))
        assert [len(rows) for rows in kept] == [0, 1, 2, 0, 1, 2, 0]
        for one, other in zip(chain(*plain), chain(*kept), strict=True):
            assert list(one) == ["half", "missing", "nan", "short"]
            assert (one["half"], one["missing"]) == (other["half"], other["missing"])
            assert type(other["half"]) is int
            assert np.isnan(other["nan"])
            assert other["short"].dtype == np.int16
            assert np.array_equal(one["short"], other["short"])


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    assert len(interrupted(tmp_path)) == 7
    seen: list[int] = []
    marks = tmp_path / "marks"
    found = list(walks(tmp_path, progress=lambda done, total: seen.append(done)))
    assert seen == [7, 8, 9, 10, 11, 12]
    assert [rows[0]["seed"] for rows in found] == list(range(12))
    assert not marks.exists()
    table = pd.read_parquet(tmp_path / "results.parquet")
    assert list(table.columns) == ["task", "eigenvalues", "names", "seed", "sum"]
    assert list(table["task"]) == list(range(12))


@pytest.mark.parametrize("spoil", ["cut", "emptied", "a bit", "of others"])
def test_a_torn_part_is_computed_again_and_said(tmp_path: Path, spoil: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    list(walks(whole))
    part = interrupted(broken)[3]
    content = bytearray(part.read_bytes())
    if spoil == "a bit":
        content[200] ^= 1
    part.write_bytes({"cut": content[:-50], "emptied": b"", "of others": b"PAR1 no", "a bit": content}[spoil])
    said: list[str] = []
    list(walks(broken, note=said.append))
    assert len(said) == 1
    assert said[0].startswith(f"{part} is torn and its tasks are computed again: ")
    assert (broken / "results.parquet").read_bytes() == (whole / "results.parquet").read_bytes()


def test_torn_results_are_computed_again(tmp_path: Path) -> None:
    list(walks(tmp_path))
    results = tmp_path / "results.parquet"
    before = results.read_bytes()
    results.write_bytes(before[: len(before) // 2])
    said: list[str] = []
    list(walks(tmp_path, note=said.append))
    assert "results.parquet is torn" in said[0]
    assert results.read_bytes() == before


def test_a_file_half_written_by_a_killed_process_is_not_a_part(tmp_path: Path) -> None:
    interrupted(tmp_path)
    (tmp_path / ".part-000000009-000000001.parquet.x.tmp").write_bytes(b"PAR1")
    assert len(list(walks(tmp_path, note=pytest.fail))) == 12


def test_a_store_of_another_run_is_refused_by_what_differs(tmp_path: Path, monkeypatch) -> None:
    interrupted(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    others = [
        (lambda: run(task_functions.none_or_two, TASKS, store=tmp_path), "another study's results"),
        (lambda: walks(tmp_path, TASKS[:5]), "another number of tasks"),
        (lambda: walks(tmp_path, [(seed + 1,) for (seed,) in TASKS]), "other parameters or data"),
        (lambda: walks(tmp_path, drift=DRIFT + 1), "other parameters or data"),
    ]
    for other, words in others:
        with pytest.raises(PairbotError, match=words):
            next(other())
    run_file = tmp_path / "run.json"
    document = json.loads(run_file.read_text())
    document["pairbot"] = "0.0.9 (source 0)"
    run_file.write_text(json.dumps(document))
    with pytest.raises(
        PairbotError, match=r"another version of pairbot \(found: 0\.0\.9 \(source 0\), this is"
    ):
        next(walks(tmp_path))
    for content, words in (("{", "is not JSON"), ('{"format": 7}', "not of a store of this version")):
        run_file.write_text(content)
        with pytest.raises(PairbotError, match=words):
            next(walks(tmp_path))
    del files[run_file]
    assert {path: path.read_bytes() for path in files} == files


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(PairbotError, match=r"is not a store of results \(found: holiday.jpg\)"):
        next(walks(tmp_path))
    with pytest.raises(PairbotError, match=r"holiday\.jpg cannot be used"):
        next(walks(tmp_path / "holiday.jpg"))


def test_two_runs_do_not_write_to_one_store(tmp_path: Path) -> None:
    first = walks(tmp_path)
    next(first)
    with pytest.raises(PairbotError, match="another run is writing"):
        next(walks(tmp_path))
    first.close()
    assert len(list(walks(tmp_path))) == 12
