"""The database: one declarative base, column types, and the only ways to open a session.

A page reads in ``reading()``; a decision writes in ``writing()`` or, retried as a whole, ``decide()``.
"""

import datetime as dt
import enum
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from supervise import phone
from supervise.config import ConfigError
from supervise.errors import RefusalError
from supervise.labels import N_

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_TIMEOUT_MS = 15_000
_ATTEMPTS = 10
#: Nobody waits longer for locks than that and one attempt more; a web server gives a request up after 90 s.
_PATIENCE_SECONDS = 20
#: Serialization failure, deadlock, lock not available: the whole decision is run again.
_RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
#: What a connection to SQLite must say when asked (reliability M6); 2 is FULL, 1 is ON.
_SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "trusted_schema": 0,
    "busy_timeout": _BUSY_TIMEOUT_MS,
}


class BusyError(RefusalError):
    """The database stayed locked through every attempt."""

    status = 503
    message = N_("Many people are writing at this moment; please try again")


class UTCDateTime(sa.types.TypeDecorator[dt.datetime]):
    """An aware moment in Python, UTC in the database, on both engines."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        """Refuse a naive moment; SQLite stores UTC without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment must be aware")
        at = value.astimezone(dt.UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        """Return the moment aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if dialect.name == "sqlite" else value.astimezone(dt.UTC)


class MaskedText(sa.types.TypeDecorator[str]):
    """Words that a person typed: a subscriber's number in them is masked before they are stored."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        """Mask every number that could be a subscriber's."""
        return None if value is None else phone.mask_in_text(value)


#: A 64-bit key that SQLite still takes as its rowid.
Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Base(DeclarativeBase):
    """Every table: named constraints, 64-bit keys, enums held by a CHECK, aware UTC moments."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map = {  # noqa: RUF012 - the name and shape that SQLAlchemy reads
        int: Key,
        str: sa.Text(),
        bytes: sa.LargeBinary(),
        dt.datetime: UTCDateTime(),
        dt.date: sa.Date(),
        dict[str, Any]: sa.JSON(),
        list[Any]: sa.JSON(),
        enum.Enum: sa.Enum(
            enum.Enum,
            native_enum=False,
            create_constraint=True,
            length=40,
            values_callable=lambda kind: [member.value for member in kind],
        ),
    }


class Database:
    """One engine and its sessions; *info* is what every session carries for subjects above (``Session.info``)."""

    def __init__(self, url: str, info: Mapping[str, Any] | None = None) -> None:
        self._info = dict(info or {})
        # Parameters would carry subscribers' words into error messages and logs.
        self.engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        self.dialect = self.engine.dialect.name
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def session(self, *, writes: bool, waits: bool = True, one_moment: bool = False) -> Iterator[Session]:
        """Open a session in one database transaction; commit at the end if it *writes*.

        With *waits* False a taken SQLite lock is an error at once. With *one_moment* every statement sees the same
        state of the database; on SQLite they always do.
        """
        options: dict[str, Any] = {"supervise_writes": writes, "supervise_waits": waits}
        if self.dialect == "postgresql":
            options["postgresql_readonly"] = not writes
            if one_moment:
                options["isolation_level"] = "REPEATABLE READ"
        with (
            self.engine.connect().execution_options(**options) as connection,
            Session(connection, expire_on_commit=False, autoflush=True, info=self._info) as session,
        ):
            yield session
            if not writes:
                # Nothing of it is kept; what the page still shows stays as it was read.
                session.expunge_all()
            if writes or self.dialect == "postgresql":
                # There also what was only read: a rollback would make the driver forget what it has prepared.
                session.commit()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions behind our back (reliability E32).
    connection.isolation_level = None
    for name, value in _SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that reads, then writes, cannot wait for a lock (reliability E5).
    options = connection.get_execution_options()
    begin = "BEGIN IMMEDIATE" if options.get("supervise_writes", True) else "BEGIN DEFERRED"
    if options.get("supervise_waits", True):
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        connection.exec_driver_sql(begin)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")


