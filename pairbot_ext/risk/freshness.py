"""How old what the bot knows may become: every input has a bound, a written consequence and an end (I15).

`FRESHNESS` is the table of docs/execution.md. What stops entries or closes pairs is a rule or a gate of its
own; here is told, once when a bound is passed and once when it is kept again, what nobody would notice.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isinf

from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.signals.port import Signals

logger = logging.getLogger(__name__)

STALE_CANDLES = 2
"""A leg without a closed candle for longer than this is told."""
FIRST_CANDLES_SECS = 60.0
"""A process that has just started has no candles yet: they come with its first loop."""
STALE_POSITIONS_SECS = 120.0
"""Positions are read every 30 s; without an answer for so long it is told."""


class Input(StrEnum):
    """What the bot knows from others."""

    CANDLES = "candles of a symbol"
    BOOKS = "order books"
    POSITIONS = "positions"
    TRADABLE = "a symbol's trading status"
    BALANCE = "balance"
    FUNDING = "funding rates and their intervals"
    ACCOUNT = "margin mode, leverage and modes of the account"
    PAIRS_FILE = "pairs file"
    CLOCK = "the venue's clock"
    REQUESTS = "answers of the venue"


@dataclass(frozen=True)
class Bound:
    """One row of the table.

    :param within: how old it may become.
    :param consequence: what happens then.
    :param ends: how it ends.
    """

    within: str
    consequence: str
    ends: str


FRESHNESS: Mapping[Input, Bound] = {
    Input.CANDLES: Bound(
        f"{STALE_CANDLES} candles",
        "no z, so no entry and no exit by the model; told where a pair is open. Live stop, loss limit and "
        "time stop go on",
        "by itself with the next candle of both legs; told",
    ),
    Input.BOOKS: Bound(
        "`max_blind_secs`",
        "REDUCING. The leg counts in drawdown and daily loss at the venue's mark price. No entry ever "
        "without fresh books of both legs",
        "by itself, 60 s after the books are back; told",
    ),
    Input.POSITIONS: Bound(
        f"30 s; told after {STALE_POSITIONS_SECS:g} s",
        "nothing is concluded, no leg is written off, no pair is entered; exits go on",
        "by itself with the next answer; told",
    ),
    Input.TRADABLE: Bound(
        "the venue's market list, an hour",
        "no entry; told where a pair is open in it. Its mate is closed when the venue has settled the leg",
        "by itself when the symbol trades again; told",
    ),
    Input.BALANCE: Bound(
        "none: limits are measured in what the trades earn",
        "a withdrawal halts nothing, a deposit hides nothing; free stake is asked before each entry",
        "-",
    ),
    Input.FUNDING: Bound(
        "before each entry; intervals an hour",
        "no entry while the rule is on; told after three refusals in a row",
        "by itself with the next answer",
    ),
    Input.ACCOUNT: Bound(
        "before each entry",
        "what differs is set; where it cannot be, no entry; told after three refusals in a row",
        "by itself when it is right",
    ),
    Input.PAIRS_FILE: Bound(
        "its own validity; an open-ended selection the length of its formation",
        "after its end no entry, told; older than its data were long: told each day; a newer file that is "
        "refused meanwhile stops entries",
        "by itself with a file that may come in",
    ),
    Input.CLOCK: Bound(
        "each signed request",
        "requests carry the venue's time; exits go on",
        "by itself; the machine's clock is to be set",
    ),
    Input.REQUESTS: Bound(
        "`max_api_error_percent` of `api_error_window_secs`",
        "REDUCING",
        "by itself, 60 s after fewer fail; told",
    ),
}


class Freshness:
    """Tells, once each way. Asked once per loop.

    :param tell: a message to the operator; True for a warning.
    """

    def __init__(self, signals: Signals, broker: Broker, tell: Callable[[str, bool], None]) -> None:
        self._signals = signals
        self._broker = broker
        self._tell = tell
        self._passed: dict[tuple[Input, str], str] = {}
        self._began: datetime | None = None

    def look(self, trades: list[PairTrade], unread_positions_secs: float, now: datetime) -> None:
        """Compare what is known with its bounds. Raises nothing."""
        found: dict[tuple[Input, str], tuple[str, str]] = {}
        self._began = self._began or now
        for trade in trades:
            try:
                found |= self._of_pair(trade, now)
            except (SQLAlchemyError, ArithmeticError, LookupError, TypeError, ValueError):
                logger.exception(f"How old the data of pair trade {trade.id} are cannot be said")
        if unread_positions_secs > STALE_POSITIONS_SECS:
            found[Input.POSITIONS, ""] = (
                f"Positions could not be read for {unread_positions_secs:.0f} s: nothing is concluded from "
                "that, no pair is entered; exits go on",
                "Positions can be read again",
            )
        for key, (text, end) in found.items():
            if key not in self._passed:
                self._passed[key] = end
                self._tell(text, True)
        for key in [key for key in self._passed if key not in found]:
            self._tell(self._passed.pop(key), False)

    def _has_just_begun(self, now: datetime) -> bool:
        return self._began is None or (now - self._began).total_seconds() < FIRST_CANDLES_SECS

    def _of_pair(self, trade: PairTrade, now: datetime) -> dict[tuple[Input, str], tuple[str, str]]:
        found: dict[tuple[Input, str], tuple[str, str]] = {}
        plan = trade.plan
        for symbol, behind in self._signals.missing_candles(plan, now).items():
            if behind > STALE_CANDLES and not (isinf(behind) and self._has_just_begun(now)):
                since = "at all" if isinf(behind) else f"for {behind:g} candles"
                found[Input.CANDLES, symbol] = (
                    f"Pair {plan.pair_id} is open and {symbol} has had no traded candle {since}: its model "
                    "can say nothing. Stops on live books and the time stop go on",
                    f"Candles of {symbol} arrive again: the model of pair {plan.pair_id} decides",
                )
        for leg in Leg:
            symbol = plan.symbol(leg)
            if not self._broker.is_tradable(symbol):
                found[Input.TRADABLE, symbol] = (
                    f"Pair trade {trade.id} of {plan.pair_id} is open and the venue does not trade its leg "
                    f"{leg} ({symbol}) now. It stays hedged while the venue holds the position; as soon as "
                    "it is settled there, the mate is closed. Look at the venue's announcement",
                    f"{symbol} trades again: pair {plan.pair_id} goes on",
                )
        return found
