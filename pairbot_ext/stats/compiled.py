"""Numba, where it is installed: the kernels' compiler, and whether a piece of work is large enough for it.

The extra ``fast`` installs it. Without it, and for small scans, the same numbers come from numpy.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

# Importing numba and reading the kernels from their cache takes about half a second (compiling them, once on
# a machine, some 15 s): work that numpy has done by then is left to it.
WORTH_SECS = 0.8
SWITCH = "PAIRBOT_NUMBA"
T = TypeVar("T")
_rounds: ContextVar[int] = ContextVar("rounds", default=1)


def available() -> bool:
    """Whether numba is installed and not switched off by ``PAIRBOT_NUMBA=0``."""
    return os.environ.get(SWITCH, "1") != "0" and importlib.util.find_spec("numba") is not None


def worth_it(numpy_secs: float) -> bool:
    """Whether work that takes numpy so long is enough for the compiled kernels."""
    return numpy_secs * _rounds.get() >= WORTH_SECS and available()


@contextmanager
def one_of(rounds: int) -> Iterator[None]:
    """What is done inside is one of so many like pieces: small ones are worth the kernels too."""
    before = _rounds.set(rounds)
    try:
        yield
    finally:
        _rounds.reset(before)


def thread_count(threads: int | None) -> int:
    """``threads``, by default one per core this process may use."""
    import joblib

    return joblib.cpu_count() if threads is None else threads


def kernel(*, reorder_sums: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function of numbers and arrays; it runs without the interpreter's lock.

    :param reorder_sums: let sums be added in any order, so that they use vector instructions.
    """
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    if reorder_sums:
        options["fastmath"] = {"reassoc", "contract", "nsz"}

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither beside the package nor in the user's cache directory can be written
            return numba.njit(**options)(function)

    return compiled


def parts(count: int, size: int) -> list[slice]:
    """Consecutive slices of ``range(count)``."""
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def in_threads(work: Callable[[T], None], items: Sequence[T], threads: int) -> None:
    """Call ``work`` for every item, several at a time. What it writes must not overlap.

    Matrix products use one thread meanwhile: several that each want all cores wait for one another, and small
    ones wait for whoever else uses the machine.
    """
    with _thread_pools().limit(limits=1, user_api="blas"):
        if threads == 1 or len(items) < 2:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            for done in [pool.submit(work, item) for item in items]:
                done.result()


@cache
def _thread_pools() -> ThreadpoolController:
    """Of the libraries loaded when it is first asked for: numpy's BLAS among them."""
    return ThreadpoolController()
