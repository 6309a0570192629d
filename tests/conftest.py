"""What every test may ask for."""

import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what it puts in the background; processes under test would inherit it and not stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["rig_fixtures"]
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
    """The longest test begins first: at the end it would keep one worker waiting for the other."""
    items.sort(key=lambda item: item.path.name != "test_replay.py")
