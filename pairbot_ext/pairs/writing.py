"""The pairs file of a scan and the Freqtrade overlay that makes a bot or backtest use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pairbot_ext.pairs import (
    Epoch,
    PairsFile,
    Scan,
    problem_text,
    symbols_of,
    write_json,
    write_pairs_file,
)
from pairbot_ext.pairs.models import version_of
from pairbot_ext.support.errors import PairsFileError

REFRESH_PERIOD_SECS = 300


def build_pairs_file(
    epochs: Sequence[Epoch],
    *,
    scan: Mapping[str, Any],
    exchange: str,
    timeframe: str,
    generated_at: datetime,
) -> PairsFile:
    """The document of the contract, with the whitelist as the union of the epochs' legs.

    :raises PairsFileError: the epochs contradict each other, say an id that names other legs in an older one.
    """
    try:
        return PairsFile(
            pairs=symbols_of(epochs),
            refresh_period=REFRESH_PERIOD_SECS,
            schema_version=version_of(epochs),
            generated_at=generated_at,
            exchange=exchange,
            timeframe=timeframe,
            scan=Scan.model_validate(dict(scan)),
            epochs=tuple(epochs),
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PairsFileError(
            f"no pairs file can be made: {place + ': ' if place else ''}{problem_text(first)}",
            remedy="Correct the input, or write a new file with another --out",
        ) from error


def append_epoch(existing: PairsFile, epoch: Epoch, *, exchange: str, timeframe: str) -> list[Epoch]:
    """The existing epochs, the last one closed where the new one begins, and the new one.

    :raises PairsFileError: another exchange or timeframe, or the new epoch would not be the newest.
    """
    for name, old, new in (
        ("exchange", existing.exchange, exchange),
        ("timeframe", existing.timeframe, timeframe),
    ):
        if old != new:
            raise PairsFileError(
                f"--append: the file's {name} differs from the scan's",
                value=f"{old} and {new}",
                remedy="Write a new file with another --out",
            )
    epochs = list(existing.epochs)
    if epochs:
        last = epochs[-1]
        if epoch.valid_from <= last.valid_from:
            raise PairsFileError(
                "--append: the new epoch does not begin after the file's last one",
                value=f"{epoch.valid_from:%Y-%m-%d %H:%M} and {last.valid_from:%Y-%m-%d %H:%M} UTC",
                remedy="Choose a later --end",
            )
        if last.valid_to is None or last.valid_to > epoch.valid_from:
            epochs[-1] = last.model_copy(update={"valid_to": epoch.valid_from})
    return [*epochs, epoch]


def overlay_path(pairs_path: Path) -> Path:
    """`pairs.json` -> `pairs.json.overlay.json`, beside it."""
    return pairs_path.with_name(pairs_path.name + ".overlay.json")


def pairlist_url(pairs_path: Path) -> str:
    """The URL RemotePairList reads: three slashes and a path relative to the working directory, or four
    slashes for an absolute path. Freqtrade does not decode it, so spaces stay as they are."""
    return f"file:///{pairs_path}"


def overlay(
    pairs_path: Path, refresh_period_secs: int = REFRESH_PERIOD_SECS, symbols: Sequence[str] = ()
) -> dict[str, Any]:
    """Config to pass after the main one with `-c`: whitelist and pair definitions from the same file.

    :param symbols: the whitelist for commands of Freqtrade that ask no pairlist (plot-profit); what they
        settle in becomes the stake where it is not the usual one.
    """
    settled = {symbol.rsplit(":", 1)[-1] for symbol in symbols} - {"USDT"}
    return {
        "pairlists": [
            {
                "method": "RemotePairList",
                "mode": "whitelist",
                "processing_mode": "append",
                "pairlist_url": pairlist_url(pairs_path),
                "number_assets": 0,
                "refresh_period": refresh_period_secs,
            }
        ],
        "pairbot": {"pairs_file": str(pairs_path)},
        **({"exchange": {"pair_whitelist": list(symbols)}} if symbols else {}),
        **({"stake_currency": settled.pop()} if len(settled) == 1 else {}),
    }


def check_replaceable(path: Path) -> None:
    """Refuse an output path that is not ours to replace.

    :raises PairsFileError: a directory, or an existing file that is not a pairs file (a config, say).
    """
    if path.is_dir():
        raise PairsFileError(f"output {path} is a directory", remedy="Give a file name with --out")
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        document = None
    if not _is_ours(document):
        raise PairsFileError(
            f"output {path} exists and is not a pairs file; it was not overwritten",
            remedy="Choose another --out, or delete that file first",
        )
    beside = overlay_path(path)
    if beside.exists() and beside.stat().st_size and not _is_overlay(beside):
        raise PairsFileError(
            f"{beside}, which is written beside it, exists and is no overlay; it was not overwritten",
            remedy="Choose another --out, or move that file away first",
        )


def _is_ours(document: Any) -> bool:
    """Whether a file was written by `pairbot scan`: other programs have files with a `pairs` key too."""
    return isinstance(document, dict) and {"pairs", "epochs", "scan", "generated_at"} <= document.keys()


def _is_overlay(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"pairlists", "pairbot"} <= document.keys()


def previous_path(path: Path) -> Path:
    """`pairs.json` -> `pairs.json.previous`: what was there before the last scan."""
    return path.with_name(path.name + ".previous")


def _keep_previous(path: Path) -> None:
    """Copy the file that is about to be replaced, in one step too."""
    if path.exists() and path.stat().st_size:
        write_json(previous_path(path), json.loads(path.read_text(encoding="utf-8")))


def write_scan(path: Path, pairs_file: PairsFile) -> Path:
    """Write the pairs file and its overlay, each in one step. Returns the overlay's path.

    :raises PairsFileError: the files cannot be written; what was there before is untouched.
    """
    beside = overlay_path(path)
    try:
        _keep_previous(path)
        write_pairs_file(path, pairs_file)
        write_json(beside, overlay(path, pairs_file.refresh_period, pairs_file.pairs))
    except OSError as error:
        raise PairsFileError(
            f"output {path} cannot be written: {error.strerror or error}",
            remedy="Choose a directory you may write to with --out",
        ) from error
    return beside
