"""The JSON Schemas an editor can use."""

from __future__ import annotations

import json
from typing import Any

from pairbot_ext import pairs
from pairbot_ext.settings import Settings

FREQTRADE_SCHEMA_URL = "https://schema.freqtrade.io/schema.json"
"""Freqtrade publishes the schema of its configuration there."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pairbot_block() -> dict[str, Any]:
    """Of the `pairbot` block of Freqtrade's config."""
    schema = Settings.model_json_schema(mode="validation")
    schema["$schema"] = DIALECT
    schema["title"] = "pairbot block of config.json"
    return schema


def config() -> dict[str, Any]:
    """Of the whole config.json: Freqtrade's schema and the `pairbot` block."""
    return {
        "$schema": DIALECT,
        "title": "config.json of Freqtrade with a pairbot block",
        "allOf": [{"$ref": FREQTRADE_SCHEMA_URL}],
        "properties": {"pairbot": {"$ref": "pairbot_block.schema.json"}},
    }


SCHEMAS = {
    "pairs_config.schema.json": pairs.json_schema,
    "pairbot_block.schema.json": pairbot_block,
    "config.schema.json": config,
}
"""What makes each file of `pairbot_ext/schemas`."""


def text_of(schema: dict[str, Any]) -> str:
    """As it is written to a file."""
    return json.dumps(schema, indent=2) + "\n"
