"""The first half of `pairbot demo` as a user runs it: real processes, real Freqtrade."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pairbot_ext.demo.steps import find_workplace
from pairbot_ext.model.simulated import SIMULATED
from pairbot_ext.support.errors import PairbotError


@pytest.mark.process
def test_the_demo_ends_with_hedged_pair_trades_and_a_picture(tmp_path: Path) -> None:
    """From an empty folder: nothing of a checkout is needed."""
    folder = tmp_path / "user_data" / "demo"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pairbot_ext.cli",
            "demo",
            "--part",
            "backtest",
            "--json",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["backtest"]
    assert result["note"] == SIMULATED
    assert SIMULATED in " ".join(done.stderr.split())
    everything = result["all"]
    assert everything["pair_trades"] >= 50
    assert everything["naked_leg_hours"] == 0
    assert everything["faults"] == []
    assert 0 <= everything["worst_hedge_error"] <= 0.02
    assert sum(pair["pair_trades"] for pair in result["pairs"]) == everything["pair_trades"]
    assert (folder / "pair.png").read_bytes().startswith(b"\x89PNG")
    assert SIMULATED in (folder / "pair.html").read_text(encoding="utf-8")
    # What the report counts is what Freqtrade booked.
    log = (folder / "backtest.log").read_text(encoding="utf-8")
    assert f" {2 * everything['pair_trades']} " in next(
        line for line in log.splitlines() if "PairsArb │" in line
    )


def test_somebody_elses_configuration_is_not_overwritten(tmp_path: Path) -> None:
    """I18."""
    theirs = tmp_path / "pairbot.json"
    theirs.write_text("{}")
    with pytest.raises(PairbotError, match=r"pairbot\.json in .* was not written by pairbot init"):
        find_workplace(tmp_path)
    assert theirs.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [theirs]
