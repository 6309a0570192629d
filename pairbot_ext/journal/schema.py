"""Schema version of the journal and the path from one version to the next.

| version | what changed |
|---|---|
| 1 | pair trades, orders, events |
| 2 | `pairbot_settings`: what the operator has set and a restart must not forget |
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from freqtrade.persistence.base import ModelBase
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, String, Table, Text, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.journal.tables import JOURNAL_TABLES, SchemaRow
from pairbot_ext.support.errors import PairbotError

SCHEMA_VERSION = 2

Migration = Callable[[Connection], None]


def _add_settings(connection: Connection) -> None:
    # Freqtrade creates every table that is declared when it opens its database: it may exist already.
    Table(
        "pairbot_settings",
        MetaData(),
        Column("key", String(64), primary_key=True),
        Column("value", Text, nullable=False),
        Column("changed_ms", BigInteger, nullable=False),
    ).create(connection, checkfirst=True)


MIGRATIONS: Mapping[int, Migration] = MappingProxyType({1: _add_settings})
"""From version n to n + 1, keyed by n. A step names its tables and columns itself: the classes in `tables`
describe the newest version, not the one it leads to."""


def migrate(
    engine: Engine, version: int = SCHEMA_VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> int:
    """Create the tables in an empty database, or bring an older one to `version`, in one transaction: it is
    at the new version completely, or as it was. Returns the version found (`version` where there was none).

    :raises PairbotError: the database was written by a newer version, has tables that are not the version's,
        or cannot be written.
    """
    shown = engine.url.render_as_string()
    try:
        with engine.connect() as connection, connection.begin():
            if engine.dialect.name == "sqlite":
                # Python's driver begins a transaction for rows only: CREATE TABLE would be committed at once.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            found = _version(connection)
            if found is not None and found > version:
                raise PairbotError(
                    f"the journal in {shown} has schema version {found}, "
                    f"this version of pairbot knows {version}",
                    remedy="Install the version that wrote it, or name another db_url",
                )
            for step in range(version if found is None else found, version):
                migrations[step](connection)
            ModelBase.metadata.create_all(connection, tables=list(JOURNAL_TABLES), checkfirst=True)
            _check_columns(connection, shown)
            if found is None:
                connection.execute(SchemaRow.__table__.insert().values(id=1, version=version))
            elif found != version:
                connection.execute(SchemaRow.__table__.update().values(version=version))
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the journal in {shown} cannot be opened: {str(error).splitlines()[0]}",
            remedy="Check that the database file and its directory are writable and not used by another bot",
        ) from error
    return version if found is None else found


def _version(connection: Connection) -> int | None:
    """The version the tables are at; None where the journal is new to this database."""
    if not inspect(connection).has_table(SchemaRow.__tablename__):
        return None
    # Two bots that start on one PostgreSQL server take turns.
    return connection.scalar(select(SchemaRow.version).with_for_update())


def _check_columns(connection: Connection, shown: str) -> None:
    inspector = inspect(connection)
    for table in JOURNAL_TABLES:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise PairbotError(
                f"table {table.name} in {shown} lacks columns this version of pairbot writes",
                value=", ".join(missing),
                remedy="Restore the database from a backup, or name another db_url",
            )
