"""`pairbot.json`: what a bot of pairs needs set, over the configuration its owner has, or alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairbot_ext.pairs.writing import overlay as pairs_overlay
from pairbot_ext.support.errors import SettingsError

TEMPLATE = Path(__file__).with_name("template.json")
PAIRS_FILE = "pairs.json"
DATABASE = "pairbot.dryrun.sqlite"
STRATEGY = "PairsArb"
SETTLING = ("USDT", "USDC")
"""What linear futures settle in: a stake in anything else has no pairs."""
DEFAULT_PORT = 8080

_OF_THEIR_OWN = ("stake_amount", "dry_run_wallet", "tradable_balance_ratio", "internals", "initial_state")
"""The owner's, where there are some: they fit pairs too."""

_REFUSED: Mapping[str, Any] = {
    "stoploss": -0.99,
    "trailing_stop": False,
    "trailing_only_offset_is_reached": False,
    "use_custom_stoploss": False,
    "use_exit_signal": True,
    "exit_profit_only": False,
    "ignore_roi_if_entry_signal": False,
    "position_adjustment_enable": False,
    "order_time_in_force": {"entry": "IOC", "exit": "GTC"},
    "order_types": {
        "entry": "limit",
        "exit": "market",
        "force_entry": "limit",
        "force_exit": "market",
        "emergency_exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    },
}
"""Settings a bot of pairs is not started with (`startup.checks`), with the value it is started with."""


_SECRET_OR_LISTED = {
    "exchange": ("key", "secret", "pair_whitelist", "pair_blacklist"),
    "telegram": ("token", "chat_id"),
}


@dataclass(frozen=True)
class Overlay:
    """The document, and what its reader should know: one sentence each."""

    document: dict[str, Any]
    notes: tuple[str, ...]


def read_own(files: Sequence[Path]) -> dict[str, Any]:
    """The owner's configuration as Freqtrade merges it, without environment variables.

    :raises SettingsError: a file is missing or is not what Freqtrade reads.
    """
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException

    if not files:
        return {}
    try:
        found = load_from_files([str(path) for path in files])
    except (OperationalException, AttributeError, TypeError, ValueError, OSError) as error:
        # AttributeError and TypeError: valid JSON that is no object.
        raise SettingsError(
            f"config {', '.join(map(str, files))} cannot be read: {' '.join(str(error).split())}",
            remedy="Freqtrade reads JSON with comments, no YAML and no TOML: name the file it runs with",
        ) from error
    found.pop("config_files", None)
    return dict(found)


def make_overlay(folder: Path, own: Mapping[str, Any], files: Sequence[Path]) -> Overlay:
    """`pairbot.json` of one userdir.

    :param folder: the userdir, absolute: its paths are, so that the bot starts from any working directory.
    :param own: the owner's configuration; empty where there is none.
    :param files: what it was read from.
    """
    document: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    notes: list[str] = []
    if own and not own.get("minimal_roi"):
        document = {"add_config_files": [_named(path, folder) for path in files]} | document
        _keep_own(document, own)
        _step_aside(document, own, folder, notes)
    elif own:
        notes.append(
            f"{', '.join(path.name for path in files)} sets minimal_roi, which closes one leg alone and "
            f"which no further file can take out: pairbot.json stands alone; keys, Telegram and the API "
            f"server come from the environment (.env.example)"
        )
        _keep_own(document, own)
    pairs = pairs_overlay(folder / PAIRS_FILE)
    document["user_data_dir"] = str(folder)
    document["db_url"] = f"sqlite:///{folder / DATABASE}"
    document["pairlists"] = pairs["pairlists"]
    document["pairbot"] = pairs["pairbot"] | document["pairbot"]
    return Overlay(document, tuple(notes))


def _named(path: Path, folder: Path) -> str:
    """Beside pairbot.json by its name alone, from elsewhere by its whole path: Freqtrade takes the folder of
    the file that names it for its own."""
    return path.name if path.parent.resolve() == folder.resolve() else str(path)


def _keep_own(document: dict[str, Any], own: Mapping[str, Any]) -> None:
    for key in _OF_THEIR_OWN:
        if key in own:
            document[key] = deepcopy(own[key])
    if own.get("stake_currency") in SETTLING:
        document["stake_currency"] = own["stake_currency"]
    exchange = own.get("exchange")
    if isinstance(exchange, Mapping) and exchange.get("name"):
        document["exchange"]["name"] = exchange["name"]


def _step_aside(document: dict[str, Any], own: Mapping[str, Any], folder: Path, notes: list[str]) -> None:
    """Where the owner's file sets something a bot of pairs must not have, or must not share with the bot that
    has it already."""
    # Theirs stay in force: nothing secret is copied, and nothing empty is put in its place.
    for block, keys in _SECRET_OR_LISTED.items():
        for key in keys:
            if isinstance(own.get(block), Mapping) and key in own[block]:
                document[block].pop(key, None)
    document.update({key: deepcopy(value) for key, value in _REFUSED.items() if key in own})
    if isinstance(own.get("freqai"), Mapping) and own["freqai"].get("enabled"):
        document["freqai"] = {"enabled": False}
    if "logfile" in own:
        document["logfile"] = str(folder / "logs" / "freqtrade-pairs.log")
    telegram = own.get("telegram")
    if isinstance(telegram, Mapping) and telegram.get("enabled"):
        notes.append(
            "Telegram is off in pairbot.json: one token serves one bot. Give this one a token of its own "
            "(.env.example)"
        )
    server = own.get("api_server")
    if isinstance(server, Mapping) and server.get("enabled"):
        port = int(server.get("listen_port") or DEFAULT_PORT) + 1
        document["api_server"] = {"listen_port": port}
        notes.append(f"The API server listens on port {port} in pairbot.json, so that both bots can run")


def changed_settings(own: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """What the owner's settings become for the bot of pairs, as lines of a diff; nothing that was not set."""
    lines: list[str] = []
    for key, value in _leaves(document):
        before = _at(own, key)
        if before is not _NOTHING and before != value:
            lines += [
                f"{sign} {'.'.join(key)}: {_shown(each)}" for sign, each in (("-", before), ("+", value))
            ]
    return lines


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_NOTHING = object()


def _leaves(block: Mapping[str, Any], place: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in block.items():
        if isinstance(value, Mapping):
            found += _leaves(value, (*place, key))
        else:
            found.append(((*place, key), value))
    return found


def _at(block: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        if not isinstance(block, Mapping) or key not in block:
            return _NOTHING
        block = block[key]
    return block
