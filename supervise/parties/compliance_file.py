"""The compliance file of a party: entries are added, wrong ones struck out, none is ever rewritten (domain F28).

The earliest day on which the carrier knew of a party's breaches and did nothing is where its own liability for them
can begin (Civil Code, articles 1169 and 1195): the file keeps that day beside what the carrier did about it.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.files.models import Attachment, MediaType
from supervise.files.vault import StoredFile, record_attachment
from supervise.labels import N_
from supervise.parties.file_models import FileEntryKind, PartyFileEntry
from supervise.parties.models import Party, PartyKind
from supervise.parties.queries import AT_ONCE, contains
from supervise.parties.scope import Scope

#: What the carrier does to supervise a party.
SUPERVISION = (
    FileEntryKind.WARNING_TALK,
    FileEntryKind.INSPECTION,
    FileEntryKind.CORRECTION_ORDER,
    FileEntryKind.TECHNICAL_CONTROL,
)
_Strike = aliased(PartyFileEntry)


class FileFilters(NamedTuple):
    """What the list is narrowed by; *text* fits name or code of the party."""

    text: str = ""
    #: True: only parties about which nothing was entered.
    without_file: bool = False


class PartyFileLine(NamedTuple):
    """A party, how many entries stand in its file, and the days that matter in it."""

    party: Party
    entries: int
    trained_on: dt.date | None
    supervised_on: dt.date | None
    #: The earliest day on which the carrier knew.
    knew_on: dt.date | None


class FileEntry(NamedTuple):
    """An entry, the row that strikes it out, and its file."""

    row: PartyFileEntry
    strike: PartyFileEntry | None
    attachment: Attachment | None


def enter(
    session: Session,
    party_id: int,
    kind: FileEntryKind,
    *,
    happened_on: dt.date,
    body: str,
    file: tuple[StoredFile, str, MediaType] | None = None,
    actor_id: int,
) -> PartyFileEntry:
    """Add an entry to the file of a party outside the carrier.

    Raises:
        NotFoundError: if there is no such party.
        InvalidInputError: for a day to come, without words, or about the carrier's own branches and employees.
    """
    party = session.get(Party, party_id)
    if party is None:
        raise NotFoundError
    if party.kind in (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER) or kind is FileEntryKind.STRIKE_OUT:
        raise InvalidInputError(N_("A compliance file is kept of a party outside the carrier"))
    if happened_on > clock.today():
        raise InvalidInputError(N_("What has not happened yet is not entered"))
    if not body.strip():
        raise InvalidInputError(N_("Say what was done or known"))
    attachment = None
    if file is not None:
        stored, name, media_type = file
        attachment = record_attachment(session, stored, name, media_type, source=body.strip(), actor_id=actor_id)
    entry = PartyFileEntry(
        party_id=party_id,
        kind=kind,
        happened_on=happened_on,
        body=body.strip(),
        attachment_id=attachment.id if attachment is not None else None,
        entered_by=actor_id,
        entered_at=clock.now(),
    )
    _add(session, entry, "party.file_entered", None)
    return entry


def strike_out(session: Session, entry_id: int, reason: str, *, actor_id: int) -> PartyFileEntry:
    """Strike an entry out; it stays to be read, with the reason.

    Raises:
        AlreadyDecidedError: if it is struck out, or itself strikes another one out.
        InvalidInputError: without a reason.
    """
    entry = entry_by_id(session, entry_id)
    # The row of the party lets two people strike out one after the other; the unique key says the same.
    session.get_one(Party, entry.party_id, with_for_update={"key_share": True})
    if entry.kind is FileEntryKind.STRIKE_OUT or _strike_of(session, entry_id) is not None:
        raise AlreadyDecidedError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    strike = PartyFileEntry(
        party_id=entry.party_id,
        kind=FileEntryKind.STRIKE_OUT,
        happened_on=entry.happened_on,
        body=reason.strip(),
        strikes_id=entry_id,
        entered_by=actor_id,
        entered_at=clock.now(),
    )
    _add(session, strike, "party.file_struck_out", strike.body)
    return strike


def entry_by_id(session: Session, entry_id: int) -> PartyFileEntry:
    """Return one entry.

    Raises:
        NotFoundError: if there is none.
    """
    entry = session.get(PartyFileEntry, entry_id)
    if entry is None:
        raise NotFoundError
    return entry


def entries_of_party(session: Session, party_id: int) -> list[FileEntry]:
    """Return the file of a party, what happened last first; what was struck out stays in its place."""
    query = (
        select(PartyFileEntry, _Strike, Attachment)
        .outerjoin(_Strike, _Strike.strikes_id == PartyFileEntry.id)
        .outerjoin(Attachment, Attachment.id == PartyFileEntry.attachment_id)
        .where(PartyFileEntry.party_id == party_id, PartyFileEntry.strikes_id.is_(None))
        .order_by(PartyFileEntry.happened_on.desc(), PartyFileEntry.id.desc())
    )
    return [FileEntry(*row) for row in session.execute(query)]


def knew_on(session: Session, party_id: int) -> dt.date | None:
    """Return the earliest day on which the carrier knew of breaches of a party; None: none was entered."""
    days = [
        entry.row.happened_on
        for entry in entries_of_party(session, party_id)
        if entry.row.kind is FileEntryKind.FIRST_KNEW and entry.strike is None
    ]
    return min(days, default=None)


def files_by_party(
    session: Session, scope: Scope, filters: FileFilters, *, after: str = "", limit: int = AT_ONCE
) -> Sequence[PartyFileLine]:
    """Return up to *limit* parties outside the carrier whose code comes after *after*, by code."""
    standing = (
        select(PartyFileEntry.party_id, PartyFileEntry.kind, PartyFileEntry.happened_on)
        .outerjoin(_Strike, _Strike.strikes_id == PartyFileEntry.id)
        .where(PartyFileEntry.strikes_id.is_(None), _Strike.id.is_(None))
        .subquery()
    )

    def day(kinds: Sequence[FileEntryKind], *, first: bool = False) -> ColumnElement[dt.date | None]:
        pick = func.min if first else func.max
        return pick(standing.c.happened_on).filter(standing.c.kind.in_(kinds))

    counted = func.count(standing.c.party_id)
    query = (
        select(
            Party,
            counted,
            day((FileEntryKind.TRAINING,)),
            day(SUPERVISION),
            day((FileEntryKind.FIRST_KNEW,), first=True),
        )
        .outerjoin(standing, standing.c.party_id == Party.id)
        .where(
            Party.kind.not_in((PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER)),
            Party.merged_into_id.is_(None),
            Party.code > after,
        )
        .group_by(Party.id)
        .order_by(Party.code)
        .limit(limit)
    )
    if filters.text:
        query = query.where(contains(Party.name, filters.text) | contains(Party.code, filters.text))
    if filters.without_file:
        query = query.having(counted == 0)
    return [PartyFileLine(*row) for row in session.execute(scope.limit(query, party=Party.id))]


def _strike_of(session: Session, entry_id: int) -> int | None:
    return session.scalar(select(PartyFileEntry.id).where(PartyFileEntry.strikes_id == entry_id))


def _add(session: Session, entry: PartyFileEntry, action: str, reason: str | None) -> None:
    session.add(entry)
    session.flush()
    record_event(
        session,
        actor_id=entry.entered_by,
        action=action,
        subject="party",
        subject_id=entry.party_id,
        changes={"kind": entry.kind, "happened_on": entry.happened_on, "attachment_id": entry.attachment_id},
        reason=reason,
    )
