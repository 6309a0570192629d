"""Checks of the money: balance, leverage brackets, and whether both legs of every pair can be ordered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from freqtrade.constants import UNLIMITED_STAKE_AMOUNT
from freqtrade.exceptions import FreqtradeException
from freqtrade.util import get_dry_run_wallet

from pairbot_ext.entry.both_legs import MAX_SLIPPAGE, MIN_RESERVE
from pairbot_ext.model.sizing import (
    MAX_HEDGE_ERROR,
    Leg,
    MarketLimits,
    hedge_error,
    leg_notional,
    nearest_amount,
    refusal,
)
from pairbot_ext.pairs import Pair
from pairbot_ext.preflight.effective import capacity
from pairbot_ext.preflight.results import Finding, Number, Status
from pairbot_ext.preflight.setup import Setup


@dataclass(frozen=True)
class Money:
    """What may be staked, stake currency.

    :param total: on the account (dry-run: `dry_run_wallet`), open positions included.
    :param usable: what Freqtrade may stake of it.
    :param stake: of one leg. A pair gets two, split between the legs by its hedge ratio.
    """

    total: float
    usable: float
    stake: float

    @property
    def pair(self) -> float:
        """What one pair trade needs free: both stakes and the slippage the entry may reach."""
        return 2.0 * self.stake * (1.0 + MAX_SLIPPAGE)


def money(setup: Setup) -> Money:
    """The account's money and the stake plan. Raises NotCheckedError in live mode without an account."""
    config = setup.validated()
    currency = config["stake_currency"]
    if setup.live:
        total = float((setup.account().get_balances().get(currency) or {}).get("total") or 0.0)
    else:
        total = float(get_dry_run_wallet(config))
    capital = min(total, float(config.get("available_capital") or total))
    usable = capital * float(config["tradable_balance_ratio"])
    slots = capacity(setup).slots
    if config["stake_amount"] == UNLIMITED_STAKE_AMOUNT:
        # Freqtrade refuses an unlimited stake with unlimited slots.
        stake = usable / slots if slots else 0.0
    else:
        stake = float(config["stake_amount"])
    return Money(total, usable, stake)


def balance(setup: Setup) -> Finding:
    """The money covers the pairs that can be open at once."""
    found, at_once, currency = money(setup), capacity(setup).pairs, setup.config["stake_currency"]
    affordable = math.floor(found.usable / found.pair + 1e-9) if found.pair > 0 else 0
    numbers = {
        "total": round(found.total, 2),
        "usable": round(found.usable, 2),
        "stake": round(found.stake, 2),
        "per_pair": round(found.pair, 2),
        "pairs_affordable": affordable,
        "pairs_at_once": at_once,
    }
    text = (
        f"{found.usable:,.2f} of {found.total:,.2f} {currency} may be staked; a pair needs "
        f"{found.pair:,.2f} (2 x {found.stake:,.2f} and {MAX_SLIPPAGE:.1%} slippage): enough for "
        f"{affordable}, {at_once} can be open at once"
    )
    if affordable < 1:
        return Finding(Status.FAIL, text, "Deposit, or lower stake_amount", numbers)
    if affordable < at_once:
        return Finding(
            Status.WARN,
            text,
            "Signals beyond that are refused: lower stake_amount or max_open_trades",
            numbers,
        )
    return Finding(Status.PASS, text, numbers=numbers)


def brackets(setup: Setup) -> Finding:
    """Every leg may have the configured leverage at the planned notional."""
    exchange, leverage = setup.trading_exchange(), setup.settings().leverage
    stake = money(setup).stake
    details: list[dict[str, Number]] = []
    problems: list[str] = []
    for symbol in setup.symbols():
        # The larger leg of the symbol's pairs decides the bracket.
        margin = max(
            leg_notional(2.0 * stake, pair.hedge_ratio, leg)
            for pair in setup.pairs()
            for leg, name in zip(Leg, pair.symbols, strict=True)
            if name == symbol
        )
        try:
            most: float | None = float(exchange.get_max_leverage(symbol, margin))
            problem = f"allows {most:g}x" if most is not None and most < leverage else ""
        except FreqtradeException as error:
            most, problem = None, str(error)
        if problem:
            problems.append(f"{symbol} {problem} at {margin * leverage:,.0f}")
        details.append({"symbol": symbol, "margin": round(margin, 2), "max_leverage": most})
    known = [float(row["max_leverage"]) for row in details if row["max_leverage"] is not None]
    source = "the account's brackets" if setup.live else "Freqtrade's bundled brackets"
    numbers: dict[str, Number] = {"leverage": leverage, "lowest_max_leverage": min(known, default=None)}
    if problems:
        return Finding(
            setup.grave,
            f"{len(problems)} of {len(details)} symbols do not take leverage {leverage}: "
            f"{'; '.join(problems[:3])} ({source})",
            "Lower pairbot.leverage or stake_amount",
            numbers,
            tuple(details),
        )
    return Finding(
        Status.PASS,
        f"leverage {leverage}; every symbol allows {min(known, default=0):g} or more here ({source})",
        numbers=numbers,
        details=tuple(details),
    )


