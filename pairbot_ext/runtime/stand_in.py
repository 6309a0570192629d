"""What a bot runs on while its pairs file may not come in and pairs are open: it manages them alone.

Everything that is needed to manage a pair trade is stored with it; a start that is refused would leave it
without stops and without exits until somebody looks.
"""

import logging
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from freqtrade.enums.runmode import TRADE_MODES
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.pairs import PairsFile, Scan
from pairbot_ext.pairs.accept import Terms, accept
from pairbot_ext.pairs.watcher import PairsFileWatcher
from pairbot_ext.settings import Settings
from pairbot_ext.support.errors import PairsFileError

logger = logging.getLogger(__name__)


def open_symbols(config: Mapping[str, Any]) -> list[str]:
    """Legs of the pair trades that are open in the configured database, before anything has opened it."""
    if config.get("runmode") not in TRADE_MODES or not config.get("db_url"):
        return []
    # Its tables take SQLAlchemy an eighth of a second, which a backtest does not owe.
    from pairbot_ext.journal.ledger import has_journal, read_ledger

    try:
        engine = create_engine(config["db_url"])
        try:
            if not has_journal(engine):
                return []
            trades = [status.trade for status in read_ledger(engine, only_open=True)]
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        logger.error(f"Whether pairs are open cannot be read: {error}")
        return []
    return list(dict.fromkeys(symbol for trade in trades for symbol in trade.symbols))


def stand_in(config: MutableMapping[str, Any], timeframe: str, symbols: list[str]) -> PairsFile:
    """A pairs file without pairs; Freqtrade's whitelist becomes the legs that are open.

    Freqtrade reads the same file, and would end the process over it. /reload_config reads both anew.
    """
    config["pairlists"] = [{"method": "StaticPairList"}]
    config["exchange"]["pair_whitelist"] = symbols
    return PairsFile(
        pairs=(),
        refresh_period=300,
        generated_at=datetime.now(tz=UTC),
        exchange=str(config["exchange"]["name"]),
        timeframe=timeframe,
        scan=Scan(rule="none: the pairs file could not be accepted"),
        epochs=(),
    )


def watch_file(
    config: Mapping[str, Any], settings: Settings, timeframe: str, symbols: list[str]
) -> PairsFileWatcher:
    """The pairs file of one strategy object. Raises PairsFileError.

    :param symbols: as `open_symbols` says.
    """
    terms = Terms.of(config, timeframe)

    def instead(_: PairsFileError) -> PairsFile | None:
        if not symbols:
            return None
        return stand_in(cast(Any, config), terms.timeframe or timeframe, symbols)

    # Other modes look at files too that no bot could trade; what backtests them asks first.
    is_trading = config.get("runmode") in TRADE_MODES
    gate = partial(accept, terms=terms) if is_trading else lambda pairs_file: pairs_file
    return PairsFileWatcher(settings.pairs_path(), gate, instead)
