"""The pairs file: what it says (`schema`), reading and writing it (`files`, `writing`, `watcher`).

It is Freqtrade's whitelist and our pair definitions in one; a reader sees the old one or the new one, never
half of either (I18).
"""

from pairbot_ext.pairs.files import (
    content_hash,
    load_pairs_file,
    parse_pairs_file,
    problem_text,
    write_json,
    write_pairs_file,
)
from pairbot_ext.pairs.schema import (
    DEFAULT_MAX_HALF_LIVES,
    SCHEMA_VERSION,
    Epoch,
    Pair,
    PairsFile,
    Scan,
    is_symbol,
    json_schema,
    symbols_of,
)

__all__ = [
    "DEFAULT_MAX_HALF_LIVES",
    "SCHEMA_VERSION",
    "Epoch",
    "Pair",
    "PairsFile",
    "Scan",
    "content_hash",
    "is_symbol",
    "json_schema",
    "load_pairs_file",
    "parse_pairs_file",
    "problem_text",
    "symbols_of",
    "write_json",
    "write_pairs_file",
]
