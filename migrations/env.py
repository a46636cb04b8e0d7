"""Alembic's entry: runs the revisions on the configured database, under a lock, each in one transaction."""

import os
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

import supervise.models  # noqa: F401 - puts every table into the metadata
from supervise.config import database_url
from supervise.db import Base, Database, UTCDateTime

_LOCK = 727_420_001


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our own types as plain ones, so that history does not depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String({item.length})"
    return False


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out what no model describes.

    SQLite's word index with its shadows, PostgreSQL's index over an expression, and the job queue's own tables.
    """
    if kind == "index":
        return name != "ix_ticket_search_words"
    return not (kind == "table" and name is not None and name.startswith(("ticket_words", "huey_")))


def _configure(**kwargs: Any) -> None:
    context.configure(
        target_metadata=Base.metadata,
        render_as_batch=True,
        transaction_per_migration=True,
        # Alembic thinks SQLite cannot; it can, since Database begins its transactions itself.
        transactional_ddl=True,
        render_item=render_item,
        include_name=include_name,
        **kwargs,
    )


def run_online() -> None:
    """Upgrade or downgrade a live database."""
    connection: sa.Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
        return
    url = context.config.get_main_option("sqlalchemy.url") or database_url(os.environ["DATABASE_URL"])
    engine = Database(url).engine
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text(f"SELECT pg_advisory_lock({_LOCK})"))
                connection.commit()
            _configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        # Ends the session that holds the lock; on SQLite the last to leave also folds the journal into the file.
        engine.dispose()


if context.is_offline_mode():
    _configure(url=context.config.get_main_option("sqlalchemy.url") or os.environ["DATABASE_URL"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run_online()
