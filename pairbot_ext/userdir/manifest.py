"""What `pairbot init` has written into a userdir: that is how a file its owner changed is told from ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairbot_ext import __version__
from pairbot_ext.support.documents import read_document
from pairbot_ext.support.errors import PairbotError

NAME = ".pairbot-init.json"
_REMEDY = "Move it away; `pairbot init` then takes every file that is not as it would write it for yours"


@dataclass
class Manifest:
    """Of one userdir.

    :param configs: the owner's configuration files, absolute.
    :param written: digest of each file as it was written, by its path from the userdir.
    :param folders: folders that were made, outermost first.
    :param version: of the package that wrote last.
    """

    configs: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    version: str = __version__

    def document(self) -> dict[str, Any]:
        """To be written."""
        return {
            "pairbot": self.version,
            "configs": self.configs,
            "written": self.written,
            "folders": self.folders,
        }


def read_manifest(userdir: Path) -> Manifest | None:
    """None where nothing was written there. Raises PairbotError where the file is no manifest."""
    path = userdir / NAME
    try:
        found = read_document(path, "manifest", PairbotError, _REMEDY)
    except FileNotFoundError:
        return None
    try:
        return Manifest(
            [str(each) for each in found["configs"]],
            {str(name): str(digest) for name, digest in found["written"].items()},
            [str(each) for each in found["folders"]],
            str(found["pairbot"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise PairbotError(f"{path} is no manifest of pairbot init", remedy=_REMEDY) from error


def digest_of(text: str) -> str:
    """Of a text file, whatever ends its lines: an editor or git of Windows changes nothing by it."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()
