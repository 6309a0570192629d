"""Every config block as a frozen model: `pairbot` itself, its `risk` and its `scan`.

An unknown key is refused, so that a misspelt limit is never a limit that does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.settings.block import MAX_STARTUP_CANDLES as MAX_STARTUP_CANDLES
    from pairbot_ext.settings.block import LogSettings as LogSettings
    from pairbot_ext.settings.block import Settings as Settings
    from pairbot_ext.settings.block import VolatilityGate as VolatilityGate
    from pairbot_ext.settings.block import parse_settings as parse_settings

__getattr__, __all__ = exports(
    __name__,
    {
        "LogSettings": "block",
        "MAX_STARTUP_CANDLES": "block",
        "Settings": "block",
        "VolatilityGate": "block",
        "parse_settings": "block",
    },
)
