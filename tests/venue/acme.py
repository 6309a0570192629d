"""A second venue that nobody has: its own parameters, codes and weights, spoken by a real ccxt client.

Behind it is the simulated exchange. `speak_acme` puts a translator into ccxt's client that understands Acme's
words and no others: whatever the engine says that a venue has not told it to say is an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import ccxt
import pytest

from pairbot_ext.model.states import Refusal
from pairbot_ext.support.clock import Clock
from pairbot_ext.venue import LIVE
from pairbot_ext.venue.protocol import (
    AccountSettings,
    DryRefusal,
    Fill,
    FundingSource,
    KeyRights,
    OrderRules,
    Position,
    RateLimits,
    RequestBudget,
    Venue,
    WeightRules,
)

CODES = {-2019: 7, -2022: 8, -5022: 9, -1008: 10, -1007: 11, -2013: 12}
"""Code of the exchange behind -> Acme's."""
_REFUSALS = {7: Refusal.HARD, 8: Refusal.NO_POSITION, 9: Refusal.PRICE, 10: Refusal.TRANSIENT}
_CODE = re.compile(r"ACME-(\d+)")


class Acme:
    """Implements `venue.protocol.Venue`; counts what it is asked."""

    title = "Acme futures"
    key_hint = "ACME-2 is the key"
    orders = OrderRules(arrival_window_ms=2_000, history_days=3, most_id_chars=24)
    weights = WeightRules(
        entry_share=0.5,
        wait_share=0.8,
        weights={"depth": 11},
        never_wait=frozenset({"order"}),
        free=frozenset(),
        orders=frozenset({("order", "POST")}),
    )
    documented_limits = RateLimits(6_000, {10_000: 100}, ("weight", "orders"))
    budget = RequestBudget(startup=1, candles=1, held_pair=1, funding=1, close_pair=1, housekeeping=1)
    most_clock_skew_ms = 500

    credit_assets = frozenset({"ACMECREDIT"})
    pauses = frozenset({"ACMELUNCH"})

    def __init__(self, behind: Venue) -> None:
        self._behind = behind
        self.asked: Counter[str] = Counter()

    def order_params(self, client_id: str, *, is_ioc: bool, reduce_only: bool) -> dict[str, Any]:
        """Acme's names, which the translator knows."""
        self.asked["order_params"] += 1
        return {"acme_label": client_id, "acme_now_or_never": is_ioc, "acme_shrink_only": reduce_only}

    def rehearse(self, client: Any, symbol: str, side: str, amount: float, price: float) -> None:
        """See Venue."""
        self.asked["rehearse"] += 1
        self._behind.rehearse(client, symbol, side, amount, price)

    def id_params(self, client_id: str) -> dict[str, Any]:
        """See Venue."""
        self.asked["id_params"] += 1
        return {"acme_label": client_id}

    def refusal_of(self, error: Exception) -> Refusal | None:
        """By Acme's codes alone."""
        self.asked["refusal_of"] += 1
        found = _CODE.search(str(error))
        return _REFUSALS.get(int(found[1])) if found else None

    def lasting_refusal(self, error: str) -> str | None:
        """None lasts at Acme."""
        return None

    def dry_refusal(self, why: DryRefusal | int, text: str) -> Exception:
        """See Venue."""
        return ccxt.OperationRejected(f"ACME-{7 if why is DryRefusal.NO_FUNDS else 99} {text}")

    def positions(self, client: Any) -> dict[str, Position]:
        """See Venue."""
        self.asked["positions"] += 1
        return self._behind.positions(client)

    def open_orders(self, client: Any, symbol: str) -> list[dict[str, Any]]:
        """See Venue."""
        self.asked["open_orders"] += 1
        return self._behind.open_orders(client, symbol)

    def fills(self, client: Any, symbol: str, since_ms: int) -> list[Fill]:
        """See Venue."""
        self.asked["fills"] += 1
        return self._behind.fills(client, symbol, since_ms)

    def charges(self, client: Any, symbol: str, since_ms: int) -> float:
        """See Venue."""
        self.asked["charges"] += 1
        return self._behind.charges(client, symbol, since_ms)

    def account_settings(self, client: Any) -> AccountSettings:
        """See Venue."""
        self.asked["account_settings"] += 1
        return self._behind.account_settings(client)

    def key_rights(self, client: Any) -> KeyRights:
        """See Venue."""
        return self._behind.key_rights(client)

    def funding_reader(self, client: Any, clock: Clock) -> FundingSource:
        """See Venue."""
        return self._behind.funding_reader(client, clock)

    def share_funding_history(self, client: Any, clock: Clock, oldest_ms: Any) -> None:
        """It has nothing of the kind."""

    def is_on_loopback(self, config: Mapping[str, Any]) -> bool:
        """See Venue."""
        return self._behind.is_on_loopback(config)

    def host(self, client: Any) -> str:
        """See Venue."""
        return self._behind.host(client)

    def wait_secs(
        self, status: int, headers: Mapping[str, Any] | None, body: str, now_ms: int
    ) -> float | None:
        """Acme never asks for it."""
        return None

    def used_weight(self, headers: Mapping[str, Any] | None) -> int | None:
        """Acme says nothing of it."""
        return None

    def read_limits(self, client: Any) -> RateLimits:
        """Nor of its limits."""
        self.asked["read_limits"] += 1
        return self.documented_limits

    def used_orders(self, headers: Mapping[str, Any] | None) -> dict[int, int]:
        """Nor how many orders it has taken."""
        return {}


def speak_acme(monkeypatch: pytest.MonkeyPatch) -> Acme:
    """Every bot built from here on trades at Acme."""
    acme = Acme(LIVE["binance"])
    monkeypatch.setitem(LIVE, "binance", acme)
    client = ccxt.binance
    create, fetch, cancel = client.create_order, client.fetch_order, client.cancel_order

    def create_order(
        self: Any, symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = None
    ) -> Any:
        given = dict(params or {})
        words: dict[str, Any] = {"newClientOrderId": given.pop("acme_label")}
        if given.pop("acme_now_or_never"):
            words["timeInForce"] = "IOC"
        if given.pop("acme_shrink_only"):
            words["reduceOnly"] = True
        assert not given, f"no word of Acme's: {given}"
        return _translated(create, self, symbol, type, side, amount, price, words)

    def fetch_order(self: Any, id: Any, symbol: Any = None, params: Any = None) -> Any:
        return _translated(fetch, self, id, symbol, _asked_by_label(params))

    def cancel_order(self: Any, id: Any, symbol: Any = None, params: Any = None) -> Any:
        return _translated(cancel, self, id, symbol, _asked_by_label(params))

    monkeypatch.setattr(client, "create_order", create_order)
    monkeypatch.setattr(client, "fetch_order", fetch_order)
    monkeypatch.setattr(client, "cancel_order", cancel_order)
    return acme


def _asked_by_label(params: Any) -> dict[str, Any]:
    given = dict(params or {})
    label = given.pop("acme_label", None)
    assert not given, f"no word of Acme's: {given}"
    return {} if label is None else {"origClientOrderId": label}


def _translated(call: Any, *args: Any) -> Any:
    """The exchange's answer in Acme's words: codes no Binance table knows."""
    try:
        return call(*args)
    except ccxt.BaseError as error:
        text = str(error)
        for behind, code in CODES.items():
            text = text.replace(f'"code":{behind}', f'"acme":"ACME-{code}"')
        raise type(error)(text) from error
