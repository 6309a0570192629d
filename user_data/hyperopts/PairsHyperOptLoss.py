"""The loss of a hyperopt of pairs (docs/hyperopt.md): `--hyperopt-loss PairsHyperOptLoss`."""

import sys
from pathlib import Path

# As in the strategy: `freqtrade` does not put the working directory on sys.path.
if (_ROOT := str(Path(__file__).resolve().parents[2])) not in sys.path:
    sys.path.append(_ROOT)

from pairbot_ext.research.hyperopt_loss import PairsHyperOptLoss as _PairsHyperOptLoss


class PairsHyperOptLoss(_PairsHyperOptLoss):
    """Whole pair trades under stress, less what the best of so many tries shows by chance."""
