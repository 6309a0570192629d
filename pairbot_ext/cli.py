"""The `pairbot` command: finds its subcommands in `pairbot_ext.commands` and runs one."""

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

from pairbot_ext import commands
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.support.terminal import speak_any_encoding


class _Versions(argparse.Action):
    """`--version`, gathered only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from pairbot_ext.support.versions import lines

        print("\n".join(lines()))
        parser.exit()


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser with one subparser for each module in `pairbot_ext.commands`.

    :param only: load just this command where it exists: the others may need libraries that take a second.
    """
    parser = argparse.ArgumentParser(prog="pairbot", description="Pair trading for Freqtrade.")
    parser.add_argument("--version", action=_Versions, nargs=0, help="of the package, and what it runs on")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    for name in [only] if only in names else names:
        importlib.import_module(f"{commands.__name__}.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns its exit code: 0 ok, 1 found a problem, 2 usage or bad input."""
    speak_any_encoding(sys.stdout, sys.stderr)
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser(arguments[0] if arguments else None).parse_args(arguments)
    try:
        if "complete" in args:
            args.complete(args)
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except PairbotError as error:
        # Imported here: help needs neither logging nor URLs.
        from pairbot_ext.support.redact import scrub

        print(f"pairbot {args.command}: {scrub(str(error))}", file=sys.stderr)
        return ExitCode.USAGE
    except BrokenPipeError:
        # `pairbot status | head`: nobody reads on. Python would complain once more at its last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        print(f"pairbot {args.command}: stopped by Ctrl+C", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
