"""A study stopped by Ctrl+C or killed leaves no process and goes on to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from dask_processes import wait_until

HERE = Path(__file__).parent
TASKS, SECS = 60, 0.03


def study(store: Path, repo_root: Path, secs: float = SECS) -> subprocess.Popen[str]:
    """Begin or go on."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "small_study.py"), str(store), str(TASKS), str(secs)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(repo_root), str(HERE)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session_of(process: subprocess.Popen[str]) -> list[int]:
    """Ids of what still lives of its session."""
    living = []
    for other in psutil.process_iter(["pid", "status"]):
        try:
            is_member = os.getsid(other.pid) == process.pid
        except ProcessLookupError:
            continue
        if is_member and other.info["status"] != psutil.STATUS_ZOMBIE:
            living.append(other.pid)
    return living


def parts(store: Path) -> list[Path]:
    return sorted(store.glob("part-*.parquet"))


@pytest.mark.process
def test_stopped_killed_and_resumed_gives_the_same_bytes(repo_root: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    undisturbed = study(whole, repo_root)

    first = study(broken, repo_root)
    wait_until(lambda: parts(broken), "the first part")
    os.killpg(first.pid, signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode != 0
    # Each worker process keeps quiet: one traceback of one Ctrl+C, the script's own.
    assert said.count("KeyboardInterrupt\n") == 1
    wait_until(lambda: not session_of(first), "the workers to end after Ctrl+C")
    kept = parts(broken)
    assert kept

    second = study(broken, repo_root)
    wait_until(lambda: len(parts(broken)) > len(kept), "another part")
    second.kill()
    second.communicate(timeout=60)
    wait_until(lambda: not session_of(second), "the workers to end after kill -9")
    assert not (broken / "results.parquet").exists()

    third = study(broken, repo_root)
    said, errors = third.communicate(timeout=120)
    assert (third.returncode, said) == (0, "done\n"), errors
    assert undisturbed.communicate(timeout=120)[0] == "done\n"
    assert [path.name for path in sorted(broken.iterdir())] == [".lock", "results.parquet", "run.json"]
    for name in ("results.parquet", "run.json"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
