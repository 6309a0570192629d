"""The studies' simulated markets are used by the tests as well."""

import sys
from pathlib import Path

# `benchmarks` is a folder of the checkout, not part of the installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
