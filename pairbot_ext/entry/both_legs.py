"""What is checked of both legs before the first is sent. A pair is refused with numbers, never distorted."""

from dataclasses import dataclass
from datetime import datetime
from math import log

import ccxt
from freqtrade.exceptions import FreqtradeException

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.orderbook import OrderBook
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import Sizing
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.sizing import MAX_HEDGE_ERROR, Leg, hedge_error, leg_notional, nearest_amount, refusal
from pairbot_ext.model.states import PairState
from pairbot_ext.support.errors import PairbotError

MAX_SLIPPAGE = 0.001
"""Upper bound of the slippage cap, 10 bp."""
EDGE_SHARE = 0.25
"""Share of the expected edge that may be given up to get in."""
Z_SLACK = 0.1
"""How far z on the live books may have come back since the candle closed, as a share of the way from the
entry to the exit threshold. Prices move between the close and the order; a signal that has mostly gone is
refused, one that has moved by a hair is not."""
ROUNDING_RESERVE = 0.005
"""Kept free of an unlimited stake: an amount may be rounded up to its step."""
MIN_RESERVE = 0.05
"""Freqtrade's own reserve on the venue's minimum notional."""


@dataclass(frozen=True)
class Cleared:
    """What the checks have found: sizes and the books they were made on."""

    sizing: Sizing
    books: dict[str, OrderBook]


def slippage_cap(plan: EntryPlan) -> float:
    """How far from the best price an entry may reach, a ratio: 10 bp or a quarter of the expected edge."""
    edge = (abs(plan.z) - plan.thresholds.exit) * plan.model.sigma
    return max(0.0, min(MAX_SLIPPAGE, EDGE_SHARE * edge))


