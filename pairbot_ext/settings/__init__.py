"""Every config block as a frozen model: `pairbot` itself, its `risk` and its `scan`.

An unknown key is refused, so that a misspelt limit is never a limit that does not hold.
"""

from pairbot_ext.settings.block import (
    MAX_STARTUP_CANDLES,
    LogSettings,
    Settings,
    VolatilityGate,
    parse_settings,
)

__all__ = ["MAX_STARTUP_CANDLES", "LogSettings", "Settings", "VolatilityGate", "parse_settings"]
