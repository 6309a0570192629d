"""Past one machine, on real dask processes: the same bytes, whoever dies or joins late."""

from __future__ import annotations

import re
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_functions
from dask_processes import DaskCluster, wait_until

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.tasks import Backend, Workers, cluster, run
from pairbot_ext.tasks.work import OtherVersionError

TASKS = [(seed,) for seed in range(120)]
DRIFT = np.linspace(0.0, 1.0, 200_000)


def as_bytes(results: Any) -> list[tuple[Any, ...]]:
    """What was found, to the last bit."""
    return [
        (row["seed"], row["eigenvalues"].tobytes(), row["eigenvalues"].dtype.str, row["names"], row["sum"])
        for rows in results
        for row in rows
    ]


@pytest.mark.process
def test_the_same_bytes_whoever_computes_dies_or_joins_late(
    dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    first, second = dask_cluster.start_worker(), dask_cluster.start_worker()
    reference = as_bytes(run(task_functions.walk, TASKS, shared={"drift": DRIFT}))
    assert len(reference) == len(TASKS)
    for workers in (Workers(Backend.THREADS, 2), Workers(Backend.PROCESSES, 2)):
        assert (
            as_bytes(run(task_functions.walk, TASKS, shared={"drift": DRIFT}, workers=workers)) == reference
        )
    dask_cluster.wait_for(first, second)
    late = []

    def disturb() -> None:
        """Kill one that has begun, in the middle; another joins while later tasks wait for it."""
        marks = [tmp_path / str(worker.pid) for worker in (first, second)]
        wait_until(lambda: all(mark.exists() for mark in marks), "both workers to begin")
        first.kill()
        late.append(dask_cluster.start_worker())
        dask_cluster.wait_for(*late)
        (tmp_path / "gate").touch()

    thread = threading.Thread(target=disturb)
    thread.start()
    seen: list[int] = []
    found = as_bytes(
        run(
            task_functions.walk,
            TASKS,
            shared={"drift": DRIFT, "marks": str(tmp_path)},
            workers=Workers(Backend.DASK, scheduler=dask_cluster.address),
            progress=lambda done, total: seen.append(done),
        )
    )
    thread.join(60)
    assert found == reference
    assert seen == list(range(1, len(TASKS) + 1))
    computed = {path.name for path in tmp_path.iterdir()}
    assert {str(process.pid) for process in (first, second, *late)} <= computed


@pytest.mark.process
def test_a_worker_of_another_version_is_refused(
    dask_cluster: DaskCluster, repo_root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "pairbot_ext"
    shutil.copytree(repo_root / "pairbot_ext", other, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "__init__.py").open("a") as package:
        package.write('__version__ = "0.0.9"\n')
    worker = dask_cluster.start_worker(tmp_path)
    dask_cluster.wait_for(worker)
    workers = Workers(Backend.DASK, scheduler=dask_cluster.address)
    with pytest.raises(
        OtherVersionError, match=r"the worker tcp://\S+ runs pairbot 0\.0\.9 .* these tasks are of"
    ):
        list(run(task_functions.walk, TASKS, shared={"drift": DRIFT}, workers=workers))
    worker.kill()


@pytest.mark.process
def test_a_worker_without_memory_says_so(dask_cluster: DaskCluster) -> None:
    workers = Workers(Backend.DASK, scheduler=dask_cluster.address)
    with pytest.raises(PairbotError, match="task 0 ran out of memory"):
        list(run(task_functions.needs_too_much, [(0,)], workers=workers))


def test_no_scheduler_is_said_within_seconds(market, store_candles, capsys, monkeypatch) -> None:
    from pairbot_ext.cli import main

    monkeypatch.setattr(cluster, "CONNECT_SECS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        closed = socket.create_server(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
        closed.close()
        command = ["scan", "--datadir", str(store_candles(market)), "--walk-forward", "--formation", "200"]
        span = ["--timerange", "20250110-20250121", "--backend", "dask", "--scheduler"]
        for address in (f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{nobody}"):
            assert main([*command, *span, address]) == 2
            said = capsys.readouterr().err
            assert re.search(rf"no dask scheduler answers at {address} within 0\.5 s", said)


def test_without_dask_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    workers = Workers(Backend.DASK, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(PairbotError, match=r"dask.*not installed.*pip install 'pairbot-ext\[dask\]'"):
        list(run(task_functions.needs_too_much, [(0,)], workers=workers))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((Backend.DASK,), "--backend dask and --scheduler belong together"),
        ((Backend.THREADS, 1, "tcp://127.0.0.1:8786"), "belong together"),
        ((Backend.DASK, 1, "127.0.0.1"), "--scheduler is no address"),
        ((Backend.PROCESSES, 0), "--jobs must not be 0"),
    ],
)
def test_workers_that_contradict_themselves(arguments, said) -> None:
    with pytest.raises(PairbotError, match=said):
        Workers(*arguments)
