"""`pairbot scan --every`: the pairs file is renewed when it is due, asked about where it would thin out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pairbot_ext.pairs import Epoch, PairsFile, Scan
from pairbot_ext.pairs.renewal import (
    base_of,
    note_of,
    pairs_in_force,
    proposal_id,
    proposal_text,
    reasons_to_ask,
    renewal_text,
    renewed,
)
from pairbot_ext.pairs.renewal_files import existing_file, locked, note_failure, propose, put, read_proposal
from pairbot_ext.pairs.renewal_models import Proposal
from pairbot_ext.support.clock import Clock, as_datetime
from pairbot_ext.support.errors import DataError, PairbotError, PairsFileError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.support.redact import scrub

RETRY_SECS = 3600.0
"""After a scan that failed: an exchange's maintenance takes hours, not days."""
LONGEST_SLEEP_SECS = 600.0
"""A machine that slept, or whose clock was set, is not late by more."""
MOST_LACKING = 0.5
"""Share of the symbols whose candles may end early or have holes: beyond it the download has failed, and a
selection among the rest would say so of nothing."""
OLDEST_CANDLES = timedelta(days=1)
_LACKING = re.compile(r"no candles|too short: candles end|\d+ of \d+ candles missing")


@dataclass(frozen=True)
class Selection:
    """What one scan has found."""

    epoch: Epoch
    scan: Scan
    exchange: str
    timeframe: str


@dataclass(frozen=True)
class Terms:
    """How the file is renewed.

    :param asks: a person accepts every new selection.
    :param max_thinning: share of pairs that may be lost without a question.
    :param files_kept: how many files that were in force are kept.
    """

    period: timedelta
    asks: bool
    max_thinning: float
    files_kept: int


Find = Callable[[datetime], Selection]
"""Scans, as of that time. Raises PairbotError."""
Say = Callable[[str], None]


def due_at(path: Path, period: timedelta) -> datetime | None:
    """When the next renewal is due; None where there is no file yet. Raises PairsFileError.

    A selection that waits for a person is as new as one in force.
    """
    existing = existing_file(path)
    try:
        proposal = read_proposal(path)
    except PairsFileError:
        # The next one replaces it.
        proposal = None
    made = [] if existing is None else [existing.generated_at]
    if proposal is not None and proposal.base == base_of(existing):
        made.append(proposal.proposed_at)
    return max(made) + period if made else None


def run_every(path: Path, find: Find, terms: Terms, clock: Clock, say: Say, *, once: bool) -> int:
    """Renew `path` whenever it is due. Ends with `once`, or with the process.

    A scan that fails touches nothing that is in force; it is said, here and by the bot, and tried again.

    :raises PairsFileError: `path` holds a file that is not to be replaced, or cannot be read.
    """
    while True:
        now = as_datetime(clock.now_ms())
        due = due_at(path, terms.period)
        if due is None or due <= now:
            is_done = renew(path, find, terms, clock, say)
            if once:
                return ExitCode.OK if is_done else ExitCode.PROBLEM
            if not is_done:
                _sleep_until(as_datetime(clock.now_ms()) + timedelta(seconds=RETRY_SECS), clock)
            continue
        say(f"{path} is renewed on {due:%Y-%m-%d %H:%M} UTC")
        if once:
            return ExitCode.OK
        _sleep_until(due, clock)


def _sleep_until(when: datetime, clock: Clock) -> None:
    while (left := (when - as_datetime(clock.now_ms())).total_seconds()) > 0:
        clock.sleep(min(left, LONGEST_SLEEP_SECS))


def renew(path: Path, find: Find, terms: Terms, clock: Clock, say: Say) -> bool:
    """One renewal, due or not. Returns whether there is a new selection, in force or proposed."""
    now = as_datetime(clock.now_ms())
    try:
        found = find(now)
        # The scan may have taken minutes.
        now = as_datetime(clock.now_ms())
        with locked(path):
            existing = existing_file(path)
            _check_new(existing, found)
            say(_put_or_propose(path, existing, found, terms, now))
    except (PairbotError, OSError, ValueError, ArithmeticError) as error:
        text = scrub(f"{error}")
        say(f"Not renewed, what is in force stays: {text}")
        try:
            with locked(path):
                note_failure(path, text, as_datetime(clock.now_ms()))
        except PairsFileError as problem:
            say(f"The bot cannot be told: {problem}")
        return False
    return True


def _check_new(existing: PairsFile | None, found: Selection) -> None:
    """Raises DataError where the same candles were looked at before."""
    last = max((epoch.formation_end for epoch in existing.epochs), default=None) if existing else None
    if last is not None and found.epoch.formation_end <= last:
        raise DataError(
            "there are no newer candles than those the pairs in force were chosen on",
            value=f"they end {found.epoch.formation_end:%Y-%m-%d %H:%M} UTC",
            remedy="Fetch them first, or scan with --exchange NAME, which does",
        )


def _put_or_propose(
    path: Path, existing: PairsFile | None, found: Selection, terms: Terms, now: datetime
) -> str:
    """What was done, as the bot tells it too."""
    before = pairs_in_force(existing, now)
    after = tuple(pair.id for pair in found.epoch.pairs)
    name = proposal_id(found.epoch, now)
    fresh = renewed(
        existing, found.epoch, scan=found.scan, exchange=found.exchange, timeframe=found.timeframe, now=now,
        why=f"scan of every {_period_text(terms.period)}", renewal_id=name,
    )  # fmt: skip
    reasons = reasons_to_ask(before, after, terms.max_thinning, asks=terms.asks)
    if existing is None or not reasons:
        put(path, fresh, terms.files_kept)
        note = note_of(fresh)
        assert note is not None
        return renewal_text(note, fresh.scan)
    proposal = Proposal(
        id=name, proposed_at=now, expires_at=now + terms.period, base=base_of(existing),
        reasons=tuple(reasons), exchange=found.exchange, timeframe=found.timeframe, scan=found.scan,
        epoch=found.epoch, before=before,
    )  # fmt: skip
    propose(path, proposal)
    return proposal_text(proposal)


def _period_text(period: timedelta) -> str:
    hours = round(period.total_seconds() / 3600)
    return f"{hours // 24} days" if hours % 24 == 0 else f"{hours} h"


def check_candles(symbols: int, rejected: dict[str, str], end: datetime, now: datetime) -> None:
    """Raises DataError where the candles are no base for a new selection.

    :param symbols: how many were looked at. :param rejected: reason by symbol, of the window's cut.
    """
    if now - end > OLDEST_CANDLES:
        raise DataError(
            "the candles are too old for a new selection",
            value=f"they end {end:%Y-%m-%d %H:%M} UTC",
            remedy="Fetch them first (`pairbot download`), or scan with --exchange NAME, which does",
        )
    lacking = {symbol: why for symbol, why in rejected.items() if _LACKING.match(why)}
    if len(lacking) > MOST_LACKING * symbols:
        first = next(iter(lacking))
        raise DataError(
            f"{len(lacking)} of {symbols} symbols lack candles, so the download has failed",
            value=f"{first}: {lacking[first]}",
            remedy="It is tried again; see the lines above for the exchange's answers",
        )
