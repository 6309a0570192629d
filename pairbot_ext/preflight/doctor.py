"""What a bug report needs, in one document: nothing in it is secret, nothing says how much.

A doctor is called where something is broken, so each part that cannot be had says why instead of its content.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from pairbot_ext.host.logfile import log_path
from pairbot_ext.journal.ledger import PairStatus
from pairbot_ext.preflight.runner import CHECKS, run_checks
from pairbot_ext.preflight.setup import Config, Setup
from pairbot_ext.settings import parse_settings
from pairbot_ext.support import versions
from pairbot_ext.support.redact import HIDDEN, hide, protect, scrub, secrets_of, without_secret_values
from pairbot_ext.userdir.manifest import digest_of, read_manifest
from pairbot_ext.voice.eventlog import event_log_path

SCHEMA = "pairbot-doctor-1"
LOG_LINES = 300
_ASKS_SOMEBODY = "exchange"
"""The first check that leaves the machine: none of a doctor's does."""
_MAKES_A_FILE = "database"
"""It writes to the database, and makes one where there is none: a doctor only reads."""
_PERSONAL = frozenset({"chat_id", "topic_id", "authorized_users", "username", "account_id"})
_AMOUNTS = frozenset({"stake_amount", "dry_run_wallet", "available_capital", "max_pair_notional"})
_PREFIXES = ("FREQTRADE__", "PAIRBOT_")

Part = Callable[[], Any]


