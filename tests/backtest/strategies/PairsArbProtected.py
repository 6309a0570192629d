"""PairsArb with protections named by the test's config key `test_protections`."""

import importlib.util
from pathlib import Path
from typing import Any

_FILE = Path(__file__).resolve().parents[3] / "strategies" / "PairsArb.py"
_spec = importlib.util.spec_from_file_location("pairs_arb_for_protections", _FILE)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
_Base = _module.PairsArb


class PairsArbProtected(_Base):
    """What a user writes who wants protections."""

    @property
    def protections(self) -> list[dict[str, Any]]:
        return self.config["test_protections"]
