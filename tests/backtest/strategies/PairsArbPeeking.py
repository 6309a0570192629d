"""The control: PairsArb with every candle's close taken from the candle after it."""

import importlib.util
from pathlib import Path
from typing import Any

import pandas as pd

_FILE = Path(__file__).resolve().parents[3] / "strategies" / "PairsArb.py"
_spec = importlib.util.spec_from_file_location("pairs_arb_for_peeking", _FILE)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
_Base = _module.PairsArb


def _peek(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(close=frame["close"].shift(-1).fillna(frame["close"]))


class PairsArbPeeking(_Base):
    """Knows every close an hour early."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._honest_update = self.pairs.update
        self.pairs.update = self._peeking_update

    def _peeking_update(self, symbol: str, frame: pd.DataFrame) -> None:
        before = self.pairs._candles.frames
        self._honest_update(symbol, frame)
        if self.pairs._candles.frames is not before:
            self.pairs._candles.frames = {
                name: _peek(candles) for name, candles in self.pairs._candles.frames.items()
            }
