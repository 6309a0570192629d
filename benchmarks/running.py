"""How a study runs its many universes: on cores or machines, with progress, resumable, in sentences."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from pairbot_ext.scan.session import ScanProgress
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.tasks import run, workers_from

Rows = list[dict[str, Any]]


def spread(
    function: Callable[..., Rows],
    tasks: Sequence[Sequence[Any]],
    args: argparse.Namespace,
    *,
    shared: Mapping[str, Any] | None = None,
    part: str = "",
) -> Generator[Rows, None, None]:
    """`pairbot_ext.tasks.run` with the options of the command line.

    :param part: folder below --store, where a study runs more than once.
    """
    results = run(
        function,
        tasks,
        shared=shared,
        workers=workers_from(args),
        store=args.store and args.store / part,
        progress=(bar := ScanProgress(function.__name__.replace("_", " "), quiet=not sys.stderr.isatty())),
    )
    with bar, closing(results):
        yield from results


def in_sentences(main: Callable[[list[str]], int]) -> Callable[[list[str]], int]:
    """A study's `main` that says what the user can solve, with exit code 2, and what Ctrl+C left."""

    @functools.wraps(main)
    def said(argv: list[str]) -> int:
        try:
            return main(argv)
        except PairbotError as error:
            print(error, file=sys.stderr)
            return ExitCode.USAGE
        except KeyboardInterrupt:
            print("stopped by Ctrl+C; with --store the same command goes on", file=sys.stderr)
            return 130

    return said
