"""What the checks look at: configuration, pairs file, strategy, exchange. Each built once, on first use.

Where a part cannot be had, every check that needs it says so instead of repeating the failure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import ccxt
from freqtrade.configuration import validate_config_consistency
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.strategy import IStrategy
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.host import releases
from pairbot_ext.pairs import Epoch, Pair, PairsFile, load_pairs_file
from pairbot_ext.preflight.results import Status
from pairbot_ext.settings import Settings, parse_settings
from pairbot_ext.startup.checks import check_market
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import secrets_of
from pairbot_ext.venue import venue_of

TELEGRAM_URL = "https://api.telegram.org"

_FROM_STRATEGY = {"stoploss": -0.99, "minimal_roi": {}, "timeframe": "1h"}
"""Freqtrade's schema requires these, and the strategy sets them before Freqtrade validates."""

STRATEGY_FAILED = "the strategy cannot be loaded"

T = TypeVar("T")
Config = dict[str, Any]


class NotCheckedError(Exception):
    """A check could not be made.

    :param why: completes "not checked: "; short, as many checks may say it.
    :param status: WARN where that is acceptable in this mode, else FAIL.
    :param cause: the whole story, told by the one check that is about it.
    """

    def __init__(self, why: str, status: Status, remedy: str = "", *, cause: object = None) -> None:
        super().__init__(why)
        self.why = why
        self.status = status
        self.remedy = remedy
        self.in_full = why if cause is None else f"{why}: {cause}"


class Part(Generic[T]):
    """Something built on first use, once: a failure is remembered like a value."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._value: T | None = None
        self._error: Exception | None = None
        self._is_built = False

    def __call__(self) -> T:
        """The value. Raises what building it raised."""
        if not self._is_built:
            try:
                self._value = self._build()
            except Exception as error:  # noqa: BLE001 - kept, and raised at every use
                self._error = error
            self._is_built = True
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


@dataclass(frozen=True)
class Book:
    """Best prices of a symbol, quote currency."""

    bid: float
    ask: float

    @property
    def mid(self) -> float:
        """Middle of the two."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True)
class Known:
    """What this bot's own database says is on the account.

    :param amounts: signed amounts of Freqtrade's open trades by symbol, base currency.
    :param managed: symbols of pair trades the journal has not closed: the reconciler settles them.
    """

    amounts: Mapping[str, float]
    managed: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether the bot holds nothing."""
        return not self.amounts and not self.managed


def open_exchange(config: Config) -> Exchange:
    """Freqtrade's own exchange layer, markets and leverage brackets loaded.

    :raises FreqtradeException: not reachable, or a setting it refuses. Freqtrade logs why the markets could
        not be loaded and raises without the reason, so the reason is taken from its log.
    """
    with _collected_errors("freqtrade.exchange.exchange") as errors:
        try:
            return ExchangeResolver.load_exchange(config, load_leverage_tiers=True)
        except FreqtradeException as error:
            if errors:
                raise type(error)(f"{type(errors[-1]).__name__}: {errors[-1]}") from errors[-1]
            raise


@contextmanager
def _collected_errors(name: str) -> Iterator[list[BaseException]]:
    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1] is not None:
                errors.append(record.exc_info[1])

    errors: list[BaseException] = []
    handler = Collector(logging.ERROR)
    logging.getLogger(name).addHandler(handler)
    try:
        yield errors
    finally:
        logging.getLogger(name).removeHandler(handler)


class Setup:
    """One bot-to-be, seen by the checks.

    :param config: as `freqtrade trade` would load it (`load_config`).
    :param live: judge as for live trading, whatever `dry_run` says.
    :param now: the time, UTC.
    :param versions: installed releases by package.
    """

    def __init__(
        self,
        config: Config,
        *,
        live: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        open_exchange: Callable[[Config], Exchange] = open_exchange,
        telegram_url: str = TELEGRAM_URL,
        versions: Callable[[], Mapping[str, str]] = releases.installed,
    ) -> None:
        self.config = config
        self.live = live
        self.now = now
        self.telegram_url = telegram_url
        self.versions = versions
        self._open_exchange = open_exchange
        self.validated: Part[Config] = Part(self._validate)
        self.settings: Part[Settings] = Part(self._parse_settings)
        self.pairs_file: Part[PairsFile] = Part(self._read_pairs_file)
        self.strategy: Part[IStrategy] = Part(self._load_strategy)
        self.exchange: Part[Exchange] = Part(self._public_exchange)
        self.account: Part[Exchange] = Part(self._private_exchange)
        self.books: Part[dict[str, Book]] = Part(self._read_books)
        self.known: Part[Known] = Part(self._read_database)
        self.secrets = secrets_of(config)
        self.is_starting = False
        """Whether it is the bot itself that asks, on its way into trading."""
        self.venue = venue_of(str(config.get("exchange", {}).get("name", "")))

    @property
    def grave(self) -> Status:
        """What is tolerable in dry-run and not with money."""
        return Status.FAIL if self.live else Status.WARN

    def epoch(self) -> Epoch | None:
        """The epoch that may be entered now, else the next one, else the last; None in a file without any."""
        epochs, now = self.pairs_file().epochs, self.now()
        coming = (epoch for epoch in epochs if epoch.valid_from > now)
        return self.pairs_file().epoch_at(now) or next(coming, epochs[-1] if epochs else None)

    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of `epoch`. Raises NotCheckedError where there are none."""
        epoch = self.epoch()
        if epoch is None or not epoch.pairs:
            raise NotCheckedError("the pairs file lists no pair", Status.WARN, "Run `pairbot scan`")
        return epoch.pairs

    def symbols(self) -> tuple[str, ...]:
        """Every leg of `pairs`, once, in file order."""
        return tuple(dict.fromkeys(symbol for pair in self.pairs() for symbol in pair.symbols))

    def paused(self) -> frozenset[str]:
        """Legs that are listed, do not trade now and will again: a bot waits for them by itself. Empty where
        no exchange can be asked."""
        try:
            markets = self.exchange().markets
        except NotCheckedError:
            return frozenset()
        return frozenset(
            symbol
            for symbol in self.symbols()
            if (market := markets.get(symbol)) is not None
            and not market.get("active", True)
            and market.get("info", {}).get("status") in self.venue.pauses
        )

    def _validate(self) -> Config:
        """A copy that Freqtrade's schema has accepted and filled with its defaults."""
        config = deepcopy(self.config)
        for key, value in _FROM_STRATEGY.items():
            config.setdefault(key, value)
        try:
            validate_config_consistency(config)
        except FreqtradeException as error:
            raise NotCheckedError(
                "Freqtrade refuses the configuration",
                Status.FAIL,
                "Correct the key in the config files",
                cause=_short(error),
            ) from error
        return config

    def _parse_settings(self) -> Settings:
        try:
            return parse_settings(self.config.get("pairbot"))
        except PairbotError as error:
            raise _told_once("the pairbot block is wrong", error) from error

    def _read_pairs_file(self) -> PairsFile:
        path = self.settings().pairs_path()
        try:
            return load_pairs_file(path)
        except PairbotError as error:
            raise _told_once("the pairs file cannot be used", error) from error

    def check_market(self) -> None:
        """Configuration and pairs file belong together. Raises NotCheckedError: what needs both says no more
        than that."""
        try:
            check_market(self.config, self.pairs_file())
        except PairbotError as error:
            raise _told_once("configuration and pairs file do not go together", error) from error

    def _load_strategy(self) -> IStrategy:
        # What is wrong with these is told by their own checks; the strategy would say it again.
        self.check_market()
        try:
            return StrategyResolver.load_strategy(deepcopy(self.config))
        except (FreqtradeException, PairbotError) as error:
            raise NotCheckedError(
                STRATEGY_FAILED,
                Status.FAIL,
                "Correct what is named first",
                cause=_short(error),
            ) from error

    def _copy(self, *, dry_run: bool) -> Config:
        # Freqtrade removes the keys from the configuration it is given, and asks about delisting only where
        # it thinks that it trades.
        runmode = RunMode.DRY_RUN if dry_run else RunMode.LIVE
        return {**deepcopy(self.config), "dry_run": dry_run, "runmode": runmode}

    def _public_exchange(self) -> Exchange:
        try:
            return self._open_exchange(self._copy(dry_run=True))
        except (FreqtradeException, ccxt.BaseError) as error:
            raise NotCheckedError(
                "no exchange is reachable",
                self.grave,
                "Is there a connection, and does the exchange serve your country? For a rehearsal without "
                "either, start `pairbot exchange` and add its overlay with -c",
                cause=_short(error),
            ) from error

    def _private_exchange(self) -> Exchange:
        if not self.live:
            raise NotCheckedError(
                "dry-run opens no account",
                Status.WARN,
                "Before going live run `pairbot preflight --live` with your keys",
            )
        self.exchange()
        exchange = self.config.get("exchange", {})
        if not (exchange.get("key") or exchange.get("apiKey") or exchange.get("api_key")):
            raise NotCheckedError(
                "no API key is configured",
                Status.FAIL,
                "Set FREQTRADE__EXCHANGE__KEY and FREQTRADE__EXCHANGE__SECRET",
            )
        try:
            return self._open_exchange(self._copy(dry_run=False))
        except (FreqtradeException, ccxt.BaseError) as error:
            raise NotCheckedError(
                "the account cannot be opened",
                Status.FAIL,
                f"Correct what it says; {self.venue.key_hint}",
                cause=_short(error),
            ) from error

    def trading_exchange(self) -> Exchange:
        """The account's view where there is an account, else the public one."""
        return self.account() if self.live else self.exchange()

    def _read_books(self) -> dict[str, Book]:
        exchange, books = self.exchange(), {}
        for symbol in self.symbols():
            market = exchange.markets.get(symbol)
            if market is None or not market.get("active", True):
                continue
            # Typed as a mapping of more kinds than a book has.
            raw: Any = exchange.fetch_l2_order_book(symbol, 5)
            if raw["bids"] and raw["asks"]:
                books[symbol] = Book(bid=float(raw["bids"][0][0]), ask=float(raw["asks"][0][0]))
        return books

    def _read_database(self) -> Known:
        from pairbot_ext.preflight.database import read_known

        try:
            return read_known(str(self.config.get("db_url", "")))
        except SQLAlchemyError as error:
            raise NotCheckedError(
                "the database cannot be read", Status.FAIL, "Correct db_url", cause=_short(error)
            ) from error


