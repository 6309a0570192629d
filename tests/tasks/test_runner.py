"""Tasks on one machine: lost workers, memory, threads of BLAS, progress, and a caller who stops early."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import task_functions
from threadpoolctl import threadpool_limits

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.tasks import Backend, Workers, run
from pairbot_ext.tasks.work import Job, OtherVersionError, OutOfMemoryError, call

TWO = Workers(Backend.PROCESSES, 2)
DRIFT = np.zeros(2000)


def test_a_killed_worker_s_tasks_are_repeated(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path)) for number in range(8)]
    found = list(run(task_functions.dies_once, tasks, workers=TWO))
    assert found == [[{"number": number}] for number in range(8)]
    assert (tmp_path / "died").exists()


def test_a_task_that_always_kills_its_worker_is_given_up() -> None:
    with pytest.raises(OutOfMemoryError, match=r"workers died 3 times in a row .* 4 tasks.*fewer --jobs"):
        list(run(task_functions.always_dies, [(number,) for number in range(4)], workers=TWO))


@pytest.mark.parametrize("workers", [Workers(), Workers(Backend.THREADS, 2), TWO])
def test_no_memory_is_a_sentence(workers) -> None:
    tasks = [(number,) for number in range(3)]
    with pytest.raises(PairbotError, match=r"task \d ran out of memory\. Give fewer --jobs"):
        list(run(task_functions.needs_too_much, tasks, workers=workers))


@pytest.mark.parametrize("workers", [Workers(), Workers(Backend.THREADS, 2), TWO])
def test_blas_has_one_thread_in_every_worker(workers, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests run with one (see conftest.py); a user's processes do not.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with threadpool_limits(limits=2, user_api="blas"):
        assert task_functions.threads_of_blas(0) == [{"most": 2}]
        found = list(run(task_functions.threads_of_blas, [(number,) for number in range(4)], workers=workers))
    assert found == [[{"most": 1}]] * 4


def test_who_stops_asking_stops_the_work_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = run(
            task_functions.walk, [(seed,) for seed in range(10_000)], shared={"drift": DRIFT}, workers=TWO
        )
        assert next(results)[0]["seed"] == 0
        results.close()


def test_no_task_needs_no_worker() -> None:
    assert list(run(task_functions.walk, [], workers=TWO)) == []


def test_code_that_is_not_this_is_refused_before_it_computes() -> None:
    job = Job.of(task_functions.always_dies)
    with pytest.raises(
        OtherVersionError, match=r"the worker process .* runs pairbot .* these tasks are of 9"
    ):
        call(Job(job.function, "9"), 0, (0,), {})


def test_a_function_that_no_worker_could_import_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="cannot be imported"):
        next(run(lambda: [{}], [()]))
