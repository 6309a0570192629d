"""A real dask scheduler and its workers, each a process of its own, on the loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BOUND_SECS = 90.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for it, with a bound."""
    deadline = time.monotonic() + BOUND_SECS
    while not condition():
        assert time.monotonic() < deadline, f"waited {BOUND_SECS:g} s for {what}"
        time.sleep(0.02)


class DaskCluster:
    """A scheduler and its workers of one thread each."""

    def __init__(self, folder: Path, repo_root: Path) -> None:
        self._folder, self._root = folder, repo_root
        self._logs: dict[int, Path] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        self._start(
            [
                "scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                str(told),
            ]
        )
        wait_until(lambda: told.exists() and told.read_text().strip().endswith("}"), "the scheduler")
        self.address: str = json.loads(told.read_text())["address"]

    def _start(self, command: list[str], package: Path | None = None) -> subprocess.Popen[bytes]:
        paths = [str(package or self._root), str(self._root / "tests/tasks")]
        log = self._folder / f"{len(self.processes)}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                cwd=self._folder,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self._logs[process.pid] = log
        self.processes.append(process)
        return process

    def start_worker(self, package: Path | None = None) -> subprocess.Popen[bytes]:
        """Begin a worker; with the package that lies in `package`, if given."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        return self._start(["worker", self.address, *options], package)

    def wait_for(self, *workers: subprocess.Popen[bytes]) -> None:
        """Until the scheduler has these workers."""
        for worker in workers:
            log = self._logs[worker.pid]
            wait_until(lambda log=log: b"Registered to" in log.read_bytes(), f"worker {worker.pid}")

    def stop(self) -> None:
        """End all of it."""
        for process in reversed(self.processes):
            process.kill()
            process.wait(30)


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"), repo_root)
    try:
        yield cluster
    finally:
        cluster.stop()
