"""What a rehearsal takes from the user: configuration, pairs, sizes, limits; and what it leaves out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

from pairbot_ext.host import private
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, load_pairs_file, symbols_of, write_pairs_file
from pairbot_ext.preflight.setup import load_config
from pairbot_ext.rehearse.market import HISTORY_CANDLES, Legs
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.sim.market.series import interval_ms
from pairbot_ext.sim.market.universe import DEFAULT_START_PRICES
from pairbot_ext.sim.symbols import binance_id, is_listed
from pairbot_ext.support.errors import PairbotError

START = datetime(2026, 1, 12, 1, 0, 5, tzinfo=UTC)
"""Any Monday, seven hours before the next funding: where a rehearsal begins."""
_ASSUMED_SIGMA = 0.01
_ASSUMED_HALF_LIFE_CANDLES = 12.0
DATABASE = "trades.sqlite"
LEFT_OUT = ("telegram", "api_server", "webhook", "discord", "external_message_consumer")
"""Blocks of the configuration by which a bot speaks to somebody."""


@dataclass(frozen=True)
class Setup:
    """One user's bot, ready to be rehearsed. Can be sent to another process.

    :param raw: Freqtrade's configuration as the user's files make it.
    :param pairs: those of the pairs file's latest epoch, each with a frozen model.
    :param prices: of every symbol of theirs, quote.
    :param wallet: the account starts with, quote.
    :param assumed: what was not known and is assumed, a sentence each.
    """

    raw: Mapping[str, Any]
    pairs: tuple[Pair, ...]
    prices: Mapping[str, float]
    wallet: float
    assumed: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        """The `pairbot` block."""
        return parse_settings(self.raw.get("pairbot"))

    @property
    def timeframe(self) -> str:
        """Of the candles."""
        return str(self.raw.get("timeframe") or "1h")

    @property
    def pause_secs(self) -> float:
        """Between two loops of the bot."""
        return float(self.raw.get("internals", {}).get("process_throttle_secs", 5))

    def legs(self, pair: Pair) -> Legs:
        """The pair as the market sees it: z is 0 at the prices known of its legs."""
        leg_a, leg_b = binance_id(pair.leg_a), binance_id(pair.leg_b)
        beta, mu = pair.hedge_ratio, pair.mu or 0.0
        hours = pair.half_life_hours
        candle_hours = interval_ms(self.timeframe) / 3_600_000
        return Legs(
            pair_id=pair.id,
            leg_a=leg_a,
            leg_b=leg_b,
            beta=beta,
            alpha=log(self.prices[leg_a]) - beta * log(self.prices[leg_b]) - mu,
            mu=mu,
            sigma=pair.sigma or _ASSUMED_SIGMA,
            half_life_candles=_ASSUMED_HALF_LIFE_CANDLES if hours is None else hours / candle_hours,
            entry_z=pair.entry_z,
            exit_z=pair.exit_z,
            stop_z=pair.stop_z,
        )


def read_setup(
    files: Sequence[str],
    *,
    pairs_file: Path | None = None,
    datadir: Path | None = None,
    pair_ids: Sequence[str] = (),
    userdir: Path | None = None,
) -> Setup:
    """Read what `freqtrade trade` would run with.

    :param files: as with Freqtrade's `-c`; none means its default file.
    :param pairs_file: instead of the configuration's. :param datadir: candles to take prices from.
    :param pair_ids: only these pairs; none means all.
    :raises PairbotError: something cannot be read, there is no pair to rehearse, or this release of Freqtrade
        lacks what a rehearsal relies on.
    """
    private.check((*private.BOT, *private.REHEARSAL), "a drill")
    config = load_config(files, live=True, userdir=userdir)
    settings = parse_settings(config.get("pairbot"))
    path = pairs_file or settings.pairs_path()
    document = load_pairs_file(path)
    pairs = next((epoch.pairs for epoch in reversed(document.epochs) if epoch.pairs), ())
    if not pairs:
        raise PairbotError(
            "There is no pair to rehearse: no epoch of the pairs file has one",
            value=path,
            remedy="Write one with `pairbot scan --out FILE`, or name another with --pairs",
        )
    pairs, assumed = _listed(_only(pairs, pair_ids))
    if not document.epochs[-1].pairs:
        assumed.append("the latest epoch of the pairs file is empty: the last one with pairs is rehearsed")
    if any(not pair.is_frozen for pair in pairs):
        assumed.append(
            f"pairs without a frozen model get one: hedge ratio of the file, spread {_ASSUMED_SIGMA:.0%} wide"
        )
    if any(pair.model is not None for pair in pairs):
        assumed.append("pairs are rehearsed with the frozen model, whichever the file names")
    datadir = datadir or Path(config["datadir"])
    prices, unknown = _prices(pairs, datadir, str(config.get("timeframe") or document.timeframe))
    if unknown:
        assumed.append(
            f"no candles of {', '.join(unknown)} in {datadir}: prices near those of 2025-26, or 1 USDT; "
            "steps and minimum sizes follow the price, so these coins may round otherwise than here"
        )
    raw = json.loads(json.dumps(config["original_config"], default=str))
    raw |= {"strategy": config["strategy"], "timeframe": config.get("timeframe") or document.timeframe}
    if config.get("strategy_path"):
        raw["strategy_path"] = str(Path(config["strategy_path"]).absolute())
    return Setup(raw, tuple(pairs), prices, float(config.get("dry_run_wallet") or 1_000), tuple(assumed))


def _listed(pairs: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], list[str]]:
    """Those whose contracts are known, and what is said of the others. Raises PairbotError: none is."""
    unknown = [name for name in symbols_of_pairs(pairs) if not is_listed(binance_id(name))]
    kept = tuple(pair for pair in pairs if not set(pair.symbols) & set(unknown))
    if not kept:
        raise PairbotError(
            "There is no pair to rehearse: Freqtrade's leverage table knows none of their contracts",
            value=", ".join(unknown),
            remedy="Coins listed since this Freqtrade was released come with its next one",
        )
    left_out = [pair.id for pair in pairs if pair not in kept]
    if not left_out:
        return kept, []
    return kept, [
        f"{', '.join(left_out)} left out: Freqtrade's leverage table, as installed, does not know "
        f"{', '.join(unknown)}"
    ]


def _prices(pairs: Sequence[Pair], datadir: Path, timeframe: str) -> tuple[dict[str, float], list[str]]:
    """The last close of every symbol, and the symbols whose price is assumed."""
    from pairbot_ext.candles.files import load_candles

    prices: dict[str, float] = {}
    unknown: list[str] = []
    frames = load_candles(datadir, timeframe, symbols_of_pairs(pairs))
    for symbol, frame in frames.items():
        coin = symbol.partition("/")[0]
        if frame.empty:
            unknown.append(coin)
        price = DEFAULT_START_PRICES.get(coin, 1.0) if frame.empty else float(frame["close"].iloc[-1])
        prices[binance_id(symbol)] = price
    return prices, unknown


def symbols_of_pairs(pairs: Sequence[Pair]) -> list[str]:
    """Every leg once, in order."""
    return list(dict.fromkeys(symbol for pair in pairs for symbol in pair.symbols))


def chosen(setup: Setup, pair: Pair) -> tuple[Pair, ...]:
    """The pair, and one that shares its leg B where there is one: what one rehearsal's bot may trade."""
    taken = set(pair.symbols)
    other = next((each for each in setup.pairs if each.leg_b == pair.leg_b and each.leg_a not in taken), None)
    return (pair,) if other is None else (pair, other)


