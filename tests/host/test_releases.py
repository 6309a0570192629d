"""Where a release stands among the tested ones, and that the table of them is one source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Rig
from packaging.requirements import Requirement
from packaging.version import Version

from pairbot_ext.host import releases
from pairbot_ext.host.releases import Release, Standing

TABLE = (
    Release("2026.9", "4.5.90", "2026-11-28"),
    Release("2026.7", "4.5.70", "2026-11-28"),
    Release("2026.7", "4.5.90", "2026-11-28"),
)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "tested", lambda: TABLE)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("version", "standing"),
    [
        ("2026.9", Standing.TESTED),
        ("2026.7", Standing.TESTED),
        ("2026.8", Standing.BETWEEN),
        ("2026.9.1", Standing.NEWER),
        ("2026.10", Standing.NEWER),
        ("2026.10.dev0", Standing.NEWER),
        ("2026.6", Standing.OLDER),
        ("develop-3f2a", Standing.UNKNOWN),
        (releases.MISSING, Standing.UNKNOWN),
    ],
)
def test_where_a_release_stands(version: str, standing: Standing) -> None:
    assert releases.standing("freqtrade", version) is standing


@pytest.mark.usefixtures("table")
def test_it_is_said_in_words() -> None:
    assert releases.tested_range() == "freqtrade 2026.7 to 2026.9, ccxt 4.5.70 to 4.5.90"
    versions = {"freqtrade": "2026.10", "ccxt": "4.5.90"}
    assert releases.described(versions) == "freqtrade 2026.10 (newer than tested), ccxt 4.5.90 (tested)"
    assert not releases.is_covered(versions)
    assert releases.is_covered({"freqtrade": "2026.8", "ccxt": "4.5.75"})


def test_the_table_the_project_and_the_lock_file_agree(repo_root: Path) -> None:
    """The range is what has passed; the lock file's releases are among it."""
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = (repo_root / "requirements.lock").read_text()
    for package in releases.PACKAGES:
        oldest, newest = releases.tested_bounds(package)
        allowed = [Requirement(each).specifier for each in project if Requirement(each).name == package]
        bounds = {str(each) for specifiers in allowed for each in specifiers}
        assert bounds == {f">={oldest}", f"<={newest}"}
        locked = re.search(rf"^{package}==(\S+)", lock, re.MULTILINE)
        assert locked is not None
        assert releases.standing(package, locked[1]) is Standing.TESTED
    assert [each.freqtrade for each in releases.tested()] == sorted(
        (each.freqtrade for each in releases.tested()), key=Version, reverse=True
    )


@pytest.mark.parametrize("package", releases.PACKAGES)
def test_a_newer_number_alone_starts_and_is_told(
    make_rig: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    import arb

    installed = {**releases.installed(), package: "9999.1"}
    monkeypatch.setattr(releases, "installed", lambda: installed)
    rig = make_rig(dry_run=True, **arb.options(tmp_path, arb.pair("ADA-ALGO")))
    rig.loop(2)
    assert rig.states() == ["HEDGED"], "it trades"
    (said,) = [text for text in rig.told if "was not tested with" in text]
    assert f"{package} 9999.1 (newer than tested)" in said
    assert releases.tested_range() in said
