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
TASKS = 30


def study(store: Path, gates: Path, repo_root: Path) -> subprocess.Popen[str]:
    """Begin or go on. Its data lie beside the gates while it runs."""
    own = {
        "PYTHONPATH": os.pathsep.join([str(repo_root), str(HERE)]),
        "GATES": str(gates),
        "TMPDIR": str(gates),
    }
    return subprocess.Popen(
        [sys.executable, str(HERE / "small_study.py"), str(store), str(TASKS)],
        env=os.environ | own,
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


def stored(store: Path) -> int:
    """Tasks in the parts."""
    return sum(int(part.stem.split("-")[2]) for part in store.glob("part-*.parquet"))


@pytest.mark.process
def test_stopped_killed_and_resumed_gives_the_same_bytes(repo_root: Path, tmp_path: Path) -> None:
    whole, broken, open_gates, gates = (tmp_path / name for name in ("whole", "broken", "open", "gates"))
    for folder, count in ((open_gates, 3), (gates, 1)):
        folder.mkdir()
        for number in range(count):
            (folder / str(number)).touch()
    undisturbed = study(whole, open_gates, repo_root)

    first = study(broken, gates, repo_root)
    wait_until(lambda: stored(broken) >= 9, "the first ten")
    os.killpg(first.pid, signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode != 0
    # The worker processes keep quiet: one traceback of one Ctrl+C, the script's own.
    assert said.count("KeyboardInterrupt\n") == 1
    wait_until(lambda: not session_of(first), "the workers to end after Ctrl+C")
    assert not list(gates.glob("pairbot-*"))
    kept = stored(broken)

    (gates / "1").touch()
    second = study(broken, gates, repo_root)
    wait_until(lambda: stored(broken) >= kept + 5, "some more")
    second.kill()
    second.communicate(timeout=60)
    wait_until(lambda: not session_of(second), "the workers to end after kill -9")
    assert not list(gates.glob("pairbot-*")), "its data outlive it"
    assert not (broken / "results.parquet").exists()

    (gates / "2").touch()
    third = study(broken, gates, repo_root)
    said, errors = third.communicate(timeout=120)
    assert (third.returncode, said) == (0, "done\n"), errors
    assert undisturbed.communicate(timeout=120)[0] == "done\n"
    assert [path.name for path in sorted(broken.iterdir())] == [".lock", "results.parquet", "run.json"]
    for name in ("results.parquet", "run.json"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_a_worker_whose_parent_died_while_it_was_loading_ends(repo_root: Path) -> None:
    """It finds another parent than the one it was started by."""
    program = (
        "import sys, time; from pairbot_ext.tasks.work import begin_process; "
        "begin_process(int(sys.argv[1])); time.sleep(50)"
    )
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    orphan = subprocess.Popen(
        [sys.executable, "-c", program, str(gone.pid)], env=os.environ | {"PYTHONPATH": str(repo_root)}
    )
    assert orphan.wait(timeout=30) == -signal.SIGTERM
