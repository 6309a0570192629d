"""The index of versions: what has been built into one folder, newest first."""

from __future__ import annotations

import html
import json
from pathlib import Path

from packaging.version import InvalidVersion, Version

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>pairbot: documentation</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
</style>
<h1>pairbot: documentation</h1>
<ul>
{rows}
</ul>
</html>
"""


def built(site: Path) -> list[str]:
    """The versions in the folder, newest first: a folder named by a version, with a start page."""
    found = []
    for page in site.glob("*/index.html"):
        try:
            found.append(Version(page.parent.name))
        except InvalidVersion:
            continue
    return [str(version) for version in sorted(found, reverse=True)]


def write_index(site: Path) -> list[str]:
    """Write `versions.json` (a list, newest first) and `index.html`; returns the versions."""
    versions = built(site)
    entries = [{"version": version, "url": f"{version}/index.html"} for version in versions]
    (site / "versions.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    rows = "\n".join(
        f'<li><a href="{entry["url"]}">{html.escape(entry["version"])}</a>{"" if at else " (newest)"}'
        for at, entry in enumerate(entries)
    )
    (site / "index.html").write_text(_PAGE.format(rows=rows), encoding="utf-8")
    return versions
