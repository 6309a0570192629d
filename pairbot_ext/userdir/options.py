"""`-c` and `--userdir` of every command, with Freqtrade's meaning, and which files they come to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pairbot_ext.support.errors import PairbotError

USERDIR = "user_data"
"""Freqtrade's own default, in the working directory."""
OVERLAY = "pairbot.json"
"""The configuration `pairbot init` writes into a userdir."""
DEFAULT_CONFIG = "config.json"


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Declare `-c` and `--userdir`; `complete` fills them in before the command runs."""
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        metavar="FILE",
        help="Freqtrade configuration, may be given several times, the last one counts (default: "
        "pairbot.json or config.json in the userdir, else config.json here)",
    )
    add_userdir_option(parser)


def add_userdir_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--userdir` alone."""
    parser.set_defaults(complete=complete)
    parser.add_argument(
        "--userdir",
        "--user-data-dir",
        type=Path,
        metavar="DIR",
        help="Freqtrade's user_data folder (default: the configuration's, else user_data here)",
    )


def complete(args: argparse.Namespace) -> None:
    """Set `args.config` to the files the command reads: those that were given, else the first there is.

    :raises PairbotError: a `--userdir` that is no directory.
    """
    userdir: Path | None = args.userdir
    if userdir is not None and not userdir.is_dir():
        raise PairbotError(
            f"--userdir {userdir} {'is no directory' if userdir.exists() else 'does not exist'}",
            remedy="`pairbot init --userdir DIR` makes one, `freqtrade create-userdir` too",
        )
    if "config" in args:
        args.config = list(config_files(args.config, userdir))


def config_files(given: Sequence[str] | None, userdir: Path | None) -> Sequence[str]:
    """As Freqtrade looks for them, and before that what `pairbot init` wrote; none where there is none."""
    if given:
        return given
    folder = userdir or Path(USERDIR)
    for path in (folder / OVERLAY, folder / DEFAULT_CONFIG, Path(DEFAULT_CONFIG)):
        if path.is_file():
            return [str(path)]
    return []
