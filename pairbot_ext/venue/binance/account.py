"""What a key of Binance's may do.

The futures interface does not say: `GET /fapi/v1/accountConfig` knows whether the account may trade. The key
itself is described by `GET /sapi/v1/account/apiRestrictions` of the wallet interface, which any key with
reading rights may ask. A venue without the latter (demo accounts, the simulated exchange) leaves withdrawal
unknown.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from pairbot_ext.venue.protocol import KeyRights

_TRANSFERS = ("permitsUniversalTransfer", "enableInternalTransfer")


def key_rights(client: Any) -> KeyRights:
    """Never raises: what neither interface says is None."""
    rights, why_not = _asked(client.sapiGetAccountApiRestrictions)
    account, _ = _asked(client.fapiPrivateGetAccountConfig)
    may_trade = _flag(rights, "enableFutures")
    if may_trade is not False and _flag(account, "canTrade") is False:
        may_trade = False
    if may_trade is None:
        may_trade = _flag(account, "canTrade")
    return KeyRights(
        may_trade=may_trade,
        may_withdraw=_flag(rights, "enableWithdrawals"),
        is_bound_to_ips=_flag(rights, "ipRestrict"),
        transfers=tuple(name for name in _TRANSFERS if _flag(rights, name)),
        why_unknown=why_not,
    )


def _asked(question: Callable[[], Any]) -> tuple[Mapping[str, Any], str]:
    """The answer, or {} and why there is none."""
    try:
        answer = question()
    except ccxt.BaseError as error:
        return {}, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return (answer, "") if isinstance(answer, Mapping) else ({}, "an answer of another kind")


def _flag(answer: Mapping[str, Any], name: str) -> bool | None:
    value = answer.get(name)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None