def write_pairs(setup: Setup, pairs: Sequence[Pair], path: Path) -> PairsFile:
    """A pairs file of these, frozen, valid since an hour before `START`."""
    end = START.replace(minute=0, second=0) - timedelta(hours=1)
    frozen = []
    for pair in pairs:
        legs = setup.legs(pair)
        frozen.append(
            pair.model_copy(
                update={"model": None, "alpha": legs.alpha, "mu": legs.mu, "sigma": legs.sigma,
                        "half_life_hours": (
                    pair.half_life_hours if pair.half_life_hours is not None else _hours(setup, legs)
                )}
            )
        )  # fmt: skip
    candle = timedelta(milliseconds=interval_ms(setup.timeframe))
    epoch = Epoch(
        valid_from=end,
        formation_start=end - candle * min(1440, HISTORY_CANDLES),
        formation_end=end,
        pairs=tuple(frozen),
    )
    document = PairsFile(
        pairs=symbols_of([epoch]), refresh_period=300, generated_at=end, exchange="binance",
        timeframe=setup.timeframe, scan=Scan(rule="the user's pairs at generated prices, for a rehearsal"),
        epochs=(epoch,),
    )  # fmt: skip
    write_pairs_file(path, document)
    return document


def _hours(setup: Setup, legs: Legs) -> float:
    return legs.half_life_candles * interval_ms(setup.timeframe) / 3_600_000


def bot_configuration(
    setup: Setup, directory: Path, pairs_file: Path, symbols: Sequence[str]
) -> dict[str, Any]:
    """The bot's configuration: the user's, with what a rehearsal must not touch put out of reach."""
    raw = dict(setup.raw)
    for name in ("$schema", "add_config_files", "logfile", "datadir", *LEFT_OUT):
        raw.pop(name, None)
    exchange = dict(raw.get("exchange") or {})
    raw |= {
        "dry_run": False,
        "initial_state": "running",
        "user_data_dir": str(directory / "user_data"),
        "db_url": f"sqlite:///{directory / DATABASE}",
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {**exchange, "pair_whitelist": list(symbols)},
        "pairbot": {**(raw.get("pairbot") or {}), "pairs_file": str(pairs_file), "log": None},
    }
    return raw


def _only(pairs: Sequence[Pair], pair_ids: Sequence[str]) -> tuple[Pair, ...]:
    known = {pair.id: pair for pair in pairs}
    missing = [name for name in pair_ids if name not in known]
    if missing:
        raise PairbotError(
            "The pairs file's latest epoch has no such pair",
            value=", ".join(missing),
            remedy=f"Choose from {', '.join(known)}",
        )
    return tuple(known[name] for name in pair_ids) or tuple(pairs)