class BothLegs:
    """See the module."""

    def __init__(self, bridge: Bridge, broker: Broker, journal: Journal, leverage: int) -> None:
        self._bridge = bridge
        self._broker = broker
        self._journal = journal
        self._leverage = leverage

    def clear(self, plan: EntryPlan, proposed_stake: float, now: datetime) -> Cleared:
        """Check both legs. Raises RefusedError with the numbers.

        :param proposed_stake: Freqtrade's stake of one leg; the pair gets twice that.
        """
        self._check_free(plan, now)
        try:
            self._check_foreign(plan)
            books = {symbol: self._broker.book(symbol) for symbol in (plan.leg_a, plan.leg_b)}
            self._check_z(plan, books)
            sizing = self._size(plan, books, self._pair_notional(plan, proposed_stake))
            self._check_money(sizing)
            self._check_depth(plan, sizing, books)
            self._prepare(plan)
        except RefusedError:
            raise
        except PairbotError as error:
            # A book without bids or asks. Only a refusal locks the pair until the next candle.
            raise RefusedError("book", f"the pair cannot be priced: {error}") from error
        except (FreqtradeException, ccxt.BaseError) as error:
            raise RefusedError("venue_unreadable", f"the venue could not be read: {error}") from error
        return Cleared(sizing, books)

    def _prepare(self, plan: EntryPlan) -> None:
        """Read what account and symbols are set to, and set what differs (I14). What cannot be set although
        it is right already is not asked for. Raises RefusedError where it is wrong and cannot be set."""
        settings = self._broker.account_settings()
        if settings is None:
            return
        wrong = [
            what
            for is_right, what in (
                (settings.may_trade, "the account may not trade"),
                (settings.is_one_way, "the account is in hedge mode, pairs need one-way mode"),
                (
                    settings.is_single_asset,
                    "the account is in multi-asset mode, pairs need single-asset mode",
                ),
            )
            if not is_right
        ]
        wrong += [
            f"the account's margin is held in {name}: what of the stake currency is free cannot be known"
            for name in self._broker.credit_held()
        ]
        if wrong:
            raise RefusedError("account", "; ".join(wrong))
        for symbol in (plan.leg_a, plan.leg_b):
            found = settings.symbols.get(symbol)
            is_isolated = found is not None and found.margin_mode == "isolated"
            has_leverage = found is not None and found.leverage == self._leverage
            try:
                self._bridge.set_symbol(
                    symbol, self._leverage, is_isolated=is_isolated, has_leverage=has_leverage
                )
            except FreqtradeException as error:
                seen = f"{found.margin_mode} x{found.leverage:g}" if found else "unknown"
                raise RefusedError(
                    "settings",
                    f"{symbol} is {seen}, wanted isolated x{self._leverage}, and cannot be set: {error}",
                ) from error

    def _check_free(self, plan: EntryPlan, now: datetime) -> None:
        if self._journal.is_degraded:
            raise RefusedError("journal", "the journal cannot be written")
        if not self._broker.is_running():
            raise RefusedError("paused", "the bot is not in state RUNNING")
        for trade in self._journal.open_pair_trades():
            if trade.state is PairState.UNKNOWN:
                raise RefusedError(
                    "unknown_order",
                    f"pair trade {trade.id} of {trade.plan.pair_id} has an order of unknown fate",
                )
        whitelist = self._broker.whitelist()
        for symbol in (plan.leg_a, plan.leg_b):
            owner = self._journal.owner_of(symbol)
            if owner is not None:
                raise RefusedError(
                    "symbol_taken", f"{symbol} is in open pair trade {owner.id} of {owner.plan.pair_id}"
                )
            if self._broker.has_open_trade(symbol):
                raise RefusedError("symbol_taken", f"Freqtrade has an open trade on {symbol}")
            # Freqtrade takes such a symbol off its whitelist too: the reason first.
            if not self._broker.is_tradable(symbol):
                raise RefusedError("not_tradable", f"the venue does not trade {symbol}")
            if symbol not in whitelist:
                raise RefusedError("not_whitelisted", f"{symbol} is not in the whitelist")
            lock = self._broker.lock_reason(symbol, plan.side(plan.leg_of(symbol)), now)
            if lock is not None:
                raise RefusedError("locked", f"{symbol} is locked: {lock}")
        free = self._broker.free_slots()
        if free < 2:
            raise RefusedError("slots", f"{free:g} of the 2 slots needed are free")

    def _check_foreign(self, plan: EntryPlan) -> None:
        positions = self._broker.positions()
        for symbol in (plan.leg_a, plan.leg_b):
            if symbol in positions:
                raise RefusedError(
                    "foreign_position", f"the account holds {positions[symbol]} of {symbol} that is not ours"
                )
            resting = self._broker.open_orders(symbol)
            if resting:
                raise RefusedError(
                    "foreign_order", f"{len(resting)} orders that are not ours rest on {symbol}"
                )

    def _check_z(self, plan: EntryPlan, books: dict[str, OrderBook]) -> None:
        z = plan.model.z(log(books[plan.leg_a].mid()), log(books[plan.leg_b].mid()))
        levels = plan.thresholds
        least = levels.entry - Z_SLACK * (levels.entry - levels.exit)
        size = -z * plan.direction
        if not least <= size < levels.stop:
            raise RefusedError(
                "z_moved",
                f"z on the live books is {z:.2f}, was {plan.z:.2f} at the close; "
                f"needed is {least:.2f} to {levels.stop:.2f}",
            )

    def _size(self, plan: EntryPlan, books: dict[str, OrderBook], pair_notional: float) -> Sizing:
        prices = {leg: books[plan.symbol(leg)].best(_entry_side(plan, leg)) for leg in Leg}
        beta = plan.model.beta
        limits = {
            leg: self._broker.limits(
                plan.symbol(leg), leg_notional(pair_notional, beta, leg) / self._leverage
            )
            for leg in Leg
        }
        why_not = refusal(
            pair_notional,
            beta,
            (prices[Leg.A], prices[Leg.B]),
            (limits[Leg.A], limits[Leg.B]),
            self._leverage,
            MIN_RESERVE,
        )
        if why_not is not None:
            raise RefusedError("size", why_not)
        amount_a = nearest_amount(
            leg_notional(pair_notional, beta, Leg.A), prices[Leg.A], limits[Leg.A].amount_step
        )
        notional_a = float(amount_a) * prices[Leg.A]
        amount_b = nearest_amount(beta * notional_a, prices[Leg.B], limits[Leg.B].amount_step)
        error = hedge_error(beta, notional_a, float(amount_b) * prices[Leg.B])
        if error > MAX_HEDGE_ERROR:
            raise RefusedError(
                "size", f"hedge error after rounding would be {error:.2%}, above {MAX_HEDGE_ERROR:.0%}"
            )
        amounts = {Leg.A: amount_a, Leg.B: amount_b}
        for leg in Leg:
            most = self._broker.max_amount(plan.symbol(leg))
            if most is not None and amounts[leg] > most:
                raise RefusedError(
                    "size", f"leg {leg} needs {amounts[leg]}, one market order may have {most} at most"
                )
        return Sizing(
            leg_a=self._broker.leg_sizing(plan.leg_a, amount_a, prices[Leg.A]),
            leg_b=self._broker.leg_sizing(plan.leg_b, amount_b, prices[Leg.B]),
            leverage=self._leverage,
            slippage_cap=slippage_cap(plan),
        )

    def _pair_notional(self, plan: EntryPlan, proposed_stake: float) -> float:
        """Twice the proposed stake. An "unlimited" stake is a share of the wallet, not a wish for an exact
        amount: there the pair takes what is left when both shares and the slippage cap do not fit."""
        wanted = 2.0 * proposed_stake * self._leverage
        if not self._broker.is_stake_unlimited():
            return wanted
        most = self._broker.free_stake() * self._leverage / (1 + slippage_cap(plan))
        return min(wanted, most * (1.0 - ROUNDING_RESERVE))

    def _check_money(self, sizing: Sizing) -> None:
        needed = (
            sum(
                float(leg.amount) * leg.price * (1 + sizing.slippage_cap)
                for leg in (sizing.leg_a, sizing.leg_b)
            )
            / sizing.leverage
        )
        free = self._broker.free_stake()
        if needed > free:
            raise RefusedError("money", f"both legs need {needed:.2f}, {free:.2f} are free")

    def _check_depth(self, plan: EntryPlan, sizing: Sizing, books: dict[str, OrderBook]) -> None:
        for leg in Leg:
            side = _entry_side(plan, leg)
            reach = 1 + sizing.slippage_cap if side == "buy" else 1 - sizing.slippage_cap
            limit = sizing[leg].price * reach
            depth = books[plan.symbol(leg)].depth(side, limit)
            if depth < sizing[leg].amount:
                raise RefusedError(
                    "depth",
                    f"leg {leg} needs {sizing[leg].amount} of {plan.symbol(leg)}, the book has {depth} "
                    f"up to {limit:.8g}",
                )


def _entry_side(plan: EntryPlan, leg: Leg) -> str:
    return "buy" if plan.side(leg) == "long" else "sell"
