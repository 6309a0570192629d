"""Databases of bots as a backup sees them: an address, a hold against running bots, and what is open."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from pairbot_ext.journal.intentfile import IntentFile, intent_file_path
from pairbot_ext.journal.schema import SCHEMA_VERSION
from pairbot_ext.journal.store import hold_database
from pairbot_ext.journal.tables import JOURNAL_TABLES, OrderRow, PairTradeRow, SchemaRow
from pairbot_ext.model.states import PairState
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import protect

KINDS = ("sqlite", "postgresql")
_FINAL = [state.value for state in PairState if state.is_final]


@dataclass(frozen=True)
class Database:
    """Where a bot keeps its trades.

    :param user_data_dir: where the intent file lies that belongs to a database on a server.
    """

    url: URL
    user_data_dir: Path

    @classmethod
    def at(cls, url: str, user_data_dir: Path) -> Database:
        """Raises PairbotError, which never repeats what stood in the URL."""
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise PairbotError(
                "the database URL cannot be read",
                remedy="Like sqlite:///tradesv3.sqlite or postgresql+psycopg://user:password@host/database",
            ) from None
        protect(str(parsed.password or ""))
        name = str(parsed.database or "")
        if parsed.get_backend_name() not in KINDS:
            raise PairbotError(
                "only SQLite files and PostgreSQL can be kept and moved", value=parsed.get_backend_name()
            )
        if name in ("", ":memory:") or name.startswith("file:"):
            raise PairbotError(
                "this URL names no database that lasts", value=parsed.render_as_string(hide_password=True)
            )
        return cls(parsed, user_data_dir)

    @property
    def shown(self) -> str:
        """For messages: without password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """Of SQLite; None for a server."""
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    @property
    def intent_path(self) -> Path:
        """Where its bot keeps intents while it cannot be written."""
        return intent_file_path(self.url, self.user_data_dir)

    def is_same_as(self, other: Database) -> bool:
        """Whether both names lead to one database."""
        if self.file is not None and other.file is not None:
            return self.file.resolve() == other.file.resolve()
        mine, its = self.url, other.url
        return (mine.get_backend_name(), mine.host, mine.port, mine.database, mine.query.get("host")) == (
            its.get_backend_name(), its.host, its.port, its.database, its.query.get("host"),
        )  # fmt: skip

    def check_there(self) -> None:
        """Raises PairbotError where a SQLite file is missing: opening it would make an empty one."""
        if self.file is not None and not self.file.is_file():
            raise PairbotError(
                f"the database {self.file} does not exist",
                remedy="Name it with its URL, or its configuration",
            )

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Disposed of afterwards; an error of the database is a PairbotError."""
        try:
            made = create_engine(self.url)
        except (NoSuchModuleError, ImportError) as error:
            raise PairbotError(
                f"no driver for {self.shown}: {error}", remedy="pip install 'psycopg[binary]'"
            ) from None
        try:
            yield made
        except SQLAlchemyError as error:
            raise PairbotError(
                f"the database {self.shown} refuses: {str(error).splitlines()[0]}",
                remedy="Nothing was changed in it",
            ) from error
        finally:
            made.dispose()

    @contextmanager
    def held(self, expected: Collection[str] = ()) -> Iterator[IntentFile]:
        """No bot may start on it meanwhile.

        :param expected: client order ids that may wait in its intent file.
        :raises PairbotError: a bot is running on it, or other orders wait there: only a start settles them.
        """
        is_new = not self.intent_path.exists()
        intents = IntentFile(self.intent_path)
        try:
            waiting = intents.open()
        except PairbotError as error:
            if is_new and not isinstance(error.__cause__, BlockingIOError):
                # Half of it, on a full disk.
                intents.path.unlink(missing_ok=True)
            raise
        try:
            others = [order for order in waiting if order.client_id not in expected]
            if others:
                raise PairbotError(
                    f"{len(others)} orders wait in {intents.path} for the database {self.shown}",
                    remedy="Start its bot once, with a database that can be written, and stop it again",
                )
            with self.engine() as engine:
                holder = None if self.file is not None else hold_database(engine)
                try:
                    yield intents
                finally:
                    if holder is not None:
                        holder.close()
        finally:
            if is_new and intents.is_empty:
                # Still under its lock: nobody else has it open.
                with suppress(OSError):
                    intents.path.unlink()
            intents.close()


@dataclass(frozen=True)
class Contents:
    """What a database says of itself.

    :param version: schema of the journal; None where there is no journal.
    :param rows: by table, of all tables.
    :param open_pairs: ids of pair trades that are not final.
    :param open_trades: Freqtrade's open trades, "ADA/USDT:USDT (tag)".
    :param lost: those of them that carry a tag and of which the journal knows no order.
    """

    version: int | None
    rows: dict[str, int]
    open_pairs: tuple[str, ...]
    open_trades: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether something is held, or may be."""
        return bool(self.open_pairs or self.open_trades)

    def check_version(self, shown: str) -> None:
        """Raises PairbotError where a newer version of this package wrote it."""
        if self.version is not None and self.version > SCHEMA_VERSION:
            raise PairbotError(
                f"the journal in {shown} has schema version {self.version}, this version of pairbot knows "
                f"{SCHEMA_VERSION}",
                remedy="Use the version that wrote it",
            )


def contents(connection: Connection) -> Contents:
    """Read without changing anything. Raises SQLAlchemyError."""
    names = set(inspect(connection).get_table_names())
    version = None
    if SchemaRow.__tablename__ in names:
        version = connection.scalar(select(SchemaRow.version))
    quoted = connection.dialect.identifier_preparer.quote
    rows = {
        name: int(connection.scalar(text(f"SELECT count(*) FROM {quoted(name)}")) or 0)
        for name in sorted(names)
    }
    open_pairs: tuple[str, ...] = ()
    if PairTradeRow.__tablename__ in names:
        found = connection.scalars(select(PairTradeRow.id).where(PairTradeRow.state.not_in(_FINAL)))
        open_pairs = tuple(sorted(found))
    open_trades, lost = _open_trades(connection, names)
    return Contents(version, rows, open_pairs, open_trades, lost)


def _open_trades(connection: Connection, names: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(open trades, those of pairs whose journal was left behind)."""
    if not {"trades", "orders"} <= names:
        return (), ()
    found = connection.execute(text("SELECT id, pair, enter_tag FROM trades WHERE is_open ORDER BY id")).all()
    known: set[str] = set()
    if OrderRow.__tablename__ in names:
        known = set(connection.scalars(select(OrderRow.order_id).where(OrderRow.order_id.is_not(None))))
    every, lost = [], []
    for trade_id, pair, tag in found:
        every.append(f"{pair} ({tag})" if tag else str(pair))
        ids = set(
            connection.scalars(text("SELECT order_id FROM orders WHERE ft_trade_id = :id"), {"id": trade_id})
        )
        if tag and ids and not ids & known:
            lost.append(every[-1])
    return tuple(every), tuple(lost)


def known_tables() -> tuple[Table, ...]:
    """Freqtrade's tables and the journal's, those that others refer to first."""
    import freqtrade.persistence  # noqa: F401 - declares Freqtrade's tables
    from freqtrade.persistence.base import ModelBase

    assert set(JOURNAL_TABLES) <= set(ModelBase.metadata.sorted_tables)
    return tuple(ModelBase.metadata.sorted_tables)
