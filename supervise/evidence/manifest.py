"""The manifest: an import is opened, started, committed or refused, each in one transaction; only a commit shows rows.

Files lie in place before their lines are committed, so that a line never names a file that is not whole. A file that no
line names is invisible, and swept later.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import insert_rows
from supervise.db import reserve_ids, take_turn
from supervise.errors import NotFoundError, RefusalError
from supervise.evidence.corrections import LostRowsError, is_changed_since, refuse_lost_rows
from supervise.evidence.models import (
    RecordImport,
    RecordImportState,
    RecordKind,
    RecordPartition,
    RecordSource,
    RefusedRecord,
)
from supervise.evidence.partitions import Written
from supervise.evidence.refusals import (
    AlreadyImportedError,
    CorrectedSinceError,
    ImportStateError,
    PeriodError,
    SourceKindError,
)
from supervise.evidence.rows import REFUSED_KEPT, Allowed, Platform, Refused
from supervise.files.remarks import Remark
from supervise.files.uploads import shown_file_name

_PERIOD_DAYS_MAX = 366
_UNDER_WAY = (RecordImportState.WAITING, RecordImportState.RUNNING)

#: The records of one platform and day.
Place = tuple[int, dt.date]


class Started(NamedTuple):
    """What whoever reads the file needs to know."""

    import_id: int
    #: Whoever starts the import anew takes it away from this one.
    version: int
    kind: RecordKind
    allowed: Allowed
    corrects: bool


class Prepared(NamedTuple):
    """What was read of a file, its rows lying in place."""

    sha256: str
    rows_total: int
    #: Refused before the rows were compared with what is known.
    refused: Refused
    written: Sequence[Written]
    #: What the rows were compared with: the partitions that counted then.
    compared: Mapping[Place, frozenset[int]]


class ComparedTooEarlyError(Exception):
    """Another import brought records of *places* meanwhile: the rows must be compared again."""

    def __init__(self, places: Collection[Place]) -> None:
        super().__init__(places)
        self.places = places


def open_import(
    session: Session,
    kind: RecordKind,
    *,
    file_name: str,
    size_bytes: int,
    actor_id: int,
    upload_id: int | None = None,
    platform: str | None = None,
    covers: tuple[dt.date, dt.date] | None = None,
    corrects: bool = False,
    refused_accepted: int = 0,
) -> RecordImport:
    """Write down that a file of *kind* is to be taken over; *platform* is that of all rows, *covers* half-open.

    A correction replaces its days only if it has exactly as many refused rows as *refused_accepted*: whoever imports it
    has seen them.

    Raises:
        NotFoundError: if there is no such platform.
        SourceKindError: if it delivers records of another kind.
        PeriodError: if the days are none, or more than a year.
    """
    source_id = None if platform is None else _source_of(session, kind, platform)
    if covers is not None and not 0 < (covers[1] - covers[0]).days <= _PERIOD_DAYS_MAX:
        raise PeriodError
    batch = RecordImport(
        kind=kind,
        file_name=shown_file_name(file_name),
        size_bytes=size_bytes,
        upload_id=upload_id,
        source_id=source_id,
        covers_from=covers[0] if covers else None,
        covers_to=covers[1] if covers else None,
        corrects=corrects,
        refused_accepted=refused_accepted if corrects else 0,
        started_by=actor_id,
        started_at=clock.now(),
    )
    session.add(batch)
    session.flush()
    accepted = {"refused_accepted": batch.refused_accepted} if batch.refused_accepted else {}
    _record_event(session, batch, "record_import.opened", changes={"kind": kind, "corrects": corrects, **accepted})
    return batch


def _source_of(session: Session, kind: RecordKind, platform: str) -> int:
    source = session.scalar(select(RecordSource).where(RecordSource.code == platform))
    if source is None:
        raise NotFoundError
    if source.kind is not kind:
        raise SourceKindError(platform=platform)
    return source.id


def _record_event(session: Session, batch: RecordImport, action: str, *, changes: Mapping[str, object]) -> None:
    record_event(
        session,
        actor_id=batch.started_by,
        action=action,
        subject="record_import",
        subject_id=batch.id,
        changes=changes,
    )


def start_import(session: Session, import_id: int) -> Started | None:
    """Make the import that of the caller, whoever had it before; None if it is committed already.

    Raises:
        NotFoundError: if there is none.
        ImportStateError: if it was refused.
    """
    batch = _locked(session, import_id)
    if batch.state is RecordImportState.COMMITTED:
        return None
    if batch.state is RecordImportState.REFUSED:
        raise ImportStateError
    batch.state, batch.version, batch.heartbeat_at = RecordImportState.RUNNING, batch.version + 1, clock.now()
    platforms = {
        source.code: Platform(source.id, source.code, source.valid_from, source.valid_to)
        for source in session.scalars(select(RecordSource).where(RecordSource.kind == batch.kind))
    }
    only = next((one for one in platforms.values() if one.source_id == batch.source_id), None)
    covers = None if batch.covers_from is None or batch.covers_to is None else (batch.covers_from, batch.covers_to)
    return Started(batch.id, batch.version, batch.kind, Allowed(platforms, only, covers), batch.corrects)


def _locked(session: Session, import_id: int) -> RecordImport:
    batch = session.get(RecordImport, import_id, with_for_update=True, populate_existing=True)
    if batch is None:
        raise NotFoundError
    return batch


def beat(session: Session, import_id: int, version: int) -> None:
    """Say that the import is still read."""
    session.execute(
        update(RecordImport)
        .where(RecordImport.id == import_id, RecordImport.version == version, RecordImport.state.in_(_UNDER_WAY))
        .values(heartbeat_at=clock.now())
    )


def refuse_known_file(session: Session, kind: RecordKind, sha256: str, *, corrects: bool) -> None:
    """Refuse a file whose very bytes were taken over before; files without a row are alike, and tell of other days.

    If its days were changed since, it may come again as a correction (*corrects*).

    Raises:
        AlreadyImportedError, CorrectedSinceError: naming that import.
    """
    earlier = session.scalars(
        select(RecordImport)
        .where(
            RecordImport.kind == kind,
            RecordImport.sha256 == sha256,
            RecordImport.state == RecordImportState.COMMITTED,
            RecordImport.rows_total > 0,
        )
        .order_by(RecordImport.finished_at.desc())
        .limit(1)
    ).one_or_none()
    if earlier is None:
        return
    if not is_changed_since(session, earlier):
        raise AlreadyImportedError(import_id=earlier.id)
    if not corrects:
        raise CorrectedSinceError(import_id=earlier.id)


def current_partitions(session: Session, places: Collection[Place]) -> dict[Place, list[tuple[int, str | None]]]:
    """Return id and file of the partitions that count, of each of *places* that has any."""
    found: dict[Place, list[tuple[int, str | None]]] = defaultdict(list)
    if places:
        query = (
            select(RecordPartition)
            .where(
                RecordPartition.source_id.in_({source_id for source_id, _day in places}),
                RecordPartition.on_day.between(min(day for _, day in places), max(day for _, day in places)),
                RecordPartition.superseded_by_id.is_(None),
                RecordPartition.dropped_at.is_(None),
            )
            .order_by(RecordPartition.id)
        )
        for row in session.scalars(query):
            if (row.source_id, row.on_day) in places:
                found[row.source_id, row.on_day].append((row.id, row.path))
    return dict(found)


def commit_import(session: Session, started: Started, prepared: Prepared) -> None:
    """Show the rows: lines of the manifest, refused rows and counts at once, or nothing.

    Raises:
        AlreadyImportedError: if another import of the same bytes was faster.
        CorrectedSinceError: if the bytes were taken over, and their days changed since, and this is no correction.
        LostRowsError: if it is a correction with other refused rows than were accepted.
        ImportStateError: if the import was taken from the caller.
        ComparedTooEarlyError: if records of its platforms and days came meanwhile.
    """
    take_turn(session, f"records:{started.kind.value}")
    batch = _locked(session, started.import_id)
    if batch.state is not RecordImportState.RUNNING or batch.version != started.version:
        raise ImportStateError
    refuse_known_file(session, started.kind, prepared.sha256, corrects=started.corrects)
    refuse_lost_rows(batch, _refused_of(prepared))
    places = _places_of(started, prepared)
    current = current_partitions(session, places)
    if started.corrects:
        _supersede(session, batch, [row_id for rows in current.values() for row_id, _path in rows])
        current = {}
    else:
        _refuse_if_compared_too_early(prepared, current)
    _write_partitions(session, batch, prepared.written, places, current)
    _finish(session, batch, prepared)


def _refused_of(prepared: Prepared) -> Refused:
    """Return the refused rows: those that could not be read, and those that others contradict."""
    parts = [prepared.refused, *(one.refused for one in prepared.written)]
    kept = sorted(row for part in parts for row in part.kept)
    return Refused(sum(part.rows for part in parts), kept[:REFUSED_KEPT])


def _places_of(started: Started, prepared: Prepared) -> set[Place]:
    """Return the platforms and days for which the file speaks: those it has, and all days that it is said to cover."""
    places = {(one.spilt.source_id, one.spilt.on_day) for one in prepared.written}
    if started.allowed.covers is not None:
        sources = {source_id for source_id, _day in places}
        if started.allowed.only is not None:
            sources.add(started.allowed.only.source_id)
        first, end = started.allowed.covers
        days = [first + dt.timedelta(days=n) for n in range((end - first).days)]
        for platform in started.allowed.platforms.values():
            if platform.source_id in sources:
                served = (platform.valid_from, platform.valid_to or dt.date.max)
                places |= {(platform.source_id, day) for day in days if served[0] <= day < served[1]}
    return places


def _refuse_if_compared_too_early(
    prepared: Prepared, current: Mapping[Place, Sequence[tuple[int, str | None]]]
) -> None:
    stale = [
        place
        for place, seen in prepared.compared.items()
        if seen != {row_id for row_id, _path in current.get(place, ())}
    ]
    if stale:
        raise ComparedTooEarlyError(stale)


def _supersede(session: Session, batch: RecordImport, ids: Sequence[int]) -> None:
    session.execute(update(RecordPartition).where(RecordPartition.id.in_(ids)).values(superseded_by_id=batch.id))


def _write_partitions(
    session: Session,
    batch: RecordImport,
    written: Sequence[Written],
    places: set[Place],
    current: Mapping[Place, object],
) -> None:
    lines = {(one.spilt.source_id, one.spilt.on_day): one for one in written if one.path is not None}
    # A day without anything new needs a line only if there is none that says it was delivered.
    for source_id, day in sorted(lines.keys() | (places - current.keys()), key=lambda place: (place[1], place[0])):
        one = lines.get((source_id, day))
        session.add(
            RecordPartition(
                import_id=batch.id,
                kind=batch.kind,
                source_id=source_id,
                on_day=day,
                path=one and one.path,
                rows=one.rows if one else 0,
                size_bytes=one.size_bytes if one else 0,
                sha256=one and one.sha256,
            )
        )


def _finish(session: Session, batch: RecordImport, prepared: Prepared) -> None:
    batch.sha256 = prepared.sha256
    batch.rows_total = prepared.rows_total
    batch.rows_new = sum(one.rows for one in prepared.written)
    batch.rows_known = sum(one.known for one in prepared.written)
    refused = _refused_of(prepared)
    batch.rows_refused = refused.rows
    days = [one.spilt.on_day for one in prepared.written]
    if batch.covers_from is None and days:
        batch.covers_from, batch.covers_to = min(days), max(days) + dt.timedelta(days=1)
    batch.state, batch.finished_at = RecordImportState.COMMITTED, clock.now()
    session.flush()
    _keep_refused(session, batch.id, refused.kept)
    _record_event(
        session,
        batch,
        "record_import.committed",
        changes={
            "sha256": batch.sha256,
            "rows_new": batch.rows_new,
            "rows_known": batch.rows_known,
            "rows_refused": batch.rows_refused,
            "covers_from": batch.covers_from,
            "covers_to": batch.covers_to,
        },
    )


def _keep_refused(session: Session, import_id: int, kept: Iterable[tuple[int, Sequence[Remark]]]) -> None:
    rows = [
        {"import_id": import_id, "row_number": number, "remarks": [[words, dict(named)] for words, named in remarks]}
        for number, remarks in kept
    ]
    ids = reserve_ids(session, RefusedRecord.__table__, len(rows))
    insert_rows(session, RefusedRecord.__table__, [{"id": key, **row} for key, row in zip(ids, rows, strict=True)])


def refuse_import(
    session: Session,
    started: Started,
    error: RefusalError,
    *,
    sha256: str | None = None,
    rows_total: int = 0,
    refused: Refused | None = None,
) -> None:
    """End the import with a sentence and, where rows are the reason, with that of each; one that has ended stays."""
    batch = _locked(session, started.import_id)
    if batch.state is not RecordImportState.RUNNING or batch.version != started.version:
        return
    end_refused(session, batch, error)
    batch.sha256 = sha256
    if isinstance(error, LostRowsError):
        refused = error.refused
    if refused is not None:
        batch.rows_total, batch.rows_refused = rows_total, refused.rows
        session.flush()
        _keep_refused(session, batch.id, refused.kept)


def end_refused(session: Session, batch: RecordImport, error: RefusalError) -> None:
    """End an import with a sentence."""
    batch.state, batch.finished_at = RecordImportState.REFUSED, clock.now()
    batch.refusal_message, batch.refusal_parameters = error.message_id, dict(error.parameters)
    session.flush()
    _record_event(session, batch, "record_import.refused", changes={"state": batch.state})
