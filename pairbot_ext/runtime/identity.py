"""What a backtest's result belongs to: Freqtrade's cache compares configurations, and knows neither the pairs
file's content nor this package.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from pairbot_ext import __version__
from pairbot_ext.pairs import PairsFile, content_hash

IDENTITY = "pairbot_identity"
"""Key of Freqtrade's configuration."""


def identify(config: Mapping[str, Any], pairs_file: PairsFile) -> None:
    """Make content and version part of the run's identity: a backtest is a function of its inputs."""
    if isinstance(config, MutableMapping):
        config[IDENTITY] = f"{__version__} {content_hash(pairs_file)}"
