"""What `pairbot init` will do to each file, decided before anything is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.userdir import overlay, texts
from pairbot_ext.userdir.manifest import Manifest, digest_of, read_manifest
from pairbot_ext.userdir.options import DEFAULT_CONFIG, OVERLAY

STRATEGY_FILE = f"strategies/{overlay.STRATEGY}.py"
LOSS_FILE = "hyperopts/PairsHyperOptLoss.py"
ENVIRONMENT_FILE = ".env.example"
FOLDERS = (
    "backtest_results", "data", "hyperopts", "hyperopt_results", "logs", "notebooks", "plot", "strategies",
    "freqaimodels",
)  # fmt: skip
"""Of a Freqtrade userdir; each of its commands makes those that are missing."""
_NO_PAIRS = {
    "pairs": [],
    "refresh_period": 300,
    "schema_version": 1,
    "scan": {"rule": "none yet: written by `pairbot init`, to be replaced by `pairbot scan`"},
    "epochs": [],
}
_EARLIER = "2000-01-01T00:00:00Z"
"""Of an empty file: every init writes the same bytes."""


class Step(StrEnum):
    """What becomes of a file."""

    CREATE = "create"
    SAME = "same"
    REPLACE = "replace"
    KEEP = "keep"
    MERGE = "merge"
    """Changed by its owner, and what we would write has changed too: kept, and shown to be merged by hand."""
    FOREIGN = "foreign"
    """There, and not from here: nothing at all is written."""


@dataclass(frozen=True)
class File:
    """One file.

    :param name: path from the userdir. :param found: its text, None where it is not there.
    :param wanted: its text as it would be written today.
    """

    name: str
    step: Step
    found: str | None
    wanted: str


@dataclass(frozen=True)
class Plan:
    """What an init of one userdir does.

    :param manifest: as it will be. :param folders: to be made, outermost first; the userdir may be one.
    :param exchange: Freqtrade's name of it.
    :param settings: the owner's settings that are others for the bot of pairs, as lines of a diff.
    """

    userdir: Path
    configs: tuple[Path, ...]
    files: tuple[File, ...]
    folders: tuple[Path, ...]
    manifest: Manifest
    settings: tuple[str, ...]
    notes: tuple[str, ...]
    exchange: str

    @property
    def foreign(self) -> tuple[File, ...]:
        """Files that stand in the way."""
        return tuple(each for each in self.files if each.step is Step.FOREIGN)

    @property
    def is_done(self) -> bool:
        """Whether an init would change nothing and has nothing to say."""
        quiet = (Step.SAME, Step.KEEP)
        return not self.folders and all(each.step in quiet for each in self.files)


def make_plan(userdir: Path, given: Sequence[Path] | None, here: Path) -> Plan:
    """Read everything, write nothing.

    :param userdir: need not exist. :param given: the owner's configuration files; None looks for them.
    :param here: the working directory.
    :raises PairbotError: something that is no folder where one belongs, or a file that cannot be read.
    """
    # Not resolved: a link stays the owner's to point elsewhere.
    userdir = Path(os.path.abspath(here / userdir))
    _check_folders(userdir)
    before = read_manifest(userdir) if userdir.is_dir() else None
    if given is None:
        configs = _own_configs(userdir, here, before)
    else:
        configs = tuple(Path(os.path.abspath(here / path)) for path in given)
    if userdir / OVERLAY in configs:
        raise PairbotError(
            f"{OVERLAY} is what pairbot init writes; it cannot be what it builds on",
            remedy="Name your own configuration with -c, or none",
        )
    own = overlay.read_own(configs)
    made = overlay.make_overlay(userdir, own, configs)
    wanted = {
        OVERLAY: _json(made.document),
        overlay.PAIRS_FILE: _json(_empty_pairs(made.document)),
        STRATEGY_FILE: texts.STRATEGY,
        LOSS_FILE: texts.LOSS,
        ENVIRONMENT_FILE: texts.ENVIRONMENT,
    }
    written = before.written if before else {}
    files = tuple(_file(userdir, name, text, written.get(name)) for name, text in wanted.items())
    folders = tuple(path for path in (userdir, *(userdir / name for name in FOLDERS)) if not path.is_dir())
    relative = [str(path.relative_to(userdir)) for path in folders]
    return Plan(
        userdir,
        configs,
        files,
        folders,
        Manifest(
            [str(path) for path in configs],
            {name: digest_of(text) for name, text in wanted.items()},
            [*(before.folders if before else []), *relative],
        ),
        tuple(overlay.changed_settings(own, made.document)),
        made.notes,
        str(made.document["exchange"]["name"]),
    )


def _check_folders(userdir: Path) -> None:
    for path in (userdir, *(userdir / name for name in FOLDERS)):
        if (path.exists() or path.is_symlink()) and not path.is_dir():
            raise PairbotError(
                f"{path} is no folder, and Freqtrade needs one there",
                remedy="Move it away, or name another folder with --userdir",
            )


def _own_configs(userdir: Path, here: Path, before: Manifest | None) -> tuple[Path, ...]:
    """Those of the last time, else where Freqtrade looks; a config.json elsewhere is not of this bot."""
    if before is not None:
        return tuple(Path(each) for each in before.configs)
    places = [userdir / DEFAULT_CONFIG]
    if userdir.parent == here:
        places.append(here / DEFAULT_CONFIG)
    return tuple(path for path in places if path.is_file())[:1]


def _empty_pairs(document: Mapping[str, object]) -> dict[str, object]:
    exchange = document["exchange"]
    assert isinstance(exchange, dict)
    return {
        **_NO_PAIRS,
        "generated_at": _EARLIER,
        "exchange": exchange["name"],
        "timeframe": document["timeframe"],
    }


def _file(userdir: Path, name: str, wanted: str, written: str | None) -> File:
    path = userdir / name
    try:
        found = path.read_bytes().decode("utf-8") if path.exists() or path.is_symlink() else None
    except (OSError, UnicodeDecodeError) as error:
        raise PairbotError(f"{path} cannot be read: {error}", remedy="Move it away") from error
    return File(name, _step(name, found, wanted, written), found, wanted)


def _step(name: str, found: str | None, wanted: str, written: str | None) -> Step:
    if found is None:
        return Step.CREATE
    now, then = digest_of(found), digest_of(wanted)
    if now == then:
        return Step.SAME
    if name == overlay.PAIRS_FILE:
        # It is there to be replaced: a scan's, or its owner's.
        return Step.KEEP if written is not None or _is_pairs_file(found) else Step.FOREIGN
    if written is None:
        return Step.FOREIGN
    if now == written:
        return Step.REPLACE
    return Step.KEEP if written == then else Step.MERGE


def _is_pairs_file(text: str) -> bool:
    try:
        document = json.loads(text)
    except ValueError:
        return False
    return isinstance(document, dict) and {"pairs", "epochs"} <= document.keys()


def _json(document: Mapping[str, object]) -> str:
    # ASCII alone: Freqtrade reads its configuration in the encoding of the system.
    return json.dumps(document, indent=4) + "\n"
