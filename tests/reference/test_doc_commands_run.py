"""The commands of README and docs that can run here are run, one after another, in one folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from doc_commands import commands_of
from doc_sandbox import LONG, NOT_RUN, TRANSCRIPTS, Sandbox, reason_not_to
from harness import rig

ROOT = Path(__file__).resolve().parents[2]
IS_LONG_RUN = bool(os.environ.get("PAIRBOT_CHAOS"))


def test_every_reason_belongs_to_a_command() -> None:
    """Reasons that nobody has any more would hide commands to come."""
    texts = [" ".join(command.words) for command in commands_of(ROOT)]
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, text) for text in texts)] == []
    for page in TRANSCRIPTS:
        head = (ROOT / page).read_text(encoding="utf-8")[:300]
        assert re.search(r"[Ww]ritten by `python -m \w", head), page


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Of a bot in dry-run that has closed one pair and holds another; its virtual clock has ended with it."""
    with rig(tmp_path, dry_run=True) as bot:
        bot.open("ADA-ALGO", "XRP-DOGE")
        bot.close("ADA-ALGO")
    return tmp_path / "trades.sqlite"


@pytest.mark.process
@pytest.mark.timeout(3_600 if IS_LONG_RUN else 240)
def test_what_is_not_listed_with_a_reason_runs(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {" ".join(c.words): c for c in commands_of(ROOT) if reason_not_to(c) is None}
    if not IS_LONG_RUN:
        wanted = {text: command for text, command in wanted.items() if not re.match(LONG, text)}
    folder = tmp_path / "sandbox"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    failed, ran = [], []
    sandbox = Sandbox(folder, ROOT, database)
    with sandbox.ends:
        for command in wanted.values():
            ran.append(command)
            if (code := sandbox.run(command)) != 0:
                failed.append(f"{command}: exit code {code}")
    assert failed == []
    assert len(ran) >= 12
