"""Pair trading: the strategy of the package beside this folder, where Freqtrade looks for it."""

import sys
from pathlib import Path

# `freqtrade` does not put the working directory on sys.path; without this line the strategy would load only
# where the package is installed.
if (_ROOT := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.append(_ROOT)

from pairbot_ext.runtime.pairs_arb import PairsArb as _PairsArb


class PairsArb(_PairsArb):
    """Enter a pair where its spread is far from its mean, leave it where it has come back."""
