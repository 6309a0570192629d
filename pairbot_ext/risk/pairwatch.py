"""The rules on live prices of one open pair: z on both books, loss, distance from liquidation."""

import logging

import ccxt
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host.broker import Broker
from pairbot_ext.model.findings import Breach, Reading, Rule, Verdict, above, below
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.risk.quotes import Quote, Quotes, Streaks, adverse_z, kindest_price
from pairbot_ext.risk.rules import liquidation_distance_percent
from pairbot_ext.settings.risk import RiskSettings
from pairbot_ext.support.clock import Clock

logger = logging.getLogger(__name__)

REASONS = {
    Rule.Z_STOP_LIVE: ExitReason.STOP_LIVE,
    Rule.PAIR_LOSS: ExitReason.LOSS,
    Rule.LIQUIDATION: ExitReason.LIQUIDATION,
}


class PairWatch:
    """Judges a pair once per pair of books read. Whatever cannot be read is not a stop."""

    def __init__(self, limits: RiskSettings, broker: Broker, quotes: Quotes, clock: Clock) -> None:
        self._limits = limits
        self._broker = broker
        self._quotes = quotes
        self._clock = clock
        self._streaks = Streaks(limits.confirm_readings)
        self._judged: dict[str, int] = {}
        self._renewed: dict[str, int] = {}
        self._blind_since_ms: dict[str, int] = {}
        self._verdicts: dict[str, list[Reading]] = {}

    def judge(self, trade: PairTrade, *, lasted: str | None = None) -> Breach | None:
        """The rule that closes this pair now, or None. Counts only books both of which were read since the
        last judgement.

        :param lasted: a rule whose level has been watched already: one reading is enough for it.
        """
        quotes = [self._quotes.get(symbol) for symbol in trade.symbols]
        if quotes[0] is None or quotes[1] is None:
            return None
        leg_a, leg_b = quotes[0], quotes[1]
        if min(leg_a.number, leg_b.number) <= self._judged.get(trade.id, 0):
            return None
        self._judged[trade.id] = max(leg_a.number, leg_b.number)
        readings: list[Reading] = []
        found: Breach | None = None
        for rule, verdict in self._verdicts_of(trade, leg_a, leg_b, readings):
            is_breach = isinstance(verdict, Breach)
            is_enough = self._streaks.count(rule, trade.id, is_breach=is_breach) or rule == lasted
            if is_enough and isinstance(verdict, Breach):
                found = found or verdict
        self._verdicts[trade.id] = readings
        return found

    def renew(self, trade: PairTrade) -> None:
        """Read the books Freqtrade has not read since the last call, and note which cannot be read."""
        now_ms = self._clock.now_ms()
        for symbol in trade.symbols:
            before = self._renewed.get(symbol, 0)
            if self._quotes.number(symbol) == before:
                try:
                    self._broker.book(symbol)
                except (FreqtradeException, ccxt.BaseError) as error:
                    logger.warning(f"The book of {symbol} cannot be read, which stops nothing: {error}")
            self._renewed[symbol] = self._quotes.number(symbol)
            if self._renewed[symbol] == before:
                self._blind_since_ms.setdefault(symbol, now_ms)
            else:
                self._blind_since_ms.pop(symbol, None)

    def blind(self, trade: PairTrade) -> Verdict:
        """Whether the books of a pair could not be read for too long."""
        return above(
            Rule.STALE_DATA,
            self._blind_secs(trade),
            self._limits.max_blind_secs,
            "s",
            "time without a readable book of " + " or ".join(trade.symbols),
        )

    def readings(self, trade: PairTrade) -> list[Reading]:
        """Of the last judgement."""
        pair_id = trade.plan.pair_id
        return [
            *self._verdicts.get(trade.id, []),
            Reading(Rule.STALE_DATA, self._blind_secs(trade), self._limits.max_blind_secs, "s", pair_id),
        ]

    def forget(self, open_ids: set[str], symbols: set[str]) -> None:
        """Drop what is closed."""
        self._streaks.forget(open_ids)
        self._judged = {key: number for key, number in self._judged.items() if key in open_ids}
        self._verdicts = {key: readings for key, readings in self._verdicts.items() if key in open_ids}
        self._renewed = {key: number for key, number in self._renewed.items() if key in symbols}
        self._blind_since_ms = {key: ms for key, ms in self._blind_since_ms.items() if key in symbols}

    def _blind_secs(self, trade: PairTrade) -> float:
        since = [self._blind_since_ms[symbol] for symbol in trade.symbols if symbol in self._blind_since_ms]
        return (self._clock.now_ms() - min(since)) / 1000 if since else 0.0

    def _verdicts_of(
        self, trade: PairTrade, leg_a: Quote, leg_b: Quote, readings: list[Reading]
    ) -> list[tuple[Rule, Verdict]]:
        limits, plan = self._limits, trade.plan
        z = adverse_z(plan, leg_a, leg_b)
        stop = plan.thresholds.stop if limits.live_z_stop else None
        # Broken at the stop itself, as on closed candles.
        live = Breach(Rule.Z_STOP_LIVE, z, stop, "", "|z| on the live books") if stop and z >= stop else None
        loss, distance = self._loss_percent(trade, leg_a, leg_b), self._distance_percent(trade, leg_a, leg_b)
        readings += [
            Reading(Rule.Z_STOP_LIVE, z, stop, "", plan.pair_id),
            Reading(Rule.PAIR_LOSS, loss, limits.max_pair_loss_percent, "%", plan.pair_id),
            Reading(Rule.LIQUIDATION, distance, limits.min_liquidation_distance_percent, "%", plan.pair_id),
        ]
        return [
            (Rule.Z_STOP_LIVE, live),
            (
                Rule.PAIR_LOSS,
                above(
                    Rule.PAIR_LOSS,
                    loss,
                    limits.max_pair_loss_percent,
                    "%",
                    "loss of both legs, of their entry notional",
                ),
            ),
            (
                Rule.LIQUIDATION,
                below(
                    Rule.LIQUIDATION,
                    distance,
                    limits.min_liquidation_distance_percent,
                    "%",
                    "distance of the nearer leg from its liquidation price",
                ),
            ),
        ]

    def _loss_percent(self, trade: PairTrade, leg_a: Quote, leg_b: Quote) -> float | None:
        """Loss of both legs, of their entry notional, at their kindest prices; None where Freqtrade lacks
        a leg or its database cannot be read."""
        profit = notional = 0.0
        try:
            legs = self._broker.open_legs()
            for leg, quote in ((Leg.A, leg_a), (Leg.B, leg_b)):
                symbol = trade.plan.symbol(leg)
                side = 1 if trade.plan.side(leg) == "long" else -1
                part = self._broker.total_profit(symbol, kindest_price(side, quote))
                if part is None or symbol not in legs:
                    return None
                profit += part
                notional += legs[symbol].notional
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            return None
        return max(0.0, -100.0 * profit / notional) if notional > 0 else None

    def _distance_percent(self, trade: PairTrade, leg_a: Quote, leg_b: Quote) -> float | None:
        distances = []
        try:
            for leg, quote in ((Leg.A, leg_a), (Leg.B, leg_b)):
                price = self._broker.liquidation_price(trade.plan.symbol(leg))
                side = 1 if trade.plan.side(leg) == "long" else -1
                distances.append(liquidation_distance_percent(quote.mid, price, side))
        except SQLAlchemyError as error:
            logger.error(f"Freqtrade's trades cannot be read: {error}")
            return None
        return min(distances)
