"""Results of a run as Parquet, written as they come: an interrupted run goes on from there.

A folder holds ``run.json`` (which run this is), ``part-*.parquet`` (a second's worth of tasks each) and, when
all is done, ``results.parquet`` in their place: the rows of all tasks, the column ``task`` first, the same
bytes however often the run was interrupted. Files are replaced whole, never written in place.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pairbot_ext.support.documents import read_document
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.tasks.work import Job, Rows, Task

FORMAT = 1
PART_SECS = 1.0
TASKS_PER_GROUP = 64
"""Of the finished file: a row group holds the rows of so many tasks."""
_TASKS = b"tasks"
_OTHER = "Name another folder, or delete this one if its results are no longer wanted"


class StoreError(PairbotError):
    """The folder cannot keep this run's results."""


class Store:
    """The results of one run. Open with `Store.opened`."""

    def __init__(self, folder: Path, count: int, note: Callable[[str], None]) -> None:
        self._folder, self._count, self._note = folder, count, note
        self._results = folder / "results.parquet"
        self._place: dict[int, Path] = {}
        self._buffer: dict[int, Rows] = {}
        self._lock = threading.RLock()
        self._later: threading.Timer | None = None
        self._read = lru_cache(maxsize=4)(_rows_of)
        for path in [self._results, *sorted(folder.glob("part-*.parquet"))]:
            if path.exists():
                self._take(path)

    @staticmethod
    @contextmanager
    def opened(
        folder: Path,
        job: Job,
        tasks: Sequence[Task],
        shared: Mapping[str, Any],
        note: Callable[[str], None],
    ) -> Iterator[Store]:
        """The store of this run in `folder`, which is made where it is not there.

        What has been added is on disk at the end, whatever ends the block.

        :param note: told of parts that cannot be read; their tasks count as not done.
        :raises StoreError: the folder holds another run or something else, is in use or cannot be written.
        """
        import joblib

        identity = {
            "format": FORMAT,
            "function": job.function,
            "pairbot": job.code,
            "tasks": len(tasks),
            "parameters": joblib.hash([list(tasks), dict(shared)]),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                _check_identity(folder, identity)
                store = Store(folder, len(tasks), note)
                try:
                    yield store
                finally:
                    store._write()
        except OSError as error:
            raise StoreError(
                f"the store {folder} cannot be used: {error.strerror or error}", remedy="Name another folder"
            ) from error

    @property
    def done(self) -> set[int]:
        """Numbers of the tasks whose rows are on disk."""
        return set(self._place)

    def rows(self, task: int) -> Rows:
        """The rows of a task that is done."""
        return self._read(self._place[task])[task]

    def add(self, task: int, rows: Rows) -> None:
        """Keep the rows of a task; on disk within `PART_SECS`, however long the next task takes."""
        with self._lock:
            self._buffer[task] = rows
            if self._later is None:
                self._later = threading.Timer(PART_SECS, self._write)
                self._later.daemon = True
                self._later.start()

    def finish(self) -> None:
        """All tasks are done: one file takes the place of the parts."""
        self._write()
        if self._results.exists():
            return
        files = [pq.ParquetFile(path) for path in dict.fromkeys(self._place.values())]
        known = pa.unify_schemas([file.schema_arrow.remove_metadata() for file in files])
        schema = pa.schema([known.field(name) for name in ["task", *sorted(set(known.names) - {"task"})]])
        with _replacing(self._results) as target:
            numbers = range(self._count)
            with pq.ParquetWriter(target, _listing(schema, numbers), write_page_checksum=True) as writer:
                for start in range(0, self._count, TASKS_PER_GROUP):
                    chosen = numbers[start : start + TASKS_PER_GROUP]
                    table = _table({number: self.rows(number) for number in chosen}, schema)
                    if table.num_rows:
                        writer.write_table(table.cast(_listing(schema, numbers)))
        for path in set(self._place.values()):
            path.unlink()
        self._place = dict.fromkeys(range(self._count), self._results)

    def _write(self) -> None:
        """What is buffered becomes a part."""
        with self._lock:
            if self._later is not None:
                self._later.cancel()
                self._later = None
            if not self._buffer:
                return
            tasks = sorted(self._buffer)
            path = self._folder / f"part-{tasks[0]:09d}-{len(tasks):09d}.parquet"
            table = _table(self._buffer)
            with _replacing(path) as target:
                pq.write_table(
                    table.replace_schema_metadata(_listing(table.schema, tasks).metadata),
                    target,
                    write_page_checksum=True,
                )
            self._place |= dict.fromkeys(tasks, path)
            self._buffer = {}

    def _take(self, path: Path) -> None:
        try:
            tasks = self._read(path).keys()
            if not all(0 <= task < self._count for task in tasks):
                raise ValueError("it names tasks this run does not have")
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            self._note(f"{path} is torn and its tasks are computed again: {str(error).splitlines()[0]}")
            path.unlink()
            return
        self._place |= dict.fromkeys(tasks, path)


def _check_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    path = folder / "run.json"
    if not path.exists():
        strangers = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if strangers:
            raise StoreError(f"{folder} is not a store of results", value=strangers[0], remedy=_OTHER)
        with _replacing(path) as target:
            target.write(json.dumps(identity, indent=2).encode() + b"\n")
        return
    found = read_document(path, "the store's", StoreError, _OTHER)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(f"{path} is not of a store of this version", remedy=_OTHER)
    for name, words in (
        ("function", "another study's results"),
        ("pairbot", "results of another version of pairbot"),
        ("tasks", "a run of another number of tasks"),
        ("parameters", "the same study with other parameters or data"),
    ):
        if found.get(name) != identity[name]:
            value = f"{found.get(name)}, this is {identity[name]}"
            raise StoreError(f"the store {folder} holds {words}", value=value, remedy=_OTHER)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with the process, however it ends."""
    # Not at the top: the package is imported where fcntl does not exist.
    import fcntl

    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another run is writing to the store {folder}", remedy="Wait for it, or name another folder"
            ) from None
        yield


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when all of it is on disk."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _listing(schema: pa.Schema, tasks: Sequence[int]) -> pa.Schema:
    """The schema with the tasks that the file holds, those without a row too."""
    return schema.with_metadata({_TASKS: json.dumps(list(tasks)).encode()})


def _table(results: Mapping[int, Rows], schema: pa.Schema | None = None) -> pa.Table:
    """Rows of many tasks, ordered by task."""
    flat = [(task, row) for task in sorted(results) for row in results[task]]
    names = schema.names[1:] if schema else sorted({name for _, row in flat for name in row})
    columns = [pa.array([task for task, _ in flat], pa.int64())]
    for name in names:
        values = [row.get(name) for _, row in flat]
        columns.append(pa.array(values, schema.field(name).type if schema else _type_of(values)))
    return pa.table(columns, names=["task", *names])


def _type_of(values: Sequence[Any]) -> pa.DataType:
    first = next((value for value in values if value is not None), None)
    if isinstance(first, np.ndarray):
        return pa.list_(pa.from_numpy_dtype(first.dtype))
    if isinstance(first, list):
        return pa.list_(pa.string())
    return pa.array([first]).type


def _rows_of(path: Path) -> dict[int, Rows]:
    """Rows by task, as they were added."""
    file = pq.ParquetFile(path, page_checksum_verification=True)
    results: dict[int, Rows] = {int(task): [] for task in json.loads(file.schema_arrow.metadata[_TASKS])}
    table = file.read()
    columns = {name: _values(table.column(name)) for name in table.column_names}
    numbers = columns.pop("task")
    for place, number in enumerate(numbers):
        results[number].append({name: values[place] for name, values in columns.items()})
    return results


def _values(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_list(column.type) or pa.types.is_string(column.type.value_type):
        return list(column.to_pylist())
    return [
        value.values.to_numpy(zero_copy_only=False) if value.is_valid else None
        for chunk in column.chunks
        for value in chunk
    ]
