"""What a pair trade is entered with. It is stored with the pair trade and rules it until it is closed."""

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.thresholds import LONG_SPREAD, SHORT_SPREAD, Thresholds


@dataclass(frozen=True)
class EntryModel:
    """The spread model at entry: u = log A - alpha - beta*log B, z = (u - mu)/sigma.

    :param half_life_candles: of `EntryPlan.candle_secs` each; NaN where none could be estimated.
    """

    alpha: float
    beta: float
    mu: float
    sigma: float
    half_life_candles: float

    def z(self, log_price_a: float, log_price_b: float) -> float:
        """z of one pair of log prices; NaN where either is."""
        return (log_price_a - self.alpha - self.beta * log_price_b - self.mu) / self.sigma


@dataclass(frozen=True)
class EntryPlan:
    """One accepted signal.

    :param pair_id: also the `enter_tag` of both legs.
    :param direction: SHORT_SPREAD (short A, long B) or LONG_SPREAD (long A, short B).
    :param candle: open time of the signal candle (the last closed one), UTC.
    :param z: of that candle.
    :param candle_secs: length of the candles the model counts in: a bot may go on with others. 0 in plans of
        older versions, which counted in whatever candles the bot had.
    """

    pair_id: str
    leg_a: str
    leg_b: str
    direction: int
    model: EntryModel
    thresholds: Thresholds
    candle: datetime
    z: float
    candle_secs: int = 0

    def __post_init__(self) -> None:
        if self.direction not in (SHORT_SPREAD, LONG_SPREAD):
            raise ValueError(f"direction must be {SHORT_SPREAD} or {LONG_SPREAD}, got {self.direction}")

    def half_life_candles(self, candle_secs: float) -> float:
        """The model's half-life in candles of this length; NaN where it has none."""
        return self.model.half_life_candles * (self.candle_secs or candle_secs) / candle_secs

    def symbol(self, leg: Leg) -> str:
        """The symbol of one leg."""
        return self.leg_a if leg is Leg.A else self.leg_b

    def leg_of(self, symbol: str) -> Leg:
        """Which leg `symbol` is. Raises ValueError where it is none."""
        if symbol not in (self.leg_a, self.leg_b):
            raise ValueError(f"{symbol} is no leg of pair {self.pair_id} ({self.leg_a}, {self.leg_b})")
        return Leg.A if symbol == self.leg_a else Leg.B

    def side(self, leg: Leg) -> str:
        """Freqtrade's side of one leg: "long" or "short"."""
        is_long = (self.direction == LONG_SPREAD) == (leg is Leg.A)
        return "long" if is_long else "short"

    def to_json(self) -> dict[str, Any]:
        """A document for the database; NaN becomes null."""
        document = asdict(self)
        document["candle"] = self.candle.isoformat()
        if not math.isfinite(self.model.half_life_candles):
            document["model"]["half_life_candles"] = None
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        model = dict(document["model"])
        if model["half_life_candles"] is None:
            model["half_life_candles"] = math.nan
        return cls(
            **{
                **document,
                "model": EntryModel(**model),
                "thresholds": Thresholds(**document["thresholds"]),
                "candle": datetime.fromisoformat(document["candle"]),
            }
        )
