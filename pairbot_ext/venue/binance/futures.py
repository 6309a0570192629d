"""Binance USDⓈ-M futures as a venue: its codes, identifiers, weights, account and addresses in one object."""

from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from pairbot_ext.model.heard import BestPrices
from pairbot_ext.model.states import Refusal
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue.binance import account, codes, funding, hosts, income, positions
from pairbot_ext.venue.binance import streams as heard
from pairbot_ext.venue.binance import weights as counted
from pairbot_ext.venue.protocol import (
    AccountSettings,
    DryRefusal,
    Fill,
    KeyRights,
    OrderRules,
    Position,
    RateLimits,
    RequestBudget,
    WeightRules,
)
from pairbot_ext.venue.streams import Streams


class BinanceFutures:
    """Implements `venue.protocol.Venue`.

    Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info
    """

    title = "Binance USDⓈ-M futures"
    key_hint = "Binance's code -2015 is the key, its IP list or its permissions"
    # A short window, so that a lost order's fate is known soon. allOrders answers seven days per question.
    orders = OrderRules(arrival_window_ms=2_000, history_days=7, most_id_chars=36)
    weights: WeightRules = counted.RULES
    budget: RequestBudget = counted.BUDGET
    documented_limits: RateLimits = counted.DOCUMENTED
    # Accounts of the European Economic Area have their margin in it.
    credit_assets = frozenset({"BNFCR"})
    # Others a contract does not come back from: PRE_DELIVERING, DELIVERING, PRE_SETTLE, SETTLING, CLOSE.
    pauses = frozenset({"PENDING_TRADING", "BREAK", "HALT"})
    # Code -1021: dated more than this ahead, or older than its recvWindow.
    most_clock_skew_ms = 1_000

    def order_params(self, client_id: str, *, is_ioc: bool, reduce_only: bool) -> dict[str, Any]:
        """See Venue."""
        params: dict[str, Any] = {
            "newClientOrderId": client_id,
            "recvWindow": self.orders.arrival_window_ms,
            # An option of ccxt's, not the venue's: set in a configuration, it would send an order again whose
            # answer is lost, with an id that is taken only while the first is open.
            "maxRetriesOnFailure": 0,
        }
        if reduce_only:
            params["reduceOnly"] = True
        if is_ioc:
            params["timeInForce"] = "IOC"
        return params

    def rehearse(self, client: Any, symbol: str, side: str, amount: float, price: float) -> None:
        """See Venue: Binance's Test Order (weight 1)."""
        client.fapiPrivatePostOrderTest(
            {
                "symbol": client.market(symbol)["id"],
                "side": side.upper(),
                "type": "LIMIT",
                "timeInForce": "IOC",
                "quantity": client.amount_to_precision(symbol, amount),
                "price": client.price_to_precision(symbol, price),
            }
        )

    def id_params(self, client_id: str) -> dict[str, Any]:
        """See Venue."""
        return {"origClientOrderId": client_id}

    def refusal_of(self, error: Exception) -> Refusal | None:
        """See Venue."""
        return codes.refusal_of(error) if isinstance(error, ccxt.BaseError) else None

    def lasting_refusal(self, error: str) -> str | None:
        """See Venue."""
        return codes.lasting_refusal(error)

    def dry_refusal(self, why: DryRefusal | int, text: str) -> ccxt.BaseError:
        """See Venue."""
        return codes.dry_refusal(why, text)

    def positions(self, client: Any) -> dict[str, Position]:
        """See Venue (weight 5)."""
        return positions.read_positions(client)

    def open_orders(self, client: Any, symbol: str) -> list[dict[str, Any]]:
        """See Venue (weight 1)."""
        return positions.read_open_orders(client, symbol)

    def fills(self, client: Any, symbol: str, since_ms: int) -> list[Fill]:
        """See Venue (weight 5)."""
        return positions.read_fills(client, symbol, since_ms)

    def charges(self, client: Any, symbol: str, since_ms: int) -> float:
        """See Venue (weight 30)."""
        return positions.read_charges(client, symbol, since_ms)

    def account_settings(self, client: Any) -> AccountSettings:
        """See Venue (weight 10)."""
        return account.account_settings(client)

    def key_rights(self, client: Any) -> KeyRights:
        """See Venue."""
        return account.key_rights(client)

    def funding_reader(self, client: Any, clock: Clock) -> funding.FundingReader:
        """See Venue (weight 1 a question, 0 for the intervals)."""
        return funding.FundingReader(client, clock)

    def share_funding_history(self, client: Any, clock: Clock, oldest_ms: Callable[[], int | None]) -> None:
        """See Venue (weight 30 a reading)."""
        client.fetch_funding_history = income.FundingHistory(client.fetch_funding_history, clock, oldest_ms)

    def is_on_loopback(self, config: Mapping[str, Any]) -> bool:
        """See Venue."""
        return hosts.is_on_loopback(config)

    def host(self, client: Any) -> str:
        """See Venue."""
        return hosts.host_of(client)

    def wait_secs(
        self, status: int, headers: Mapping[str, Any] | None, body: str, now_ms: int
    ) -> float | None:
        """See Venue."""
        return counted.wait_secs(status, headers, body, now_ms)

    def read_limits(self, client: Any) -> RateLimits:
        """See Venue (weight 1)."""
        said = client.fapiPublicGetExchangeInfo()
        return counted.rate_limits(said.get("rateLimits") if isinstance(said, Mapping) else None)

    def used_weight(self, headers: Mapping[str, Any] | None) -> int | None:
        """See Venue."""
        return counted.used_weight(headers)

    def used_orders(self, headers: Mapping[str, Any] | None) -> dict[int, int]:
        """See Venue."""
        return counted.used_orders(headers)

    def streams(self, config: Mapping[str, Any], client: Any) -> Streams:
        """See venue.streams.HasStreams."""
        return heard.streams(config, client)

    def best_prices(self, client: Any, now_ms: int) -> dict[str, BestPrices]:
        """See venue.streams.HasStreams (weight 5)."""
        rows = client.fapiPublicGetTickerBookTicker()
        return {each.symbol: each for each in heard.best_prices_of(rows, client, now_ms)}
