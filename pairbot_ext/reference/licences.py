"""docs/licences.md: what the wheel holds, what it brings with it, and under which licences.

`python -m pairbot_ext.reference.licences` writes it from the metadata of the installed packages. It is not in
`make docs`: it says what this environment has, which `make install` makes from requirements.lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "licences.md"
UNSAID = "not said in its metadata"
_LONGEST = 60
"""Some put the whole text into the field."""


def closure(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """Every installed package that these need here, directly or not, by canonical name.

    Markers are judged for this machine: what only another system needs is left out, as is what is missing.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(Requirement(line), frozenset[str]()) for line in requirements]
    while todo:
        requirement, extras = todo.pop()
        if requirement.marker is not None and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            continue
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        todo += [(Requirement(line), wanted) for line in found[name].requires or []]
    return dict(sorted(found.items()))


def licence_of(distribution: metadata.Distribution) -> str:
    """As its metadata say: the expression, else the classifiers, else the old field."""
    about = distribution.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    if classifiers:
        return ", ".join(classifiers)
    first = str(about.json.get("license", "")).strip().partition("\n")[0]
    return re.sub(r"\s+", " ", first)[:_LONGEST] or UNSAID


def runtime_requirements() -> list[str]:
    """What `pip install` of the package installs beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def bundled() -> list[Path]:
    """Licences of files of others that lie in the package."""
    package = ROOT / "pairbot_ext"
    return sorted(
        path.relative_to(ROOT)
        for pattern in ("LICENSE*", "LICENCE*", "NOTICE*", "COPYING*")
        for path in package.rglob(pattern)
    )


def page() -> str:
    """The document."""
    direct = {canonicalize_name(Requirement(line).name) for line in runtime_requirements()}
    rows = [
        f"| {'**' + name + '**' if name in direct else name} | {each.version} | {licence_of(each)} |"
        for name, each in closure(runtime_requirements()).items()
    ]
    others = [f"- `{path}`" for path in bundled()] or ["None: every file in it is this project's own."]
    return "\n".join(
        [
            "<!-- written by `python -m pairbot_ext.reference.licences` -->",
            "",
            "# Licences",
            "",
            "The package is GPL-3.0-or-later ([LICENSE](../LICENSE)), Freqtrade GPL-3.0; the wheel holds the "
            "package, its schemas and this documentation.",
            "",
            "## Files of others in the wheel",
            "",
            *others,
            "",
            "## What `pip install` brings with it",
            "",
            "Nothing of this is in the wheel. Bold: asked for by the package itself; the rest by those. "
            "Versions of requirements.lock, on Linux; licences as the packages' own metadata say them.",
            "",
            "| package | version | licence |",
            "|---|---|---|",
            *rows,
            "",
            "A software bill of materials in CycloneDX is made from the lock file by a tool of its own: `uvx "
            "--from cyclonedx-bom cyclonedx-py requirements requirements.lock`. CI attaches it, and asks "
            "`pip-audit` about every version in it (`.github/workflows/ci.yml`).",
            "",
        ]
    )


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
