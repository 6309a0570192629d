"""Every command that reads a configuration takes it from where Freqtrade does, from any folder."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pairbot_ext.cli import build_parser, main
from pairbot_ext.userdir.options import config_files

ELSEWHERE = {"demo", "exchange", "offline"}
"""Commands without a configuration of their own: `offline` hands its arguments to Freqtrade."""


def test_every_command_takes_userdir(repo_root: Path) -> None:
    (choices,) = (
        action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    ours = {
        name  # `health` asks the environment alone where no file is named
        for name, parser in choices.items()
        if any("-c" in action.option_strings for action in parser._actions)
    }
    for name in ours - {"health"}:
        assert any("--userdir" in action.option_strings for action in choices[name]._actions), name
    assert ELSEWHERE.isdisjoint(ours)


def test_the_first_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    userdir = tmp_path / "bot"
    userdir.mkdir()
    assert config_files(None, None) == []
    (tmp_path / "config.json").write_text("{}")
    assert config_files(None, userdir) == ["config.json"], "as Freqtrade"
    (userdir / "config.json").write_text("{}")
    assert config_files(None, userdir) == [str(userdir / "config.json")]
    (userdir / "pairbot.json").write_text("{}")
    assert config_files(None, userdir) == [str(userdir / "pairbot.json")]
    assert config_files(["mine.json"], userdir) == ["mine.json"]


def test_a_bot_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    userdir, elsewhere = tmp_path / "bot" / "user_data", tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert main(["init", "--userdir", str(userdir)]) == 0
    monkeypatch.chdir(elsewhere)
    capsys.readouterr()
    asked = ["--userdir", "../bot/user_data"]
    assert main(["status", *asked]) == 2
    assert f"the database {userdir / 'pairbot.dryrun.sqlite'} does not exist" in capsys.readouterr().err
    assert main(["download", *asked]) == 0
    assert "lists no pairs" in capsys.readouterr().out
    assert main(["drill", *asked]) == 2
    assert str(userdir / "pairs.json") in capsys.readouterr().err
    assert main(["walkforward", *asked]) == 2
    assert "binance" in capsys.readouterr().err
    assert main(["flatten", "all", *asked, "--ignore-database"]) == 2
    assert "dry_run is true" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "a-file"])
def test_a_userdir_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    assert main(["status", "--userdir", name]) == 2
    assert "`pairbot init --userdir DIR` makes one" in capsys.readouterr().err