def check_sqlite_settings(database: Database) -> None:
    """Refuse to run on an SQLite connection that does not answer as it was set.

    Raises:
        ConfigError: naming the setting.
    """
    if database.dialect != "sqlite":
        return
    with database.engine.connect() as connection:
        for name, wanted in _SQLITE_PRAGMAS.items():
            answer = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            if answer != wanted:
                raise ConfigError(f"SQLite setting {name} is {answer!r}, not {wanted!r}: refusing to start")


def init_app(app: Flask, url: str, info: Mapping[str, Any] | None = None) -> None:
    """Give *app* its database; each session carries *info*."""
    app.extensions["supervise.db"] = Database(url, info)


def current() -> Database:
    """Return the database of the running app, job or command."""
    database: Database = current_app.extensions["supervise.db"]
    return database


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session for a page: nothing it does is kept."""
    with current().session(writes=False) as session:
        yield session


@contextmanager
def reading_one_moment() -> Iterator[Session]:
    """Open a session like ``reading`` whose sums can be compared: nothing is committed between two of its reads."""
    with current().session(writes=False, one_moment=True) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """Open a session for a decision; the end of the block commits it, an error undoes it whole."""
    with current().session(writes=True) as session:
        yield session


def decide(decision: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``decision(session, ...)`` in ``writing()`` and return its result; a lost race runs it again.

    Only database conflicts that promise success on a new attempt are retried, each time in a fresh
    session, with a short random pause.

    Raises:
        BusyError: after the last attempt, or when waiting for locks has taken too long.
    """
    begun = time.monotonic()
    for attempt in range(_ATTEMPTS):
        try:
            with writing() as session:
                return decision(session, *args, **kwargs)
        except DBAPIError as error:
            if not is_retryable(error):
                raise
            if time.monotonic() - begun > _PATIENCE_SECONDS:
                break
            time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 - a pause, not a secret
    raise BusyError


def reserve_ids(session: Session, table: sa.FromClause, count: int) -> list[int]:
    """Return *count* fresh ids of *table*, rising: bulk inserts name their rows by them before they exist.

    On SQLite the caller must be writing (BEGIN IMMEDIATE), else two would reserve the same.
    """
    if count == 0:
        return []
    if session.get_bind().dialect.name == "postgresql":
        sequence = sa.func.nextval(sa.func.pg_get_serial_sequence(sa.literal(str(table)), sa.literal("id")))
        return list(session.scalars(sa.select(sequence).select_from(sa.func.generate_series(1, count))))
    first = session.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0) + 1)) or 1
    return list(range(first, first + count))


def take_turn(session: Session, purpose: str) -> None:
    """Wait until no other transaction has taken the turn for *purpose*; held to the end of this one.

    On SQLite the writing transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big", signed=True)
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def decide_if_free(decision: Callable[Concatenate[Session, P], object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Run *decision* once, without waiting for a lock, and say whether it was kept.

    For bookkeeping that the next request can do as well, and that no page should wait for.
    """
    try:
        with current().session(writes=True, waits=False) as session:
            decision(session, *args, **kwargs)
    except DBAPIError as error:
        if not is_retryable(error):
            raise
        return False
    return True


@contextmanager
def postgres_driver(connection: sa.Connection) -> Iterator[psycopg.Connection[Any]]:
    """Lend the driver's own connection, for what SQLAlchemy has no words for: COPY, pipelines.

    Raises:
        TypeError: on another engine.
        DBAPIError: what the driver refuses, as SQLAlchemy would have wrapped it: callers and the error pages know
            one family of errors.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"not a psycopg connection: {driver!r}")
    try:
        yield driver
    except psycopg.Error as error:
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


def is_retryable(error: DBAPIError) -> bool:
    """Say whether the database asks for the whole decision to be run again."""
    if isinstance(error, OperationalError) and "database is locked" in str(error.orig):
        return True
    return getattr(error.orig, "sqlstate", None) in _RETRYABLE_SQLSTATES
