"""The image: what of the lock goes into it, what of the checkout is sent to its builder, how it is started.

It is built and run by hand (docs/container.md says how); here is what a machine without an engine can see.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from pairbot_ext.cli import build_parser
from pairbot_ext.commands.run import command_of


@pytest.fixture(scope="module")
def dockerfile(repo_root: Path) -> str:
    return (repo_root / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lock_subset(repo_root: Path) -> ModuleType:
    """The script runs in the builder, where nothing of the package is installed."""
    spec = importlib.util.spec_from_file_location(
        "lock_subset", repo_root / "deploy/container/lock_subset.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def in_image(lock_subset: ModuleType, repo_root: Path, dockerfile: str) -> dict[str, str]:
    """Every package of the image with its lines in the lock."""
    (extras,) = re.findall(r'^ARG EXTRAS="(.+)"$', dockerfile, re.MULTILINE)
    pins = lock_subset.read_pins((repo_root / "requirements.lock").read_text())
    project = (repo_root / "pyproject.toml").read_text()
    try:
        return {
            pin.name: pin.text
            for pin in lock_subset.subset(pins, lock_subset.wanted_of(project, extras.split()))
        }
    except KeyError as error:
        pytest.skip(f"{error.args[0]} is in pyproject.toml and not yet in requirements.lock: make lock")


def test_nothing_that_is_needed_is_left_out(in_image: dict[str, str], lock_subset: ModuleType) -> None:
    """By what the installed packages themselves say that they need here."""
    missing = set()
    for name in in_image:
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue  # for another platform
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                missing |= {lock_subset.normal(need.name)} - set(in_image)
    assert missing == set()
    assert {"freqtrade", "ccxt", "numba", "psycopg", "psycopg-binary"} <= set(in_image)


def test_no_tool_of_developers_is_in_it(in_image: dict[str, str]) -> None:
    assert set(in_image) & {"pytest", "mypy", "ruff", "mutmut", "uv", "setuptools", "import-linter"} == set()


def test_everything_has_its_version_and_hashes(in_image: dict[str, str]) -> None:
    for name, text in in_image.items():
        first, *hashes = text.splitlines()
        assert "==" in first, name
        assert hashes, name
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), name


def test_a_name_that_is_not_in_the_lock_is_said(
    lock_subset: ModuleType,
    repo_root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(repo_root)
    assert lock_subset.main(["--name", "No_Such-Thing"]) == 2
    assert "no-such-thing is neither in requirements.lock" in capsys.readouterr().err
    assert lock_subset.main(["--extras", "fast nothing"]) == 2
    assert lock_subset.main(["--name", "setuptools"]) == 0
    assert capsys.readouterr().out.startswith("setuptools==")


def test_what_is_copied_is_there_and_is_all_the_builder_gets(dockerfile: str, repo_root: Path) -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert all("*" in source or (repo_root / source).exists() for source in copied)
    first, *rest = [
        line for line in (repo_root / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert first == "*"
    assert {line.removeprefix("!") for line in rest if line.startswith("!")} == copied
    for secret in (".env", "secrets/exchange_key", "user_data/tradesv3.sqlite", ".git/config"):
        assert not any(fnmatch.fnmatch(secret, f"{each}*") for each in copied)


def test_it_runs_as_the_user_of_freqtrade_s_own_image(dockerfile: str) -> None:
    last = dockerfile.rpartition("\nFROM ")[2]
    assert "useradd --uid 1000" in last
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["1000:1000"]
    assert "/freqtrade/user_data" in last
    assert "WORKDIR /freqtrade\n" in last
    assert not re.search(r"apt-get|gcc|build-essential|pip install", last), (
        "nothing is built in the last stage"
    )


def test_what_it_starts_and_asks_are_commands_there_are(dockerfile: str, repo_root: Path) -> None:
    entry, arguments, health = (
        json.loads(found[0])
        for kind in ("ENTRYPOINT", "(?<!HEALTHCHECK )^CMD", r"HEALTHCHECK .* CMD")
        for found in [re.findall(rf"{kind} (\[.*\])$", dockerfile, re.MULTILINE)]
    )
    assert entry[0] == health[0] == "pairbot"
    parsed = build_parser("run").parse_args([*entry[1:], *arguments])
    assert parsed.command == "run"
    program, *rest = command_of(parsed.arguments)
    assert Path(program).name == "freqtrade"
    assert rest == arguments
    assert (repo_root / arguments[-1]).is_file()
    assert build_parser("health").parse_args(health[1:]).command == "health"
    assert command_of(shlex.split("-- pairbot status --open"))[1:] == ["status", "--open"]


def test_its_python_is_one_of_the_package_s(dockerfile: str, repo_root: Path) -> None:
    (version,) = re.findall(r"^ARG PYTHON=(3\.\d+)-slim", dockerfile, re.MULTILINE)
    wanted = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert version in Requirement(f"x{wanted}").specifier


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="needs hadolint")
def test_its_linter_finds_nothing(repo_root: Path) -> None:
    done = subprocess.run(
        ["hadolint", str(repo_root / "Dockerfile")], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout
