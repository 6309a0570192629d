"""Actions that a person confirms on the page: what is shown first is what is then done, or nothing is.

`ask` gathers the numbers and keeps what they were; `act` takes them again, and refuses where another pair
trade, another amount or a clearly different profit stands there now. A ticket is good for one action of one
user, and not for long.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pairbot_ext.control.refusals import NotNowError
from pairbot_ext.control.service import EVERYTHING, PairService
from pairbot_ext.control.views import ActionView, OverviewView, PairTradeView, View, WatchedView
from pairbot_ext.support.clock import Clock

GOOD_FOR_SECS = 60
MOST_TICKETS = 100
MOST_MOVE_PERCENT = 0.5
"""A profit that has moved further since it was shown, of the legs' value, is another profit."""


class Action(StrEnum):
    """What can be done on the page."""

    CLOSE = "close"
    LOCK = "lock"
    UNLOCK = "unlock"
    HALT = "halt"
    RESUME = "resume"


class Shown(View):
    """One number of a question."""

    name: str
    value: str


class Question(View):
    """What a person is asked to confirm."""

    ticket: str
    action: str
    title: str
    consequence: str
    numbers: tuple[Shown, ...]
    good_for_secs: int = GOOD_FOR_SECS


@dataclass(frozen=True)
class _Facts:
    """What a question rests on.

    :param exact: must be the same when it is acted on.
    :param profit, value: of the open pair trades concerned, quote currency; None where unknown.
    """

    exact: tuple[Any, ...]
    numbers: tuple[Shown, ...]
    title: str
    consequence: str
    target: str
    profit: float | None = None
    value: float = 0.0


@dataclass(frozen=True)
class _Ticket:
    action: Action
    wanted: str
    by: str
    at_ms: int
    facts: _Facts


