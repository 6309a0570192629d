"""Checks of the account: where live orders would go, its modes, the key's rights, what others do on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pairbot_ext.host.access import client_of
from pairbot_ext.model.states import ClientOrderId
from pairbot_ext.preflight.results import Finding, Number, Status
from pairbot_ext.preflight.setup import NotCheckedError, Setup
from pairbot_ext.startup.checks import check_live_venue

_UNKNOWN_RIGHTS = "Look at the venue's API management: futures on, withdrawals off, only this machine's IP"


def live_venue(setup: Setup) -> Finding:
    """Where orders would go, and whether this version may send them there."""
    if not setup.live:
        return Finding(Status.PASS, "dry-run: no order leaves this machine")
    check_live_venue({**setup.config, "dry_run": False})
    return Finding(Status.PASS, f"live orders on {setup.config['exchange']['name']} are allowed")


def account_mode(setup: Setup) -> Finding:
    """The key is accepted, and the account is in one-way and single-asset mode.

    Freqtrade asks for both when it opens the account, and refuses it otherwise.
    """
    try:
        setup.account()
    except NotCheckedError as error:
        return Finding(error.status, error.in_full, error.remedy)
    held = [
        name
        for name, balance in setup.account().get_balances().items()
        if name in setup.venue.credit_assets and float(balance.get("total") or 0.0) > 0
    ]
    if held:
        return Finding(
            Status.FAIL,
            f"the account's margin is held in {', '.join(held)}: what of the stake currency is free cannot "
            "be known, and no pair would be entered",
            "Trade pairs from an account whose margin is the stake currency itself",
        )
    return Finding(Status.PASS, "the key is accepted; one-way mode, single-asset mode")


def key_permissions(setup: Setup) -> Finding:
    """The key may trade futures and may not withdraw, as far as the venue says."""
    rights = setup.venue.key_rights(client_of(setup.account()))
    may_trade, withdraw, is_bound = rights.may_trade, rights.may_withdraw, rights.is_bound_to_ips
    transfers = rights.transfers
    numbers: dict[str, Number] = {
        "may_trade_futures": may_trade,
        "may_withdraw": withdraw,
        "is_bound_to_ips": is_bound,
        "transfer_rights": len(transfers),
    }
    if withdraw:
        return Finding(
            Status.FAIL,
            "the key may WITHDRAW: whoever reads it can empty the account",
            "Delete the key and make one without withdrawals",
            numbers,
        )
    if may_trade is False:
        return Finding(
            Status.FAIL, "the key or its account may not trade futures", "Enable futures for the key", numbers
        )
    if withdraw is None or may_trade is None:
        unknown = " and ".join(
            name
            for name, value in (("futures trading", may_trade), ("withdrawal", withdraw))
            if value is None
        )
        return Finding(
            Status.WARN,
            f"the venue does not say about {unknown} ({rights.why_unknown})",
            _UNKNOWN_RIGHTS,
            numbers,
        )
    rest = "may trade futures, may not withdraw"
    if is_bound is False or transfers:
        notes = (["works from every IP address"] if is_bound is False else []) + [
            f"has {t}" for t in transfers
        ]
        return Finding(
            Status.WARN,
            f"the key {rest}, but {' and '.join(notes)}",
            "Bind the key to this machine's IP and switch transfers off",
            numbers,
        )
    return Finding(Status.PASS, f"the key {rest}, is bound to IP addresses", numbers=numbers)


def foreign(setup: Setup) -> Finding:
    """Nobody else holds positions or has orders on the pairs' symbols.

    What the bot's own database explains is not foreign: Freqtrade's open trades, and every symbol of a pair
    trade that the journal has not closed, which the reconciler settles at the start.
    """
    account, known = setup.account(), setup.known()
    legs = setup.symbols()
    positions = setup.venue.positions(client_of(account))
    held = {symbol: float(position.amount) for symbol, position in positions.items()}
    rows: list[dict[str, Number]] = []
    elsewhere: list[str] = []
    for symbol, amount in held.items():
        surplus = amount - known.amounts.get(symbol, 0.0)
        if symbol in known.managed or abs(surplus) <= _half_step(account.markets.get(symbol)):
            continue
        if symbol in legs:
            rows.append({"symbol": symbol, "kind": "position", "amount": surplus})
        else:
            elsewhere.append(f"{symbol} {surplus:+g}")
    client = client_of(account)
    for symbol in legs:
        if symbol in account.markets and symbol not in known.managed:
            rows += [
                {"symbol": symbol, "kind": "order", "amount": float(order.get("amount") or 0.0)}
                for order in _open_orders(client, symbol)
            ]
    numbers: dict[str, Number] = {
        "foreign": len(rows),
        "foreign_elsewhere": len(elsewhere),
        "own_open_trades": len(known.amounts),
        "managed_symbols": len(known.managed),
    }
    if rows:
        shown = "; ".join(f"{row['symbol']} {row['kind']} of {row['amount']:g}" for row in rows[:3])
        return Finding(
            Status.FAIL,
            f"{len(rows)} foreign positions or orders on the pairs' symbols: {shown}",
            "Close or cancel them, or take those symbols out of the pairs file: they are not entered",
            numbers,
            tuple(rows),
        )
    if elsewhere:
        return Finding(
            Status.WARN,
            f"{len(elsewhere)} positions on other symbols, which use margin: {'; '.join(elsewhere[:3])}",
            "Give the bot an account (sub-account) of its own",
            numbers,
        )
    return Finding(
        Status.PASS,
        f"none on the {len(legs)} symbols; {len(known.amounts)} positions are this bot's own",
        numbers=numbers,
    )


def _open_orders(client: Any, symbol: str) -> list[dict[str, Any]]:
    """Plain and conditional orders on a symbol that do not carry this package's client order id."""
    orders = [*client.fetch_open_orders(symbol), *client.fetch_open_orders(symbol, params={"trigger": True})]
    return [order for order in orders if ClientOrderId.parse(str(order.get("clientOrderId") or "")) is None]


def _half_step(market: Mapping[str, Any] | None) -> float:
    return float(market["precision"]["amount"]) / 2 if market else 0.0
