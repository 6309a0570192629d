"""What a hyperopt of pairs does beside trading: its epochs are counted, and nothing is written unchecked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.strategy import IntParameter

from pairbot_ext.pairs import PairsFile
from pairbot_ext.settings import Settings
from pairbot_ext.startup.checks import check_spaces
from pairbot_ext.support.errors import DataError

OFF = -1
"""Default of the strategy's parameters: what the pairs file or the settings say."""
logger = logging.getLogger(__name__)


def begin_tuning(config: Mapping[str, Any], pairs_file: PairsFile) -> Tuning | None:
    """What a hyperopt needs; None in every other mode. Raises PairbotError, see `Tuning`."""
    return Tuning(config, pairs_file) if config.get("runmode") is RunMode.HYPEROPT else None


def window_parameter(settings: Settings, pairs_file: PairsFile) -> IntParameter:
    """No window is longer than the candles loaded, and none is tried where every model is frozen."""
    longest = settings.rolling_window_candles
    is_used = any(not pair.is_frozen for epoch in pairs_file.epochs for pair in epoch.pairs)
    return IntParameter(longest // 6, longest, default=OFF, space="buy", optimize=is_used)


class Tuning:
    """One hyperopt, in each of its processes.

    :param config: Freqtrade's, whose export of parameters is switched off and which the loss is given.
    :raises SettingsError: a space that would let one leg leave alone; DataError: the ledger cannot be read.
    """

    def __init__(self, config: Mapping[str, Any], pairs_file: PairsFile) -> None:
        from pairbot_ext.research.ledger import TrialLedger, trial_of
        from pairbot_ext.research.loss import TRIALS

        check_spaces(config)
        self._ledger = TrialLedger.beside(Path(config["datadir"]))
        self._trial = trial_of(pairs_file)
        if isinstance(config, MutableMapping):
            # One number for all epochs: a penalty that grows while they run would rank them by their order.
            config[TRIALS] = self._ledger.count() + int(config.get("epochs") or 0)
            config["disableparamexport"] = True
        logger.info(
            "hyperopt writes no PairsArb.json of its own: `pairbot adopt` tries its best epoch on candles it "
            "has not seen, and writes the file where it holds"
        )

    def note(self, overrides: Mapping[str, float]) -> None:
        """Count what is about to be tried. Raises OperationalException where that cannot be written."""
        try:
            self._ledger.add("hyperopt", [{**self._trial, "thresholds": dict(overrides)}], datetime.now(UTC))
        except DataError as error:
            raise OperationalException(
                f"{error.what}. Hyperopt counts its epochs there: make the data directory writable"
            ) from error
