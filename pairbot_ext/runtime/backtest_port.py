"""What the desk of a backtest asks of the strategy it serves: locks, limits, money, symbols."""

from datetime import datetime
from decimal import Decimal

from freqtrade.strategy import IStrategy

from pairbot_ext.host.access import exchange_of
from pairbot_ext.model.sizing import MarketLimits


class StrategyPort:
    """Implements `backtest.desk.BacktestPort`.

    :param leverage: configured; the same for both legs.
    """

    def __init__(self, strategy: IStrategy, leverage: int) -> None:
        self._strategy = strategy
        self._leverage = leverage

    def is_locked(self, symbol: str, candle: datetime, side: str) -> bool:
        """Whether a protection or a person has locked this symbol for this side."""
        return self._strategy.is_pair_locked(symbol, candle_date=candle, side=side)

    def market_limits(self, symbol: str, stake: float) -> MarketLimits:
        """The venue's limits for one symbol."""
        exchange = exchange_of(self._strategy.dp)
        market = exchange.markets[symbol]
        return MarketLimits(
            amount_step=Decimal(str(market["precision"]["amount"])),
            min_amount=Decimal(str(market["limits"]["amount"]["min"] or 0)),
            min_notional=float(market["limits"]["cost"]["min"] or 0.0),
            max_leverage=exchange.get_max_leverage(symbol, stake),
        )

    def max_stake(self, symbol: str, price: float) -> float:
        """Largest stake one order may have at the configured leverage, quote currency."""
        exchange = exchange_of(self._strategy.dp)
        return float(exchange.get_max_pair_stake_amount(symbol, price, self._leverage))

    def available_stake(self) -> float:
        """Quote currency that may still be staked."""
        return float(self._strategy.wallets.get_available_stake_amount())

    def whitelist(self) -> list[str]:
        """Symbols Freqtrade trades now."""
        return self._strategy.dp.current_whitelist()
