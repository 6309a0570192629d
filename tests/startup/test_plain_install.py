"""PairsArb in a Freqtrade that has only this repository's folder: no package, no statsmodels, no plotly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import importlib.abc, importlib.util, json, sys
BLOCKED = {"statsmodels", "plotly", "matplotlib"}

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not part of a plain Freqtrade")

sys.meta_path[:] = [Blocker(), *(f for f in sys.meta_path if "__editable__" not in str(f).lower())]
sys.path[:] = [p for p in sys.path if "__editable__" not in p and p != sys.argv[2]]
assert importlib.util.find_spec("pairbot_ext") is None, "the package is installed here"

from pathlib import Path
from freqtrade.resolvers import StrategyResolver
root = Path(sys.argv[1])
strategy = StrategyResolver.load_strategy({
    "strategy": "PairsArb", "strategy_path": str(root / "strategies"), "user_data_dir": root,
    "trading_mode": "futures", "margin_mode": "isolated",
    "pairbot": {"pairs_file": str(root / "pairs_config.json")},
})
import pairbot_ext
print(json.dumps({
    "startup": strategy.startup_candle_count,
    "package": str(Path(pairbot_ext.__file__).parent),
    "loaded": sorted(BLOCKED & set(sys.modules)),
    "plot": sorted(strategy.plot_config["subplots"]),
}))
"""


@pytest.mark.process
def test_the_strategy_loads_from_the_folder_alone(repo_root: Path, tmp_path: Path) -> None:
    for name in ("strategies", "pairbot_ext"):
        shutil.copytree(repo_root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repo_root / "pairs_config.json", tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, str(tmp_path), str(repo_root)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["package"] == str(tmp_path / "pairbot_ext")
    assert said["loaded"] == []
    assert said["startup"] == 1608
    assert said["plot"] == ["spread (log)", "z"]
