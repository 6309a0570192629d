"""Command-line options and config of a scan: every knob is an option, the config block gives its default."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairbot_ext.pairs.defaults import FILES_KEPT
from pairbot_ext.settings.knobs import FILTERS, THRESHOLDS, Knob
from pairbot_ext.support.errors import SettingsError

if TYPE_CHECKING:
    from pairbot_ext.settings.scan import ScanKnobs

DEFAULT_CONFIG = "config.json"
_PERIODS = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30)}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_GROUPS: tuple[tuple[str, str, Mapping[str, Knob]], ...] = (
    ("thresholds", "thresholds written for every pair", THRESHOLDS),
    ("filters", "economic filters (the naive rule ignores them)", FILTERS),
)


def read_config(given: Sequence[str] | None, userdir: Path | None = None) -> tuple[list[str], dict[str, Any]]:
    """(files, merged config). Without files the working directory's config.json, if there is one.

    :param userdir: in the place of the configuration's, as Freqtrade's `--userdir`.
    """
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException

    files = list(given or ([DEFAULT_CONFIG] if Path(DEFAULT_CONFIG).is_file() else []))
    named = {} if userdir is None else {"user_data_dir": str(userdir)}
    if not files:
        return [], dict(named)
    try:
        return files, load_from_files(files) | named
    except (OperationalException, AttributeError, TypeError, OSError) as error:
        # AttributeError and TypeError: valid JSON that is no object.
        raise SettingsError(f"config {', '.join(files)} cannot be read: {error}") from error


def default_datadir(config: dict[str, Any], exchange: str) -> Path:
    """Where Freqtrade keeps candles when it is not told."""
    if config.get("datadir"):
        return Path(config["datadir"])
    name = config.get("exchange", {}).get("name") or exchange
    return Path(config.get("user_data_dir") or "user_data") / "data" / name.lower()


def datadir_from(args: argparse.Namespace) -> Path:
    """`--datadir`, else the configuration's.

    :param args: of a command with `-c`, `--userdir` and `--datadir`.
    :raises SettingsError: none was named and there is none.
    """
    if args.datadir is not None:
        return Path(args.datadir)
    datadir = default_datadir(read_config(args.config, args.userdir)[1], "binance")
    if not datadir.is_dir():
        raise SettingsError(
            f"there are no candles in {datadir}", remedy="Name a Freqtrade data directory with --datadir"
        )
    return datadir


def add_knob_options(parser: argparse.ArgumentParser) -> None:
    """One option per knob: `min_beta` becomes `--min-beta`."""
    for _, title, knobs in _GROUPS:
        group = parser.add_argument_group(title)
        for name, knob in knobs.items():
            shown = "a list of common ones" if isinstance(knob.default, tuple) else f"{knob.default:g}"
            group.add_argument(
                _option(name),
                dest=name,
                default=argparse.SUPPRESS,
                metavar="X",
                help=f"{knob.description} (default: {shown})",
                **_parsing(knob),
            )


def add_renewal_options(parser: argparse.ArgumentParser) -> None:
    """How a pairs file renews itself."""
    group = parser.add_argument_group("a pairs file that renews itself (docs/renewing.md)")
    group.add_argument(
        "--every", type=period_of, metavar="PERIOD",
        help="renew --out FILE whenever it is so old, until Ctrl+C: day, week, month, or like 12h, 3d, 2w",
    )  # fmt: skip
    group.add_argument(
        "--once", action="store_true", help="with --every: renew it if it is due, and end (for a timer)"
    )
    group.add_argument("--ask", action="store_true", help="a person accepts each selection (/pairs_accept)")
    group.add_argument(
        "--max-thinning", type=_share, default=0.5, metavar="SHARE",
        help="ask where more than this share of the pairs would go (default: %(default)s; 1: never)",
    )  # fmt: skip
    group.add_argument(
        "--keep-files", type=int, default=FILES_KEPT, metavar="N",
        help="files that were in force are kept, so many (default: %(default)s)",
    )  # fmt: skip


def period_of(text: str) -> timedelta:
    """`week`, `3d`. Raises argparse.ArgumentTypeError."""
    found = re.fullmatch(r"([1-9]\d{0,3})([hdw])", text)
    period = _PERIODS.get(text) or (int(found[1]) * _UNITS[found[2]] if found else None)
    if period is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no period such as day, week, month, 12h, 3d or 2w")
    return period


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parsing(knob: Knob) -> dict[str, Any]:
    return {"nargs": "*", "type": str} if isinstance(knob.default, tuple) else {"type": type(knob.default)}


def knobs_from(args: argparse.Namespace, config: dict[str, Any]) -> ScanKnobs:
    """The config block `pairbot.scan` with the options given on the command line in its place.

    Fee and spread, where the block does not set them, are those the bot charges (`pairbot.taker_fee_bp`,
    `pairbot.spread_bp`).

    :raises SettingsError: naming the option or config key, its value and what is allowed.
    """
    # Imported here: the options are declared for `--help` too.
    from pydantic import ValidationError

    from pairbot_ext.pairs import problem_text
    from pairbot_ext.settings.scan import ScanKnobs

    bot = config.get("pairbot") or {}
    block = bot.get("scan", {})
    if not isinstance(block, dict):
        raise SettingsError("config pairbot.scan must be an object", value=repr(block))
    given = vars(args)
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in block.items()}
    if isinstance(merged.setdefault("filters", {}), dict):
        for name, source in (("fee_bp", "taker_fee_bp"), ("spread_bp", "spread_bp")):
            if source in bot:
                merged["filters"].setdefault(name, bot[source])
    for key, _, known in _GROUPS:
        options = {name: given[name] for name in known if name in given}
        if options and isinstance(merged.setdefault(key, {}), dict):
            merged[key].update(options)
    try:
        return ScanKnobs.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        name = str(first["loc"][-1])
        where = f"option {_option(name)}" if name in given else f"config pairbot.scan.{place}"
        is_whole = len(first["loc"]) < 2
        raise SettingsError(
            f"{'scan settings' if is_whole else where}: {problem_text(first)}",
            value=None if is_whole else repr(first["input"]),
            remedy="`pairbot scan --help` lists every setting with its default",
        ) from error