def examine(
    load: Callable[[], Config],
    read_pairs: Callable[[str], Sequence[PairStatus]],
    *,
    now: datetime,
    log_lines: int = LOG_LINES,
) -> dict[str, Any]:
    """The document.

    :param load: the configuration as `freqtrade trade` would load it. :param read_pairs: from a database URL.
    :param now: UTC. :param log_lines: of the end of each log.
    """
    secrets: frozenset[str] = frozenset()
    parts: dict[str, Part] = {"versions": installed, "environment": environment}
    try:
        config = load()
        secrets = secrets_of(config)
        protect(config=config)
    except Exception as error:  # noqa: BLE001 - a doctor reports what is broken
        problem = _why(error)
        parts["configuration"] = lambda: {"not_there": problem}
    else:
        parts |= {
            "configuration": lambda: shown_config(config),
            "pairs_file": lambda: _pairs_file(config),
            "userdir": lambda: _userdir(Path(config["user_data_dir"])),
            "preflight": lambda: _preflight(config),
            "pair_trades": lambda: [_pair_trade(each) for each in read_pairs(str(config["db_url"]))],
            "log": lambda: _tail(_log_file(config), log_lines),
            "events": lambda: _tail(event_log_path(config), log_lines),
        }
    document: dict[str, Any] = {"schema": SCHEMA, "made": now.astimezone(UTC).isoformat(timespec="seconds")}
    for name, part in parts.items():
        try:
            document[name] = part()
        except Exception as error:  # noqa: BLE001 - a doctor reports what is broken
            document[name] = {"not_there": _why(error)}
    cleaned = _clean(document, secrets)
    assert isinstance(cleaned, dict)
    return cleaned


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _clean(value: Any, secrets: Iterable[str]) -> Any:
    """Every string once more, whatever it went through before; the home folder names its owner."""
    if isinstance(value, Mapping):
        return {str(key): _clean(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    home = str(Path.home())
    text = scrub(hide(value, secrets))
    return text if len(home) < 2 else text.replace(home, "~")


def installed() -> dict[str, Any]:
    """Releases of the package, of Python and system, and of everything the package asks for."""
    found = {versions.DISTRIBUTION: versions.of(versions.DISTRIBUTION)}
    try:
        wanted = metadata.requires(versions.DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        wanted = list(versions.RUNS_ON)
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker is None or "extra" not in str(requirement.marker):
            found[requirement.name] = versions.of(requirement.name)
    return {"said": versions.lines(), "packages": found, "system": platform.platform()}


def environment() -> list[str]:
    """Names of variables that change what the bot does; no value of theirs."""
    return sorted(name for name in os.environ if name.upper().startswith(_PREFIXES))


def shown_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The merged files and variables, without what is secret, personal, or says how much."""
    original = json.loads(json.dumps(config.get("original_config", {}), default=str))
    cleaned = without_secret_values(original)

    def without(block: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: HIDDEN
            if key in _PERSONAL | _AMOUNTS and value not in (None, "", "unlimited")
            else without(value)
            if isinstance(value, Mapping)
            else value
            for key, value in block.items()
        }

    return without(cleaned)


def _pairs_file(config: Mapping[str, Any]) -> dict[str, Any]:
    from pairbot_ext.pairs import content_hash, load_pairs_file

    path = parse_settings(config.get("pairbot")).pairs_path()
    file = load_pairs_file(path)
    return {
        "path": str(path),
        "content_hash": content_hash(file),
        "generated_at": file.generated_at.isoformat(),
        "exchange": file.exchange,
        "timeframe": file.timeframe,
        "scan": file.scan.model_dump(mode="json"),
        "epochs": [
            {"valid_from": each.valid_from.isoformat(), "pairs": [pair.id for pair in each.pairs]}
            for each in file.epochs
        ],
    }


def _userdir(userdir: Path) -> dict[str, Any]:
    """Which files of `pairbot init` were changed since."""
    manifest = read_manifest(userdir)
    if manifest is None:
        return {"path": str(userdir), "init": None}
    files: dict[str, str] = {}
    for name, digest in manifest.written.items():
        path = userdir / name
        if not path.is_file():
            files[name] = "missing"
        else:
            same = digest_of(path.read_text(encoding="utf-8", errors="replace")) == digest
            files[name] = "as written" if same else "changed"
    return {"path": str(userdir), "init": manifest.version, "files": files}


def _preflight(config: Config) -> list[dict[str, Any]]:
    """Every check that stays on this machine and changes nothing; `pairbot preflight` makes them all."""
    names = [check.name for check in CHECKS]
    here = [check for check in CHECKS[: names.index(_ASKS_SOMEBODY)] if check.name != _MAKES_A_FILE]
    # The strategy asks the database for open pairs, and SQLite makes a file that is not there.
    setup = Setup({**config, "db_url": "sqlite://"}, live=not config.get("dry_run", True))
    return [
        {"name": each.name, "status": each.status.value, "text": each.text}
        for each in run_checks(setup, here).results
    ]


def _pair_trade(status: PairStatus) -> dict[str, Any]:
    """States, times and answers; no amount, no price, no profit."""
    trade = status.trade
    return {
        "id": trade.id,
        "pair": trade.plan.pair_id,
        "state": trade.state.value,
        "goal": trade.goal.value,
        "reason": trade.reason,
        "created_ms": trade.created_ms,
        "updated_ms": trade.updated_ms,
        "hedge_error": status.hedge_error,
        "naked_secs": status.naked_secs,
        "orders": [
            {
                "client_id": order.client_id,
                "status": order.status.value,
                "refusal": None if order.refusal is None else str(order.refusal),
                "error": order.error,
                "intent_ms": order.intent_ms,
                "sent_ms": order.sent_ms,
                "answered_ms": order.answered_ms,
                "settled_ms": order.settled_ms,
            }
            for order in status.orders
        ],
    }


def _log_file(config: Mapping[str, Any]) -> Path | None:
    settings = parse_settings(config.get("pairbot")).log
    return None if settings is None else log_path(config, settings)


def _tail(path: Path | None, lines: int) -> dict[str, Any]:
    if path is None:
        return {"not_there": "the configuration names no log file (pairbot.log)"}
    if not path.is_file():
        return {"not_there": f"{path} does not exist: no bot has run with this configuration"}
    with path.open(encoding="utf-8", errors="replace") as file:
        last = list(deque((line.rstrip("\n") for line in file), maxlen=lines))
    levels = Counter(level for line in last for level in ("ERROR", "WARNING") if f" - {level} - " in line)
    return {"path": str(path), "lines": last, "levels": dict(levels)}
