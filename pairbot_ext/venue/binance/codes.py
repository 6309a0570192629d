"""What Binance's codes say of an order: refused, and why, or unclear.

Sources: Binance's error codes and "General Info" on unknown execution status
(https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code), and the classes ccxt
4.5.90 raises for them in its linear-futures table.
"""

import re

import ccxt

from pairbot_ext.model.states import Refusal
from pairbot_ext.venue.protocol import DryRefusal

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

_LASTING = {
    -1121: "the symbol is gone: take its pairs out of the pairs file",
    -2015: "the key, its IP list or its permissions do not allow it",
    -2027: "the position would be above the most this leverage allows: lower the stake or pairbot.leverage",
    -4087: "this account may only reduce positions: see its status on the venue",
    -4088: "this account may place no orders: see its status on the venue",
    -4140: "the symbol does not open positions now: wait until it trades again",
    -4141: "the symbol is closed: take its pairs out of the pairs file",
    -4400: "the venue restricts this account to reducing (quantitative rules): see its status there",
    -4411: "an agreement for this kind of contract is to be signed on the venue",
}
"""Refusals that are the same on the next candle, and what would lift them."""


def lasting_refusal(error: str) -> str | None:
    """What would lift the refusal in an error's text; None where the same order may pass later."""
    match = _CODE.search(error)
    return None if match is None else _LASTING.get(int(match[1]))


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


_DRY_CODES = {
    DryRefusal.OVERLOADED: -1001,
    DryRefusal.EMPTY_BOOK: -4131,
    DryRefusal.NO_FUNDS: -2019,
    DryRefusal.NOTHING_TO_REDUCE: -2022,
    DryRefusal.BELOW_MINIMUM: -4164,
    DryRefusal.NO_AMOUNT: -4003,
    DryRefusal.UNKNOWN_ORDER: -2013,
}
_DRY_CLASSES: dict[int, type[ccxt.BaseError]] = {
    -1001: ccxt.OperationFailed,
    -2013: ccxt.OrderNotFound,
    -2018: ccxt.InsufficientFunds,
    -2019: ccxt.InsufficientFunds,
    -4131: ccxt.OperationRejected,
}


def dry_refusal(why: DryRefusal | int, text: str) -> ccxt.BaseError:
    """The error of a rehearsed order: class and code of the real one."""
    code = why if isinstance(why, int) else _DRY_CODES[why]
    kind = _DRY_CLASSES.get(code, ccxt.InvalidOrder)
    return kind(f'pairbot dry-run {{"code":{code},"msg":"{text}"}}')
