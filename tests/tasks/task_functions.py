"""Tasks that workers in other processes can import: what they do, and what befalls them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

BUSY_SECS = 0.02


def walk(seed: int, size: int, *, drift: np.ndarray | None = None) -> list[dict[str, Any]]:
    """A small null universe: sums and products that differ in the last digit where rounding does."""
    rng = np.random.default_rng([20260301, seed])
    x = np.cumsum(rng.standard_normal((400, size)), axis=0)
    if drift is not None:
        x += drift[: len(x), None]
    products = x.T @ x
    time.sleep(BUSY_SECS)
    kept = np.sort(np.linalg.eigvalsh(products))
    names = [f"S{number}" for number in range(seed % 3)]
    return [{"seed": seed, "eigenvalues": kept, "names": names, "trace": float(np.trace(products))}]


def nothing_or_two(number: int) -> list[dict[str, Any]]:
    """Tasks need not have one row each."""
    return [{"half": half, "missing": None, "nan": float("nan")} for half in range(number % 3)]


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


def says_where(number: int, secs: float) -> list[dict[str, Any]]:
    """Which process computed it."""
    time.sleep(secs)
    return [{"pid": os.getpid()}]


def threads_of_blas(number: int) -> list[dict[str, Any]]:
    """How many threads each BLAS library of the process may use."""
    from threadpoolctl import threadpool_info

    return [{"most": max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")}]
