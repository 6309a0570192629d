"""The commands' page names every command, every command has help."""

from __future__ import annotations

import pkgutil

import pytest

from pairbot_ext import commands
from pairbot_ext.cli import main

COMMANDS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_commands_page(name, repo_root, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: pairbot {name}" in capsys.readouterr().out
    assert f"\n| `pairbot {name}" in (repo_root / "docs/commands.md").read_text(encoding="utf-8")
