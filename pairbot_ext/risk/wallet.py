"""Equity of the account: drawdown and daily loss, on prices that several readings agree on."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import ccxt
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.model.findings import Breach, Reading, Rule, Verdict, above
from pairbot_ext.risk.account import EquityMarks, RecentEquity
from pairbot_ext.risk.quotes import Quote, Quotes, exit_price, kindest_price
from pairbot_ext.risk.state import RiskMemory
from pairbot_ext.settings.risk import RiskSettings
from pairbot_ext.support.clock import Clock, as_datetime

logger = logging.getLogger(__name__)

SAVE_MS = 60_000
"""A new peak is stored at most so often."""


class WalletWatch:
    """See the module. Equity: the wallet as Freqtrade last read it, plus open legs at the live books."""

    def __init__(
        self, limits: RiskSettings, broker: Broker, quotes: Quotes, clock: Clock, memory: RiskMemory
    ) -> None:
        self._limits = limits
        self._broker = broker
        self._quotes = quotes
        self._clock = clock
        self._memory = memory
        self._recent = RecentEquity(limits.confirm_readings)
        self._saved_ms = 0

    def equity(self) -> float | None:
        """Now, if every open leg were closed at its best opposite price, quote currency: what the account
        held when the marks were begun, plus what the trades have earned since. What people pay in or take out
        neither hides a loss nor makes one. None where the wallet has never been known."""
        return self._equity_at(exit_price)[0]

    def _equity_at(self, *prices: Callable[[int, Quote], float]) -> list[float | None]:
        """One for each way to price a leg."""
        base = self._base()
        if base is None:
            return [None] * len(prices)
        try:
            earned = self._broker.pnl(*(partial(self._price_of, price) for price in prices))
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            return [None] * len(prices)
        return [base + pnl for pnl in earned]

    def _price_of(self, price: Callable[[int, Quote], float], symbol: str, side: int) -> float | None:
        quote = self._quotes.get(symbol)
        # A book that cannot be read must not switch the rule off for the whole account.
        return self._broker.last_price(symbol) if quote is None else price(side, quote)

    def _base(self) -> float | None:
        """Equity without what the trades have earned: kept with the marks, else from the wallet now."""
        marks = self._memory.marks
        if marks is not None and marks.base is not None:
            return marks.base
        total = self._broker.wallet_total()
        if total is None:
            return None
        try:
            (booked,) = self._broker.pnl(lambda _symbol, _side: None)
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            return None
        return total - booked

    def judge(self) -> Breach | None:
        """Once per loop. A breach is only believed on a wallet read now."""
        least, most = self._equity_at(exit_price, kindest_price)
        if least is None or most is None:
            return None
        self._recent.add(least, most)
        if not self._recent.is_full:
            return None
        breach = self._breach()
        if breach is None:
            self._move_marks()
            return None
        return self._on_fresh_wallet()

    def _on_fresh_wallet(self) -> Breach | None:
        try:
            self._broker.refresh_wallet()
        except (FreqtradeException, ccxt.BaseError) as error:
            logger.warning(f"The wallet cannot be read, no loss is judged on an old one: {error}")
            return None
        (fresh,) = self._equity_at(kindest_price)
        # With the wallet of before gone, only what this reading says counts.
        return None if fresh is None else self._breach(fresh)

    def judge_at_once(self) -> Breach | None:
        """A stream has seen the level for long enough: believed on a wallet read now, like any other."""
        (most,) = self._equity_at(kindest_price)
        return None if most is None or self._breach(most) is None else self._on_fresh_wallet()

    @property
    def base(self) -> float | None:
        """Equity without what the trades have earned. None before it was ever known."""
        marks = self._memory.marks
        return None if marks is None else marks.base

    @property
    def floor(self) -> float | None:
        """What equity must not fall below now; None where no limit is on or nothing is known yet."""
        marks, limits = self._memory.marks, self._limits
        if marks is None:
            return None
        floors = []
        if limits.max_drawdown_percent is not None:
            floors.append(marks.peak * (1 - limits.max_drawdown_percent / 100))
        is_today = marks.day == as_datetime(self._clock.now_ms()).date().isoformat()
        if limits.max_daily_loss_percent is not None and is_today:
            floors.append(marks.day_start * (1 - limits.max_daily_loss_percent / 100))
        return max(floors, default=None)

    def begin_anew(self) -> None:
        """Released by hand: drawdown and daily loss count from here."""
        self._recent.clear()
        self._memory.keep_marks(None)

    def readings(self, equity: float | None) -> list[Reading]:
        """Drawdown and daily loss, for display. :param equity: now."""
        marks = self._memory.marks
        is_known = marks is not None and equity is not None
        values: list[Any] = [None, None]
        if marks is not None and equity is not None:
            values = [marks.drawdown_percent(equity), marks.daily_loss_percent(equity)]
        note = f"equity {equity:.2f}" if is_known else "equity is not known yet"
        return [
            Reading(Rule.DRAWDOWN, values[0], self._limits.max_drawdown_percent, "%", note=note),
            Reading(Rule.DAILY_LOSS, values[1], self._limits.max_daily_loss_percent, "%", note=note),
        ]

    def _breach(self, equity: float | None = None) -> Breach | None:
        marks = self._memory.marks
        if marks is None:
            return None
        value = self._recent.high if equity is None else equity
        verdicts: list[Verdict] = [
            above(
                Rule.DRAWDOWN,
                marks.drawdown_percent(value),
                self._limits.max_drawdown_percent,
                "%",
                f"equity {value:.2f} is below its peak of {marks.peak:.2f} by",
            )
        ]
        if marks.day == as_datetime(self._clock.now_ms()).date().isoformat():
            verdicts.append(
                above(
                    Rule.DAILY_LOSS,
                    marks.daily_loss_percent(value),
                    self._limits.max_daily_loss_percent,
                    "%",
                    f"equity {value:.2f} is below {marks.day_start:.2f} at the start of the UTC day by",
                )
            )
        return next((verdict for verdict in verdicts if isinstance(verdict, Breach)), None)

    def _move_marks(self) -> None:
        now_ms = self._clock.now_ms()
        low, before = self._recent.low, self._memory.marks
        day = as_datetime(now_ms).date().isoformat()
        marks = before.moved(low, as_datetime(now_ms)) if before else EquityMarks(low, day, low)
        if marks.base is None:
            marks = replace(marks, base=self._base())
        is_new_day = before is None or before.day != marks.day
        if marks != before and (is_new_day or now_ms - self._saved_ms >= SAVE_MS):
            self._saved_ms = now_ms
            self._memory.keep_marks(marks)
        elif marks != before:
            self._memory.hold_marks(marks)
