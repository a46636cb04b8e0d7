"""Where the database's schema stands against what this version of the code was written for."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from supervise.config import PROJECT
from supervise.db import Database


class SchemaError(Exception):
    """The database is not at this version's schema; the message says what to do."""


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for the database at *url*."""
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def head() -> str:
    """Return the revision that this version of the code was written for."""
    revision = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    if revision is None:
        raise SchemaError("there are no migrations beside the program: the installation is incomplete")
    return revision


def revision_of(database: Database) -> str | None:
    """Return the revision of *database*; None for an empty one."""
    with database.session(writes=False) as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def refuse_wrong_schema(database: Database) -> None:
    """Refuse a database that is empty, older or newer than this version of the code.

    Raises:
        SchemaError: with a sentence that says what to do.
    """
    revision, wanted = revision_of(database), head()
    if revision == wanted:
        return
    if revision is None:
        raise SchemaError("the database is empty: run `make migrate` first")
    refuse_newer(revision)
    raise SchemaError(f"the database has the older schema {revision}, this version needs {wanted}: run `make migrate`")


def refuse_newer(revision: str) -> None:
    """Refuse a *revision* that this version of the code has never heard of.

    Raises:
        SchemaError: with a sentence that says what to do.
    """
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config("")).walk_revisions()}
    if revision not in known:
        raise SchemaError(
            f"the database has the newer schema {revision}, this version knows up to {head()}: "
            "start the newer version of the program, or restore the backup from before the upgrade"
        )


def migrate(url: str) -> tuple[str | None, str]:
    """Bring the database at *url* to this version's schema; return the revisions before and after.

    An SQLite file with anything in it is copied first, to ``<file>.before-<revision>``.

    Raises:
        SchemaError: if the database is newer than this version of the code.
    """
    database = Database(url)
    try:
        before, wanted = revision_of(database), head()
        if before is not None and before != wanted:
            refuse_newer(before)
            if database.engine.url.database and database.dialect == "sqlite":
                _copy(Path(database.engine.url.database), wanted)
    finally:
        database.engine.dispose()
    if before != wanted:
        command.upgrade(alembic_config(url), "head")
    return before, wanted


def _copy(path: Path, wanted: str) -> None:
    # The backup API also takes what still stands in the write-ahead log; a plain copy would lose it.
    source, copy = sqlite3.connect(path), sqlite3.connect(path.with_name(f"{path.name}.before-{wanted}"))
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
