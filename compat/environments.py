"""Environments of other releases: the lock file with two numbers changed, and what those two need.

Everything else stays as near the lock file as they allow, so that a test which goes red is theirs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import Version

from pairbot_ext.support.errors import PairbotError

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".compat"
"""Beside `.venv`; may be removed at any time."""
UV = Path(sys.executable).with_name("uv")
PREVIOUS = 3


@dataclass(frozen=True)
class Combination:
    """A release of Freqtrade and one of ccxt.

    :param why: what it is in the table for.
    """

    freqtrade: str
    ccxt: str
    why: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.freqtrade}-{self.ccxt}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return CACHE / self.name / "bin" / "python"


def locked(package: str) -> str:
    """The release of the lock file. Raises PairbotError."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.search(rf"^{package}==(\S+)", lock, re.MULTILINE)
    if found is None:
        raise PairbotError(f"requirements.lock pins no {package}", remedy="make lock")
    return found[1]


def newest(package: str, below: str | None = None, before: date | None = None) -> str:
    """The newest release there is on the package index. Raises PairbotError where it does not answer.

    :param below: only releases below this one. :param before: only what was there on that day.
    """
    requirement = package if below is None else f"{package}<{below}"
    day = [] if before is None else ["--exclude-newer-package", f"{package}={before}T00:00:00Z"]
    wanted = [
        "pip",
        "compile",
        "--no-deps",
        "--no-header",
        "--no-annotate",
        "--python-version",
        "3.11",
        *day,
        "-",
    ]
    said = _uv(*wanted, given=requirement)
    found = re.search(rf"^{package}==(\S+)", said, re.MULTILINE)
    if found is None:
        raise PairbotError(f"the package index knows no {requirement}", value=said.strip()[-200:])
    return found[1]


def day_of(freqtrade: str) -> date:
    """The day after a release: Freqtrade 2026.8 comes at the end of August."""
    year, month = Version(freqtrade).release[:2]
    return date(year + month // 12, month % 12 + 1, 1)


def combinations() -> list[Combination]:
    """The lock file's, the `PREVIOUS` releases before it with the ccxt of their day, the newest there are,
    and the oldest Freqtrade with the newest ccxt, as `pip install freqtrade==...` gives it today."""
    freqtrade, ccxt = locked("freqtrade"), locked("ccxt")
    found = [Combination(freqtrade, ccxt, "the lock file")]
    latest, latest_ccxt = newest("freqtrade"), newest("ccxt")
    for _ in range(PREVIOUS):
        freqtrade = newest("freqtrade", below=freqtrade)
        found.append(
            Combination(freqtrade, newest("ccxt", before=day_of(freqtrade)), "with the ccxt of its day")
        )
    found.append(Combination(freqtrade, latest_ccxt, "oldest Freqtrade, newest ccxt"))
    known = {each.name for each in found}
    for more in (Combination(locked("freqtrade"), latest_ccxt, "newest ccxt"),
                 Combination(latest, latest_ccxt, "newest of both")):  # fmt: skip
        if more.name not in known:
            found.append(more)
            known.add(more.name)
    return sorted(found, key=lambda each: (Version(each.freqtrade), Version(each.ccxt)), reverse=True)


def named(names: Sequence[str]) -> list[Combination]:
    """By their folders' names, as "2026.9-4.5.90". Raises PairbotError."""
    wrong = [name for name in names if not re.fullmatch(r"[\d.]+-[\d.]+", name)]
    if wrong:
        raise PairbotError("not a pair of releases", value=wrong[0], remedy="Write it as 2026.9-4.5.90")
    return [Combination(*name.split("-"), "asked for") for name in names]


def build(each: Combination) -> None:
    """Make its environment, or bring it up to date. Raises PairbotError where the two do not go together."""
    folder, lock = CACHE / each.name, CACHE / f"{each.name}.lock"
    CACHE.mkdir(exist_ok=True)
    numbers = CACHE / f"{each.name}.txt"
    numbers.write_text(f"freqtrade=={each.freqtrade}\nccxt=={each.ccxt}\n", encoding="utf-8")
    # What an output file pins already is kept wherever it can be.
    shutil.copyfile(ROOT / "requirements.lock", lock)
    if not each.python.exists():
        _uv("venv", "--python", sys.executable, "--allow-existing", str(folder))
    python = ("--python", str(each.python))
    _uv(
        "pip", "compile", *python, "--no-annotate", "--generate-hashes", "--override", str(numbers),
        "--extra", "dev", "pyproject.toml", "-o", str(lock),
    )  # fmt: skip
    _uv("pip", "sync", *python, "--require-hashes", str(lock))
    # The numbers above outrank what the two ask of each other.
    _uv("pip", "check", *python)
    _uv("pip", "install", *python, "--no-deps", "--no-build-isolation", "-e", ".")


def today() -> str:
    """UTC."""
    return datetime.now(UTC).date().isoformat()


def _uv(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        [str(UV), *arguments], cwd=ROOT, input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PairbotError(
            f"uv {' '.join(arguments[:2])} failed", value=" ".join(done.stderr.split())[-400:],
            remedy="Is the package index reachable?",
        )  # fmt: skip
    return done.stdout
