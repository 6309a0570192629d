"""Commands in processes of their own that have Freqtrade loaded already.

Loading Freqtrade takes seconds of CPU, more than most commands do. A server that has done nothing but load it
is forked for each command: a fresh process all the same, with its own directory, environment, output and exit
code. That the console scripts start at all is shown elsewhere (tests/demo, tests/sim, tests/desk).
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

LOADED = [
    "freqtrade.main", "freqtrade.freqtradebot", "freqtrade.optimize.backtesting", "freqtrade.worker",
    "freqtrade.rpc.api_server", "pairbot_ext.cli", "pairbot_ext.sim.offline", "pairbot_ext.desk.trade_desk",
]  # fmt: skip
WIDTH = "200"
"""Columns of every terminal here."""
Output = tuple[str, str]
"""Files of stdout and stderr."""


def _run(arguments: list[str], folder: str, environment: dict[str, str], output: Output) -> None:
    """In the forked process: what the console script does, its output in files."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | {"COLUMNS": WIDTH})
    for number, path in enumerate(output, start=1):
        with open(path, "ab") as file:
            os.dup2(file.fileno(), number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = arguments
    try:
        code = _freqtrade(arguments) if arguments[0] == "freqtrade" else _pairbot(arguments, output)
    finally:
        # What is said last is said at the exit, which a forked process does not make of itself.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


def _freqtrade(arguments: list[str]) -> Any:
    from freqtrade.main import main

    return main(arguments[1:])


def _pairbot(arguments: list[str], output: Output) -> int:
    from pairbot_ext.cli import main
    from pairbot_ext.sim import offline

    # `pairbot offline` runs Freqtrade as a child, which is forked before the exchange's thread runs.
    told, tell = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_run_when_told, args=(told, output))
    child.start()

    def run_child(command: Sequence[str], environment: dict[str, str]) -> int:
        tell.send((["freqtrade", *command[1:]], os.getcwd(), environment))
        child.join()
        assert child.exitcode is not None
        return child.exitcode

    offline.run_child = run_child
    try:
        return main(arguments[1:])
    finally:
        child.terminate()


def _run_when_told(told: Connection, output: Output) -> None:
    _run(*told.recv(), output)


def start(
    arguments: Sequence[str],
    *,
    cwd: Path,
    output: Output,
    environment: Mapping[str, str] | None = None,
) -> ForkServerProcess:
    """Start `freqtrade ...` or `pairbot ...`.

    :param arguments: the first is the command's name. :param environment: this one's where it is None.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    given = dict(os.environ if environment is None else environment)
    process = context.Process(target=_run, args=(list(arguments), str(cwd), given, output))
    # Freqtrade's consoles ask for their width when it is loaded.
    with patch.dict(os.environ, COLUMNS=WIDTH):
        process.start()
    return process


def run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout_secs: float = 300.0,
) -> subprocess.CompletedProcess[str]:
    """Run `freqtrade ...` or `pairbot ...` to its end. Parameters as of `start`."""
    with tempfile.TemporaryDirectory() as folder:
        output = (f"{folder}/stdout", f"{folder}/stderr")
        process = start(arguments, cwd=cwd, output=output, environment=environment)
        process.join(timeout_secs)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_secs)
        assert process.exitcode is not None
        said = [Path(path).read_text(encoding="utf-8") for path in output]
    return subprocess.CompletedProcess(list(arguments), process.exitcode, *said)
