"""The risk rules a new pair trade has to pass. A rule without numbers refuses, and says so (I12)."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

import ccxt
from freqtrade.exceptions import FreqtradeException

from pairbot_ext.host.broker import Broker
from pairbot_ext.journal.journal import Journal
from pairbot_ext.model.findings import Blind, Reading, Rule, Verdict, above, below
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import Sizing
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Goal
from pairbot_ext.risk.rules import (
    exposure_ratio,
    funding_cost_bp,
    funding_horizon_hours,
    funding_verdict,
    max_pairs_verdict,
    planned_liquidation_distance_percent,
    told,
)
from pairbot_ext.settings import Settings
from pairbot_ext.signals.port import Signals
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)


class EntryRules:
    """See the module.

    :param equity: wallet including unrealised profit, quote currency; None where it is not known.
    :param candle_secs: length of a candle.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        broker: Broker,
        clock: Clock,
        signals: Signals,
        equity: Callable[[], float | None],
        *,
        leverage: int,
        candle_secs: int,
    ) -> None:
        self._settings = settings
        self._limits = settings.risk
        self._journal = journal
        self._broker = broker
        self._clock = clock
        self._signals = signals
        self._equity = equity
        self._leverage = leverage
        self._candle_secs = candle_secs

    def check_plan(self, plan: EntryPlan, now: datetime) -> None:
        """What needs no question to the venue. Raises RefusedError."""
        _pass(
            max_pairs_verdict(len(self._journal.open_pair_trades()), self._limits),
            above(Rule.LEVERAGE, self._leverage, self._limits.max_leverage, "", "leverage"),
            self._signals.entry_breach(plan, now),
        )

    def check_size(self, plan: EntryPlan, sizing: Sizing) -> None:
        """What needs the sizes and the venue. Raises RefusedError."""
        planned = {plan.symbol(leg): float(sizing[leg].amount) * sizing[leg].price for leg in Leg}
        _pass(*self._exposures(planned), *(self._liquidation(*item) for item in planned.items()))
        _pass(self._funding(plan))

    def readings(self, equity: float | None) -> list[Reading]:
        """The account-wide ones, as they are without a new pair. :param equity: now."""
        notionals = self._open_notionals()
        coin = max(notionals.values(), default=0.0)
        return [
            Reading(Rule.MAX_PAIRS, len(self._journal.open_pair_trades()), self._limits.max_pairs, "pairs"),
            Reading(
                Rule.GROSS_EXPOSURE,
                exposure_ratio(list(notionals.values()), equity),
                self._limits.max_gross_exposure_ratio,
                "x equity",
                note="" if equity else "equity is not known",
            ),
            Reading(
                Rule.COIN_EXPOSURE,
                exposure_ratio([coin], equity),
                self._limits.max_coin_exposure_ratio,
                "x equity",
                note=max(notionals, key=lambda symbol: notionals[symbol], default=""),
            ),
            Reading(Rule.LEVERAGE, self._leverage, self._limits.max_leverage, ""),
        ]

    def _open_notionals(self) -> dict[str, float]:
        """Of all legs, by symbol: what Freqtrade holds, and what half-open pairs are about to hold."""
        notionals = {symbol: leg.notional for symbol, leg in self._broker.open_legs().items()}
        for trade in self._journal.open_pair_trades():
            if trade.goal is Goal.OPEN and not trade.was_hedged:
                for leg in Leg:
                    symbol, sizing = trade.plan.symbol(leg), trade.sizing[leg]
                    planned = float(sizing.amount) * sizing.price
                    notionals[symbol] = max(notionals.get(symbol, 0.0), planned)
        return notionals

    def _exposures(self, planned: dict[str, float]) -> Iterable[Verdict]:
        equity, notionals = self._equity(), self._open_notionals()
        yield above(
            Rule.GROSS_EXPOSURE,
            exposure_ratio([*notionals.values(), *planned.values()], equity),
            self._limits.max_gross_exposure_ratio,
            "x equity",
            "notional of all legs with this pair",
        )
        for symbol, notional in planned.items():
            yield above(
                Rule.COIN_EXPOSURE,
                exposure_ratio([notionals.get(symbol, 0.0), notional], equity),
                self._limits.max_coin_exposure_ratio,
                "x equity",
                f"notional of {symbol}",
            )

    def _liquidation(self, symbol: str, notional: float) -> Verdict:
        try:
            rate = self._broker.maintenance_rate(symbol, notional)
        except FreqtradeException as error:
            return Blind(Rule.LIQUIDATION, f"the maintenance margin of {symbol} is not known: {error}")
        return below(
            Rule.LIQUIDATION,
            planned_liquidation_distance_percent(self._leverage, rate),
            self._limits.min_liquidation_distance_percent,
            "%",
            f"distance of {symbol} from its liquidation price at leverage {self._leverage}",
        )

    def _funding(self, plan: EntryPlan) -> Verdict:
        if self._limits.max_funding_share_percent is None:
            return None
        try:
            leg_a, leg_b = (self._broker.funding(symbol) for symbol in (plan.leg_a, plan.leg_b))
        except (FreqtradeException, ccxt.BaseError, PairbotError) as error:
            return Blind(Rule.FUNDING, f"the funding rates cannot be read: {error}")
        model = plan.model
        horizon_hours = funding_horizon_hours(
            plan.half_life_candles(self._candle_secs), plan.thresholds.max_half_lives, self._candle_secs
        )
        cost_bp = funding_cost_bp(
            leg_a, leg_b, plan.direction, model.beta, self._clock.now_ms(), horizon_hours
        )
        gross_bp = 1e4 * (abs(plan.z) - plan.thresholds.exit) * model.sigma
        cost_of_trading_bp = (1.0 + model.beta) * (
            2.0 * self._settings.taker_fee_bp + self._settings.spread_bp
        )
        return funding_verdict(cost_bp, gross_bp - cost_of_trading_bp, self._limits)


def _pass(*verdicts: Verdict) -> None:
    for verdict in verdicts:
        if verdict is not None:
            code = "risk_blind" if isinstance(verdict, Blind) else f"risk_{verdict.rule}"
            raise RefusedError(code, told(verdict))
