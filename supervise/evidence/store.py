"""The record store: where the files lie, which engine reads them, and which of them count.

A session carries the store (``session.info``), as it carries its connection: whoever has a session can ask the records.
"""

import datetime as dt
import functools
import importlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.evidence.engine import DuckDBEngine, Engine, Files
from supervise.evidence.models import RecordKind, RecordPartition
from supervise.evidence.record_types import RECORD_TYPES

#: The key in ``session.info``.
SESSION_KEY = "supervise.evidence"


@dataclass(frozen=True)
class RecordStore:
    """A warehouse and the engine that reads it."""

    #: A folder, or for Spark the URI of one; paths of the manifest are below it.
    uri: str
    engine: Engine
    #: In this process, for what was found and fits its memory; the engine itself where that is DuckDB.
    local: DuckDBEngine

    @property
    def folder(self) -> Path:
        """The warehouse as a folder of this machine."""
        return Path(self.uri.removeprefix("file://"))

    def address(self, path: str) -> str:
        """Return where a file of the manifest lies."""
        return f"{self.uri.rstrip('/')}/{path}"


def store_of(session: Session) -> RecordStore:
    """Return the record store that *session* was opened beside."""
    store = session.info[SESSION_KEY]
    if not isinstance(store, RecordStore):
        raise TypeError(f"not a record store: {store!r}")
    return store


def current_files(session: Session, kind: RecordKind, days: Collection[dt.date] | None = None) -> Files:
    """Return the files of *kind* that count, of these China days or of all; days are how partitions are pruned.

    What was superseded, dropped, or never committed is not among them.
    """
    query = select(RecordPartition.path).where(
        RecordPartition.kind == kind,
        RecordPartition.path.is_not(None),
        RecordPartition.superseded_by_id.is_(None),
        RecordPartition.dropped_at.is_(None),
    )
    if days is not None:
        if not days:
            return Files((), RECORD_TYPES[kind].schema)
        first, last = min(days), max(days)
        query = query.where(RecordPartition.on_day.between(first, last))
        if (last - first).days + 1 > len(set(days)):
            query = query.where(RecordPartition.on_day.in_(sorted(set(days))))
    store = store_of(session)
    paths = session.scalars(query.order_by(RecordPartition.on_day, RecordPartition.id))
    return Files([store.address(path) for path in paths if path is not None], RECORD_TYPES[kind].schema)


@functools.cache
def _engine_in(folder: Path) -> DuckDBEngine:
    # One for each folder of a process: it holds memory and threads, and takes a moment to open.
    return DuckDBEngine(folder)


def open_store(engine_name: str, uri: str, scratch: Path, *, spark_master: str = "local[2]") -> RecordStore:
    """Return the store at *uri*, read by ``duckdb`` or ``spark``; nothing is started before the first question.

    What does not fit the memory of this process is spilt beside the records, or below *scratch* if they lie elsewhere.
    """
    local = _engine_in(scratch if "://" in uri else Path(uri))
    if engine_name == "spark":
        # A third of a gigabyte that most installations do without.
        spark = importlib.import_module("supervise.evidence.spark")
        return RecordStore(uri, spark.SparkEngine(spark_master), local)
    return RecordStore(uri, local, local)
