"""What every test may ask for."""

import gc
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what it puts in the background; processes under test would inherit it and not stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of real processes are started: compiled once, as for every user, not anew in each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Several processes share the cores here: BLAS threads of each would wait for one another, and spin meanwhile.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 1024**3
"""A whole run writes about 1 GiB, and pytest keeps what failed."""
if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES:
    # Every bot commits and syncs dozens of times, as it must; on a disk the tests wait for that longer than
    # they compute. `tmp_path_retention_policy` in pyproject.toml leaves nothing of what passed there.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))

pytest_plugins = ["rig_fixtures"]
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
REPO_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout the tests run from."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real market data and recorded fixtures beside a developer's checkout; absent for a user."""
    path = REPO_ROOT.parent / "shared"
    if not (path / "DESIGN.md").is_file():
        pytest.skip("needs the shared developer data beside the checkout")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first: at the end they would keep one worker waiting for the other."""
    longest = ("test_replay.py", "test_who_may_enter.py", "test_bot_and_backtest_agree.py")
    items.sort(key=lambda item: item.path.name not in longest)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Everything that is loaded stays loaded: the collector, which took an eighth of the time, looks at what
    the tests make, and less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
