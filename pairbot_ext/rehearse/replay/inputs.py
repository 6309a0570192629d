"""What a replay is made of: the user's configuration, a pairs file, recorded candles, a time range."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from pairbot_ext.candles.files import data_format
from pairbot_ext.host import private
from pairbot_ext.pairs import PairsFile, content_hash, load_pairs_file
from pairbot_ext.preflight.setup import load_config
from pairbot_ext.rehearse.setup import LEFT_OUT, Setup, bot_configuration
from pairbot_ext.settings import parse_settings
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.sim.market.replay import load_datadir, load_prices, replay_market
from pairbot_ext.sim.market.series import interval_ms
from pairbot_ext.sim.market.table import CandleMarket
from pairbot_ext.sim.market.times import TimeMap
from pairbot_ext.sim.symbols import binance_id
from pairbot_ext.support.errors import DataError, PairbotError

_DETAILS = ("1m", "5m")


@dataclass(frozen=True)
class Inputs:
    """Ready to be played. Times are epoch ms and openings of candles.

    :param raw: Freqtrade's configuration as the user's files make it.
    :param frames: finished candles by symbol, Freqtrade's columns, gaps filled as Freqtrade fills them.
    :param begin_ms: the candle before the first one traded on; :param end_ms: the last one traded on.
    :param notes: what the reader must know of the data, a sentence each.
    """

    raw: Mapping[str, Any]
    pairs_file: PairsFile
    datadir: Path
    timeframe: str
    detail: str | None
    begin_ms: int
    end_ms: int
    frames: Mapping[str, pd.DataFrame]
    wallet: float
    notes: tuple[str, ...]

    @property
    def candle_ms(self) -> int:
        """Length of a candle."""
        return interval_ms(self.timeframe)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that is traded, unified names."""
        return self.pairs_file.pairs

    @property
    def pause_secs(self) -> float:
        """Between two loops of the bot."""
        return float(self.raw.get("internals", {}).get("process_throttle_secs", 5))

    def identity(self) -> str:
        """Of what must be the same for a replay to be continued: settings, pairs, data directory."""
        settings = {name: value for name, value in self.raw.items() if name not in ("exchange", "db_url")}
        text = json.dumps(
            [settings, content_hash(self.pairs_file), str(self.datadir.resolve()), self.detail],
            sort_keys=True, default=str,
        )  # fmt: skip
        return sha256(text.encode()).hexdigest()

    def configuration(self, directory: Path, pairs_path: Path) -> dict[str, Any]:
        """The bot's, with nothing in it that speaks to anybody."""
        setup = Setup(self.raw, (), {}, self.wallet, ())
        raw = bot_configuration(setup, directory, pairs_path, self.symbols)
        # What streams tell between the candles is not recorded; each loop asks instead.
        raw["pairbot"] = {**raw["pairbot"], "streams": False}
        return raw

    def market(self, shape: BookShape) -> CandleMarket:
        """The recorded candles as the venue's market; inside a candle prices follow the detail, or the path
        the candle's own prices allow."""
        names = [binance_id(symbol) for symbol in self.symbols]
        market = replay_market(
            load_datadir(self.datadir, timeframe=self.timeframe, symbols=names), TimeMap(), shape=shape
        )
        if self.detail is None:
            return market
        return market.with_prices(load_prices(self.datadir, self.detail, market.symbols))

    def open_price(self, symbol: str, open_ms: int) -> float | None:
        """First price of the candle that opens then; None where there is none."""
        frame = self.frames[symbol]
        at = frame["date"].searchsorted(pd.Timestamp(open_ms, unit="ms", tz="UTC"))
        if at >= len(frame) or round(frame["date"].iloc[at].timestamp() * 1000) != open_ms:
            return None
        return float(frame["open"].iloc[at])


def read_inputs(
    files: Sequence[str],
    *,
    datadir: Path,
    timerange: str,
    pairs_file: Path | None = None,
    detail: str | None = None,
    userdir: Path | None = None,
) -> Inputs:
    """Read everything, and refuse what cannot be replayed.

    :param files: as with Freqtrade's `-c`. :param timerange: as with Freqtrade's `--timerange`.
    :param detail: timeframe of the prices inside candles, "1m" or "5m".
    :raises PairbotError: something cannot be read, there is nothing to replay, or this release of Freqtrade
        lacks what a replay relies on.
    """
    private.check((*private.BOT, *private.REHEARSAL, *private.REPLAY), "a replay")
    config = load_config(files, live=True, userdir=userdir)
    raw = json.loads(json.dumps(config["original_config"], default=str))
    path = pairs_file or parse_settings(config.get("pairbot")).pairs_path()
    document = load_pairs_file(path)
    timeframe = str(config.get("timeframe") or document.timeframe)
    if document.timeframe != timeframe:
        raise PairbotError(
            f"The pairs file {path} is of other candles than the configuration's {timeframe}",
            value=document.timeframe, remedy="Scan with that timeframe, or set it in the configuration",
        )  # fmt: skip
    if not document.pairs:
        raise PairbotError(
            "There is no pair to replay: no epoch of the pairs file has one", value=path,
            remedy="Write one with `pairbot scan --out FILE`, or name another with --pairs",
        )  # fmt: skip
    if detail is not None and (detail not in _DETAILS or interval_ms(detail) >= interval_ms(timeframe)):
        raise PairbotError("--detail must be shorter than a candle: 1m or 5m", value=detail)
    strategies = config.get("strategy_path") or Path(userdir or config["user_data_dir"]) / "strategies"
    raw |= {
        "strategy": config["strategy"],
        "timeframe": timeframe,
        "strategy_path": str(Path(strategies).absolute()),
    }
    for name in ("$schema", "add_config_files", "logfile", *LEFT_OUT):
        raw.pop(name, None)
    frames = _frames(datadir, timeframe, document.pairs)
    begin_ms, end_ms, notes = _span(timerange, frames, interval_ms(timeframe))
    _check_epochs(document, path, begin_ms, end_ms)
    return Inputs(
        raw, document, datadir, timeframe, detail, begin_ms, end_ms, frames,
        float(config.get("dry_run_wallet") or 1_000), (*notes, *_holes(frames, begin_ms, end_ms)),
    )  # fmt: skip


