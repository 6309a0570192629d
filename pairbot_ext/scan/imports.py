"""A published table of pairs (Markdown or CSV) becomes a pairs file without frozen models."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pairbot_ext.candles.files import floor_to_candle
from pairbot_ext.pairs import Epoch, Pair, PairsFile, problem_text
from pairbot_ext.pairs.writing import build_pairs_file
from pairbot_ext.scan.pipeline import Thresholds, pair_id
from pairbot_ext.scan.rules import TEXTBOOK_LEVEL
from pairbot_ext.scan.universe import Window
from pairbot_ext.support.errors import PairsFileError

# Column headings are compared without case, spaces, hyphens and underscores.
_TEXT_COLUMNS = {"id": "id", "lega": "leg_a", "legb": "leg_b"}
_NUMBER_COLUMNS = {
    "hedgeratio": "hedge_ratio",
    "beta": "hedge_ratio",
    "halflifeh": "half_life_hours",
    "halflifehours": "half_life_hours",
    "adfp": "adf_p",
    "cointp": "coint_p",
    "alpha": "alpha",
    "mu": "mu",
    "sigma": "sigma",
    "qvalue": "q_value",
}
_COLUMNS = _TEXT_COLUMNS | _NUMBER_COLUMNS
_QUOTES = ("USDT", "USDC")
_REQUIRED = ("leg_a", "leg_b", "hedge_ratio", "adf_p", "coint_p")


def import_table(
    path: Path,
    *,
    exchange: str,
    timeframe: str,
    formation_candles: int,
    generated_at: datetime,
    thresholds: Thresholds,
    provenance: Mapping[str, Any],
) -> PairsFile:
    """Read the first table of `path` whose headings name pairs.

    The pairs are valid from `generated_at`; their formation window is taken to be the `formation_candles`
    candles closed by then.

    :param provenance: keys of the `scan` block, such as rule, combinations, source, note.
    :raises PairsFileError: no table, a missing column, or a row that is no valid pair (named by its line).
    """
    text = _text(path)
    pairs = [_pair(path, line, cells, thresholds) for line, cells in _rows(path, text)]
    end = floor_to_candle(generated_at, timeframe)
    window = Window(timeframe, formation_candles, end)
    scan: dict[str, Any] = {
        "rule": "imported table",
        "selected": len(pairs),
        "formation_candles": formation_candles,
    }
    scan |= provenance
    if "combinations" in scan and "expected_false_positives" not in scan:
        scan["expected_false_positives"] = scan["combinations"] * TEXTBOOK_LEVEL
    try:
        epoch = Epoch(
            valid_from=generated_at, formation_start=window.start, formation_end=end, pairs=tuple(pairs)
        )
    except ValidationError as error:
        raise PairsFileError(f"table {path}: {_first(error)}", remedy="Correct the table") from error
    return build_pairs_file(
        [epoch], scan=scan, exchange=exchange, timeframe=timeframe, generated_at=generated_at
    )


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {problem_text(first)}" if place else problem_text(first)


def _text(path: Path) -> str:
    """Whatever spreadsheets write: UTF-8 with and without a mark, UTF-16, or a Western code page."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PairsFileError(
            f"table {path} cannot be read: {error}", remedy="Name a Markdown or CSV file"
        ) from error
    encodings = (
        ["utf-16"] if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ["utf-8-sig", "cp1252"]
    )
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise PairsFileError(
        f"table {path} cannot be read: it is no text in UTF-8, UTF-16 or cp1252",
        remedy="Save it as CSV (UTF-8)",
    )


@dataclass(frozen=True)
class _Row:
    """One row: where it stands, its cells."""

    line: int
    cells: list[str]


