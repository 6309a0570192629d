"""The compose file of a cluster: its commands are dask's, it mounts what is there and is open to nobody."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from distributed.cli import dask_scheduler, dask_worker


@pytest.fixture(scope="module")
def services(repo_root: Path) -> dict[str, Any]:
    text = (repo_root / "compose.dask.yaml").read_text(encoding="utf-8")
    with_defaults = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return yaml.safe_load(with_defaults)["services"]


def test_what_it_mounts_is_there(services, repo_root) -> None:
    for service in services.values():
        for mount in service["volumes"]:
            source, target, mode = mount.split(":")
            assert (repo_root / source).is_dir()
            assert (target, mode) == (f"/pairbot/{Path(source).name}", "ro")


def test_its_commands_are_dask_s_and_stay_on_this_machine(services) -> None:
    for name, command in (("scheduler", dask_scheduler.main), ("worker", dask_worker.main)):
        program, what, *arguments = shlex.split(services[name]["command"])
        assert (program, what) == ("dask", name)
        with command.make_context(name, list(arguments)):
            pass
        assert CliRunner().invoke(command, [*arguments, "--no-such-option"]).exit_code == 2
    assert "--host 127.0.0.1 " in services["scheduler"]["command"]
    assert " tcp://127.0.0.1:8786 " in services["worker"]["command"]
