"""Stops at the speed of prices: computed in the feed's thread, from a picture the trading thread draws.

Nothing is decided here. What is beyond a limit for long enough rings the bell, and the trading thread judges
anew, on the newest prices, by the rules it always had. A pair is looked at ten times a second at most, so no
look is spent on a price that cannot matter: each leaves behind how far prices may move until a limit can be
reached, and the first price that leaves this room is looked at when it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pairbot_ext.feed.board import Board
from pairbot_ext.model.findings import Rule
from pairbot_ext.model.heard import BestPrices
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.risk.quotes import Quote, adverse_z, kindest_price
from pairbot_ext.risk.room import MOST, liquidation_room, profit_room, z_room
from pairbot_ext.risk.rules import liquidation_distance_percent
from pairbot_ext.settings.risk import RiskSettings

LOOKS_PER_SEC = 10
"""A pair, or the account, is looked at so often at most."""
LOOK_EVERY_MS, LOOK_AGAIN_MS = 125, 10
"""Between two looks: within its limits, and while it is beyond one, for which two looks a second are kept."""
YOUNG_MS = 1_000
"""Both legs' books: a stop on one fresh and one old price would be a stop on their difference in age."""
RING_EVERY_MS = 1_000
"""The bell is rung so often for one thing that stays beyond its limit."""
ACCOUNT = ""
SOON_SECS, LATER_SECS = 0.01, 0.05
"""Until `tick` wants to be called again: while something waits for its look, and while nothing does."""


@dataclass(frozen=True)
class WatchedLeg:
    """One open leg.

    :param side: 1 long, -1 short.
    :param fixed, per_price: its profit if it were closed at a price is `fixed + per_price * price`, fees and
        funding included, quote currency.
    """

    symbol: str
    side: int
    fixed: float
    per_price: float
    liquidation_price: float | None

    def profit(self, quote: Quote) -> float:
        """At its kindest price."""
        return self.fixed + self.per_price * kindest_price(self.side, quote)

    def value(self, quote: Quote) -> float:
        """What of its profit moves with the price."""
        return self.per_price * kindest_price(self.side, quote)


@dataclass(frozen=True)
class WatchedPair:
    """One hedged pair trade. :param notional: of both legs at entry, quote currency."""

    pair_trade_id: str
    plan: EntryPlan
    legs: tuple[WatchedLeg, WatchedLeg]
    notional: float


@dataclass(frozen=True)
class WatchedAccount:
    """Equity is `fixed` plus the profit of the legs. :param floor: what equity must not fall below."""

    fixed: float
    legs: tuple[WatchedLeg, ...]
    floor: float


