"""joblib's dask backend with two gaps closed, and every way a cluster can fail as a sentence.

As it is, joblib computes all tasks in the calling process where the cluster begins with one core, whoever
joins later; and waits for ever for a task that dask itself has given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from joblib.parallel import ParallelBackendBase

from pairbot_ext.support.errors import PairbotError

CONNECT_SECS = 5.0
WORKERS_SECS = 10.0
IN_FLIGHT = 256
"""Batches with the scheduler at a time: what a worker that joins late can take."""


class LostDataError(Exception):
    """The scheduler no longer has what the tasks share, or forgot them: they can be sent again."""


@contextmanager
def cluster(scheduler: str, shared: Mapping[str, Any]) -> Iterator[ParallelBackendBase]:
    """joblib's backend for the workers of `scheduler`, each of which has been sent `shared` once.

    :raises PairbotError: dask is not installed, the scheduler does not answer or has no worker.
    """
    try:
        import dask
        from distributed import Client
        from joblib._dask import DaskDistributedBackend
    except ImportError:
        raise PairbotError(
            "--backend dask needs dask, which is not installed",
            remedy="Install the extra: pip install 'pairbot-ext[dask]'",
        ) from None

    class Cluster(DaskDistributedBackend):
        """See the module."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, int(super().effective_n_jobs(n_jobs)))

        def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
            future = super().submit(func, callback)

            def tell(done: Any) -> None:
                if callback is not None and done.exception() is not None:
                    callback(done.exception())

            future.add_done_callback(tell)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, BaseException):
                raise _as_ours(out)
            return super().retrieve_result_callback(out)

    timeout = f"{CONNECT_SECS:g}s"
    with _silence(), dask.config.set({"distributed.comm.timeouts.connect": timeout}):
        try:
            # A client would wait for ever for a server that listens and says nothing.
            asyncio.run(_knock(scheduler))
            client = Client(scheduler, timeout=timeout, set_as_default=False, name="pairbot")
        except (OSError, ValueError, RuntimeError, TimeoutError) as error:
            raise PairbotError(
                f"no dask scheduler answers at {scheduler} within {CONNECT_SECS:g} s",
                value=str(error).partition("\n")[0] or None,
                remedy="Start one, or look at its address and the firewall",
            ) from None
        with client:
            try:
                client.wait_for_workers(1, timeout=WORKERS_SECS)
            except TimeoutError:
                raise PairbotError(
                    f"the dask scheduler {scheduler} has no worker, {WORKERS_SECS:g} s long",
                    remedy=f"Start some: dask worker {scheduler}",
                ) from None
            yield Cluster(client=client, scatter=[shared] if shared else None)


@contextmanager
def _silence() -> Iterator[None]:
    """dask's tracebacks of a lost connection would bury the one sentence that is said here."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


async def _knock(scheduler: str) -> None:
    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(scheduler), CONNECT_SECS)
    comm.abort()


def _as_ours(error: BaseException) -> BaseException:
    """What dask says of a task it gave up, in our words."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return PairbotError(
            f"{error.allowed_failures + 1} dask workers died one after the other over the same task, "
            f"the last of them {getattr(error.last_worker, 'address', error.last_worker)}",
            remedy="Most often the memory is too small: give the workers more, or fewer threads each",
        )
    if isinstance(error, CancelledError):
        return LostDataError(str(error))
    if isinstance(error, ImportError | AttributeError):
        return PairbotError(
            f"a dask worker cannot load these tasks: {error}",
            remedy="Install the same package on every machine and start its workers again",
        )
    return error
