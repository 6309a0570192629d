"""Freqtrade's backtesting of PairsArb without Freqtrade: the same pair trades, some hundred times faster.

Signals are the package's own (`signals.book`). What Freqtrade and the backtest's desk do with them is done
here a second time, event by event: the order in which Freqtrade comes to the symbols of a candle, both legs
or neither (`backtest.desk`), sizes on the venue's steps, slots and money, fills at the next open, fees,
funding at its stamps, the model's exits and break stop, liquidations. Candles on which nothing can happen are
not visited. `tests/research` compares whole backtests with Freqtrade's, trade by trade.

Not simulated: protections and other locks, detail candles, position adjustment, cross margin, and an order
that Freqtrade leaves open because the candle's own open lies outside its range.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

import numpy as np

from pairbot_ext.backtest.desk import STAKE_RESERVE
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.registry import Coins, coins_of, leaves_armed
from pairbot_ext.model.sizing import (
    Leg,
    MarketLimits,
    leg_notional,
    nearest_amount,
    refusal,
    stake_for,
    stakes_at_most,
    within_means,
)
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.pairs import PairsFile
from pairbot_ext.research.account import Account, OpenLeg, OpenPair, Terms
from pairbot_ext.research.breaks import Relation
from pairbot_ext.research.contracts import Contract
from pairbot_ext.research.courses import Courses
from pairbot_ext.research.hits import first_hit
from pairbot_ext.research.market import Market
from pairbot_ext.research.outcome import ClosedLeg, Outcome
from pairbot_ext.settings import Settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.paths import SpreadPath
from pairbot_ext.stats.arrays import IntArray

FORCED = "force_exit"
Sign = Callable[[str, int], int]
"""(Pair id, signal row) → 1, or -1 for the opposite trade: what a placebo changes."""


def book_of(
    market: Market,
    pairs_file: PairsFile,
    settings: Settings,
    *,
    overrides: Mapping[str, float] | None = None,
) -> SignalBook:
    """The signals of a pairs file on a prepared market.

    :param overrides: thresholds that replace every pair's own, see `SignalBook`.
    """
    return SignalBook(
        pairs_file,
        settings,
        int(market.step.total_seconds()),
        market.frames,
        fee=settings.taker_fee_bp / 1e4,
        grid=market.grid,
        overrides=overrides,
    )


class Simulation:
    """One backtest.

    :param contracts: by symbol. A pair with a leg in none is not entered.
    :param history_candles: startup candles: the longest window the break rules look at.
    :param sign: placebo; default every signal as it is.
    :param delay_candles: fills come so many candles later than a backtest's.
    """

    def __init__(
        self,
        market: Market,
        book: SignalBook,
        settings: Settings,
        terms: Terms,
        contracts: Mapping[str, Contract],
        history_candles: int,
        *,
        sign: Sign | None = None,
        delay_candles: int = 0,
    ) -> None:
        self._market = market
        self._book = book
        self._settings = settings
        self._terms = terms
        self._contracts = contracts
        self._sign = sign
        self._delay = delay_candles
        self._account = Account(terms)
        self._place = {symbol: number for number, symbol in enumerate(terms.whitelist)}
        self._left: dict[Coins, int] = {}
        self._touches: dict[Coins, IntArray] = {}
        self._courses = Courses(market, settings, history_candles, delay_candles)
        self._closed: list[ClosedLeg] = []
        self._paths_of_coins: dict[Coins, list[SpreadPath]] = {}
        for path in book.paths:
            self._paths_of_coins.setdefault(coins_of(*path.pair.symbols), []).append(path)
        self._most_last = market.end_row
        self._start_secs, self._step_secs = (
            int(each) for each in (market.grid.start.timestamp(), market.step.total_seconds())
        )

    def run(self) -> Outcome:
        """From the first candle to the last."""
        wishes = self._wishes()
        due = sorted(wishes)
        self._due: list[int] = due
        heapq.heapify(due)
        done = -1
        while due:
            row = heapq.heappop(due)
            if row <= done or row > self._most_last:
                continue
            done = row
            self._candle(row, wishes.get(row, {}))
        for leg in list(self._account.legs.values()):
            last = self._market.last[leg.symbol]
            self._close(leg, last, float(self._market.open[leg.symbol][last]), FORCED)
        return Outcome(self._market, self._terms, tuple(self._closed))

    def _wishes(self) -> dict[int, dict[int, tuple[str, str]]]:
        """Per row the numbers of the paths that have a signal to fill, with their symbols."""
        found: dict[int, dict[int, tuple[str, str]]] = {}
        for number, path in enumerate(self._book.paths):
            if any(symbol not in self._place for symbol in path.pair.symbols):
                continue
            for row in self._book.signal_rows(number).tolist():
                found.setdefault(row + 1 + self._delay, {})[number] = path.pair.symbols
        return found

    def _candle(self, row: int, wishes: Mapping[int, tuple[str, str]]) -> None:
        """One candle, symbol by symbol in Freqtrade's order: what is open first, then the whitelist."""
        legs = self._account.legs
        open_before = list(legs.values())
        self._this_candle: list[OpenPair] = []
        self._closed_now: set[str] = set()
        # Where a leg is open when the candle begins, its pairs are not entered on it, even if it closes.
        free = [
            symbol
            for number, symbols in wishes.items()
            if symbols[0] not in legs
            and symbols[1] not in legs
            and not self._courses.is_known_broken(number, row - 1 - self._delay)
            for symbol in symbols
        ]
        for leg in open_before:
            is_due = row >= leg.pair.exit_row or row >= leg.hit_row or len(leg.pair.open_legs) < len(Leg)
            if is_due and row <= self._market.last[leg.symbol]:
                self._maybe_exit(leg, row)
        if not free or row >= self._most_last:
            return
        of_symbol = {symbol: number for number, symbols in wishes.items() for symbol in symbols}
        for symbol in sorted(free, key=self._place.__getitem__):
            if self._market.first[symbol] <= row <= self._market.last[symbol]:
                entered = self._enter(symbol, of_symbol[symbol], row)
                if entered is not None:
                    self._maybe_exit(entered, row)

    # Exits

    def _maybe_exit(self, leg: OpenLeg, row: int) -> None:
        reason = self._exit_reason(leg, row)
        if reason is not None:
            self._remember(leg.pair.plan, reason, row)
            self._close(leg, row, float(self._market.open[leg.symbol][row]), reason)
        elif row >= leg.hit_row:
            self._close(leg, row, leg.hit_price, leg.hit_reason)
        else:
            return
        if leg.pair.open_legs:
            heapq.heappush(self._due, row + 1)

    def _exit_reason(self, leg: OpenLeg, row: int) -> str | None:
        pair = leg.pair
        is_mate_gone = leg.leg.mate not in pair.open_legs
        if row <= pair.opened:
            return ExitReason.MATE_GONE if is_mate_gone and leg.leg.mate in pair.amounts else None
        if row >= pair.exit_row:
            return pair.exit_reason
        return ExitReason.MATE_GONE if is_mate_gone else None

    def _remember(self, plan: EntryPlan, reason: str, row: int) -> None:
        """A pair that is left without its spread having come back waits for that (I13)."""
        coins = coins_of(plan.leg_a, plan.leg_b)
        if not leaves_armed(reason):
            self._left[coins] = row
        elif self._left.get(coins) != row:
            self._left.pop(coins, None)

    def _close(self, leg: OpenLeg, row: int, price: float, reason: str) -> None:
        plan, fee = leg.pair.plan, self._terms.fee
        opened, closed = (self._start_secs + each * self._step_secs for each in (leg.pair.opened, row))
        paid = leg.amount * self._market.funding[leg.symbol].between(opened, closed)
        trade = ClosedLeg(
            symbol=leg.symbol,
            pair_id=plan.pair_id,
            leg=leg.leg,
            is_short=leg.is_short,
            amount=leg.amount,
            stake=leg.stake,
            opened=leg.pair.opened,
            closed=row,
            open_price=leg.price,
            close_price=price,
            fee=fee,
            funding=paid if leg.is_short else -paid,
            reason=reason,
            leverage=self._settings.leverage,
            beta=plan.model.beta,
            half_life_candles=plan.model.half_life_candles,
        )
        self._closed.append(trade)
        self._closed_now.add(leg.symbol)
        self._account.close(leg, trade.profit)

    # Entries

    def _enter(self, symbol: str, number: int, row: int) -> OpenLeg | None:
        path = self._book.paths[number]
        pair = next((p for p in self._this_candle if p.plan.pair_id == path.pair.id), None)
        # Most signals are of pairs that are open: nothing else is asked of them.
        if pair is None and not self._may_open(path, row):
            return None
        account, contract = self._account, self._contracts[symbol]
        if not account.has_slot:
            return None
        proposed = account.proposed_stake
        if not proposed > 0:
            return None
        most_leverage = contract.max_leverage(proposed)
        leverage = self._settings.leverage
        if most_leverage is None or min(leverage, int(most_leverage)) != leverage:
            return None
        price = float(self._market.open[symbol][row])
        if pair is None:
            pair = self._plan(path, number, symbol, row, price, proposed)
            if pair is None:
                return None
            self._this_candle.append(pair)
        elif pair.plan.leg_of(symbol).mate not in pair.open_legs:
            return None
        return self._open(pair, contract, price, row)

    def _open(self, pair: OpenPair, contract: Contract, price: float, row: int) -> OpenLeg | None:
        symbol, leverage = contract.symbol, self._settings.leverage
        leg = pair.plan.leg_of(symbol)
        amount = nearest_amount(
            leg_notional(pair.notional, pair.plan.model.beta, leg), price, contract.amount_step
        )
        stake = stake_for(amount, contract.amount_step, price, leverage)
        least = contract.least_stake(price, leverage, self._terms.reserve)
        most = min(self._account.available, contract.largest_stake(price, leverage))
        if not least <= stake <= most:
            return None
        pair.amounts[leg] = float(amount)
        if not amount > 0:
            return None
        is_short = (pair.side > 0) != (leg is Leg.A)
        hit = first_hit(self._market, contract, price, float(amount), is_short, leverage, row, pair.exit_row)
        opened = OpenLeg(
            symbol, leg, pair, is_short, float(amount), price, float(amount) * price / leverage, *hit
        )
        self._account.open(opened)
        for when in (pair.exit_row, opened.hit_row):
            heapq.heappush(self._due, when)
        return opened

    def _plan(
        self, path: SpreadPath, number: int, symbol: str, row: int, price: float, proposed: float
    ) -> OpenPair | None:
        """Both legs' sizes, or None where this pair cannot be opened as a whole on this candle."""
        signal = row - 1 - self._delay
        if not self._is_armed(path, signal):
            return None
        open_pairs, most_pairs = (len(self._account.legs) + 1) // 2, self._settings.risk.max_pairs
        if most_pairs is not None and open_pairs + 1 > most_pairs:
            return None
        plan = self._book.plan(path.pair.id, self._market.time(signal))
        if plan is None:
            return None
        if self._courses.relations(number, path, plan, signal, signal + 1)[0] != Relation.HOLDS:
            return None
        mate = plan.symbol(plan.leg_of(symbol).mate)
        # The mate's open of this candle is not known while this leg is handled; its last close is.
        last_close = float(np.exp(self._market.grid.log_close[mate][row - 1]))
        prices = {leg: price if plan.symbol(leg) == symbol else last_close for leg in Leg}
        sized = self._size(plan, prices, proposed)
        if sized is None:
            return None
        notional, stakes = sized
        exit_row, reason = self._courses.exit_row(number, path, plan, signal, row)
        side = plan.direction * (1 if self._sign is None else self._sign(plan.pair_id, signal))
        return OpenPair(plan, row, side, notional, stakes, exit_row, reason)

    def _may_open(self, path: SpreadPath, row: int) -> bool:
        market = self._market
        for symbol in path.pair.symbols:
            if symbol in self._account.legs or symbol in self._closed_now or symbol not in self._contracts:
                return False
            if not market.first[symbol] <= row < market.last[symbol]:
                return False
            if not market.grid.steps:
                continue
            steps = market.grid.steps.get(symbol)
            if steps is not None and ((steps >= row - 1) & (steps <= row + 2)).any():
                return False
        return True

    def _is_armed(self, path: SpreadPath, signal: int) -> bool:
        coins = coins_of(*path.pair.symbols)
        left = self._left.get(coins)
        if left is None or signal - left >= self._settings.rearm_lookback_candles:
            return True
        if coins not in self._touches:
            self._touches[coins] = self._last_touch(coins)
        return bool(self._touches[coins][signal] >= left)

    def _last_touch(self, coins: Coins) -> IntArray:
        """For each row the last one up to it with |z| <= exit by a model in force, or -1."""
        inside = np.zeros(self._market.grid.size, np.bool_)
        for path in self._paths_of_coins[coins]:
            levels = self._book.thresholds(path.pair)
            if levels is not None:
                rows = slice(path.first_row, path.first_row + path.z.size)
                inside[rows] |= (np.abs(path.z) <= levels.exit) & path.in_force
        return np.maximum.accumulate(np.where(inside, np.arange(inside.size), -1))

    def _size(
        self, plan: EntryPlan, prices: Mapping[Leg, float], proposed: float
    ) -> tuple[float, dict[Leg, float]] | None:
        leverage, beta, fixed = self._settings.leverage, plan.model.beta, self._terms.stake
        notional = 2.0 * proposed * leverage
        coming = self._stakes_to_come()
        available = self._account.available
        if fixed is None:
            limits = self._limits(plan, notional)
            if limits is None:
                return None
            steps = {leg: limits[leg].step_notional(prices[leg]) for leg in Leg}
            excess = sum(stakes_at_most(notional, beta, steps, leverage).values()) - (available - sum(coming))
            notional = within_means(notional, excess, available, leverage)
            if not notional > 0:
                return None
        limits = self._limits(plan, notional)
        if limits is None:
            return None
        steps = {leg: limits[leg].step_notional(prices[leg]) for leg in Leg}
        stakes = stakes_at_most(notional, beta, steps, leverage)
        for leg in Leg:
            if stakes[leg] > self._contracts[plan.symbol(leg)].largest_stake(prices[leg], leverage):
                return None
        both = (prices[Leg.A], prices[Leg.B]), (limits[Leg.A], limits[Leg.B])
        if refusal(notional, beta, *both, leverage, STAKE_RESERVE) is not None:
            return None
        if self._terms.slots > 0 and self._terms.slots - len(self._account.legs) - len(coming) < 2:
            return None
        left = available - sum(coming) - sum(stakes.values())
        needed = max(0.0, (fixed or 0.0) - min([*stakes.values(), *coming]))
        return None if left < needed else (notional, stakes)

    def _stakes_to_come(self) -> list[float]:
        """Of legs whose mate has opened on this candle and which have not had their turn."""
        return [
            pair.stakes[leg]
            for pair in self._this_candle
            for leg in Leg
            if leg not in pair.amounts and leg.mate in pair.open_legs
        ]

    def _limits(self, plan: EntryPlan, notional: float) -> dict[Leg, MarketLimits] | None:
        found = {}
        for leg in Leg:
            stake = (
                max(leg_notional(notional, plan.model.beta, leg), notional / 2.0) / self._settings.leverage
            )
            limits = self._contracts[plan.symbol(leg)].limits(stake)
            if limits is None:
                return None
            found[leg] = limits
        return found
