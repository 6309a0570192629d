"""The pairs file: what it says (`schema`), reading and writing it (`files`, `writing`, `watcher`).

It is Freqtrade's whitelist and our pair definitions in one; a reader sees the old one or the new one, never
half of either (I18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.pairs.defaults import DEFAULT_MAX_HALF_LIVES as DEFAULT_MAX_HALF_LIVES
    from pairbot_ext.pairs.files import content_hash as content_hash
    from pairbot_ext.pairs.files import load_pairs_file as load_pairs_file
    from pairbot_ext.pairs.files import parse_pairs_file as parse_pairs_file
    from pairbot_ext.pairs.files import problem_text as problem_text
    from pairbot_ext.pairs.files import write_json as write_json
    from pairbot_ext.pairs.files import write_pairs_file as write_pairs_file
    from pairbot_ext.pairs.models import epoch_with as epoch_with
    from pairbot_ext.pairs.models import funded_symbols as funded_symbols
    from pairbot_ext.pairs.models import with_model as with_model
    from pairbot_ext.pairs.models import with_models as with_models
    from pairbot_ext.pairs.schema import SCHEMA_VERSION as SCHEMA_VERSION
    from pairbot_ext.pairs.schema import Epoch as Epoch
    from pairbot_ext.pairs.schema import Pair as Pair
    from pairbot_ext.pairs.schema import PairsFile as PairsFile
    from pairbot_ext.pairs.schema import Scan as Scan
    from pairbot_ext.pairs.schema import is_symbol as is_symbol
    from pairbot_ext.pairs.schema import json_schema as json_schema
    from pairbot_ext.pairs.schema import lacks as lacks
    from pairbot_ext.pairs.schema import symbols_of as symbols_of

__getattr__, __all__ = exports(
    __name__,
    {
        "DEFAULT_MAX_HALF_LIVES": "defaults",
        "Epoch": "schema",
        "Pair": "schema",
        "PairsFile": "schema",
        "SCHEMA_VERSION": "schema",
        "Scan": "schema",
        "content_hash": "files",
        "epoch_with": "models",
        "funded_symbols": "models",
        "is_symbol": "schema",
        "json_schema": "schema",
        "lacks": "schema",
        "load_pairs_file": "files",
        "parse_pairs_file": "files",
        "problem_text": "files",
        "symbols_of": "schema",
        "with_model": "models",
        "with_models": "models",
        "write_json": "files",
        "write_pairs_file": "files",
    },
)
