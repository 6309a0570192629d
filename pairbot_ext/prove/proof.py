"""Runs the claims: on the venue, and on a simulated exchange with the venue's rules, one after the other."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import numpy as np

from pairbot_ext import __version__
from pairbot_ext.prove.account import check_account
from pairbot_ext.prove.claims import READING, Claim, NotShownError, Said, error_text
from pairbot_ext.prove.hosts import LOOPBACK_VARIABLE
from pairbot_ext.prove.mirror import SIMULATED_KEYS, mirrored
from pairbot_ext.prove.orders import TRADING
from pairbot_ext.prove.recorder import Recorder, compared
from pairbot_ext.prove.report import Found, Report
from pairbot_ext.prove.stage import Keys, Stage
from pairbot_ext.support.clock import SystemClock
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue.binance.sites import Site

logger = logging.getLogger(__name__)

MOST_SECS = 420.0
"""No claim is begun later than this on one side: both together are to end within a quarter of an hour."""
LEGS = ("ADA/USDT:USDT", "ALGO/USDT:USDT")


@dataclass(frozen=True)
class Options:
    """What the user chose.

    :param directory: where accepted accounts are remembered.
    :param is_rehearsal: a simulated exchange stands in the venue's place.
    """

    site: Site
    keys: Keys
    directory: Path
    legs: tuple[str, str] = LEGS
    read_only: bool = False
    accept_account: bool = False
    is_rehearsal: bool = False


def prove(options: Options, tell: Callable[[str], None]) -> Report:
    """The whole proof. Nothing is ordered before the account has been looked at.

    :param tell: one line of progress.
    :raises PairbotError: the account is not one for this, or the venue cannot be read at all.
    """
    claims = READING if options.read_only else (*READING, *TRADING)
    found = {claim.name: Found(claim) for claim in claims}
    begun, started = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pairbot-prove-") as folder:
        stage = _stage(options, options.site, options.keys, Path(folder) / "venue")
        with closing(stage):
            try:
                stage.open()
                if not options.read_only:
                    check_account(stage, options.keys, options.directory, accept=options.accept_account)
                site = mirrored(stage)
                with site as beside:
                    tell(f"{options.site.title}:")
                    _side(claims, stage, "venue", found, tell)
                    tell("the simulated exchange, with its rules and prices:")
                    other = _stage(options, beside, SIMULATED_KEYS, Path(folder) / "simulator")
                    with closing(other):
                        other.open()
                        _side(claims, other, "simulator", found, tell)
            except ccxt.BaseError as error:
                raise PairbotError(f"{options.site.title} cannot be read", value=error_text(error)) from error
    count, differing = compared(other.recorder.recordings(), stage.recorder.recordings())
    about = _about(options, stage.recorder, begun, time.monotonic() - started)
    return Report(about, list(found.values()), stage.recorder.recordings(), count, differing)


def _stage(options: Options, site: Site, keys: Keys, directory: Path) -> Stage:
    directory.mkdir()
    return Stage(
        site,
        keys,
        options.legs,
        directory,
        SystemClock(),
        np.random.default_rng(),
        read_only=options.read_only,
    )


def _side(
    claims: Sequence[Claim], stage: Stage, name: str, found: dict[str, Found], tell: Callable[[str], None]
) -> None:
    """Ask every claim on one side; what goes wrong is one claim's, and leaves nothing open behind it."""
    deadline = time.monotonic() + MOST_SECS
    try:
        for claim in claims:
            if time.monotonic() > deadline:
                found[claim.name].not_shown[name] = "not begun, a quarter of an hour is over"
                continue
            said = _asked(claim, stage, name, found[claim.name], tell)
            if name == "venue":
                found[claim.name].venue = said
            else:
                found[claim.name].simulated = said
    finally:
        if not stage.read_only:
            _leave_nothing(stage, tell)


def _asked(claim: Claim, stage: Stage, name: str, found: Found, tell: Callable[[str], None]) -> Said | None:
    try:
        said = claim.ask(stage)
    except NotShownError as why:
        found.not_shown[name] = str(why)
        tell(f"  {claim.name}: not shown, {why}")
        return None
    except (
        ccxt.BaseError,
        PairbotError,
        AssertionError,
        ArithmeticError,
        LookupError,
        OSError,
        TypeError,
    ) as error:
        said = Said({"error": error_text(error)})
        if not (claim.reads_only or stage.read_only):
            _leave_nothing(stage, tell)
    tell(f"  {claim.name}: {said.text}")
    return said


def _leave_nothing(stage: Stage, tell: Callable[[str], None]) -> None:
    """End what a claim has left open, and say where that did not work."""
    try:
        stage.flatten()
        held = stage.held()
    except (ccxt.BaseError, PairbotError) as error:
        tell(f"  LOOK AT THE ACCOUNT: it is not known whether anything is left open ({error_text(error)})")
        return
    if held:
        tell(f"  LOOK AT THE ACCOUNT: {', '.join(held)} could not be closed")


def _about(options: Options, recorder: Recorder, begun: datetime, secs: float) -> dict[str, Any]:
    about: dict[str, Any] = {
        "pairbot": __version__,
        "ccxt": ccxt.__version__,
        "site": options.site.title,
        "legs": list(options.legs),
        "read_only": options.read_only,
        "begun": begun.isoformat(timespec="seconds"),
        "took_secs": round(secs, 1),
        "requests": recorder.requests,
    }
    if options.is_rehearsal:
        about["rehearsed"] = (
            f"REHEARSED: {LOOPBACK_VARIABLE} has put a simulated exchange in the venue's place. This says "
            "that the script works, and nothing about Binance."
        )
    return about
