"""What is printed reaches any terminal, pipe or log: characters it does not know are written in others."""

import codecs
import sys
from typing import TextIO

HANDLER = "pairbot"
_PLAIN = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "!=", "×": "x",
        "·": "-", "…": "...", "±": "+-", "σ": "sigma", "β": "beta", "α": "alpha", "μ": "mu", "Δ": "delta",
        "²": "^2",
        "Ⓢ": "(S)", "ⓢ": "(S)", "’": "'", "‘": "'", "“": '"', "”": '"', "•": "*", "✓": "ok", "✗": "x",
        "─": "-", "━": "-", "│": "|", "┃": "|", "┼": "+", "╇": "+", "┏": "+", "┓": "+", "┗": "+", "┛": "+",
        "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┳": "+", "┡": "+",
        "┩": "+", "█": "#", "░": ".", "▁": "_", "▂": "_", "▃": "=", "▄": "=", "▅": "=", "▆": "#", "▇": "#",
    }
)  # fmt: skip


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    known = "".join(char if char.isascii() else "?" for char in text)
    return known, error.end


codecs.register_error(HANDLER, _in_plain)


def speak_any_encoding(*streams: TextIO) -> None:
    """Let these streams write every text: a report into a pipe of cp1252 or ASCII is still a report."""
    for stream in streams:
        if hasattr(stream, "reconfigure") and stream is not sys.__stdin__:
            stream.reconfigure(errors=HANDLER)
