"""Whose account it is: keys from the environment alone, and no account but one that is nobody's money."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import ccxt

from pairbot_ext.prove.claims import error_text
from pairbot_ext.prove.stage import Keys, Stage
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import protect

DEMO_VARIABLES = ("PAIRBOT_DEMO_KEY", "PAIRBOT_DEMO_SECRET")
LIVE_VARIABLES = ("PAIRBOT_LIVE_KEY", "PAIRBOT_LIVE_SECRET")
_KEYS_OF_BOTS = ("FREQTRADE__EXCHANGE__KEY", LIVE_VARIABLES[0])
_KNOWN_FILE = "known-accounts.json"
_PRINT_CHARS = 16


class WrongAccountError(PairbotError):
    """Nothing is ordered on this account."""


def keys_from(environment: Mapping[str, str], *, is_demo: bool) -> Keys:
    """The keys of one kind of site.

    :raises WrongAccountError: they are missing, or a demo key is that of a live bot.
    """
    names = DEMO_VARIABLES if is_demo else LIVE_VARIABLES
    found = [environment.get(name, "").strip() for name in names]
    if not all(found):
        others = LIVE_VARIABLES if is_demo else DEMO_VARIABLES
        has_others = any(environment.get(name) for name in others)
        raise WrongAccountError(
            f"{' and '.join(names)} are not set",
            value=f"{others[0]}, which is for the other kind of account" if has_others else None,
            remedy="Make keys on Binance's demo site; no file and no option takes them"
            if is_demo
            else "A key with reading rights alone is enough; no file and no option takes it",
        )
    if is_demo and found[0] in {environment.get(name, "").strip() for name in _KEYS_OF_BOTS}:
        raise WrongAccountError(
            f"{names[0]} is the key of a live bot: it stands in the environment under that name, too",
            remedy="Use a key of the demo venue's; live keys belong to --read-only",
        )
    protect(*found)
    return Keys(*found)


def fingerprint(keys: Keys) -> str:
    """Tells accounts apart without telling the key."""
    return hashlib.sha256(keys.key.encode()).hexdigest()[:_PRINT_CHARS]


def check_account(stage: Stage, keys: Keys, directory: Path, *, accept: bool) -> None:
    """Before anything is ordered.

    :param directory: where accounts that a person has accepted are remembered.
    :param accept: a person says now that this account is nobody's money.
    :raises WrongAccountError: the site does not know the key, the account is in use, empty, or not accepted.
    """
    try:
        may_trade = stage.venue.account_settings(stage.client).may_trade
        positions = stage.venue.positions(stage.client)
        orders = stage.client.fetch_open_orders()
        balance = stage.client.fetch_balance()
    except (ccxt.AuthenticationError, ccxt.PermissionDenied) as error:
        raise WrongAccountError(
            f"{stage.site.title} does not accept this key",
            value=error_text(error),
            remedy="Keys are made on Binance's demo site; a live key is unknown there and can do nothing",
        ) from error
    if not may_trade:
        raise WrongAccountError("this account may not trade", remedy="See its status on the demo site")
    if positions or orders:
        raise WrongAccountError(
            "somebody uses this account: prove needs one that holds nothing",
            value=f"{len(positions)} positions, {len(orders)} open orders",
            remedy="Close them on the demo site, or make another demo account",
        )
    funded = sorted(asset for asset, free in balance.get("free", {}).items() if free)
    if not funded:
        raise WrongAccountError("this account has no funds", remedy="Fill it up on the demo site")
    known_file = directory / _KNOWN_FILE
    known: list[str] = json.loads(known_file.read_text(encoding="utf-8")) if known_file.is_file() else []
    if fingerprint(keys) in known:
        return
    if not accept:
        raise WrongAccountError(
            f"this account holds funds and is not known here ({', '.join(funded)})",
            value=f"account {fingerprint(keys)}",
            remedy="If it is a demo account, say so once with --accept-account",
        )
    directory.mkdir(parents=True, exist_ok=True)
    known_file.write_text(json.dumps([*known, fingerprint(keys)]), encoding="utf-8")
