"""The knobs of a scan and their defaults, without the cost of a model: `--help` prints them, the models of
`scan` beside this file say what is allowed.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from pairbot_ext.pairs.defaults import DEFAULT_MAX_HALF_LIVES

STABLE_COINS = (
    "AEUR",
    "BFUSD",
    "BUSD",
    "DAI",
    "EUR",
    "EURI",
    "FDUSD",
    "FRAX",
    "GUSD",
    "LUSD",
    "PYUSD",
    "RLUSD",
    "TUSD",
    "USD1",
    "USDC",
    "USDD",
    "USDE",
    "USDP",
    "USDT",
    "USTC",
    "XUSD",
)


class Rule(StrEnum):
    """Names of the rules `--rule` accepts."""

    ROBUST = "robust"
    STRICT = "strict"
    CALIBRATED = "calibrated"
    NAIVE = "naive"


DEFAULT_RULE = Rule.ROBUST


class Knob(NamedTuple):
    """One setting.

    :param default: its type is the option's.
    """

    default: float | int | tuple[str, ...]
    description: str


THRESHOLDS: Mapping[str, Knob] = {
    "entry_z": Knob(2.0, "enter at |z| from here"),
    "exit_z": Knob(0.5, "leave at |z| up to here"),
    "stop_z": Knob(4.0, "leave at |z| from here"),
    "max_half_lives": Knob(DEFAULT_MAX_HALF_LIVES, "time stop, half-lives"),
}
FILTERS: Mapping[str, Knob] = {
    "min_quote_volume_per_day": Knob(
        1e6, "least traded volume of each leg, quote currency per day of the formation"
    ),
    "min_listing_days": Knob(
        0.0,
        "least age at the end of the formation; counted from the listing where the exchange says when it "
        "was, else from the first stored candle",
    ),
    "stable_coins": Knob(STABLE_COINS, "coins that are never a leg"),
    "min_price_range": Knob(
        0.02, "a price that moved less over the formation (highest / lowest - 1) is pegged"
    ),
    "min_half_life_candles": Knob(2.0, "a faster spread is gone before the next candle opens"),
    "min_half_lives_in_formation": Knob(
        45.0, "longest half-life = formation / this: the test cannot see slower ones"
    ),
    "min_beta": Knob(0.25, "least hedge ratio"),
    "max_beta": Knob(4.0, "largest hedge ratio"),
    "max_beta_gap_directions": Knob(
        0.25, "how far beta may lie from 1 / beta of the reverse regression, relative"
    ),
    "max_beta_gap_halves": Knob(
        0.5, "how far beta of the two halves of the formation may lie apart, relative"
    ),
    "fee_bp": Knob(5.0, "taker fee of one fill, basis points"),
    "spread_bp": Knob(2.0, "bid-ask spread per leg and round trip, basis points"),
    "assumed_funding_bp_per_8h": Knob(1.0, "funding rate of a leg without stored funding rates"),
    "min_edge_over_cost": Knob(
        2.0,
        "least (entry_z - exit_z) * sigma as a multiple of both legs' round trip and two "
        "half-lives of funding",
    ),
    "max_pairs_per_coin": Knob(3, "pairs that may share a coin"),
    "top": Knob(10, "pairs to select at most"),
}
