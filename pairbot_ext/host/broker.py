"""What the coordinator asks of the bot and has it do: positions, books, trades, entries, exits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from freqtrade.enums import ExitCheckTuple, ExitType, RPCMessageType, State
from freqtrade.exceptions import DependencyException
from freqtrade.persistence import PairLocks, Trade

from pairbot_ext.host.bridge import Bridge
from pairbot_ext.host.legs import LegBooking, OpenLeg, order_row, unapplied_row
from pairbot_ext.model.findings import Funding
from pairbot_ext.model.orderbook import DryMarket, OrderBook
from pairbot_ext.model.records import LegSizing, OrderRecord, PairTrade
from pairbot_ext.model.sizing import MarketLimits, stake_for
from pairbot_ext.model.structures import order_structure
from pairbot_ext.support.clock import Clock
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import scrub
from pairbot_ext.venue.protocol import AccountSettings, Position, RateLimits, Venue

BOOK_LEVELS = 20
MAX_EXIT_REASON_CHARS = 255
"""What Freqtrade's column holds; PostgreSQL refuses more."""


class Broker:
    """One bot's orders and data. Raises Freqtrade's exceptions."""

    def __init__(self, bridge: Bridge, venue: Venue, clock: Clock) -> None:
        self._bridge = bridge
        self._venue = venue
        self._bot = bridge.bot
        self._exchange = bridge.exchange
        self._funding = venue.funding_reader(bridge.api, clock)
        if not bridge.is_dry_run:
            venue.share_funding_history(bridge.api, clock, bridge.oldest_fill_ms)
        self._positions: dict[str, Position] = {}

    @property
    def is_dry_run(self) -> bool:
        """The mode."""
        return self._bridge.is_dry_run

    # -- reading -----------------------------------------------------------------------------------

    def book(self, symbol: str) -> OrderBook:
        """The order book, 20 levels (weight 2)."""
        raw = cast(dict[str, Any], self._exchange.fetch_l2_order_book(symbol, BOOK_LEVELS))
        sides = {
            side: [(Decimal(str(level[0])), Decimal(str(level[1]))) for level in raw[side]]
            for side in ("bids", "asks")
        }
        book = OrderBook(symbol, sides["bids"], sides["asks"])
        if book.bids and book.asks:
            self._bridge.remember_rate(symbol, book.mid())
        return book

    def positions(self) -> dict[str, Decimal]:
        """Signed positions by symbol, base currency; a symbol without one is left out (weight 5).

        In dry-run they are Freqtrade's own open trades: there is no other truth. One attempt, no retries:
        a failed query, or an answer that is none, raises and never counts as flat.
        """
        if self._bridge.is_dry_run:
            return {
                trade.pair: Decimal(str(trade.amount)) * (-1 if trade.is_short else 1)
                for trade in Trade.get_open_trades()
                if trade.amount
            }
        self._positions = self._venue.positions(self._bridge.api)
        return {symbol: position.amount for symbol, position in self._positions.items()}

    def liquidation_price(self, symbol: str) -> float | None:
        """Of the open position, quote currency: as the venue said when positions were read last, else as
        Freqtrade computes it. None where neither names one."""
        position = self._positions.get(symbol)
        if position is not None and not self._bridge.is_dry_run:
            return position.liquidation_price
        trade = self._bridge.open_trade(symbol)
        return trade.liquidation_price if trade is not None else None

    def liquidation_level(self, symbol: str) -> float | None:
        """The same as the venue said it last, without asking anybody."""
        position = self._positions.get(symbol)
        return None if position is None else position.liquidation_price

    def maintenance_rate(self, symbol: str, notional: float) -> float:
        """Maintenance margin over notional in the bracket of `notional` (quote currency)."""
        return float(self._exchange.get_maintenance_ratio_and_amt(symbol, notional)[0])

    def funding(self, symbol: str) -> Funding:
        """Predicted funding (weight 1). Raises ccxt.BaseError, or PairbotError where the venue says none."""
        return self._funding.read(symbol)

    def pnl(self, *prices: Callable[[str, int], float | None]) -> tuple[float, ...]:
        """What all of Freqtrade's trades have earned, fees and funding included, quote currency: closed ones
        as booked, open ones as if they were closed now. Deposits and withdrawals are not in it.

        :param prices: each (symbol, side 1 or -1) -> price to close at; None values the leg at its entry
            price. One sum for each, from one reading of the trades.
        """
        closed = float(Trade.get_total_closed_profit())
        trades = [trade for trade in Trade.get_open_trades() if trade.amount]

        def open_at(price: Callable[[str, int], float | None]) -> float:
            rates = (price(trade.pair, -1 if trade.is_short else 1) or trade.open_rate for trade in trades)
            profits = (trade.calculate_profit(at) for trade, at in zip(trades, rates, strict=True))
            return sum(float(profit.total_profit) for profit in profits)

        return tuple(closed + open_at(price) for price in prices)

    def last_price(self, symbol: str) -> float | None:
        """Of the symbol's position as the venue valued it last, else the last price anybody has seen."""
        position = self._positions.get(symbol)
        if position is not None and position.mark_price and not self._bridge.is_dry_run:
            return position.mark_price
        return self._bridge.last_rate(symbol)

    def wallet_total(self) -> float | None:
        """Quote currency owned, without unrealised profit, as of the last wallet update; None if unknown."""
        return float(self._bot.wallets.get_total(self._bot.config["stake_currency"])) or None

    def refresh_wallet(self) -> None:
        """Read the wallet now (weight 10). Raises FreqtradeException."""
        self._bot.wallets.update()

    def credit_held(self) -> list[str]:
        """Balances of the account that stand in for the stake currency."""
        balances = self._bot.wallets.get_all_balances()
        return sorted(
            name for name in self._venue.credit_assets if name in balances and balances[name].total > 0
        )

    def account_settings(self) -> AccountSettings | None:
        """What account and symbols are set to now (weight 10); None in dry-run, where nothing is set."""
        return None if self.is_dry_run else self._venue.account_settings(self._bridge.api)

    def rehearse(self, symbol: str, side: str, amount: float, price: float) -> None:
        """See Venue.rehearse; a dry run has nobody to ask."""
        if not self.is_dry_run:
            self._venue.rehearse(self._bridge.api, symbol, side, amount, price)

    def open_legs(self) -> dict[str, OpenLeg]:
        """Every open trade Freqtrade holds, by symbol."""
        return {
            trade.pair: OpenLeg(trade.amount, trade.open_rate, -1 if trade.is_short else 1)
            for trade in Trade.get_open_trades()
            if trade.amount
        }

    def total_profit(self, symbol: str, rate: float) -> float | None:
        """Profit of the open trade on a symbol if it were closed at `rate`, what parts of it have realised,
        fees and funding included, quote currency; None without such a trade."""
        trade = self._bridge.open_trade(symbol)
        return float(trade.calculate_profit(rate).total_profit) if trade is not None else None

    def rate_limits(self) -> RateLimits:
        """See Venue.read_limits (weight 1)."""
        return self._venue.read_limits(self._bridge.api)

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Orders resting on a symbol (weight 1)."""
        if self._bridge.is_dry_run:
            return []
        return self._venue.open_orders(self._bridge.api, symbol)

    def leg_sizing(self, symbol: str, amount: Decimal, price: float) -> LegSizing:
        """The symbol's steps and minimum around a planned amount."""
        market = self._market(symbol)
        return LegSizing(
            amount=amount,
            step=Decimal(str(market["precision"]["amount"])),
            tick=Decimal(str(market["precision"]["price"])),
            min_notional=float(market["limits"]["cost"]["min"] or 0.0),
            price=price,
        )

    def amount_step(self, symbol: str) -> Decimal:
        """Smallest difference of two amounts, base currency."""
        return Decimal(str(self._market(symbol)["precision"]["amount"]))

    def step_now(self, symbol: str) -> Decimal | None:
        """The same, None for a symbol the venue does not list."""
        market = self._exchange.markets.get(symbol)
        return None if market is None else Decimal(str(market["precision"]["amount"]))

    def limits(self, symbol: str, stake: float) -> MarketLimits:
        """The symbol's limits."""
        market = self._market(symbol)
        return MarketLimits(
            amount_step=Decimal(str(market["precision"]["amount"])),
            min_amount=Decimal(str(market["limits"]["amount"]["min"] or 0)),
            min_notional=float(market["limits"]["cost"]["min"] or 0.0),
            max_leverage=self._exchange.get_max_leverage(symbol, stake),
        )

    def max_amount(self, symbol: str) -> Decimal | None:
        """Largest amount of one order, the market-order limit included: the exit is a market order."""
        market = self._market(symbol)
        bounds = [market["limits"]["amount"].get("max"), (market["limits"].get("market") or {}).get("max")]
        known = [Decimal(str(bound)) for bound in bounds if bound]
        return min(known) if known else None

    def is_tradable(self, symbol: str) -> bool:
        """Whether the venue trades the symbol now."""
        market = self._exchange.markets.get(symbol)
        return market is not None and bool(market.get("active", True))

    def _market(self, symbol: str) -> dict[str, Any]:
        market: dict[str, Any] | None = self._exchange.markets.get(symbol)
        if market is None:
            raise PairbotError(f"the venue does not trade {symbol}")
        return market

    def dry_market(self, symbol: str) -> DryMarket:
        """For the dry-run port."""
        market = self._market(symbol)
        return DryMarket(
            step=Decimal(str(market["precision"]["amount"])),
            min_notional=float(market["limits"]["cost"]["min"] or 0.0),
            fee_rate=self._exchange.get_fee(symbol, taker_or_maker="taker"),
            quote_currency=self._exchange.get_pair_quote_currency(symbol),
            position=self.positions().get(symbol, Decimal(0)),
        )

    def booking(self, symbol: str, order_ids: list[str]) -> LegBooking | None:
        """Freqtrade's trade that holds one of these orders, or None. Found by order id, because Freqtrade
        gives the number of a deleted trade to the next one."""
        for order_id in order_ids:
            row = order_row(order_id, symbol)
            if row is not None and row.trade is not None:
                trade = row.trade
                unapplied = unapplied_row(trade, order_ids)
                fills = {
                    order.order_id: (
                        order.ft_order_side,
                        Decimal(str(order.filled)),
                        float(order.safe_price),
                    )
                    for order in trade.orders
                    if order.filled and not order.ft_is_open and order is not unapplied
                }
                amount = Decimal(str(trade.amount)) if trade.is_open else Decimal(0)
                stale = frozenset(
                    order.order_id for order in trade.orders if order.ft_is_open or order is unapplied
                )
                return LegBooking(trade.id, trade.is_open, amount, fills, stale)
        return None

    def profit(self, symbol: str, order_ids: list[str]) -> float:
        """Realised profit of the trade that holds one of these orders, quote currency; 0 without one."""
        for order_id in order_ids:
            row = order_row(order_id, symbol)
            if row is not None and row.trade is not None:
                trade = row.trade
                return float((trade.realized_profit if trade.is_open else trade.close_profit_abs) or 0.0)
        return 0.0

    def free_slots(self) -> float:
        """Trades Freqtrade may still open; infinity where `max_open_trades` is -1."""
        return float(self._bot.get_free_open_trades())

    def was_closed_since(self, symbol: str, when: datetime) -> bool:
        """Whether a trade on a symbol was closed at or after `when`."""
        naive_utc = when.astimezone(UTC).replace(tzinfo=None)
        closed = [Trade.pair == symbol, Trade.is_open.is_(False), Trade.close_date >= naive_utc]
        return Trade.get_trades(closed).first() is not None

    def has_open_trade(self, symbol: str) -> bool:
        """Whether Freqtrade holds a trade on the symbol, ours or not."""
        return self._bridge.open_trade(symbol) is not None

    def is_running(self) -> bool:
        """Whether entries are allowed (neither paused nor stopped)."""
        return self._bot.state == State.RUNNING

    def is_supervising(self) -> bool:
        """Whether open pairs are looked after: not after /stop."""
        return self._bot.state in (State.RUNNING, State.PAUSED)

    def is_stake_unlimited(self) -> bool:
        """Whether stakes are shares of the wallet."""
        return self._bot.config.get("stake_amount") == "unlimited"

    def free_stake(self) -> float:
        """Quote currency that may still be staked."""
        return float(self._bot.wallets.get_available_stake_amount())

    def whitelist(self) -> list[str]:
        """Symbols Freqtrade trades now."""
        return list(self._bot.active_pair_whitelist)

    def lock_reason(self, symbol: str, side: str, now: datetime) -> str | None:
        """Why a symbol is locked for a side, or None."""
        if PairLocks.is_pair_locked(symbol, now, side=side):
            lock = PairLocks.get_pair_longest_lock(symbol, now, side)
            return (lock.reason if lock else None) or "locked"
        return None

    def lock(self, symbol: str, until: datetime, reason: str) -> None:
        """No entry on a symbol until then."""
        self._bot.strategy.lock_pair(symbol, until, reason)

    # -- acting ------------------------------------------------------------------------------------

    def enter(self, order: OrderRecord, trade: PairTrade) -> bool:
        """Have Freqtrade send (or, for an order that exists, book) an entry and build its rows."""
        existing = self._bridge.open_trade(order.symbol)
        price = order.price if order.price is not None else order.average
        assert price is not None
        self._bridge.remember_fill(order.symbol, order.average)
        sizing = trade.sizing[order.leg]
        return bool(
            self._bot.execute_entry(
                order.symbol,
                stake_for(order.amount, sizing.step, price, order.leverage),
                price,
                is_short=order.side == "sell",
                ordertype=order.order_type,
                enter_tag=trade.plan.pair_id,
                trade=existing,
                mode="pos_adjust" if existing else "initial",
                leverage_=order.leverage,
            )
        )

    def exit(self, order: OrderRecord, step: Decimal, reason: str) -> bool:
        """Have Freqtrade send (or book) an exit. Raises DependencyException where it has no such trade."""
        existing = self._bridge.open_trade(order.symbol)
        if existing is None:
            raise DependencyException(f"Freqtrade has no open trade on {order.symbol} to exit")
        is_whole = Decimal(str(existing.amount)) - order.amount < step / 2
        self._bridge.remember_fill(order.symbol, order.average)
        return bool(
            self._bot.execute_trade_exit(
                existing,
                self._bridge.last_rate(order.symbol) or existing.open_rate,
                ExitCheckTuple(exit_type=ExitType.CUSTOM_EXIT, exit_reason=reason[:MAX_EXIT_REASON_CHARS]),
                ordertype=order.order_type,
                sub_trade_amt=None if is_whole else float(order.amount),
            )
        )

    def exit_natively(self, symbol: str, reason: str) -> None:
        """Have Freqtrade close a trade that belongs to no pair trade of the journal."""
        trade = self._bridge.open_trade(symbol)
        if trade is not None:
            rate = self._bridge.last_rate(symbol) or trade.open_rate
            check = ExitCheckTuple(exit_type=ExitType.CUSTOM_EXIT, exit_reason=reason)
            self._bot.execute_trade_exit(trade, rate, check, ordertype="market")

    def update_row(self, order_id: str, symbol: str, answer: dict[str, Any]) -> None:
        """Have Freqtrade take the venue's answer over into a row that is `LegBooking.stale`."""
        row = order_row(order_id, symbol)
        if row is not None and row.trade is not None:
            self._bot.update_trade_state(cast(Trade, row.trade), order_id, cast(Any, answer))

    def discard_changes(self) -> None:
        """Make Freqtrade's session usable again after a write that failed in it."""
        Trade.rollback()

    def look_for_fills(self, symbol: str, since: datetime) -> None:
        """Have Freqtrade read the symbol's orders on the venue and book those it does not know."""
        trade = self._bridge.open_trade(symbol)
        if trade is None or self._bridge.is_dry_run:
            return
        held = trade.amount
        self._bridge.book_history(trade, since)
        if not trade.is_open or trade.amount < held:
            since_ms = int(trade.open_date_utc.timestamp() * 1000)
            self._bridge.deferral.ask_charges(
                trade.id,
                symbol,
                lambda: self._venue.charges(self._bridge.api, symbol, since_ms),
                lambda taken: self.tell(
                    f"{symbol}: the venue took {-taken:.4f} for a liquidation. "
                    "It is in the profit of this leg",
                    is_warning=True,
                ),
            )

    def write_off(self, order: OrderRecord, price: float) -> None:
        """Have Freqtrade book an amount that is gone from the venue without any fill, free of fees: its trade
        would stay open for good."""
        trade = self._bridge.open_trade(order.symbol)
        if trade is not None:
            fee = {"currency": self._exchange.get_pair_quote_currency(order.symbol), "cost": 0.0, "rate": 0.0}
            invented = {**order_structure(replace(order, average=price)), "fee": fee, "fees": [fee]}
            self._bridge.book_history(trade, trade.open_date_utc, invented)

    def tell(self, text: str, *, is_warning: bool = False) -> None:
        """A message to the operator, through every channel Freqtrade has: Telegram, webhook, Discord."""
        kind = RPCMessageType.WARNING if is_warning else RPCMessageType.STATUS
        # Freqtrade's Telegram puts the text between backticks: one of ours would end that, and Telegram
        # refuses a message whose markup does not close.
        self._bot.rpc.send_msg({"type": kind, "status": scrub(text).replace("`", "'")})