def _told_once(why: str, error: PairbotError) -> NotCheckedError:
    """The check it is about says all of it, the others that they depend on it."""
    value = "" if error.value is None else f" (found: {error.value})"
    return NotCheckedError(why, Status.FAIL, error.remedy, cause=f"{error.what}{value}")


def _short(error: BaseException) -> str:
    """One line of an error whose text may be a whole page, and what lies at its bottom."""
    root = error
    while (deeper := root.__cause__ or root.__context__) is not None:
        root = deeper
    texts = [" ".join(str(error).split()) or type(error).__name__]
    if root is not error and texts[0] not in " ".join(str(root).split()):
        texts.append(f"{type(root).__name__}: {' '.join(str(root).split())}")
    return " <- ".join(text if len(text) <= 240 else text[:237] + "..." for text in texts)


def load_config(
    files: Sequence[str], *, live: bool, strategy: str | None = None, userdir: Path | None = None
) -> Config:
    """The configuration `freqtrade trade` would run with, environment variables included.

    :param files: as with Freqtrade's `-c`; none means its default file.
    :param live: as if `dry_run` were false. :param userdir: as with `--userdir`.
    :raises PairbotError: a file is missing or malformed.
    """
    from freqtrade.commands.arguments import Arguments
    from freqtrade.constants import DEFAULT_DB_PROD_URL

    from pairbot_ext.host.access import read_configuration

    arguments = ["trade", *(part for file in files for part in ("-c", file))]
    arguments += [] if userdir is None else ["--userdir", str(userdir)]
    parsed = Arguments(arguments).get_parsed_arg()
    parsed["strategy"] = strategy
    try:
        config = read_configuration(parsed, RunMode.LIVE if live else None)
    except (FreqtradeException, AttributeError, TypeError, OSError) as error:
        # AttributeError and TypeError: valid JSON that is no object.
        raise PairbotError(
            f"the configuration cannot be read: {error}",
            remedy="Correct the file, or name another with -c; `pairbot init` makes one",
        ) from error
    if live:
        config["dry_run"] = False
        config["db_url"] = config["original_config"].get("db_url") or DEFAULT_DB_PROD_URL
    config.setdefault("strategy", "PairsArb")
    config["strategy"] = config["strategy"] or "PairsArb"
    return config