def _table(path: Path, text: str) -> tuple[list[_Row], str]:
    """All rows that could belong to a table, and the delimiter."""
    lines = text.splitlines()
    if path.suffix.lower() not in (".csv", ".tsv", ".txt") or any(
        line.lstrip("> ").startswith("|") for line in lines
    ):
        marked = [(number, line) for number, line in enumerate(lines, start=1) if "|" in line]
        return [_Row(number, _bars(line)) for number, line in marked], "|"
    heading = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = max(";\t,", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, begin = [], 1
    for cells in reader:
        if cells and any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
            rows.append(_Row(begin, [cell.strip() for cell in cells]))
        begin = reader.line_num + 1
    return rows, delimiter


def _bars(line: str) -> list[str]:
    """Cells of a Markdown row, leading quote marks and outer bars removed."""
    return [cell.strip().strip("`") for cell in line.lstrip("> \t").strip().strip("|").split("|")]


def _rows(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    """(line number, cells by field) for each row of the first table whose header has the required columns."""
    table, delimiter = _table(path, text)
    best: list[str] = []
    for position, header in enumerate(table):
        fields = [_COLUMNS.get(re.sub(r"[\s_-]", "", cell.lower()), "") for cell in header.cells]
        missing = [name for name in _REQUIRED if name not in fields]
        if not missing:
            rows = [
                row for row in table[position + 1 :] if not all(re.fullmatch(r":?-+:?", c) for c in row.cells)
            ]
            return [(row.line, _by_field(path, fields, header, row, delimiter)) for row in rows]
        if len(missing) < len(_REQUIRED):
            best = missing
    wanted = (
        "leg A, leg B, hedge ratio, ADF p, coint p (optional: id, half-life h, alpha, mu, sigma, q value)"
    )
    raise PairsFileError(
        f"table {path} has no header line with the columns a pair needs",
        value=f"missing {', '.join(best)}" if best else "no such table",
        remedy=f"Its columns are {wanted}",
    )


def _by_field(path: Path, fields: list[str], header: _Row, row: _Row, delimiter: str) -> dict[str, str]:
    """A row's cells under its headings; numbers with a decimal comma where the comma separates no cells."""
    cells = row.cells
    while len(cells) > len(fields) and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != len(fields):
        column = min(len(cells), len(fields)) + 1
        raise PairsFileError(
            f"table {path} line {row.line}, column {column}: {len(cells)} cells under {len(fields)} headings",
            value=repr(cells[len(fields)]) if len(cells) > len(fields) else None,
            remedy=f"Give each heading of line {header.line} one cell",
        )
    found = dict(zip(fields, cells, strict=True))
    for name in _NUMBER_COLUMNS.values():
        if delimiter != "," and re.fullmatch(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", found.get(name, "")):
            found[name] = found[name].replace(",", ".")
    return found


def _symbol(text: str) -> str:
    """A coin, or coin and quote with or without a slash, in any case -> ALGO/USDT:USDT."""
    coin, slash, rest = text.strip().upper().partition("/")
    for quote in _QUOTES:
        if not slash and coin.endswith(quote) and coin != quote:
            return f"{coin.removesuffix(quote)}/{quote}:{quote}"
        if slash and rest == quote:
            return f"{coin}/{quote}:{quote}"
    return f"{coin}/USDT:USDT" if not slash else f"{coin}/{rest}"


def _pair(path: Path, line: int, cells: Mapping[str, str], thresholds: Thresholds) -> Pair:
    fields: dict[str, Any] = {}
    for name in dict.fromkeys(_COLUMNS.values()):
        text = cells.get(name, "")
        if not text:
            continue
        if name in _TEXT_COLUMNS.values():
            fields[name] = " ".join(text.split())
            continue
        try:
            fields[name] = float(text)
        except ValueError:
            raise PairsFileError(
                f"table {path} line {line}: {name} is not a number",
                value=repr(text),
                remedy="Correct the table",
            ) from None
    for leg in ("leg_a", "leg_b"):
        if leg in fields:
            fields[leg] = _symbol(fields[leg])
    if "id" not in fields and "leg_a" in fields and "leg_b" in fields:
        fields["id"] = pair_id(fields["leg_a"], fields["leg_b"])
    try:
        return Pair(
            **fields,
            entry_z=thresholds.entry_z,
            exit_z=thresholds.exit_z,
            stop_z=thresholds.stop_z,
            max_half_lives=thresholds.max_half_lives,
        )
    except ValidationError as error:
        raise PairsFileError(
            f"table {path} line {line}: {_first(error)}", remedy="Correct the table"
        ) from error
