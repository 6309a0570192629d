"""Which releases are at work: of this package, of what it runs on, and of the formats it writes."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from pairbot_ext import __version__

DISTRIBUTION = "pairbot-ext"
README = "share/doc/pairbot-ext/README.md"
RUNS_ON = ("freqtrade", "ccxt")
FORMATS = {"pairs file": 2, "journal": 2}
"""Newest version of each that this package writes and reads; a test compares them with their rooms."""


def of(package: str) -> str:
    """Its installed release, or that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def documentation() -> Path | None:
    """Where README and docs/ lie: beside a checkout's package, or where the wheel has put them."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "docs").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        files = []
    # `pip install --target` puts it beside the package and notes another place.
    places = [Path(str(file.locate())) for file in files if file.as_posix().endswith(README)]
    for path in (*places, checkout / README):
        if path.is_file():
            return path.resolve().parent
    return None


def lines() -> list[str]:
    """For `pairbot --version`; nothing heavy is loaded for it."""
    return [
        f"pairbot {__version__}",
        *(f"{package} {of(package)}" for package in RUNS_ON),
        *(f"{name} schema {number}" for name, number in FORMATS.items()),
        f"Python {platform.python_version()}",
        f"documentation {documentation() or 'not installed'}",
    ]