@dataclass(frozen=True)
class Fit:
    """How one pair fits the exchange's steps at the configured stake.

    :param hedge_error: after rounding both legs at today's prices; NaN where it cannot be known.
    :param problem: why the pair would be refused; empty where it would not.
    """

    pair_id: str
    notional_a: float = math.nan
    notional_b: float = math.nan
    hedge_error: float = math.nan
    problem: str = ""

    def row(self) -> dict[str, Number]:
        """For the report."""
        return {
            "pair": self.pair_id,
            "notional_a": _rounded(self.notional_a, 2),
            "notional_b": _rounded(self.notional_b, 2),
            "hedge_error": _rounded(self.hedge_error, 6),
            "problem": self.problem,
        }


def pair_sizes(setup: Setup) -> Finding:
    """Both legs of every pair reach the minimum, stay below the maximum, and hedge after rounding."""
    stake, leverage = money(setup).stake, setup.settings().leverage
    if not stake > 0:
        return Finding(Status.FAIL, f"the stake of a leg is {stake:.2f}", "See the check of the balance")
    paused = setup.paused()
    priced = [pair for pair in setup.pairs() if paused.isdisjoint(pair.symbols)]
    if not priced:
        return Finding(
            Status.WARN,
            f"no pair can be sized: {', '.join(sorted(paused))} do not trade now",
            "Run the check again when they do; before each entry it is made anyway",
        )
    fits = [_fit(setup, pair, 2.0 * stake * leverage) for pair in priced]
    bad = [fit for fit in fits if fit.problem]
    numbers: dict[str, Number] = {
        "pairs": len(fits),
        "refused": len(bad),
        "stake": round(stake, 2),
        "limit_hedge_error": MAX_HEDGE_ERROR,
    }
    details = tuple(fit.row() for fit in fits)
    if bad:
        return Finding(
            Status.FAIL if len(bad) == len(fits) else setup.grave,
            f"{len(bad)} of {len(fits)} pairs would be refused at stake {stake:,.2f}: "
            + "; ".join(f"{fit.pair_id}: {fit.problem}" for fit in bad[:3]),
            "Change stake_amount or pairbot.leverage, or take the pairs out of the pairs file",
            numbers,
            details,
        )
    worst = max(fits, key=lambda fit: fit.hedge_error)
    least = min(min(fit.notional_a, fit.notional_b) for fit in fits)
    return Finding(
        Status.PASS,
        f"both legs of all {len(fits)} pairs can be ordered at stake {stake:,.2f}: hedge error after "
        f"rounding {worst.hedge_error:.3%} at most ({worst.pair_id}), limit {MAX_HEDGE_ERROR:.0%}; smallest "
        f"leg {least:,.2f}",
        numbers={**numbers, "worst_hedge_error": round(worst.hedge_error, 6), "least_leg": round(least, 2)},
        details=details,
    )


def _fit(setup: Setup, pair: Pair, pair_notional: float) -> Fit:
    """As the check before each entry sizes a pair, at the middle of today's books."""
    books, beta, leverage = setup.books(), pair.hedge_ratio, setup.settings().leverage
    unpriced = [symbol for symbol in pair.symbols if symbol not in books]
    if unpriced:
        return Fit(pair.id, problem=f"no order book of {' and '.join(unpriced)}")
    prices = (books[pair.leg_a].mid, books[pair.leg_b].mid)
    try:
        limits = tuple(
            _limits(setup, symbol, leg_notional(pair_notional, beta, leg) / leverage)
            for leg, symbol in zip(Leg, pair.symbols, strict=True)
        )
    except FreqtradeException as error:
        return Fit(pair.id, problem=str(error))
    steps = (limits[0].amount_step, limits[1].amount_step)
    amount_a = nearest_amount(leg_notional(pair_notional, beta, Leg.A), prices[0], steps[0])
    notional_a = float(amount_a) * prices[0]
    amount_b = nearest_amount(beta * notional_a, prices[1], steps[1])
    notional_b = float(amount_b) * prices[1]
    error_ = hedge_error(beta, notional_a, notional_b) if notional_a + notional_b > 0 else math.nan
    problem = refusal(pair_notional, beta, prices, (limits[0], limits[1]), leverage, MIN_RESERVE) or ""
    if not problem and error_ > MAX_HEDGE_ERROR:
        problem = f"hedge error after rounding is {error_:.2%}, above {MAX_HEDGE_ERROR:.0%}"
    for symbol, amount in zip(pair.symbols, (amount_a, amount_b), strict=True):
        most = _max_amount(setup, symbol)
        if not problem and most is not None and amount > most:
            problem = f"{symbol} needs {amount}, one market order may have {most}"
    return Fit(pair.id, notional_a, notional_b, error_, problem)


def _market(setup: Setup, symbol: str) -> Any:
    return setup.exchange().markets[symbol]


def _limits(setup: Setup, symbol: str, margin: float) -> MarketLimits:
    market = _market(setup, symbol)
    return MarketLimits(
        amount_step=Decimal(str(market["precision"]["amount"])),
        min_amount=Decimal(str(market["limits"]["amount"]["min"] or 0)),
        min_notional=float(market["limits"]["cost"]["min"] or 0.0),
        max_leverage=setup.trading_exchange().get_max_leverage(symbol, margin),
    )


def _max_amount(setup: Setup, symbol: str) -> Decimal | None:
    limits = _market(setup, symbol)["limits"]
    bounds = [limits["amount"].get("max"), (limits.get("market") or {}).get("max")]
    known = [Decimal(str(bound)) for bound in bounds if bound]
    return min(known) if known else None


def _rounded(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)
