"""Checks that need no exchange: configuration, pairs file, releases, what must be writable."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from freqtrade.plugins.pairlist.pairlist_helpers import expand_pairlist
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host import private, releases
from pairbot_ext.pairs import PairsFile
from pairbot_ext.preflight.database import sqlite_file
from pairbot_ext.preflight.results import Finding, Number, Status
from pairbot_ext.preflight.setup import NotCheckedError, Setup
from pairbot_ext.startup.checks import check_pairs_source

MAX_AGE_DAYS = 14.0
"""Of a pairs file whose epoch is open-ended."""
LEAST_FREE_BYTES = 200 * 1024 * 1024
_BUSY_SECS = 0.5


def configuration(setup: Setup) -> Finding:
    """Freqtrade's schema and its consistency rules, and the `pairbot` block's."""
    try:
        config = setup.validated()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    try:
        settings = setup.settings()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    is_dry = bool(setup.config.get("dry_run", True))
    return Finding(
        Status.PASS,
        f"valid; exchange {config['exchange']['name']}, dry_run {str(is_dry).lower()}, "
        f"stake {config['stake_amount']} {config['stake_currency']}, leverage {settings.leverage}",
        numbers={"dry_run": is_dry, "leverage": settings.leverage, "stake_amount": config["stake_amount"]},
    )


def pairs_file(setup: Setup) -> Finding:
    """The pairs file exists and follows its schema."""
    setup.settings()
    try:
        found = setup.pairs_file()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    count, symbols = len(found.pair_ids()), len(found.pairs)
    numbers = {"pairs": count, "symbols": symbols, "epochs": len(found.epochs)}
    if not count:
        return Finding(
            Status.WARN,
            f"{setup.settings().pairs_file} lists no pair: nothing will be entered",
            "Run `pairbot scan`; an empty result is a valid answer",
            numbers,
        )
    return Finding(
        Status.PASS,
        f"{setup.settings().pairs_file}: {count} pairs of {symbols} symbols in "
        f"{len(found.epochs)} epoch{'s' if len(found.epochs) > 1 else ''} "
        f"({found.scan.rule})",
        numbers=numbers,
    )


def pairs_age(setup: Setup) -> Finding:
    """The pairs may still be entered: their epoch has not ended, or they were chosen 14 days ago at most."""
    found, now = setup.pairs_file(), setup.now()
    setup.pairs()
    remedy = "Choose pairs anew with `pairbot scan`"
    generated_days = (now - found.generated_at).total_seconds() / 86_400
    numbers = {"generated_days_ago": round(generated_days, 2), "limit_days": MAX_AGE_DAYS}
    if generated_days < 0:
        return Finding(
            setup.grave,
            f"generated {-generated_days:.1f} days in the future ({found.generated_at:%Y-%m-%d %H:%M} UTC)",
            "Set this machine's clock, or write the file anew with `pairbot scan`",
            numbers,
        )
    epoch = found.epoch_at(now)
    if epoch is None:
        return Finding(setup.grave, f"no epoch is valid now: {_when(found, now)}", remedy, numbers)
    if epoch.valid_to is not None:
        left = (epoch.valid_to - now).total_seconds() / 86_400
        return Finding(
            Status.PASS,
            f"the epoch of {epoch.valid_from:%Y-%m-%d %H:%M} is valid for {left:.1f} days more",
            numbers={**numbers, "valid_days_left": round(left, 2)},
        )
    text_ = f"generated {generated_days:.1f} days ago, limit {MAX_AGE_DAYS:.0f} days for an open-ended epoch"
    if now - found.generated_at > timedelta(days=MAX_AGE_DAYS):
        return Finding(setup.grave, text_, remedy, numbers)
    return Finding(Status.PASS, text_, numbers=numbers)


def _when(found: PairsFile, now: datetime) -> str:
    coming = next((epoch.valid_from for epoch in found.epochs if epoch.valid_from > now), None)
    ended = [epoch.valid_to for epoch in found.epochs if epoch.valid_to is not None and epoch.valid_to <= now]
    parts = []
    if ended:
        days = (now - max(ended)).total_seconds() / 86_400
        parts.append(f"the last one ended {days:.1f} days ago ({max(ended):%Y-%m-%d %H:%M})")
    if coming is not None:
        days = (coming - now).total_seconds() / 86_400
        parts.append(f"the next begins in {days:.1f} days ({coming:%Y-%m-%d %H:%M})")
    return ", ".join(parts)


def whitelist(setup: Setup) -> Finding:
    """Freqtrade's whitelist and the pairs come from the same file."""
    setup.pairs_file()
    check_pairs_source(setup.config, setup.settings())
    methods = [str(entry.get("method")) for entry in setup.config.get("pairlists", [])]
    symbols = setup.pairs_file().pairs
    blacklist = setup.config.get("exchange", {}).get("pair_blacklist") or []
    barred = expand_pairlist(blacklist, list(symbols))
    if barred:
        return Finding(
            Status.FAIL,
            f"exchange.pair_blacklist bars {len(barred)} legs: {_some(barred)}",
            "Take them out of the blacklist, or their pairs out of the pairs file",
            {"barred": len(barred)},
        )
    if methods == ["RemotePairList"]:
        return Finding(
            Status.PASS,
            f"{len(symbols)} symbols from the pairs file itself",
            numbers={"symbols": len(symbols)},
        )
    listed = set(setup.config.get("exchange", {}).get("pair_whitelist", []))
    absent = [symbol for symbol in symbols if symbol not in listed]
    if methods == ["StaticPairList"] and absent:
        return Finding(
            Status.FAIL,
            f"{len(absent)} of {len(symbols)} legs are not in exchange.pair_whitelist: {_some(absent)}",
            "Use the RemotePairList of the delivered config.json: it reads the pairs file",
            {"absent": len(absent)},
        )
    if methods != ["StaticPairList"]:
        return Finding(
            Status.WARN,
            f"the whitelist is made by {', '.join(methods) or 'nothing'}: a filter may drop one leg",
            "Use the RemotePairList of the delivered config.json alone",
        )
    return Finding(Status.PASS, f"all {len(symbols)} legs are in exchange.pair_whitelist")


