"""A real `freqtrade trade` on a release that lacks a name: its exit code, and what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pairbot_ext.cli import main
from pairbot_ext.host import releases
from pairbot_ext.sim import offline

WITHOUT_A_NAME = """\
#!{python}
import sys

from freqtrade.exchange import Exchange
from freqtrade.main import main

del Exchange._lev_prep
main(sys.argv[1:])
"""


@pytest.mark.process
def test_a_bot_on_a_release_without_a_name_ends_with_a_sentence(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = tmp_path / "freqtrade"
    command.write_text(WITHOUT_A_NAME.format(python=sys.executable))
    command.chmod(0o755)
    monkeypatch.setattr(offline, "freqtrade_command", lambda: command)
    monkeypatch.setenv("PYTHONPATH", str(repo_root))
    config = json.loads((repo_root / "config.json").read_text())
    config.pop("$schema")
    config |= {"db_url": f"sqlite:///{tmp_path / 'trades.sqlite'}"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "user_data").mkdir()
    code = main(
        [
            "offline", "--market", "demo", "--pairs-out", str(tmp_path / "pairs.json"), "--", "trade",
            "-c", str(tmp_path / "config.json"), "--strategy", "PairsArb",
            "--strategy-path", str(repo_root / "strategies"), "--user-data-dir", str(tmp_path / "user_data"),
        ]
    )  # fmt: skip
    # The log breaks its lines at the width of a terminal.
    said = " ".join(capfd.readouterr().err.split())
    assert code == 2
    assert "lacks what the engine relies on: Exchange._lev_prep is gone" in said
    assert releases.described() in said
    assert f"Install {releases.tested_range()}" in said
    assert "Traceback" not in said
