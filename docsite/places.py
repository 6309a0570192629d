"""Where things are: the checkout, the version that is built, the project's address on a forge."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pairbot_ext

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_FORGE = ("repository", "source", "source code", "homepage")


def version() -> str:
    """The package's version: the folder the site is built into."""
    return pairbot_ext.__version__


def forge(root: Path = ROOT) -> str | None:
    """The project's address on a forge as pyproject.toml names it, without a slash at its end."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    known = {name.lower(): url for name, url in urls.items()}
    return next((known[name].rstrip("/") for name in _FORGE if name in known), None)
