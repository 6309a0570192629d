"""A replay in stretches: the venue's books, the bot's database and files, and how far it has come."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairbot_ext.pairs import write_json
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.replay.inputs import Inputs, when_text
from pairbot_ext.rehearse.replay.machine import ReplayMachine
from pairbot_ext.rehearse.replay.terms import Terms
from pairbot_ext.sim.market.base import Market
from pairbot_ext.sim.venue.keeping import keep, restore
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import PairbotError

VERSION = 1
_FILE, _BOOKS, _FOLDER = "replay.json", "venue.books", "bot"


@dataclass(frozen=True)
class Kept:
    """Where an earlier stretch ended. Times in epoch ms.

    :param begin_ms: of the first stretch. :param reached_ms: the last candle done.
    :param now_ms: the clock. :param counted: what was counted on the way.
    """

    begin_ms: int
    reached_ms: int
    now_ms: int
    counted: dict[str, Any]
    folder: Path


def read_state(directory: Path, inputs: Inputs, terms: Terms) -> Kept | None:
    """What an earlier stretch has left; None where this is the first one.

    :raises PairbotError: the directory is something else, or of another replay, or there is nothing to go on
        with.
    """
    file = directory / _FILE
    if not file.exists():
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise PairbotError(
                "--state is no replay's directory, and nothing in it is overwritten", value=directory,
                remedy="Name an empty or a new one",
            )  # fmt: skip
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        kept = Kept(
            int(found["begin_ms"]), int(found["reached_ms"]), int(found["now_ms"]), dict(found["counted"]),
            directory / str(found["folder"]),
        )  # fmt: skip
        is_same = (found["version"], found["identity"], found["terms"]) == (
            VERSION, inputs.identity(), terms.to_json(),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PairbotError(
            f"{file} is no replay's state: {type(error).__name__} {error}", remedy="Name another directory"
        ) from error
    if not is_same:
        raise PairbotError(
            "--state was made with another configuration, pairs file, data directory or other terms",
            value=directory, remedy="Give the same ones, or begin anew in an empty directory",
        )  # fmt: skip
    if not kept.reached_ms <= inputs.end_ms - inputs.candle_ms:
        raise PairbotError(
            "--state has come as far as --timerange asks", value=when_text(kept.reached_ms),
            remedy="Give a later end",
        )  # fmt: skip
    if inputs.begin_ms not in (kept.begin_ms, kept.reached_ms):
        raise PairbotError(
            "--timerange does not begin where --state ended", value=when_text(inputs.begin_ms),
            remedy=f"Begin at {when_text(kept.reached_ms)}",
        )  # fmt: skip
    return kept


def take_out(kept: Kept, market: Market, clock: VirtualTime, directory: Path) -> Venue:
    """The venue as it was left; the bot's files are copied into `directory`."""
    try:
        shutil.copytree(kept.folder / _FOLDER, directory, dirs_exist_ok=True)
        books = (kept.folder / _BOOKS).read_bytes()
    except OSError as error:
        raise PairbotError(
            f"The state cannot be read: {error.strerror}", value=kept.folder,
            remedy="Begin anew in an empty directory",
        ) from error  # fmt: skip
    return restore(books, market, clock)


def put_away(
    directory: Path, machine: ReplayMachine, *, begin_ms: int, reached_ms: int, counted: dict[str, Any]
) -> None:
    """Keep everything; what was kept before is there until this is complete. The bot must have ended."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        folder = directory / f"until-{reached_ms}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copytree(machine.directory, folder / _FOLDER)
        (folder / _BOOKS).write_bytes(keep(machine.venue, machine.clock))
        write_json(
            directory / _FILE,
            {
                "version": VERSION,
                "identity": machine.inputs.identity(),
                "terms": machine.terms.to_json(),
                "begin_ms": begin_ms,
                "reached_ms": reached_ms,
                "now_ms": machine.clock.now_ms(),
                "counted": counted,
                "folder": folder.name,
            },
        )
        for old in directory.glob("until-*"):
            if old != folder:
                shutil.rmtree(old)
    except OSError as error:
        raise PairbotError(
            f"The state cannot be written: {error.strerror}", value=directory, remedy="Name another place"
        ) from error
