"""One version, and what is said of the formats is what their rooms write."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pairbot_ext import __version__
from pairbot_ext.cli import main
from pairbot_ext.journal import schema as journal
from pairbot_ext.pairs import schema as pairs
from pairbot_ext.support import versions


def test_the_version_has_one_source(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "pairbot_ext.__version__"}
    newest = re.search(r"^## (\S+?),? ", (repo_root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__
    assert f"version: {__version__}\n" in (repo_root / "CITATION.cff").read_text()


def test_formats_are_those_of_their_rooms() -> None:
    assert {"pairs file": pairs.MODELS_VERSION, "journal": journal.SCHEMA_VERSION} == versions.FORMATS


def test_the_command_says_what_it_runs_on(repo_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"pairbot {__version__}"
    assert [line.split()[0] for line in said[1:3]] == ["freqtrade", "ccxt"]
    assert said[-1] == f"documentation {repo_root}"
