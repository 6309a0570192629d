"""Run the real `freqtrade` command with the loopback exchange in place of Binance."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pairbot_ext.sim.launch import ExchangeOptions, banner, open_exchange
from pairbot_ext.sim.market import SYNTHETIC
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.served_pairs import write_served_pairs
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.tls import LOOPBACK
from pairbot_ext.support.errors import PairbotError

_OUTRANKING_ENVIRONMENT = "FREQTRADE__EXCHANGE__"
_TERMINATE_TIMEOUT_SECS = 30


def freqtrade_command() -> Path:
    """The `freqtrade` script of this Python environment.

    :raises PairbotError: it is not installed there.
    """
    # Not resolved: in a virtual environment the interpreter is a link to another directory's.
    command = Path(sys.executable).parent / "freqtrade"
    if not command.is_file():
        raise PairbotError(
            "The freqtrade command is not in this Python environment",
            value=command,
            remedy="Install the requirements (make demo does it) and run this environment's pairbot",
        )
    return command


def _parse(arguments: Sequence[str]) -> dict[str, Any]:
    """What Freqtrade's own parser makes of the arguments, its default configuration file included.

    :raises SystemExit: help was asked for, or the arguments are wrong; Freqtrade has printed why.
    """
    from freqtrade.commands.arguments import Arguments

    return Arguments(list(arguments)).get_parsed_arg()


def _names_configuration(arguments: Sequence[str]) -> bool:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-c", "--config", action="append")
    return parser.parse_known_args(list(arguments))[0].config is not None


def with_overlay(arguments: Sequence[str], parsed: dict[str, Any], overlay_file: Path) -> list[str]:
    """The arguments with the overlay as the last configuration file.

    Freqtrade falls back on a default file only where no `-c` is given at all, so the default it would have
    taken is named before the overlay.

    :param parsed: Freqtrade's reading of `arguments`. Commands that take no configuration are left as they
        are.
    :raises PairbotError: the configuration comes from standard input; Freqtrade then reads no other file.
    """
    if "config" not in parsed or "func" not in parsed:
        return list(arguments)
    files = list(parsed["config"] or [])
    if "-" in files:
        raise PairbotError(
            "Freqtrade reads no further file after a configuration from standard input, so the simulated "
            "exchange cannot be put in its place",
            value="-c -",
            remedy="Save the configuration to a file and name it with -c",
        )
    defaults = [] if _names_configuration(arguments) else files
    return [*arguments, *(part for file in [*defaults, str(overlay_file)] for part in ("-c", file))]


def child_environment() -> dict[str, str]:
    """This environment without what could lead the bot to another exchange: overriding variables, proxies."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_OUTRANKING_ENVIRONMENT)
    }
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [environment.get(name), LOOPBACK]))
    # The certificate is self-signed by design; without this the log repeats so at every request.
    quiet = "ignore:Unverified HTTPS request"
    environment["PYTHONWARNINGS"] = ",".join(filter(None, [environment.get("PYTHONWARNINGS"), quiet]))
    return environment


def _terminal_signals_us() -> bool:
    """Whether Ctrl+C in the terminal reaches this process group, and so the child without our help."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _signals_passed_to(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """While the child runs, signals are its business: it ends first, and cleanly, and we after it."""

    def forward(number: int, _frame: object) -> None:
        if number == signal.SIGINT and _terminal_signals_us():
            return  # the terminal has told it already; a second Ctrl+C would break its clean-up
        child.send_signal(number)

    previous = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run_child(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command to its end, passing signals on; returns its exit code (128 + n: signal n ended it)."""
    child = subprocess.Popen(list(command), env=environment)
    try:
        with _signals_passed_to(child):
            code = child.wait()
    except BaseException:
        child.terminate()
        child.wait(_TERMINATE_TIMEOUT_SECS)
        raise
    return code if code >= 0 else 128 - code


def default_market(parsed: dict[str, Any], *, trading: bool) -> str:
    """The market where the user named none: the candles at hand, else the generated one.

    What analysis commands take from it are ticks and steps, so they get those of the candles they work on. A
    bot gets recorded candles only where the datadir was named.
    """
    from pairbot_ext.sim.market.replay import recorded_timeframe

    datadir = parsed.get("datadir")
    if datadir is None and not trading:
        datadir = Path(parsed.get("user_data_dir") or "user_data") / "data" / "binance"
    if datadir is not None and recorded_timeframe(Path(datadir)):
        return str(datadir)
    return SYNTHETIC


def run_freqtrade(
    arguments: Sequence[str],
    options: ExchangeOptions,
    *,
    pairs_out: Path | None = None,
    pairs: Path | None = None,
) -> int:
    """Start the exchange on a free port, run Freqtrade on it, stop it; returns Freqtrade's exit code.

    :param pairs_out: where to write the pairs file of the served market; Freqtrade is told to use it.
    :param pairs: a pairs file in recorded times it is made from; generated markets know their own pairs.
    """
    command = freqtrade_command()
    try:
        parsed = _parse(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    trading = parsed.get("command") == "trade"
    market = options.market or default_market(parsed, trading=trading)
    exchange = open_exchange(replace(options, market=market, list_all=not trading))
    with (
        tempfile.TemporaryDirectory(prefix="pairbot-offline-") as directory,
        LoopbackServer(exchange) as server,
    ):
        overlay_file = Path(directory) / "simulated-exchange.json"
        served = {} if pairs_out is None else write_served_pairs(exchange, pairs_out, pairs)
        overlay_file.write_text(json.dumps(overlay(server.port) | served, indent=1), encoding="utf-8")
        print(banner(exchange, server.port), file=sys.stderr, flush=True)
        return run_child([str(command), *with_overlay(arguments, parsed, overlay_file)], child_environment())