def versions(setup: Setup) -> Finding:
    """Freqtrade and ccxt have what a bot relies on, and are releases this package was tested with."""
    installed = dict(setup.versions())
    shown, tested = releases.described(installed), releases.tested_range()
    if gone := private.missing(private.BOT):
        return Finding(
            Status.FAIL,
            f"{shown}: what the engine relies on is not there: {'; '.join(gone[:3])}",
            f"Install {tested}: `make install`",
            installed,
        )
    if not releases.is_covered(installed):
        return Finding(
            Status.WARN,
            f"{shown}; all names the engine relies on are there, tested was {tested}",
            "Run `make compat` or `make test` on it first, or install a tested release: `make install`",
            installed,
        )
    return Finding(Status.PASS, shown, numbers=installed)


OF_A_DRY_RUN = ".dryrun."
"""In the names Freqtrade and `pairbot init` give a dry-run's database."""


def database(setup: Setup) -> Finding:
    """The database can be written: without it no order's intent is durable, so nothing is entered."""
    shown = make_url(str(setup.config.get("db_url", "")))
    path = sqlite_file(shown)
    if shown.get_backend_name() == "sqlite" and path is None:
        return Finding(
            setup.grave,
            "in memory: pair trades are forgotten when the bot stops",
            'Set "db_url": "sqlite:///tradesv3.sqlite"',
        )
    if setup.live and path is not None and OF_A_DRY_RUN in path.name:
        return Finding(
            Status.FAIL,
            f"{path.name} is a dry-run's: its trades would be taken for positions on the venue",
            'Name another "db_url" in the file that says "dry_run": false, such as '
            f'"sqlite:///{path.with_name(path.name.replace(OF_A_DRY_RUN, "."))}"',
        )
    try:
        if path is not None and not path.exists():
            _write_into(path.absolute().parent)
            what = "will be created"
        else:
            _begin_write(shown)
            what = "writable"
    except (OSError, SQLAlchemyError) as error:
        return Finding(
            Status.FAIL,
            f"{shown.render_as_string()} cannot be written: {_line(error)}",
            "Correct db_url or the rights on its directory; stop whatever else holds the database locked",
        )
    known = setup.known()
    return Finding(
        Status.PASS,
        f"{shown.render_as_string()} {what}; {len(known.amounts)} open trades",
        numbers={"open_trades": len(known.amounts)},
    )


def _begin_write(url: URL) -> None:
    """Take the write lock and give it back. Raises SQLAlchemyError."""
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECS} if is_sqlite else {})
    try:
        with engine.connect() as connection:
            if is_sqlite:
                # The header is only touched by a write: BEGIN alone succeeds on a read-only file.
                version = connection.execute(text("PRAGMA user_version")).scalar_one()
                connection.execute(text("BEGIN IMMEDIATE"))
                connection.execute(text(f"PRAGMA user_version = {int(version)}"))
                connection.execute(text("ROLLBACK"))
            else:
                connection.execute(text("CREATE TEMPORARY TABLE pairbot_preflight (id INTEGER)"))
                connection.rollback()
    finally:
        engine.dispose()


def directories(setup: Setup) -> Finding:
    """User data, logs and plots can be written, and the disk is not full."""
    user_data = Path(setup.config["user_data_dir"])
    logfile = str(setup.config.get("logfile") or "")
    is_file = bool(logfile) and not logfile.startswith(("syslog", "journald"))
    wanted = {
        "user data": user_data,
        "logs": Path(logfile).absolute().parent if is_file else user_data / "logs",
        "pictures": user_data / "plot",
    }
    details: list[dict[str, Number]] = []
    problems: list[str] = []
    for purpose, directory in wanted.items():
        place = _nearest(directory)
        try:
            _write_into(place)
            free = shutil.disk_usage(place).free
            problem = f"{free / 1e6:.0f} MB free" if free < LEAST_FREE_BYTES else ""
        except OSError as error:
            free, problem = 0, f"cannot be written: {error.strerror or error}"
        details.append({"purpose": purpose, "directory": str(directory), "free_bytes": free})
        if problem:
            problems.append(f"{purpose} ({directory}) {problem}")
    if problems:
        return Finding(
            Status.FAIL,
            "; ".join(problems),
            f"Correct the rights, or free {LEAST_FREE_BYTES / 1e6:.0f} MB",
            {"problems": len(problems)},
            tuple(details),
        )
    least = min(int(row["free_bytes"] or 0) for row in details)
    return Finding(
        Status.PASS,
        f"{', '.join(wanted)} writable under {user_data.name}, {least / 1e9:.1f} GB free",
        numbers={"least_free_bytes": least},
        details=tuple(details),
    )


def _nearest(directory: Path) -> Path:
    """The directory, or the nearest of its parents that exists: what the bot would create it in."""
    return next(place for place in (directory.absolute(), *directory.absolute().parents) if place.exists())


def _write_into(directory: Path) -> None:
    """Write a byte and take it away again. Raises OSError."""
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"\0")
        file.flush()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:240]
