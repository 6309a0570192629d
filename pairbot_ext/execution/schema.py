"""Schema version of the journal and the path from one version to the next."""

from collections.abc import Callable

from freqtrade.persistence.base import ModelBase
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pairbot_ext.errors import PairbotError
from pairbot_ext.execution.tables import JOURNAL_TABLES, SchemaRow

SCHEMA_VERSION = 1

MIGRATIONS: dict[int, Callable[[Connection], None]] = {}
"""From version n to n + 1, keyed by n. Each runs in one transaction with the new version number."""


def migrate(engine: Engine) -> int:
    """Create the tables that are missing and bring the rest to SCHEMA_VERSION. Returns the version found.

    :raises PairbotError: the database was written by a newer version, or cannot be written.
    """
    try:
        ModelBase.metadata.create_all(engine, tables=list(JOURNAL_TABLES), checkfirst=True)
        with Session(engine) as session:
            row = session.scalar(select(SchemaRow))
            if row is None:
                session.add(SchemaRow(id=1, version=SCHEMA_VERSION))
                session.commit()
                return SCHEMA_VERSION
            found = row.version
        if found > SCHEMA_VERSION:
            raise PairbotError(
                f"the journal in {engine.url.render_as_string()} has schema version {found}, "
                f"this version of pairbot knows {SCHEMA_VERSION}",
                remedy="Install the version that wrote it, or name another db_url",
            )
        for version in range(found, SCHEMA_VERSION):
            with engine.begin() as connection:
                MIGRATIONS[version](connection)
                connection.execute(SchemaRow.__table__.update().values(version=version + 1))
    except SQLAlchemyError as error:
        raise PairbotError(
            f"the journal in {engine.url.render_as_string()} cannot be opened: {str(error).splitlines()[0]}",
            remedy="Check that the database file and its directory are writable and not used by another bot",
        ) from error
    return found
