"""Platforms that deliver records: opened, named, ended. The days in service decide what is missing."""

import datetime as dt
import re
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.evidence.models import RecordKind, RecordPartition, RecordSource
from supervise.labels import N_
from supervise.parties.models import Carrier

#: It names files of the warehouse.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


class SourceCodeError(InvalidInputError):
    """A code that could not stand in a file's name."""

    message = N_(
        "A platform's code has up to 40 letters, digits, hyphens and underscores, and begins with a letter or digit"
    )


class SourceCodeTakenError(ConflictError):
    """Codes are never used again: records name them for good."""

    message = N_("There is a platform %(code)s already")


class SourcePeriodError(InvalidInputError):
    """An end before the beginning."""

    message = N_("The end must be after the start")


class SourceHasRecordsError(ConflictError):
    """The platform delivered for a day after its end."""

    message = N_("The platform delivered records for %(day)s; it can end after that day at the earliest")


def open_source(
    session: Session,
    *,
    code: str,
    name: str,
    kind: RecordKind,
    carrier_code: str,
    valid_from: dt.date,
    actor_id: int,
) -> RecordSource:
    """Enter a platform whose records of *kind* are due from *valid_from* on.

    Raises:
        SourceCodeError: for a code that cannot name files.
        SourceCodeTakenError: if a platform has the code, or had it.
        NotFoundError: if there is no such carrier.
    """
    if not _CODE.fullmatch(code):
        raise SourceCodeError
    if session.scalar(select(RecordSource.id).where(RecordSource.code == code)) is not None:
        raise SourceCodeTakenError(code=code)
    if session.scalar(select(Carrier.code).where(Carrier.code == carrier_code)) is None:
        raise NotFoundError
    source = RecordSource(code=code, name=name, kind=kind, carrier_code=carrier_code, valid_from=valid_from)
    session.add(source)
    session.flush()
    facts = {"code": code, "name": name, "kind": kind, "carrier": carrier_code, "valid_from": valid_from}
    _record(session, "record_source.opened", source, facts, actor_id)
    return source


def rename_source(session: Session, source_id: int, *, name: str, version: int, actor_id: int) -> RecordSource:
    """Correct what people call a platform; records name it by its code, which stays.

    Raises:
        NotFoundError: if there is no such platform.
        ConflictError: if it was changed meanwhile.
    """
    source = _locked(session, source_id, version)
    before, source.name, source.version = source.name, name, source.version + 1
    session.flush()
    _record(session, "record_source.renamed", source, {"name": [before, name]}, actor_id)
    return source


def end_source(session: Session, source_id: int, *, valid_to: dt.date, version: int, actor_id: int) -> RecordSource:
    """Let no records be due from *valid_to* on.

    Raises:
        NotFoundError: if there is no such platform.
        ConflictError: if it was changed meanwhile.
        SourcePeriodError: if *valid_to* is not after the beginning.
        SourceHasRecordsError: if it delivered for that day or a later one.
    """
    source = _locked(session, source_id, version)
    if valid_to <= source.valid_from:
        raise SourcePeriodError
    last = session.scalar(
        select(RecordPartition.on_day)
        .where(RecordPartition.source_id == source_id, RecordPartition.on_day >= valid_to)
        .order_by(RecordPartition.on_day.desc())
        .limit(1)
    )
    if last is not None:
        raise SourceHasRecordsError(day=f"{last}")
    before, source.valid_to, source.version = source.valid_to, valid_to, source.version + 1
    session.flush()
    _record(session, "record_source.ended", source, {"valid_to": [before, valid_to]}, actor_id)
    return source


def _locked(session: Session, source_id: int, version: int) -> RecordSource:
    source = session.get(RecordSource, source_id, with_for_update=True, populate_existing=True)
    if source is None:
        raise NotFoundError
    if source.version != version:
        raise ConflictError
    return source


def _record(session: Session, action: str, source: RecordSource, changes: Mapping[str, object], actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="record_source",
        subject_id=source.id,
        changes=changes,
    )
