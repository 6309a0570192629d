"""What an account of Binance's is, and what its key may do.

The futures interface does not say: `GET /fapi/v1/accountConfig` knows whether the account may trade. The key
itself is described by `GET /sapi/v1/account/apiRestrictions` of the wallet interface, which any key with
reading rights may ask. A venue without the latter (demo accounts, the simulated exchange) leaves withdrawal
unknown.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from pairbot_ext.venue.binance.positions import rows_of
from pairbot_ext.venue.protocol import AccountSettings, KeyRights, SymbolSettings

_TRANSFERS = ("permitsUniversalTransfer", "enableInternalTransfer")


def account_settings(client: Any) -> AccountSettings:
    """Raises ccxt.BaseError as ccxt does, and BadResponse for an answer that is none.

    Source: Get Account Configuration (accountConfig, weight 5) and Get Symbol Configuration (symbolConfig,
    weight 5), which names every symbol, position or not.
    """
    client.load_markets()
    account = client.fapiPrivateGetAccountConfig()
    modes = {name: _flag(account, name) for name in ("canTrade", "dualSidePosition", "multiAssetsMargin")}
    rows = rows_of(client.fapiPrivateGetSymbolConfig(), "symbolConfig", "symbol", "marginType", "leverage")
    if any(mode is None for mode in modes.values()):
        raise ccxt.BadResponse(
            f"binance accountConfig answered {str(account)[:80]!r}, not an account's modes"
        )
    return AccountSettings(
        may_trade=bool(modes["canTrade"]),
        is_one_way=not modes["dualSidePosition"],
        is_single_asset=not modes["multiAssetsMargin"],
        symbols={
            str(client.safe_symbol(row["symbol"], None, None, "contract")): SymbolSettings(
                "isolated" if str(row["marginType"]).upper() == "ISOLATED" else "cross",
                float(row["leverage"]),
            )
            for row in rows
        },
    )


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


def _flag(answer: Any, name: str) -> bool | None:
    if not isinstance(answer, Mapping):
        return None
    value = answer.get(name)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None
