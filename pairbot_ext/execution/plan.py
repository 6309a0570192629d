"""What a pair trade is entered with. It is stored with the pair trade and rules it until it is closed."""

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from pairbot_ext.risk.findings import Breach, Reading, Verdict
from pairbot_ext.signals import LONG_SPREAD, SHORT_SPREAD, Thresholds
from pairbot_ext.sizing import Leg


@dataclass(frozen=True)
class EntryModel:
    """The spread model at entry: u = log A - alpha - beta*log B, z = (u - mu)/sigma.

    :param half_life_candles: NaN where none could be estimated; then there is no time stop.
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
    """

    pair_id: str
    leg_a: str
    leg_b: str
    direction: int
    model: EntryModel
    thresholds: Thresholds
    candle: datetime
    z: float

    def __post_init__(self) -> None:
        if self.direction not in (SHORT_SPREAD, LONG_SPREAD):
            raise ValueError(f"direction must be {SHORT_SPREAD} or {LONG_SPREAD}, got {self.direction}")

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


class Signals(Protocol):
    """What an entry gate and the desk ask of the signals (`rules.PairRules`)."""

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """The plan of the entry this pair has won on the last closed candle, or None."""
        ...

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """What the model at entry says about leaving on the last closed candle."""
        ...

    def entry_breach(self, plan: EntryPlan, now: datetime) -> Verdict:
        """The break rule that forbids entering this plan, or that cannot be judged; None where it may be."""
        ...

    def exit_breach(self, plan: EntryPlan, opened_at: datetime, now: datetime, reason: str) -> Breach | None:
        """The rule behind a stop `model_exit` has just named; None where it named none."""
        ...

    def gauges(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> list[Reading]:
        """What the rules on closed candles read of an open pair trade."""
        ...

    def has_recovered(self, pair_id: str, stopped_at: datetime, candle: datetime) -> bool:
        """Whether a pair that was stopped may be entered again."""
        ...
