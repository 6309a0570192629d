"""A published table of pairs (Markdown or CSV) becomes a pairs file without frozen models."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PairsFileError(
            f"table {path} cannot be read: {error}", remedy="Name a Markdown or CSV file"
        ) from error
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


def _rows(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    """(line number, cells by field) for each row of the first table whose header has the required columns."""
    lines = text.splitlines()
    table = [
        (number, _cells(line))
        for number, line in enumerate(lines, start=1)
        if line.strip() and _is_row(line, path)
    ]
    best: list[str] = []
    for position, (_, cells) in enumerate(table):
        fields = [_COLUMNS.get(re.sub(r"[\s_-]", "", cell.lower()), "") for cell in cells]
        missing = [name for name in _REQUIRED if name not in fields]
        if not missing:
            return [
                (number, dict(zip(fields, row, strict=False)))
                for number, row in table[position + 1 :]
                if not all(re.fullmatch(r":?-+:?", cell) for cell in row)
            ]
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


def _is_row(line: str, path: Path) -> bool:
    return "|" in line if path.suffix.lower() != ".csv" else not line.startswith("#")


def _cells(line: str) -> list[str]:
    """Cells of a Markdown row (leading quote marks and outer bars removed) or of a CSV line."""
    if "|" in line:
        return [cell.strip().strip("`") for cell in line.lstrip("> \t").strip().strip("|").split("|")]
    return [cell.strip() for cell in next(csv.reader(io.StringIO(line)))]


def _pair(path: Path, line: int, cells: Mapping[str, str], thresholds: Thresholds) -> Pair:
    fields: dict[str, Any] = {}
    for name in dict.fromkeys(_COLUMNS.values()):
        text = cells.get(name, "")
        if not text:
            continue
        if name in _TEXT_COLUMNS.values():
            fields[name] = text
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
        if leg in fields and "/" not in fields[leg]:
            fields[leg] = f"{fields[leg]}/USDT:USDT"
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
