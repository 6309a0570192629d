"""Which releases are at work: of this package, of what it runs on, and of the formats it writes."""

from __future__ import annotations

import platform
from importlib import metadata

from pairbot_ext import __version__

RUNS_ON = ("freqtrade", "ccxt")
FORMATS = {"pairs file": 2, "journal": 2}
"""Newest version of each that this package writes and reads; a test compares them with their rooms."""


def of(package: str) -> str:
    """Its installed release, or that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def lines() -> list[str]:
    """For `pairbot --version`; nothing heavy is loaded for it."""
    return [
        f"pairbot {__version__}",
        *(f"{package} {of(package)}" for package in RUNS_ON),
        *(f"{name} schema {number}" for name, number in FORMATS.items()),
        f"Python {platform.python_version()}",
    ]
