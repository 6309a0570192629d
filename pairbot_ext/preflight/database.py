"""What a bot's database says it holds, read without creating or locking anything."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, Connection, make_url

from pairbot_ext.preflight.setup import Known

_OPEN_TRADES = text("SELECT pair, amount, is_short FROM trades WHERE is_open")
_OPEN_PAIR_TRADES = text(
    "SELECT leg_a, leg_b FROM pairbot_pair_trades WHERE state NOT IN ('CLOSED', 'ABORTED')"
)


def sqlite_file(url: URL) -> Path | None:
    """The file behind a SQLite URL; None for an in-memory or another kind of database."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def read_known(db_url: str) -> Known:
    """Open trades and open pair trades. Nothing where the database does not exist yet.

    :raises sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
    """
    url = make_url(db_url)
    path = sqlite_file(url)
    if url.get_backend_name() == "sqlite":
        if path is None or not path.is_file():
            return Known({})
        url = make_url(f"sqlite:///{path.resolve().as_uri()}?mode=ro&uri=true")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _known(connection)
    finally:
        engine.dispose()


def _known(connection: Connection) -> Known:
    tables = set(inspect(connection).get_table_names())
    amounts: dict[str, float] = {}
    if "trades" in tables:
        for pair, amount, is_short in connection.execute(_OPEN_TRADES):
            amounts[pair] = amounts.get(pair, 0.0) + float(amount) * (-1.0 if is_short else 1.0)
    managed: set[str] = set()
    if "pairbot_pair_trades" in tables:
        for legs in connection.execute(_OPEN_PAIR_TRADES):
            managed.update(legs)
    return Known(amounts, frozenset(managed))
