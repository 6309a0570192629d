"""Releases of Freqtrade and ccxt this package was tested with, and where the installed ones stand.

What decides whether something runs is what a release has (`private`), never its number: a number that was not
tested is said, and nothing more. The table `tested_releases.json` is written by `make compat`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.version import InvalidVersion, Version

PACKAGES = ("freqtrade", "ccxt")
TABLE = Path(__file__).with_name("tested_releases.json")
MISSING = "missing"


@dataclass(frozen=True, order=True)
class Release:
    """A pair of releases on which the core suite was green. `tested_on` is a UTC date, YYYY-MM-DD."""

    freqtrade: str
    ccxt: str
    tested_on: str


class Standing(StrEnum):
    """Where a release stands among the tested ones."""

    TESTED = "tested"
    BETWEEN = "between tested releases"
    NEWER = "newer than tested"
    OLDER = "older than tested"
    UNKNOWN = "no release"

    @property
    def is_covered(self) -> bool:
        """Whether it lies within what was tested."""
        return self in (Standing.TESTED, Standing.BETWEEN)


@cache
def tested() -> tuple[Release, ...]:
    """The table, in its order: newest first."""
    return tuple(Release(**row) for row in json.loads(TABLE.read_text(encoding="utf-8")))


def tested_bounds(package: str) -> tuple[str, str]:
    """Oldest and newest tested release of a package of `PACKAGES`."""
    versions = sorted((getattr(each, package) for each in tested()), key=Version)
    return versions[0], versions[-1]


def tested_range() -> str:
    """`freqtrade 2026.6 to 2026.9, ccxt ...`."""
    return ", ".join(f"{package} {' to '.join(tested_bounds(package))}" for package in PACKAGES)


def installed() -> dict[str, str]:
    """Installed release of each package of `PACKAGES`; `MISSING` where it is not installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = MISSING
    return found


def standing(package: str, version: str) -> Standing:
    """Where a release of a package stands among the tested ones."""
    try:
        number = Version(version)
    except InvalidVersion:
        return Standing.UNKNOWN
    known = {Version(getattr(each, package)) for each in tested()}
    if number in known:
        return Standing.TESTED
    if number > max(known):
        return Standing.NEWER
    return Standing.OLDER if number < min(known) else Standing.BETWEEN


def described(versions: Mapping[str, str] | None = None) -> str:
    """`freqtrade 2026.9 (tested), ccxt ...`, of the installed releases unless others are given."""
    found = installed() if versions is None else versions
    return ", ".join(
        f"{package} {found[package]} ({standing(package, found[package])})" for package in PACKAGES
    )


def is_covered(versions: Mapping[str, str] | None = None) -> bool:
    """Whether the installed (or given) releases lie within what was tested."""
    found = installed() if versions is None else versions
    return all(standing(package, found[package]).is_covered for package in PACKAGES)
