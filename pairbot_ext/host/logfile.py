"""The bot's log file, as the `pairbot.log` block of the configuration names it.

It is one more handler of Freqtrade's own logging, added where a bot trades and nowhere else: Freqtrade's own
`logfile` in config.json would also have every backtest and every `freqtrade` command write into the running
bot's file and rotate it away. What was logged before the strategy was loaded is written first, from the
buffer Freqtrade keeps for /logs.
"""

import logging
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from freqtrade.loggers import LOGFORMAT, bufferHandler

from pairbot_ext.settings import LogSettings
from pairbot_ext.support.redact import scrub

logger = logging.getLogger(__name__)

_BYTES_PER_MEGABYTE = 1_000_000
_OURS = ("freqtrade", "pairbot_ext")


class BotLogFile(RotatingFileHandler):
    """Type of the handler, so that /reload_config finds its predecessor."""


class _Scrubbing(logging.Formatter):
    """Lines from before the secrets were known are cleaned here."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def log_path(config: Mapping[str, Any], settings: LogSettings) -> Path:
    """Where the file lies."""
    return Path(config["user_data_dir"]) / settings.file


def open_log_file(config: Mapping[str, Any], settings: LogSettings | None) -> None:
    """Log into the configured file from now on. A file that cannot be written costs the file, not the bot.

    :param settings: None: no file of ours; one of an earlier configuration is closed.
    """
    root = logging.getLogger()
    before = [handler for handler in root.handlers if isinstance(handler, BotLogFile)]
    path = None if settings is None else log_path(config, settings)
    for handler in before:
        root.removeHandler(handler)
        handler.close()
    if settings is None or path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = BotLogFile(
            path, maxBytes=settings.max_megabytes * _BYTES_PER_MEGABYTE, backupCount=settings.backups
        )
    except OSError as error:
        logger.warning(f"The log file {path} cannot be written, the bot runs without it: {error}")
        return
    made.setFormatter(_Scrubbing(LOGFORMAT))
    made.setLevel(settings.level)
    if not before:
        for record in list(bufferHandler.buffer):
            if record.levelno >= made.level:
                made.emit(record)
    root.addHandler(made)
    if made.level < logging.INFO:
        for name in _OURS:
            # Freqtrade sets its own to INFO unless -v is given; a record below that is never made.
            logging.getLogger(name).setLevel(made.level)
