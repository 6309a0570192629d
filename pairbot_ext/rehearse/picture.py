"""`python -m pairbot_ext.rehearse.picture`: the strip that README and docs show, drawn anew."""

from __future__ import annotations

from pathlib import Path

from pairbot_ext.rehearse.drill import Cast, play
from pairbot_ext.rehearse.scenarios import curated
from pairbot_ext.rehearse.setup import read_setup
from pairbot_ext.rehearse.strip import strip

TARGET = Path("docs/images/drill.svg")
NAME = "kill-entry-b-before"


def main() -> None:
    """Play the scenario with the committed configuration and write its picture."""
    setup = read_setup(["config.json"])
    scenario = next(each for each in curated() if each.name == NAME)
    TARGET.write_text(strip(play(setup, Cast(scenario, "AI_ALGO", 1))) + "\n", encoding="utf-8")
    print(f"Wrote {TARGET}")


if __name__ == "__main__":
    main()
