"""Tasks that workers in other processes can import: what they do, and what befalls them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

GATE_FROM, GATE_SECS = 40, 60


def walk(seed: int, *, drift: np.ndarray, marks: str = "") -> list[dict[str, Any]]:
    """A small null universe: sums and products that differ in the last digit where rounding does.

    :param marks: folder in which each process leaves its id, and in which later tasks wait for a file "gate".
    """
    if marks:
        (Path(marks) / str(os.getpid())).touch()
        deadline = time.monotonic() + GATE_SECS
        while seed >= GATE_FROM and not (Path(marks) / "gate").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    rng = np.random.default_rng([20260301, seed])
    x = np.cumsum(rng.standard_normal((2000, 12)), axis=0) + drift[:2000, None]
    eigenvalues = np.linalg.eigvalsh(x.T @ x)
    names = [f"S{number}" for number in range(seed % 3)]
    return [{"seed": seed, "eigenvalues": eigenvalues, "names": names, "sum": float(x.sum())}]


def none_or_two(number: int) -> list[dict[str, Any]]:
    """A task may have any number of rows, and values that are missing."""
    return [
        {"half": half, "missing": None, "nan": float("nan"), "short": np.arange(half, dtype=np.int16)}
        for half in range(number % 3)
    ]


def dies_once(number: int, folder: str) -> list[dict[str, Any]]:
    """The third task kills its worker, the first time it is tried."""
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"number": number}]


def always_dies(number: int) -> list[dict[str, Any]]:
    """As the kernel does where memory is gone."""
    os.kill(os.getpid(), signal.SIGKILL)
    return [{"number": number}]


def needs_too_much(number: int) -> list[dict[str, Any]]:
    """Python itself says that memory is gone."""
    raise MemoryError


def threads_of_blas(number: int) -> list[dict[str, Any]]:
    """How many threads each BLAS library of the process may use, at most."""
    from threadpoolctl import threadpool_info

    return [{"most": max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")}]