class Confirmations:
    """See the module. Asked from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tickets: dict[str, _Ticket] = {}

    def ask(self, service: PairService, action: Action, wanted: str, by: str) -> Question:
        """The numbers, and a ticket for them. Raises PairbotError where the action makes no sense."""
        facts = _facts(service, action, wanted)
        ticket = secrets.token_urlsafe(18)
        with self._lock:
            while len(self._tickets) >= MOST_TICKETS:
                del self._tickets[next(iter(self._tickets))]
            self._tickets[ticket] = _Ticket(action, wanted, by, self._clock.now_ms(), facts)
        return Question(
            ticket=ticket,
            action=action,
            title=facts.title,
            consequence=facts.consequence,
            numbers=facts.numbers,
        )

    def act(self, service: PairService, ticket: str, by: str) -> ActionView:
        """Do what was confirmed, once.

        :raises NotNowError: the ticket is nobody's, another one's, used or too old, or what it showed has
            changed. Nothing was done.
        """
        with self._lock:
            known = self._tickets.pop(ticket, None)
        if known is None or known.by != by:
            raise NotNowError("this question was never asked, or is answered", remedy="Ask again")
        if not 0 <= self._clock.now_ms() - known.at_ms <= 1000 * GOOD_FOR_SECS:
            raise NotNowError(
                f"the numbers were shown more than {GOOD_FOR_SECS} s ago, nothing was done",
                remedy="Look at them again",
            )
        now = _facts(service, known.action, known.wanted)
        changed = _changed(known.facts, now)
        if changed:
            raise NotNowError(
                f"{changed} since the numbers were shown, nothing was done", remedy="Look at them again"
            )
        does: dict[Action, Callable[[], ActionView]] = {
            Action.CLOSE: lambda: service.close(now.target, by),
            Action.LOCK: lambda: service.lock(now.target, by),
            Action.UNLOCK: lambda: service.unlock(now.target, by),
            Action.HALT: lambda: service.halt(by),
            Action.RESUME: lambda: service.resume(by),
        }
        return does[known.action]()


def _changed(before: _Facts, now: _Facts) -> str:
    if before.exact != now.exact:
        return "what is open, held or in force has changed"
    if (before.profit is None) is not (now.profit is None):
        return "the profit has become known or unknown"
    if before.profit is not None and now.profit is not None and before.value:
        percent = 100 * abs(now.profit - before.profit) / before.value
        if percent > MOST_MOVE_PERCENT:
            return f"the profit has moved by {percent:.2f} % of the legs' value"
    return ""


def _facts(service: PairService, action: Action, wanted: str) -> _Facts:
    overview = service.overview()
    if action is Action.CLOSE:
        return _of_close(service, overview, wanted)
    if action in (Action.LOCK, Action.UNLOCK):
        return _of_lock(service, action, wanted)
    risk = overview.risk
    exact = (risk.state, risk.why, _held(overview.open))
    numbers = (Shown(name="Risk state now", value=risk.state),)
    if action is Action.HALT:
        return _Facts(
            exact,
            (*numbers, *_of_trades(overview.open, overview.currency)),
            "Halt the bot",
            "Closes every pair now and enters nothing until you resume. Kept over restarts.",
            "",
            _profit(overview.open),
            _value(overview.open),
        )
    if risk.state == "ACTIVE":
        raise NotNowError("the bot is ACTIVE already", remedy="There is nothing to resume")
    why = (Shown(name="Because", value=risk.why),) if risk.why else ()
    return _Facts(
        (risk.state, risk.why),
        (*numbers, *why),
        "Resume",
        "Pairs are entered again. Drawdown, daily loss and API errors count from now.",
        "",
    )


def _of_close(service: PairService, overview: OverviewView, wanted: str) -> _Facts:
    trades = overview.open
    if wanted != EVERYTHING:
        one = service.pair(wanted)
        trades = () if one.open is None else (one.open,)
        if not trades:
            raise NotNowError(f"pair {one.pair} is not open", remedy="Look at /pairs")
    if not trades:
        raise NotNowError("no pair is open", remedy="There is nothing to close")
    is_one = len(trades) == 1
    return _Facts(
        _held(trades),
        _of_trades(trades, overview.currency),
        f"Close {trades[0].pair}" if is_one else f"Close {len(trades)} pairs",
        "Closes both legs at the market now, reduce-only.",
        # By the pair trade: another one of the same pair is not meant.
        trades[0].id if is_one and wanted != EVERYTHING else wanted,
        _profit(trades),
        _value(trades),
    )


def _of_lock(service: PairService, action: Action, wanted: str) -> _Facts:
    one = service.pair(wanted)
    watched: WatchedView | None = one.watched
    locked = watched.locked if watched is not None else None
    numbers = [
        Shown(name="Locked", value=locked or "no"),
        Shown(name="Open", value="no" if one.open is None else f"{one.open.state}, {one.open.id}"),
    ]
    if watched is not None:
        z = "unknown" if watched.z is None else f"{watched.z:+.2f}"
        numbers.insert(0, Shown(name="z of the last candle", value=f"{z}, enters at {watched.entry_z:g}"))
    consequence = (
        "It is not entered until it is unlocked. An open pair trade goes on."
        if action is Action.LOCK
        else "It may be entered again with its next signal."
    )
    title = f"{'Lock' if action is Action.LOCK else 'Unlock'} {one.pair}"
    exact = (one.pair, locked, None if one.open is None else (one.open.id, one.open.state))
    return _Facts(exact, tuple(numbers), title, consequence, one.pair)


def _held(trades: tuple[PairTradeView, ...]) -> tuple[Any, ...]:
    return tuple(
        (trade.id, trade.state, trade.goal, *((leg.symbol, leg.side, leg.held) for leg in trade.legs))
        for trade in trades
    )


def _profit(trades: tuple[PairTradeView, ...]) -> float | None:
    known = [trade.profit_now for trade in trades]
    return None if any(each is None for each in known) else sum(each for each in known if each is not None)


def _value(trades: tuple[PairTradeView, ...]) -> float:
    legs = [leg for trade in trades for leg in trade.legs]
    return sum(float(leg.held) * (leg.price or leg.entry_price or 0.0) for leg in legs)


def _of_trades(trades: tuple[PairTradeView, ...], currency: str) -> tuple[Shown, ...]:
    """Each leg of one; of several, one line each."""
    profit = _profit(trades)
    total = "unknown" if profit is None else f"{profit:+.4f} {currency}"
    if len(trades) == 1:
        trade = trades[0]
        z = "unknown" if trade.z is None else f"{trade.z:+.2f}"
        hedge = "unknown" if trade.hedge_error is None else f"{trade.hedge_error:.2%}"
        shown = [
            Shown(name="State", value=f"{trade.state}, {trade.direction}"),
            Shown(name="z now", value=f"{z} (exit {trade.exit_z:g}, stop {trade.stop_z:g})"),
            Shown(name="PnL if closed now", value=f"{total}, funding {trade.funding:+.4f} included"),
            Shown(name="Hedge error", value=hedge),
        ]
        for leg in trade.legs:
            price = "" if leg.price is None else f" at {leg.price:.8g}"
            shown.append(Shown(name=f"Leg {leg.leg}", value=f"{leg.side} {leg.held} {leg.symbol}{price}"))
        return tuple(shown)
    listed = [
        Shown(
            name=trade.pair,
            value=f"{trade.state}, "
            + ("PnL unknown" if trade.profit_now is None else f"{trade.profit_now:+.4f} {currency}"),
        )
        for trade in trades
    ]
    number = "none" if not trades else str(len(trades))
    return (Shown(name="Open pairs", value=number), Shown(name="PnL of all", value=total), *listed)
