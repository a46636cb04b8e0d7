"""Named reads of the manifest: platforms, imports, their partitions and refused rows."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from supervise.errors import NotFoundError
from supervise.evidence.models import RecordImport, RecordKind, RecordPartition, RecordSource, RefusedRecord

PAGE = 50
_SLICE = 1_000


class ImportTally(NamedTuple):
    """What became of the partitions of an import."""

    partitions: int
    superseded: int
    dropped: int


class PartitionLine(NamedTuple):
    """A line of the manifest with its platform."""

    partition: RecordPartition
    platform: str


def sources_by_code(session: Session) -> Sequence[RecordSource]:
    """Return every platform, by kind and code."""
    return session.scalars(select(RecordSource).order_by(RecordSource.kind, RecordSource.code)).all()


def source_by_id(session: Session, source_id: int) -> RecordSource:
    """Return one platform.

    Raises:
        NotFoundError: if there is none.
    """
    source = session.get(RecordSource, source_id)
    if source is None:
        raise NotFoundError
    return source


def imports_newest_first(
    session: Session, kind: RecordKind | None = None, *, before: int | None = None, limit: int = PAGE
) -> Sequence[RecordImport]:
    """Return imports, the newest first, of one kind or all, older than the import *before*."""
    query = select(RecordImport).order_by(RecordImport.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(RecordImport.kind == kind)
    if before is not None:
        query = query.where(RecordImport.id < before)
    return session.scalars(query).all()


def import_by_id(session: Session, import_id: int) -> RecordImport:
    """Return one import.

    Raises:
        NotFoundError: if there is none.
    """
    batch = session.get(RecordImport, import_id)
    if batch is None:
        raise NotFoundError
    return batch


def tally_of(session: Session, import_id: int) -> ImportTally:
    """Return how many partitions an import brought, and how many of them were corrected or dropped since."""
    query = select(
        func.count(), func.count(RecordPartition.superseded_by_id), func.count(RecordPartition.dropped_at)
    ).where(RecordPartition.import_id == import_id)
    return ImportTally(*session.execute(query).one())


def partitions_of(
    session: Session, import_id: int, *, after: tuple[dt.date, int] | None = None, limit: int = PAGE
) -> list[PartitionLine]:
    """Return the partitions of an import by day and id, those after the place *after*."""
    query = (
        select(RecordPartition, RecordSource.code)
        .join(RecordSource, RecordSource.id == RecordPartition.source_id)
        .where(RecordPartition.import_id == import_id)
        .order_by(RecordPartition.on_day, RecordPartition.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(RecordPartition.on_day, RecordPartition.id) > after)
    return [PartitionLine(*row) for row in session.execute(query)]


def refused_records(
    session: Session, import_id: int, *, after_row: int = 0, limit: int = PAGE
) -> Sequence[RefusedRecord]:
    """Return the kept refused rows of an import by row number, those after the row *after_row*."""
    query = select(RefusedRecord).where(RefusedRecord.import_id == import_id, RefusedRecord.row_number > after_row)
    return session.scalars(query.order_by(RefusedRecord.row_number).limit(limit)).all()


def every_refused_record(session: Session, import_id: int) -> Iterator[RefusedRecord]:
    """Yield the kept refused rows of an import by row number, a slice at a time."""
    rows = refused_records(session, import_id, limit=_SLICE)
    while rows:
        yield from rows
        rows = refused_records(session, import_id, after_row=rows[-1].row_number, limit=_SLICE)
