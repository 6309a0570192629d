"""`pairbot run`: becomes Freqtrade, with secrets read from files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pairbot_ext.support.errors import PairbotError

DESCRIPTION = """\
Reads secrets from files and becomes `freqtrade` with the arguments given, or `pairbot` where they begin
with that word. It is the entry of the container image and of the systemd unit.

Every variable NAME_FILE of the environment is replaced by NAME with what the file holds: settings of
Freqtrade (FREQTRADE__EXCHANGE__SECRET_FILE, FREQTRADE__API_SERVER__PASSWORD_FILE,
FREQTRADE__TELEGRAM__TOKEN_FILE, ...) and PGPASSWORD_FILE. A line end after the secret does not count. A file
that is missing, empty or cannot be read ends the command before anything is started; one that everybody may
read is warned of. No secret is printed.
"""
EPILOG = """\
exit code: 2 where a secret cannot be had, else that of the command it becomes.

examples:
  FREQTRADE__EXCHANGE__KEY_FILE=/run/secrets/key pairbot run -- trade -c config.json
  pairbot run -- pairbot preflight
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        help="freqtrade with secrets from files",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="-- ARGUMENTS",
        help="of freqtrade, or `pairbot` and its own",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Does not return: this process becomes the other."""
    from pairbot_ext.hosting.secretfiles import with_secrets

    environment, warnings = with_secrets(os.environ)
    for warning in warnings:
        print(f"pairbot run: {warning}", file=sys.stderr)
    command = command_of(args.arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(command[0], command, environment)
    except OSError as error:
        raise PairbotError(
            f"{command[0]} cannot be started: {error.strerror or error}",
            remedy="freqtrade and pairbot belong into one environment: install the package anew",
        ) from error


def command_of(arguments: Sequence[str]) -> list[str]:
    """The program beside this interpreter, and its arguments."""
    # Some readers of compose files make an empty argument of a variable that is not set.
    program, rest = "freqtrade", [each for each in arguments if each]
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if rest and rest[0] in ("freqtrade", "pairbot"):
        program, rest = rest[0], rest[1:]
    # Not resolved: in a virtual environment the interpreter is a link to another directory's.
    return [str(Path(sys.executable).parent / program), *rest]
