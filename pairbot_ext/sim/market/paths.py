"""Seeded price paths with planted cointegrated pairs: the law every synthetic market of this package follows.

Each coin without a planted relation is an independent random walk in log price whose increments are
GARCH(1,1) with Student-t shocks, because real returns cluster and textbook tests fail on exactly that. A
planted pair sets leg A's log price to α + β·log B + u with u a stationary AR(1) of a given half-life, its
shocks clustered alike.

Every coin and every pair draws from a stream of its own, keyed by its name: adding a coin changes no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import log, sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pairbot_ext.support.errors import PairbotError

FloatArray = NDArray[np.float64]

# Fourth moment finite (β² + 2αβ + α²·κ < 1 with κ = 9 for t5), persistence 0.98 as in hourly crypto returns.
GARCH_ALPHA = 0.06
GARCH_BETA = 0.92
SHOCK_DOF = 5


@dataclass(frozen=True)
class PlantedPair:
    """A true relation log A = α + β·log B + u; α follows from the coins' start prices.

    :param a: base coin of leg A ("ADA"). A coin is leg A of at most one planted pair, leg B of any number.
    :param b: base coin of leg B.
    :param beta: hedge ratio on log prices, > 0: notional B per notional A.
    :param half_life_candles: candles in which an expected deviation halves.
    :param sigma: stationary standard deviation of u, in log price.
    """

    a: str
    b: str
    beta: float
    half_life_candles: float
    sigma: float

    def __post_init__(self) -> None:
        if self.a == self.b:
            raise PairbotError(
                "A planted pair needs two coins",
                value=f"{self.a}/{self.b}",
                remedy="Name two different coins",
            )
        for name in ("beta", "half_life_candles", "sigma"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise PairbotError(
                    f"Planted pair {self.pair_id}: {name} must be positive",
                    value=value,
                    remedy="Set it above 0",
                )

    @property
    def pair_id(self) -> str:
        """The id used in a pairs file, "A_B"."""
        return f"{self.a}_{self.b}"

    @property
    def phi(self) -> float:
        """AR(1) coefficient of u per candle."""
        return float(2.0 ** (-1.0 / self.half_life_candles))


@dataclass(frozen=True)
class Paths:
    """Latent log prices at candle closes.

    :param coins: names, in the order of the columns.
    :param log_price: shape (candles + 1, coins); row 0 is the price at the open of the first candle.
    :param volatility: shape (candles, coins): conditional standard deviation of each candle's log return.
    :param alpha: true intercept of each planted pair, by pair id.
    :param spread: true u of each planted pair, shape (candles + 1,), by pair id.
    """

    coins: tuple[str, ...]
    log_price: FloatArray
    volatility: FloatArray
    alpha: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class PlantedTruth:
    """The relations a generated market really has. `alpha`: true intercepts by pair id."""

    planted: tuple[PlantedPair, ...]
    alpha: Mapping[str, float]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of one named thing under one seed."""
    return np.random.default_rng([seed, crc32(name.encode())])


def garch_t_shocks(rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray]:
    """Clustered heavy-tailed shocks of unconditional variance 1.

    :return: (shocks, their conditional standard deviations), both of shape (count,).
    """
    draws = rng.standard_t(SHOCK_DOF, count) / sqrt(SHOCK_DOF / (SHOCK_DOF - 2))
    variance = np.empty(count)
    h = 1.0
    omega = 1.0 - GARCH_ALPHA - GARCH_BETA
    for t, draw in enumerate(draws.tolist()):
        variance[t] = h
        h = omega + h * (GARCH_ALPHA * draw * draw + GARCH_BETA)
    sd = np.sqrt(variance)
    return draws * sd, sd


def derivation_order(coins: Sequence[str], planted: Sequence[PlantedPair]) -> list[str]:
    """The coins so ordered that every leg B precedes its leg A.

    :raises PairbotError: a pair names an unknown coin, a coin is leg A twice, or the pairs form a circle.
    """
    law: dict[str, PlantedPair] = {}
    for pair in planted:
        for coin in (pair.a, pair.b):
            if coin not in coins:
                raise PairbotError(
                    f"Planted pair {pair.pair_id} names a coin outside the market", value=coin,
                    remedy="Add it to the symbols",
                )  # fmt: skip
        if pair.a in law:
            raise PairbotError(
                f"{pair.a} is leg A of two planted pairs", value=f"{law[pair.a].pair_id}, {pair.pair_id}",
                remedy="Its price can follow one law only; share it as leg B instead",
            )  # fmt: skip
        law[pair.a] = pair
    done: dict[str, None] = {}
    for coin in coins:
        chain: list[str] = []
        at: str | None = coin
        while at is not None and at not in done:
            if at in chain:
                raise PairbotError(
                    "The planted pairs form a circle",
                    value=" -> ".join([*chain, at]),
                    remedy="Drop one of them",
                )
            chain.append(at)
            at = law[at].b if at in law else None
        done.update(dict.fromkeys(reversed(chain)))
    return list(done)


def simulate(
    start_prices: Mapping[str, float],
    planted: Sequence[PlantedPair],
    *,
    candles: int,
    candle_volatility: float,
    seed: int,
) -> Paths:
    """Latent log prices of a market.

    :param start_prices: price of each coin at the first candle's open, before a planted pair's u is added.
    :param candles: number of candles.
    :param candle_volatility: unconditional standard deviation of a free coin's log return per candle.
    :raises PairbotError: the planted pairs contradict each other (see `derivation_order`).
    """
    coins = tuple(start_prices)
    column = {coin: j for j, coin in enumerate(coins)}
    law = {pair.a: pair for pair in planted}
    log_price = np.empty((candles + 1, len(coins)))
    volatility = np.empty((candles, len(coins)))
    alpha: dict[str, float] = {}
    spread: dict[str, FloatArray] = {}
    for coin in derivation_order(coins, planted):
        j, start = column[coin], log(start_prices[coin])
        if coin not in law:
            shocks, sd = garch_t_shocks(stream(seed, f"coin {coin}"), candles)
            log_price[:, j] = start + np.concatenate([[0.0], np.cumsum(candle_volatility * shocks)])
            volatility[:, j] = candle_volatility * sd
            continue
        pair = law[coin]
        b = column[pair.b]
        u, innovation_sd = _spread_path(pair, candles, stream(seed, f"pair {pair.pair_id}"))
        alpha[pair.pair_id] = start - pair.beta * log_price[0, b]
        spread[pair.pair_id] = u
        log_price[:, j] = alpha[pair.pair_id] + pair.beta * log_price[:, b] + u
        volatility[:, j] = np.hypot(pair.beta * volatility[:, b], innovation_sd)
    return Paths(coins, log_price, volatility, alpha, spread)


def _spread_path(pair: PlantedPair, candles: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """u from its stationary law on, shape (candles + 1,), and the standard deviation of its innovations."""
    first = pair.sigma * float(rng.standard_normal())
    shocks, sd = garch_t_shocks(rng, candles)
    scale, phi = pair.sigma * sqrt(1.0 - pair.phi**2), pair.phi
    u = list(accumulate((scale * shocks).tolist(), lambda last, shock: phi * last + shock, initial=first))
    return np.array(u), scale * sd
