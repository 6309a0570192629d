"""A real PostgreSQL server for one test session, where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from itertools import count
from pathlib import Path

import pytest

USER = "bot"
DRIVER = "postgresql+psycopg"


def _program(name: str) -> str | None:
    """Debian keeps them out of the path."""
    return shutil.which(name) or next(iter(sorted(glob(f"/usr/lib/postgresql/*/bin/{name}"))[::-1]), None)


def _owner() -> str | None:
    """Who runs the server: it refuses to be root."""
    if os.getuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


class Server:
    """A server of its own on a socket of its own."""

    def __init__(self, directory: Path, initdb: str, pg_ctl: str) -> None:
        self.directory = directory
        self._pg_ctl = pg_ctl
        self._owner = _owner()
        self._numbers = count(1)
        if self._owner is not None:
            shutil.chown(directory, self._owner)
        self._run(
            initdb, "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )

    @property
    def _data(self) -> str:
        return str(self.directory / "data")

    def _run(self, *command: str) -> None:
        # Not through a pipe: the server inherits it and keeps it open.
        with (self.directory / "output.txt").open("a+") as output:
            try:
                subprocess.run(
                    command, check=True, user=self._owner, cwd=self.directory, stdout=output, stderr=output
                )
            except subprocess.CalledProcessError as error:
                output.seek(0)
                raise RuntimeError(f"{command[0]}: {output.read()[-2000:]}") from error

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}' -c fsync=off"
        self._run(
            self._pg_ctl, "-D", self._data, "-w", "-l", str(self.directory / "log"), "-o", options, "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop; "immediate" is a crash."""
        self._run(self._pg_ctl, "-D", self._data, "-w", "-m", mode, "stop")

    def url(self, database: str) -> str:
        """For db_url."""
        return f"{DRIVER}://{USER}@/{database}?host={self.directory}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        import psycopg

        name = f"trades_{next(self._numbers)}"
        with psycopg.connect(
            f"host={self.directory} user={USER} dbname=postgres", autocommit=True
        ) as session:
            session.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server, gone afterwards. Skips the test where there can be none."""
    pytest.importorskip("psycopg", reason="needs the driver psycopg (the dev extra)")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl on this machine (e.g. apt install postgresql)")
    # Not pytest's directory: the server's user may not enter it, and a socket's path is short.
    directory = Path(tempfile.mkdtemp(prefix="pairbot-pg-"))
    try:
        server = Server(directory, initdb, pg_ctl)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
