"""Where a report's trades come from: a backtest export or a bot's database.

Of the configuration inside an export only the settings named in `_settings` are read; everything else, keys
and tokens among it, stays where it is.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pairbot_ext.model.results import lines_path
from pairbot_ext.model.simulated import BOT_NAME, SIMULATED
from pairbot_ext.report.database import BotDatabase, JournalTrade, read_database
from pairbot_ext.support.errors import DataError

SIMULATED_EXCHANGE = (
    "Simulated market: the exchange ran on this machine, no order reached a real one. The PnL means nothing."
)
_SQLITE_MAGIC = b"SQLite format 3\0"


class SourceKind(StrEnum):
    """What made the trades."""

    BACKTEST = "backtest"
    DRY_RUN = "dry-run"
    LIVE = "live"
    BOT = "bot without trades"
    """A database that holds nothing yet does not tell dry-run from live."""


@dataclass(frozen=True)
class Source:
    """The trades of a report and what is known about them.

    :param rows: Freqtrade's trades, as `pairing.pair_trades` takes them.
    :param timeframe: such as "1h"; None where a database without trades does not tell.
    :param starting_balance: stake currency; None for a database, which does not keep it.
    :param start, end: the time a backtest covered (end: its last candle's open); None for a database.
    :param made_at: when the backtest ran.
    :param pairs_file: the path its configuration names, as written there.
    :param journal: None where there is none (a backtest, a bot of another strategy).
    :param last_lines: what the backtest said of its signals, of what is missing and of what nobody knows.
    :param left_out: what the database holds that is not in the rows, as a sentence; "" for nothing.
    :param simulated: the sentence without which a simulated market's figures must not be seen; "" for none.
    """

    kind: SourceKind
    path: Path
    rows: list[dict[str, Any]]
    strategy: str
    timeframe: str | None
    stake_currency: str
    starting_balance: float | None = None
    start: datetime | None = None
    end: datetime | None = None
    made_at: datetime | None = None
    pairs_file: str | None = None
    rolling_window_candles: int | None = None
    journal: tuple[JournalTrade, ...] | None = None
    simulated: str = ""
    left_out: str = ""
    last_lines: tuple[str, ...] = ()


def open_source(where: str, strategy: str | None = None) -> Source:
    """A backtest export (zip, json, or a directory whose last result is meant) or a bot's SQLite database.

    :param where: a path, or `sqlite:///path` as Freqtrade's `--db-url` has it.
    :param strategy: of an export with several; the only one, or PairsArb, where None.
    :raises DataError: neither of both, or not readable.
    """
    if "://" in where:
        scheme, _, rest = where.partition(":///")
        if scheme != "sqlite" or not rest:
            # The address may carry a password: only its kind is repeated.
            raise DataError(
                "A report reads backtest exports and SQLite databases",
                value=f"a {where.partition(':')[0]} address",
                remedy="`pairbot backup` it, `pairbot restore` that to a SQLite file, and name the file",
            )
        where = rest
    path = Path(where)
    if path.is_file() and not path.name.endswith((".zip", ".json")):
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_MAGIC))
        if start and start != _SQLITE_MAGIC:
            raise DataError(
                f"{path} is neither a backtest export (.zip, .json) nor an SQLite database",
                remedy="Name a result of `freqtrade backtesting --export trades` or the bot's database",
            )
        return _database_source(path)
    if not path.exists():
        raise DataError(
            f"{path} does not exist",
            remedy="Name a backtest result, the directory of results, or the bot's database",
        )
    return _backtest_source(path, strategy)


def _last_lines(result: Path) -> tuple[str, ...]:
    """As the strategy wrote them beside its result; a result of another strategy, or an old one, has none."""
    path = lines_path(result)
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["lines"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(str(line).removeprefix("pairbot: ") for line in lines)


def _backtest_source(path: Path, strategy: str | None) -> Source:
    from freqtrade.data.btanalysis import get_latest_backtest_filename, load_backtest_stats
    from freqtrade.exceptions import OperationalException

    try:
        file = path / get_latest_backtest_filename(path) if path.is_dir() else path
        results: Mapping[str, Any] = load_backtest_stats(file)["strategy"]
        name = strategy or (next(iter(results)) if len(results) == 1 else "PairsArb")
        if name not in results:
            raise DataError(
                f"{file} has no result of the strategy {name}",
                value=", ".join(results) or "no strategy",
                remedy="Name one of them with --strategy",
            )
        stats = results[name]
        rows = list(stats["trades"])
        settings = _settings(file)
        return Source(
            kind=SourceKind.BACKTEST,
            path=file,
            rows=rows,
            strategy=name,
            timeframe=str(stats["timeframe"]),
            stake_currency=str(stats["stake_currency"]),
            starting_balance=float(stats["starting_balance"]),
            last_lines=_last_lines(file),
            start=_from_ms(stats["backtest_start_ts"]),
            end=_from_ms(stats["backtest_end_ts"]),
            made_at=_from_ms(stats["backtest_run_start_ts"] * 1000),
            pairs_file=settings["pairs_file"],
            rolling_window_candles=settings["rolling_window_candles"],
            simulated=SIMULATED if settings["is_demo"] else "",
        )
    except (OSError, ValueError, KeyError, TypeError, OperationalException) as error:
        raise DataError(
            f"{path} is no readable backtest result: {type(error).__name__} {error}",
            remedy="Name a result file of `freqtrade backtesting --export trades` or its directory",
        ) from error


def _settings(file: Path) -> dict[str, Any]:
    """The few settings a report needs from the configuration stored in a zip export."""
    config: Any = {}
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            name = f"{file.stem}_config.json"
            if name in archive.namelist():
                config = json.loads(archive.read(name))
    block = config.get("pairbot") if isinstance(config.get("pairbot"), dict) else {}
    window, pairs_file = block.get("rolling_window_candles"), block.get("pairs_file")
    return {
        "pairs_file": pairs_file if isinstance(pairs_file, str) else None,
        "rolling_window_candles": window if isinstance(window, int) else None,
        "is_demo": config.get("bot_name") == BOT_NAME,
    }


def _database_source(path: Path) -> Source:
    found, left_out = _latest_mode(read_database(path))
    journalled = [trade.dry_run for trade in found.journal or ()]
    # Without a journal: a dry-run's order ids say so.
    is_dry = (
        all(journalled)
        if journalled
        else any(
            str(order["order_id"]).startswith("dry_run_") for row in found.rows for order in row["orders"]
        )
    )
    first = found.rows[0] if found.rows else {}
    minutes = first.get("timeframe_mins")
    kind = SourceKind.BOT
    if journalled or found.rows:
        kind = SourceKind.DRY_RUN if is_dry else SourceKind.LIVE
    return Source(
        kind=kind,
        path=path,
        rows=found.rows,
        strategy=str(first.get("strategy") or ""),
        timeframe=None if not minutes else _timeframe(int(minutes)),
        stake_currency=str(first.get("stake_currency") or "USDT"),
        journal=found.journal,
        simulated=SIMULATED_EXCHANGE if found.is_simulated else "",
        left_out=left_out,
    )


def _latest_mode(found: BotDatabase) -> tuple[BotDatabase, str]:
    """The pair trades of the mode the bot ran in last, and what was left out: made-up fills of a dry-run are
    not earned."""
    journal = found.journal or ()
    if len({trade.dry_run for trade in journal}) < 2:
        return found, ""
    is_dry = max(journal, key=lambda trade: trade.planned).dry_run
    others = {trade.id for trade in journal if trade.dry_run is not is_dry}
    names = ("live", "dry-run") if is_dry else ("dry-run", "live")
    kept = BotDatabase(
        [row for row in found.rows if row.get("pair_trade_id") not in others],
        tuple(trade for trade in journal if trade.id not in others),
        found.is_simulated,
    )
    return kept, (
        f"The database holds {len(others)} {names[0]} pair trades too: they are left out, this report is of "
        f"the {names[1]} ones alone."
    )


def _timeframe(minutes: int) -> str:
    for unit, size in (("w", 10080), ("d", 1440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _from_ms(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, tz=UTC)


def datadir_notice(datadir: Path) -> str:
    """The sentence that goes with the candles of a data directory: "" unless they are made up."""
    from pairbot_ext.model.simulated import SIMULATED_MARK

    return SIMULATED if (datadir / SIMULATED_MARK).is_file() else ""
