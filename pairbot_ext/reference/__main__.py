"""`python -m pairbot_ext.reference [--check]`: write what is generated from the code, or compare it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pairbot_ext.reference import floors, state_machine
from pairbot_ext.reference.configuration import configuration_page
from pairbot_ext.reference.schemas import SCHEMAS, text_of

ROOT = Path(__file__).resolve().parents[2]


def generated() -> dict[Path, str]:
    """Every generated file with its content; paths are relative to the repository."""
    files = {Path("pairbot_ext/schemas") / name: text_of(make()) for name, make in SCHEMAS.items()}
    files[Path("docs/configuration.md")] = configuration_page()
    files[Path("docs/rooms.md")] = floors.page()
    files[Path("docs/images/floors.svg")] = floors.svg()
    files[Path("docs/state-machine.md")] = state_machine.page()
    files[Path("docs/images/state-machine.svg")] = state_machine.svg()
    return files


def outdated(root: Path = ROOT) -> list[Path]:
    """Files that are missing or differ from what the code says."""
    return [
        path
        for path, text in generated().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where `--check` found a file that is out of date."""
    parser = argparse.ArgumentParser(prog="python -m pairbot_ext.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    args = parser.parse_args(argv)
    files, stale = generated(), outdated()
    for path in stale:
        if not args.check:
            (ROOT / path).write_text(files[path], encoding="utf-8")
        print(f"{'out of date' if args.check else 'written'}: {path}")
    if not stale:
        print("Everything generated is up to date.")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
