"""What a drill's and a replay's page are written on: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pairbot_ext.support.errors import PairbotError

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 28px; max-width: 1080px; background: #fff; color: #1b1b1b;
  font: 14px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; margin: 0 0 8px; } h2 { font-size: 15px; margin: 32px 0 4px; }
.lead { padding: 10px 14px; border: 1px solid #2e7d32; margin: 12px 0; }
table { border-collapse: collapse; font-size: 13px; }
th { text-align: right; border-bottom: 1px solid #1b1b1b; padding: 3px 7px; }
td { text-align: right; border-bottom: 1px solid #e6e6e6; padding: 3px 7px; }
th.text, td.text { text-align: left; } .small { color: #5c5c5c; font-size: 13px; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; } a { color: #005a8d; }
"""


def _mark(kind: str) -> str:
    return f"<!-- pairbot {kind} -->"


def check_place(path: Path, kind: str) -> None:
    """Raises PairbotError: what is there is no page of this kind, and is not overwritten."""
    is_free = not path.exists() or (
        path.is_file() and _mark(kind) in path.read_text(encoding="utf-8", errors="replace")[:400]
    )
    if not is_free:
        raise PairbotError(
            f"A file that is no page of a {kind} is not overwritten", value=path, remedy="Choose another name"
        )


def write(path: Path, kind: str, body: Iterable[str], style: str = "") -> None:
    """Write the page. Raises PairbotError: the file is somebody else's, or cannot be written.

    :param kind: "drill" or "replay". :param style: rules beside the common ones.
    """
    try:
        check_place(path, kind)
        path.write_text(sheet(kind, body, style), encoding="utf-8")
    except OSError as error:
        raise PairbotError(
            f"The page cannot be written: {error.strerror}", value=path, remedy="Choose another place"
        ) from error


def sheet(kind: str, body: Iterable[str], style: str = "") -> str:
    """The whole page."""
    return (
        f'<!doctype html>{_mark(kind)}<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{kind.capitalize()}</title><style>{_STYLE}{style}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )
