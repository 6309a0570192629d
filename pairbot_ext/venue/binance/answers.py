"""What an answer to an order means: taken, refused, or unclear.

Sources: Binance's error codes and "General Info" on unknown execution status
(https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code), and the classes ccxt
4.5.90 raises for them in its linear-futures table.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ccxt

from pairbot_ext.model.states import OrderStatus, Refusal

_CODE = re.compile(r'"code"\s*:\s*(-?\d+)')
_UNAVAILABLE = re.compile(r'"msg"\s*:\s*"Service Unavailable')
"""Binance's own words for "not executed". A gateway's HTML page with status 503 has them in its reason
phrase and says nothing about the order."""

UNCLEAR_CODES = frozenset({-1000, -1006, -1007, 0})
"""UNKNOWN, UNEXPECTED_RESP, TIMEOUT: Binance says the execution status is unknown. 0 comes with a 503."""
DUPLICATE_ID = -4116
"""An open order of ours has this client id: proof that it exists, so it is asked for."""
_REFUSALS = {
    -1001: Refusal.TRANSIENT,
    -1003: Refusal.TRANSIENT,
    -1008: Refusal.TRANSIENT,
    -1015: Refusal.TRANSIENT,
    -1021: Refusal.TRANSIENT,
    -2020: Refusal.PRICE,
    -2022: Refusal.NO_POSITION,
    -5021: Refusal.PRICE,
    -5022: Refusal.PRICE,
}


def error_code(error: Exception) -> int | None:
    """Binance's code in an error's text, or None."""
    match = _CODE.search(str(error))
    return None if match is None else int(match[1])


def refusal_of(error: ccxt.BaseError) -> Refusal | None:
    """Why an order was refused, or None where the answer leaves open whether it was taken.

    Only what is known not to have been executed counts as refused; everything else is unclear.
    """
    code = error_code(error)
    if code in UNCLEAR_CODES or code == DUPLICATE_ID:
        return None
    if isinstance(error, ccxt.DDoSProtection | ccxt.InvalidNonce):
        return Refusal.TRANSIENT
    if code is not None and code < 0:
        if code in _REFUSALS:
            return _REFUSALS[code]
        # 5xx answers with another code are the gateway's, not the matching engine's.
        return None if isinstance(error, ccxt.RequestTimeout | ccxt.ExchangeNotAvailable) else Refusal.HARD
    if _UNAVAILABLE.search(str(error)):
        return Refusal.TRANSIENT
    if isinstance(
        error,
        ccxt.InsufficientFunds
        | ccxt.InvalidOrder
        | ccxt.OperationRejected
        | ccxt.BadRequest
        | ccxt.AuthenticationError
        | ccxt.ArgumentsRequired
        | ccxt.NotSupported,
    ) and not isinstance(error, ccxt.OrderNotFound):
        return Refusal.HARD
    return None


@dataclass(frozen=True)
class Answer:
    """A clear answer about one order."""

    status: OrderStatus
    order_id: str
    filled: Decimal
    average: float | None


OPEN_STATUSES = frozenset({"open"})


def read_answer(order: dict[str, Any] | None) -> Answer | None:
    """What ccxt's order structure says, or None where it says nothing final or nothing usable.

    A 200 with an empty or truncated body gives a structure without id and status and raises nothing.
    """
    if not order or order.get("id") is None or order.get("status") is None or order.get("filled") is None:
        return None
    if order["status"] in OPEN_STATUSES:
        return None
    filled = Decimal(str(order["filled"]))
    average = order.get("average")
    if filled > 0 and average is None:
        return None
    if order["status"] == "closed":
        status = OrderStatus.FILLED
    else:
        status = OrderStatus.PARTIAL if filled > 0 else OrderStatus.EXPIRED
    return Answer(status, str(order["id"]), filled, None if average is None else float(average))


def is_open(order: dict[str, Any] | None) -> bool:
    """Whether the answer shows an order that still rests on the book."""
    return bool(order) and order is not None and order.get("status") in OPEN_STATUSES
