"""Prints the part of requirements.lock that an image needs: of the package and extras of it, or of names.

The lock has everything a developer needs, tests and linters too. `uv` notes under each pin who asked for it
(`# via`); followed from the wanted names downwards they give what those need, each with its hashes. Nothing
is lost silently: `pip --require-hashes` refuses a dependency that is not among what it is given.

Run where nothing is installed yet, so it uses the standard library alone:

    python deploy/container/lock_subset.py --extras "fast postgres" > runtime.lock
    python deploy/container/lock_subset.py --name setuptools > build.lock
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==")
_VIA = re.compile(r"^ +# +(?:via +)?([A-Za-z0-9][A-Za-z0-9._-]*)")
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Pin:
    """One package of the lock file.

    :param name: normalised.
    :param text: its lines as they stand, with hashes and without the remark who asked for it.
    :param asked_by: normalised names of those who did.
    """

    name: str
    text: str
    asked_by: frozenset[str]


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(text: str) -> list[Pin]:
    """The packages of a lock file written by `uv pip compile --generate-hashes`."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _PIN.match(line):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
    pins = []
    for block in blocks:
        found = _PIN.match(block[0])
        assert found is not None
        remarks = [line for line in block if line.lstrip().startswith("#")]
        asked_by = {normal(via[1]) for line in remarks if (via := _VIA.match(line)) and via[1] != "via"}
        body = [line for line in block if line not in remarks]
        pins.append(Pin(normal(found[1]), "\n".join(body), frozenset(asked_by)))
    return pins


def wanted_of(pyproject: str, extras: Iterable[str]) -> set[str]:
    """What the package itself asks for, with these extras. Raises KeyError: there is no such extra."""
    project = tomllib.loads(pyproject)["project"]
    lines = list(project["dependencies"])
    optional = project.get("optional-dependencies", {})
    for extra in extras:
        lines += optional[extra]
    found = set()
    for line in lines:
        name, own_extras = _NAME.match(line).groups()  # type: ignore[union-attr]
        if normal(name) == normal(project["name"]):
            found |= wanted_of(pyproject, [each.strip() for each in (own_extras or "").split(",")])
        else:
            found.add(normal(name))
    return found


def subset(pins: Iterable[Pin], wanted: Iterable[str]) -> list[Pin]:
    """The wanted packages and what they need, in the lock's order; of one that is pinned for several Pythons
    every pin. Raises KeyError: one is not in the lock."""
    pins = list(pins)
    known = {pin.name for pin in pins}
    taken = set(wanted)
    if missing := taken - known:
        raise KeyError(min(missing))
    while more := {pin.name for pin in pins if pin.name not in taken and pin.asked_by & taken}:
        taken |= more
    return [pin for pin in pins if pin.name in taken]


def main(arguments: list[str] | None = None) -> int:
    """Print the subset; 2 where a name or an extra is unknown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"), metavar="FILE")
    parser.add_argument("--project", type=Path, default=Path("pyproject.toml"), metavar="FILE")
    parser.add_argument("--extras", default="", metavar="NAMES", help="of the package, in one argument")
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="these instead of the package"
    )
    options = parser.parse_args(arguments)
    try:
        wanted = {normal(name) for name in options.name} or wanted_of(
            options.project.read_text(encoding="utf-8"), options.extras.split()
        )
        found = subset(read_pins(options.lock.read_text(encoding="utf-8")), wanted)
    except KeyError as error:
        print(
            f"{error.args[0]} is neither in {options.lock} nor an extra of {options.project}: `make lock`",
            file=sys.stderr,
        )
        return 2
    print("\n".join(pin.text for pin in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