def _frames(datadir: Path, timeframe: str, symbols: Sequence[str]) -> dict[str, pd.DataFrame]:
    from freqtrade.data.history import load_pair_history
    from freqtrade.enums import CandleType

    if not (datadir / "futures").is_dir():
        raise DataError(
            f"--datadir {datadir} has no futures/ folder",
            remedy="Name a Freqtrade data directory, such as user_data/data/binance",
        )
    frames, kind = {}, data_format(datadir)
    for symbol in symbols:
        frames[symbol] = load_pair_history(
            symbol, timeframe, datadir, data_format=kind, candle_type=CandleType.FUTURES
        )
    missing = [symbol for symbol, frame in frames.items() if frame.empty]
    if missing:
        raise DataError(
            f"{datadir} has no {timeframe} candles of {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            remedy="Download them with `pairbot download`, or take a pairs file of other coins",
        )
    return frames


def _span(timerange: str, frames: Mapping[str, pd.DataFrame], candle_ms: int) -> tuple[int, int, list[str]]:
    """First and last candle of the replay, and what of the time range there is no data for."""
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import FreqtradeException

    first = min(_ms(frame["date"].iloc[0]) for frame in frames.values())
    last = max(_ms(frame["date"].iloc[-1]) for frame in frames.values())
    try:
        asked = TimeRange.parse_timerange(timerange)
    except FreqtradeException:
        raise PairbotError(
            "--timerange is none", value=timerange, remedy="Write it as 20250701-20250901"
        ) from None
    begin = asked.startts * 1000 if asked.starttype else first
    end = asked.stopts * 1000 if asked.stoptype else last
    notes = []
    if end > last:
        notes.append(f"the candles end at {when_text(last)}, and so does the replay")
    begin, end = max(begin, first) // candle_ms * candle_ms, min(end, last) // candle_ms * candle_ms
    if end <= begin:
        raise PairbotError(
            "No candle lies within --timerange", value=timerange,
            remedy=f"The candles run from {when_text(first)} to {when_text(last)}",
        )  # fmt: skip
    return begin, end, notes


def _check_epochs(document: PairsFile, path: Path, begin_ms: int, end_ms: int) -> None:
    epochs = document.epochs
    live = [
        epoch
        for epoch in epochs
        if _ms(epoch.valid_from) <= end_ms and (epoch.valid_to is None or _ms(epoch.valid_to) > begin_ms)
    ]
    ends = "open" if epochs[-1].valid_to is None else when_text(_ms(epochs[-1].valid_to))
    span = f"{when_text(_ms(epochs[0].valid_from))} to {ends}"
    if not live:
        raise PairbotError(
            f"The pairs file {path} is of another period: no selection of it is in force in --timerange",
            value=span, remedy="Choose a time range within it, or another file with --pairs",
        )  # fmt: skip
    if _ms(live[0].valid_from) > begin_ms:
        raise PairbotError(
            "No selection of the pairs file is in force where --timerange begins",
            value=when_text(begin_ms),
            remedy=f"Begin at {when_text(_ms(live[0].valid_from))} or later: a bot starts with pairs",
        )


def _holes(frames: Mapping[str, pd.DataFrame], begin_ms: int, end_ms: int) -> list[str]:
    """A sentence where candles are missing within the range: the price stands still there."""
    gaps = {}
    for symbol, frame in frames.items():
        begin, end = (pd.Timestamp(ms, unit="ms", tz="UTC") for ms in (begin_ms, end_ms))
        part = frame[(frame["date"] >= begin) & (frame["date"] <= end)]
        flat = (part["volume"] == 0) & (part["high"] == part["low"])
        wanted = len(pd.date_range(begin, end, freq=frame["date"].diff().min()))
        if count := int(flat.sum()) + wanted - len(part):
            gaps[symbol] = count
    if not gaps:
        return []
    worst = sorted(gaps, key=lambda name: -gaps[name])
    named = ", ".join(f"{name.partition('/')[0]} {gaps[name]}" for name in worst[:5])
    more = f" and {len(worst) - 5} more symbols" if len(worst) > 5 else ""
    return [f"candles are missing, prices stand still there and nothing is entered: {named}{more}"]


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def when_text(ms: int) -> str:
    """ "2025-07-01 00:00"."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
