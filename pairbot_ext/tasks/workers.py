"""Who works: this thread, other threads or processes of this machine, or the workers of a dask scheduler."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from pairbot_ext.support.errors import PairbotError

_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://[^\s/]+:\d{1,5}")


class Backend(StrEnum):
    """What carries the tasks."""

    SERIAL = "serial"
    THREADS = "threads"
    PROCESSES = "processes"
    DASK = "dask"


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works. The result never depends on it.

    :ivar jobs: threads or processes, -1: one per core. Of a dask scheduler all workers are used.
    :ivar scheduler: address of the dask scheduler, like tcp://10.0.0.5:8786.
    """

    backend: Backend = Backend.PROCESSES
    jobs: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.jobs == 0:
            raise PairbotError(
                "--jobs must not be 0", remedy="Give a number of workers, or -1 for one per core"
            )
        if (self.backend is Backend.DASK) != (self.scheduler is not None):
            raise PairbotError(
                "--backend dask and --scheduler belong together",
                value=self.scheduler or self.backend.value,
                remedy="Like --backend dask --scheduler tcp://127.0.0.1:8786",
            )
        if self.scheduler is not None and not _ADDRESS.fullmatch(self.scheduler):
            raise PairbotError(
                "--scheduler is no address", value=self.scheduler, remedy="Like tcp://127.0.0.1:8786"
            )

    @property
    def local_jobs(self) -> int:
        """Threads or processes of this machine that compute, at least one."""
        if self.backend in (Backend.SERIAL, Backend.DASK):
            return 1
        from joblib import cpu_count

        return self.jobs if self.jobs > 0 else max(1, (cpu_count() or os.cpu_count() or 1) + 1 + self.jobs)

    @property
    def is_here(self) -> bool:
        """Whether the calling thread itself computes."""
        return self.backend is not Backend.DASK and self.local_jobs == 1