@dataclass(frozen=True)
class Watchlist:
    """What is open, replaced whole by the trading thread."""

    pairs: tuple[WatchedPair, ...] = ()
    account: WatchedAccount | None = None
    by_symbol: Mapping[str, tuple[WatchedPair, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[WatchedPair], account: WatchedAccount | None) -> Watchlist:
        """With its index."""
        known = tuple(pairs)
        symbols = {leg.symbol for pair in known for leg in pair.legs}
        index = {
            symbol: tuple(pair for pair in known if symbol in (leg.symbol for leg in pair.legs))
            for symbol in symbols
        }
        return cls(known, account, index)


@dataclass(frozen=True)
class _Room:
    """Around the prices of the last look, `share` of each: nothing in there reaches a limit."""

    quotes: Mapping[str, Quote]
    share: float

    def holds(self, symbol: str, best: BestPrices) -> bool:
        """Whether a new best price is in there."""
        seen = self.quotes.get(symbol)
        if seen is None:
            return False
        return abs(best.bid / seen.bid - 1) < self.share and abs(best.ask / seen.ask - 1) < self.share


@dataclass
class _Streak:
    first_ms: int
    count: int = 0
    rung_ms: int = 0


class TickStops:
    """See the module. Everything but `watchlist` belongs to the feed's thread.

    :param clock_ms: epoch ms.
    """

    def __init__(self, board: Board, limits: RiskSettings, clock_ms: Callable[[], int]) -> None:
        self.watchlist = Watchlist()
        self._board = board
        self._limits = limits
        self._clock_ms = clock_ms
        self._looked: dict[str, int] = {}
        self._waiting: dict[str, WatchedPair | None] = {}
        self._looks: dict[str, tuple[int, int]] = {}
        self._beyond: set[str] = set()
        self._ripening: set[str] = set()
        self._rooms: dict[str, _Room] = {}
        self._streaks: dict[tuple[str, str], _Streak] = {}
        self._known = self.watchlist

    def heard(self, symbol: str) -> None:
        """A price has changed."""
        now_ms, watchlist = self._clock_ms(), self.watchlist
        pairs, best = watchlist.by_symbol.get(symbol), self._board.best(symbol)
        if pairs is None or best is None:
            return
        self._take(watchlist)
        for pair in pairs:
            if not self._has_room(pair.pair_trade_id, symbol, best):
                self._waiting[pair.pair_trade_id] = pair
        if watchlist.account is not None and not self._has_room(ACCOUNT, symbol, best):
            self._waiting[ACCOUNT] = None
        self._look(now_ms)

    def tick(self) -> float:
        """Look at what changed too soon after the last look. Returns when to be called again, seconds."""
        self._look(self._clock_ms())
        return SOON_SECS if self._waiting else LATER_SECS

    def _has_room(self, subject: str, symbol: str, best: BestPrices) -> bool:
        room = self._rooms.get(subject)
        return room is not None and subject not in self._beyond and room.holds(symbol, best)

    def _take(self, watchlist: Watchlist) -> None:
        """A new picture: other amounts, other limits, and rooms measured from others."""
        if self._known is not watchlist:
            self._known = watchlist
            self._rooms.clear()
            self._forget({ACCOUNT, *(pair.pair_trade_id for pair in watchlist.pairs)})

    def _look(self, now_ms: int) -> None:
        self._take(self.watchlist)
        for key in [key for key in self._waiting if self._is_due(key, now_ms)]:
            pair = self._waiting.pop(key)
            self._looked[key] = now_ms
            second, looks = self._looks.get(key, (0, 0))
            self._looks[key] = (now_ms // 1000, looks + 1 if second == now_ms // 1000 else 1)
            if pair is not None:
                self._judge_pair(pair, now_ms)
            elif self.watchlist.account is not None:
                self._judge_account(self.watchlist.account, now_ms)
            if key in self._ripening:
                # Enough updates, too short a time: looked at again, whether another update comes or not.
                self._waiting[key] = pair

    def _is_due(self, key: str, now_ms: int) -> bool:
        second, looks = self._looks.get(key, (0, 0))
        if second == now_ms // 1000 and looks >= LOOKS_PER_SEC:
            return False
        every_ms = LOOK_AGAIN_MS if key in self._beyond else LOOK_EVERY_MS
        # A negative age: the machine's clock was set back.
        return not 0 <= now_ms - self._looked.get(key, 0) < every_ms

    def _forget(self, keep: set[str]) -> None:
        """Drop what is closed."""
        self._looked = {key: ms for key, ms in self._looked.items() if key in keep}
        self._looks = {key: looks for key, looks in self._looks.items() if key in keep}
        self._beyond &= keep
        self._ripening &= keep
        self._waiting = {key: pair for key, pair in self._waiting.items() if key in keep}
        self._streaks = {key: streak for key, streak in self._streaks.items() if key[1] in keep}

    def _quotes(self, legs: Iterable[WatchedLeg], now_ms: int) -> dict[str, Quote] | None:
        """By symbol; None where one of them is not known now."""
        found: dict[str, Quote] = {}
        for leg in legs:
            best: BestPrices | None = self._board.best(leg.symbol)
            if best is None or abs(now_ms - best.arrived_ms) > YOUNG_MS:
                return None
            found[leg.symbol] = Quote(best.bid, best.ask, 0)
        return found

    def _judge_pair(self, pair: WatchedPair, now_ms: int) -> None:
        subject = pair.pair_trade_id
        self._rooms.pop(subject, None)
        quotes = self._quotes(pair.legs, now_ms)
        if quotes is None:
            return
        both = [(leg, quotes[leg.symbol]) for leg in pair.legs]
        limits, stop, rooms = self._limits, pair.plan.thresholds.stop, [MOST]
        if limits.live_z_stop and stop:
            left = stop - adverse_z(pair.plan, both[0][1], both[1][1])
            self._count(Rule.Z_STOP_LIVE, subject, now_ms, is_beyond=left <= 0)
            rooms.append(z_room(pair.plan, left))
        if limits.max_pair_loss_percent is not None and pair.notional > 0:
            profit = sum(leg.profit(quote) for leg, quote in both)
            left = pair.notional * limits.max_pair_loss_percent / 100 + profit
            self._count(Rule.PAIR_LOSS, subject, now_ms, is_beyond=left < 0)
            rooms.append(profit_room((leg.value(quote) for leg, quote in both), left))
        if limits.min_liquidation_distance_percent is not None:
            distances = [
                liquidation_distance_percent(quote.mid, leg.liquidation_price, leg.side)
                for leg, quote in both
            ]
            least = limits.min_liquidation_distance_percent
            self._count(Rule.LIQUIDATION, subject, now_ms, is_beyond=min(distances) < least)
            rooms += [
                liquidation_room(quote.bid, leg.liquidation_price, distance - least)
                for (leg, quote), distance in zip(both, distances, strict=True)
            ]
        self._rooms[subject] = _Room(quotes, min(rooms))

    def _judge_account(self, account: WatchedAccount, now_ms: int) -> None:
        self._rooms.pop(ACCOUNT, None)
        quotes = self._quotes(account.legs, now_ms)
        if quotes is None:
            # What one leg is worth is not known now: the loop judges, with the last prices it has.
            return
        left = account.fixed + sum(leg.profit(quotes[leg.symbol]) for leg in account.legs) - account.floor
        self._count(Rule.DRAWDOWN, ACCOUNT, now_ms, is_beyond=left < 0)
        values = (leg.value(quotes[leg.symbol]) for leg in account.legs)
        self._rooms[ACCOUNT] = _Room(quotes, profit_room(values, left))

    def _count(self, rule: Rule, subject: str, now_ms: int, *, is_beyond: bool) -> None:
        """One look. The bell rings where the level has lasted over enough looks and long enough."""
        key = (str(rule), subject)
        if not is_beyond:
            self._streaks.pop(key, None)
            if not any(each[1] == subject for each in self._streaks):
                self._beyond.discard(subject)
                self._ripening.discard(subject)
            return
        self._beyond.add(subject)
        streak = self._streaks.setdefault(key, _Streak(now_ms))
        streak.count += 1
        if streak.count < self._limits.confirm_updates:
            return
        if now_ms - streak.first_ms < self._limits.confirm_updates_ms:
            self._ripening.add(subject)
            return
        self._ripening.discard(subject)
        if not streak.rung_ms or now_ms - streak.rung_ms >= RING_EVERY_MS:
            streak.rung_ms = now_ms
            self._board.stop_reached(str(rule), subject or None, streak.first_ms)
