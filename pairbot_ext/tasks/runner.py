"""Run many tasks and get their rows in order: here, in threads, in processes, on the workers of a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from pairbot_ext.tasks.store import Store
from pairbot_ext.tasks.work import (
    Job,
    OutOfMemoryError,
    Rows,
    Task,
    beginning_under,
    call,
    call_remotely,
    compute,
)
from pairbot_ext.tasks.workers import Backend, Workers

Progress = Callable[[int, int], None]
Numbered = Generator[tuple[int, Rows], None, None]
MAX_LOSSES = 3
"""So often in a row workers may be lost without a single result between."""


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


def run(
    function: Callable[..., Rows],
    tasks: Sequence[Task],
    *,
    shared: Mapping[str, Any] | None = None,
    workers: Workers | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] = _to_stderr,
) -> Generator[Rows, None, None]:
    """``function(*task, **shared)`` for every task.

    The rows do not depend on who computes, in which order, how often a worker is lost or the run interrupted.

    :param function: of a module; makes rows of flat values (`Row`). Whatever is random in it comes from a
        seed in its task. It must not change what is shared.
    :param shared: large data, sent once to each worker.
    :param workers: default: this thread.
    :param store: folder that keeps the rows as they come. With the same function, tasks, shared data and code
        the run goes on where it ended; when all is done there is one file, ``results.parquet``.
    :param progress: called with (tasks done, in all).
    :param note: called with what the reader should know of the store.
    :return: the rows of each task, in the order of the tasks, as soon as all before it are there.
    :raises PairbotError: no workers, workers of another version, no memory, a store of another run.
    """
    workers = workers or Workers(Backend.SERIAL)
    job, shared = Job.of(function), dict(shared or {})
    with ExitStack() as stack:
        kept = stack.enter_context(Store.opened(store, job, tasks, shared, note)) if store else None
        restored = frozenset(kept.done) if kept else frozenset()
        todo = [number for number in range(len(tasks)) if number not in restored]
        fresh = stack.enter_context(closing(_computed(job, tasks, todo, shared, workers)))
        waiting: dict[int, Rows] = {}
        done = len(restored)
        if progress is not None and done:
            progress(done, len(tasks))
        for number in range(len(tasks)):
            while number not in restored and number not in waiting:
                finished, rows = next(fresh)
                waiting[finished] = rows
                if kept is not None:
                    kept.add(finished, rows)
                done += 1
                if progress is not None:
                    progress(done, len(tasks))
            if number == len(tasks) - 1:
                # Not after the last rows: nobody need ask for more.
                next(fresh, None)
                if kept is not None:
                    kept.finish()
            yield waiting.pop(number) if number in waiting else kept.rows(number)  # type: ignore[union-attr]


def _computed(
    job: Job, tasks: Sequence[Task], todo: Sequence[int], shared: Mapping[str, Any], workers: Workers
) -> Numbered:
    """(number, rows) of each task of `todo`, as they get done; those of lost workers are repeated."""
    from joblib.externals.loky import BrokenProcessPool

    from pairbot_ext.tasks.cluster import LostDataError

    left, losses = dict.fromkeys(todo), 0
    while left:
        try:
            with closing(
                _once(job, [(number, tasks[number]) for number in left], shared, workers)
            ) as results:
                for number, rows in results:
                    losses = 0
                    del left[number]
                    yield number, rows
        except (BrokenProcessPool, LostDataError) as error:
            losses += 1
            if losses == MAX_LOSSES:
                raise OutOfMemoryError(
                    f"workers died {MAX_LOSSES} times in a row without finishing one of {len(left)} tasks",
                    remedy="Most often the memory is too small: give fewer --jobs or smaller tasks",
                ) from error


def _once(
    job: Job, tasks: Sequence[tuple[int, Task]], shared: Mapping[str, Any], workers: Workers
) -> Numbered:
    if workers.is_here:
        return _here(job, tasks, shared)
    if workers.backend is Backend.THREADS:
        return _in_threads(job, tasks, shared, workers.local_jobs)
    if workers.backend is Backend.PROCESSES:
        return _in_processes(job, tasks, shared, min(workers.local_jobs, len(tasks)))
    assert workers.scheduler is not None
    return _on_cluster(job, tasks, shared, workers.scheduler)


def _here(job: Job, tasks: Iterable[tuple[int, Task]], shared: Mapping[str, Any]) -> Numbered:
    function = job.load()
    with _one_blas_thread():
        for number, task in tasks:
            yield number, compute(function, number, task, shared)


def _in_threads(
    job: Job, tasks: Iterable[tuple[int, Task]], shared: Mapping[str, Any], jobs: int
) -> Numbered:
    from joblib import Parallel, delayed

    with _one_blas_thread():
        pool = Parallel(jobs, backend="threading", return_as="generator_unordered")
        yield from _quietly(pool(delayed(call)(job, number, task, shared) for number, task in tasks))


def _in_processes(
    job: Job, tasks: Iterable[tuple[int, Task]], shared: Mapping[str, Any], jobs: int
) -> Numbered:
    import joblib

    with _folder() as folder:
        data: Mapping[str, Any] | Path = shared
        if shared:
            # One file for all processes: its arrays are mapped, not copied.
            data = folder / "shared"
            joblib.dump(dict(shared), data)
        pool = joblib.Parallel(
            jobs, backend="loky", return_as="generator_unordered", initializer=beginning_under(os.getpid())
        )
        yield from _quietly(pool(joblib.delayed(call)(job, number, task, data) for number, task in tasks))


@contextmanager
def _folder() -> Iterator[Path]:
    """Removed at the end, and where this process is killed by joblib's tracker, as its own folders are."""
    from joblib.externals.loky.backend import resource_tracker

    with tempfile.TemporaryDirectory(prefix="pairbot-tasks-") as folder:
        resource_tracker.register(folder, "folder")
        try:
            yield Path(folder)
        finally:
            resource_tracker.unregister(folder, "folder")


def _on_cluster(
    job: Job, tasks: Iterable[tuple[int, Task]], shared: Mapping[str, Any], scheduler: str
) -> Numbered:
    from joblib import Parallel, delayed, parallel_config

    from pairbot_ext.tasks.cluster import IN_FLIGHT, cluster

    with cluster(scheduler, shared) as backend:
        with parallel_config(backend):
            pool = Parallel(return_as="generator_unordered", pre_dispatch=IN_FLIGHT)
        work = (delayed(call_remotely)(job, number, task, shared) for number, task in tasks)
        yield from _quietly(pool(work))


def _quietly(results: Numbered) -> Numbered:
    """The results; who stops asking for more is not warned that tasks were given up."""
    with warnings.catch_warnings(), closing(results):
        warnings.filterwarnings("ignore", message=".*tasks", category=UserWarning, module="joblib")
        yield from results


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """As in every worker: a sum split among threads may round differently."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
