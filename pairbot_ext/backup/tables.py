"""Rows from one database to another of any kind, and the proof that they arrived as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Integer, Row, String, Table, func, inspect, select
from sqlalchemy.exc import DataError, StatementError

from pairbot_ext.support.errors import PairbotError

CHUNK_ROWS = 1000

Progress = Callable[[str, int], None]
"""(table, rows so far)."""


def shared_tables(connection: Connection, tables: Sequence[Table], shown: str) -> list[Table]:
    """Those of `tables` that are there, with exactly the columns these versions know.

    :raises PairbotError: a column is missing or unknown: the database belongs to other versions.
    """
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    found = [table for table in tables if table.name in there]
    for table in found:
        has = {column["name"] for column in inspector.get_columns(table.name)}
        wants = {column.name for column in table.columns}
        if unknown := sorted(has - wants):
            raise PairbotError(
                f"table {table.name} of {shown} has columns that the installed versions do not know",
                value=", ".join(unknown),
                remedy="Use the versions of Freqtrade and pairbot that wrote it",
            )
        if missing := sorted(wants - has):
            raise PairbotError(
                f"table {table.name} of {shown} lacks columns of the installed versions",
                value=", ".join(missing),
                remedy="Start its bot once with these versions, which brings them up to date, and stop it",
            )
    return found


def copy_rows(
    source: Connection, target: Connection, tables: Sequence[Table], progress: Progress = lambda *_: None
) -> dict[str, int]:
    """Every row of `tables`, into empty tables that are created where they are missing. Commits nothing.

    :returns: rows by table.
    :raises PairbotError: a row that the target does not take; SQLAlchemyError: either fails.
    """
    copied: dict[str, int] = {}
    for table in tables:
        table.create(target, checkfirst=True)
        copied[table.name] = 0
        names = table.columns.keys()
        for rows in _chunks(source, table):
            try:
                target.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
            except (DataError, StatementError) as error:
                first = _key(table, rows[0])
                raise PairbotError(
                    f"a row of table {table.name} from {first} on is not taken: {_first_line(error)}",
                    remedy="Nothing was changed. SQLite stores what other databases refuse: correct that row",
                ) from error
            copied[table.name] += len(rows)
            progress(table.name, copied[table.name])
    return copied


def compare_rows(source: Connection, target: Connection, tables: Sequence[Table]) -> None:
    """Row by row, value by value. Raises PairbotError naming the first row that differs."""
    for table in tables:
        pairs = zip_longest(_rows(source, table), _rows(target, table))
        for number, (ours, theirs) in enumerate(pairs, start=1):
            if ours is None or theirs is None or not _is_same(ours, theirs):
                at = ours if ours is not None else theirs
                assert at is not None
                raise PairbotError(
                    f"row {number} of table {table.name} ({_key(table, at)}) is not the same on both sides",
                    remedy="Nothing was changed. Please report it with the versions of both databases",
                )


def set_sequences(connection: Connection, tables: Sequence[Table]) -> None:
    """The next row gets the number after the last one: PostgreSQL counts apart from the rows it is given."""
    if connection.dialect.name != "postgresql":
        return
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        for column in table.primary_key.columns:
            if not isinstance(column.type, Integer):
                continue
            name = connection.scalar(select(func.pg_get_serial_sequence(quote(table.name), column.name)))
            if name is not None:
                last = connection.scalar(select(func.max(column)))
                connection.execute(select(func.setval(name, last or 1, last is not None)))


def _ordered(connection: Connection, table: Table) -> Any:
    """By key, the same in every database: text by its bytes."""
    is_server = connection.dialect.name == "postgresql"
    keys = [
        column.collate("C") if is_server and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]
    return select(table).order_by(*keys)


def _chunks(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    options = {"stream_results": True, "yield_per": CHUNK_ROWS}
    found = connection.execute(_ordered(connection, table), execution_options=options)
    try:
        yield from found.partitions(CHUNK_ROWS)
    except (ValueError, TypeError, LookupError) as error:
        raise PairbotError(
            f"table {table.name} holds a value that is not of its column's type: {error}",
            remedy="Nothing was changed. SQLite stores what other databases refuse: correct that row",
        ) from error


def _rows(connection: Connection, table: Table) -> Iterator[Row[Any]]:
    for rows in _chunks(connection, table):
        yield from rows


def _is_same(ours: Row[Any], theirs: Row[Any]) -> bool:
    # Not a number is no number, and here the same.
    return all(a == b or (a != a and b != b) for a, b in zip(ours, theirs, strict=True))


def _key(table: Table, row: Row[Any]) -> str:
    values = zip(table.columns, row, strict=True)
    return ", ".join(f"{column.name} {value}" for column, value in values if column.primary_key)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0][:200]
