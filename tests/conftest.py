"""What every test may ask for."""

from pathlib import Path

import pytest

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
