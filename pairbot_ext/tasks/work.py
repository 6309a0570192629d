"""What a task is, and what its worker does with it: compare the version, then compute."""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pairbot_ext import __version__
from pairbot_ext.support.errors import PairbotError

Row = dict[str, Any]
"""Flat: None, bool, int, float, str, arrays of numbers (1-D) and lists of str. Parquet keeps it as it is."""
Rows = list[Row]
Task = Sequence[Any]
"""Positional arguments of the function. A seed is one of them."""

PACKAGE = "pairbot_ext"
_LIBRARIES = ("numpy", "scipy", "pandas", "numba")
"""Another release of these may round differently, and so may numba and its absence."""
_NUMBA_SWITCH = "PAIRBOT_NUMBA"
_PARENT_POLL_SECS = 1.0
_CORES = "LOKY_MAX_CPU_COUNT"
"""What `joblib.cpu_count` answers, which whoever begins threads asks."""


class OtherVersionError(PairbotError):
    """A worker would compute with other code."""


class OutOfMemoryError(PairbotError):
    """A task needs more memory than its worker has."""


@dataclass(frozen=True, slots=True)
class Job:
    """The function of all tasks of one run, by name, and the code it must be of.

    :ivar function: "module:name".
    :ivar code: what `code_of` says where the run began.
    """

    function: str
    code: str

    @staticmethod
    def of(function: Callable[..., Rows]) -> Job:
        """The job of a module's function.

        :raises ValueError: it is not to be found under its name.
        """
        module = function.__module__
        is_named = getattr(sys.modules.get(module), function.__qualname__, None) is not None
        if module == "__main__":
            spec = sys.modules["__main__"].__spec__
            module = spec.name if spec is not None else module
        name = function.__qualname__
        if module == "__main__" or not is_named:
            raise ValueError(f"{module}:{name} cannot be imported by a worker: give a function of a module")
        return Job(f"{module}:{name}", code_of(module))

    @property
    def module(self) -> str:
        """Where the function is."""
        return self.function.partition(":")[0]

    def load(self) -> Callable[..., Rows]:
        """The function itself."""
        found: Callable[..., Rows] = getattr(
            importlib.import_module(self.module), self.function.partition(":")[2]
        )
        return found


@lru_cache(maxsize=8)
def code_of(module: str) -> str:
    """Version of this package, a hash of its source and of the package that `module` is of, and the releases
    of the libraries that do the arithmetic: the version alone does not change between two commits."""
    digest = hashlib.sha256()
    for name in sorted({PACKAGE, module.partition(".")[0]}):
        origin = Path(str(importlib.import_module(name).__file__))
        sources = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
        for source in sources:
            digest.update(source.relative_to(origin.parent).as_posix().encode() + b"\0")
            digest.update(source.read_bytes() + b"\0")
    libraries = ", ".join(f"{name} {_release(name)}" for name in _LIBRARIES)
    return f"{__version__} (source {digest.hexdigest()[:12]}, {libraries})"


def _release(library: str) -> str:
    try:
        is_off = library == "numba" and os.environ.get(_NUMBA_SWITCH) == "0"
        return "off" if is_off else version(library)
    except PackageNotFoundError:
        return "none"


def call(job: Job, number: int, task: Task, shared: Mapping[str, Any] | Path) -> tuple[int, Rows]:
    """Compute one task where this runs.

    :param shared: keyword arguments that every task gets, or the file they lie in.
    :return: the task's number and its rows.
    :raises OtherVersionError: the code here is not the job's.
    """
    here = code_of(job.module)
    if here != job.code:
        raise OtherVersionError(
            f"the worker {_name()} runs pairbot {here}, these tasks are of {job.code}",
            remedy="Install the same package on every machine and start its workers again",
        )
    return number, compute(
        job.load(), number, task, _from_file(shared) if isinstance(shared, Path) else shared
    )


def compute(function: Callable[..., Rows], number: int, task: Task, shared: Mapping[str, Any]) -> Rows:
    """The task's rows.

    :raises OutOfMemoryError: there is no memory for it.
    """
    try:
        return function(*task, **shared)
    except MemoryError:
        raise OutOfMemoryError(
            f"task {number} ran out of memory",
            remedy="Give fewer --jobs, smaller tasks or workers with more memory",
        ) from None


def _name() -> str:
    """Which worker this is."""
    if "distributed" in sys.modules:
        from distributed import get_worker

        try:
            return str(get_worker().address)
        except ValueError:
            pass
    return f"process {os.getpid()}"


@lru_cache(maxsize=1)
def _from_file(path: Path) -> Mapping[str, Any]:
    """Read once per process; arrays are memory maps."""
    import joblib

    found: Mapping[str, Any] = joblib.load(path, mmap_mode="r")
    return found


@lru_cache(maxsize=1)
def one_thread() -> None:
    """Let this process use one core from now on, BLAS too: the workers are the parallelism, and a sum split
    among threads may round differently."""
    from threadpoolctl import threadpool_limits

    os.environ[_CORES] = "1"
    threadpool_limits(limits=1)


def call_remotely(job: Job, number: int, task: Task, shared: Mapping[str, Any]) -> tuple[int, Rows]:
    """`call` in a worker that somebody else started."""
    one_thread()
    return call(job, number, task, shared)


@lru_cache
def beginning_under(parent: int) -> Callable[[], None]:
    """`begin_process` for the workers of one process; the same object each time, or joblib would take a
    running pool for another one."""
    return partial(begin_process, parent)


def begin_process(parent: int) -> None:
    """First thing in a worker process: Ctrl+C is the parent's to answer, and nothing outlives the parent.

    :param parent: its process id. It may have died while this process was still loading.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_thread()

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_SECS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
