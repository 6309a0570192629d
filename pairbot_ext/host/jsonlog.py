"""Freqtrade's log as JSON lines, where its own `log_config` names this formatter (deploy/json-log.json).

Lines of the engine carry the pair, the pair trade, its state or an order; those come as fields of their own,
so that a log store can be asked for them. An order's id says its pair trade, leg and role.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.support.redact import scrub

_ORDER_ID = re.compile(r"\bpb-[0-9a-z]+-[AB]-[a-z]+-\d+\b")


class JsonLines(JsonFormatter):
    """One object per line: ts (UTC), level, logger, message, and what is known of pair and order."""

    def __init__(self) -> None:
        super().__init__(json_ensure_ascii=False)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """See pythonjsonlogger: what it puts in is what was given as `extra`, and tracebacks."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["ts"] = at.isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        found = set(_ORDER_ID.findall(record.getMessage()))
        # A line about several orders is about none in particular.
        if len(found) == 1 and (parts := ClientOrderId.parse(order_id := found.pop())) is not None:
            log_data |= {"order_id": order_id, "leg": parts.leg.value, "role": parts.role.name.lower()}
            log_data.setdefault("pair_trade", parts.pair_trade)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Lines from before the secrets were known are cleaned here, and tracebacks, which are made anew."""
        return {key: scrub(value) if isinstance(value, str) else value for key, value in log_data.items()}
