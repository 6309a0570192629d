"""The options of every command and study whose work can be spread."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

from pairbot_ext.tasks.workers import Backend, Workers


class TakesOptions(Protocol):
    """A parser or a group of one."""

    def add_argument(self, *names: str, **how: Any) -> Any:
        """As argparse has it."""
        ...


def add_task_options(parser: TakesOptions, *, jobs: int = -1) -> None:
    """Register --backend, --jobs, --scheduler and --store.

    :param jobs: default of --jobs.
    """
    parser.add_argument(
        "--backend",
        choices=[backend.value for backend in Backend],
        help="what computes (default: processes, dask with --scheduler)",
    )
    parser.add_argument(
        "--jobs", type=int, default=jobs, help="threads or processes, -1: one per core (default: %(default)s)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster, e.g. tcp://127.0.0.1:8786 (docs/scale.md)"
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="keep results here as they come; the same command goes on there after an interruption",
    )


def workers_from(args: argparse.Namespace) -> Workers:
    """The workers that those options ask for.

    :raises PairbotError: they contradict each other.
    """
    backend = args.backend or (Backend.DASK if args.scheduler else Backend.PROCESSES)
    return Workers(Backend(backend), args.jobs, args.scheduler)
