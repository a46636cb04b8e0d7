"""Subscribers: their numbers, found by a blind index and never stored plain, and who held them when."""

import datetime as dt
import functools
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import phone
from supervise.audit.record import changed, record_event
from supervise.bulk import among, insert_rows, slices
from supervise.cipher import Keyring
from supervise.complaints.models import Subscriber, SubscriberNumber
from supervise.config import ConfigError
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.periods import overlaps

_NUMBER_CONTEXT = "subscriber_number.number_cipher"
#: Characters of the index that tell numbers apart for people.
_PSEUDONYM = 8
_record = functools.partial(record_event, subject="subscriber")


class OverlapError(ConflictError):
    """The number has a subscriber in that period already."""

    message = N_("The number %(number)s already has a subscriber (account %(account)s) in that period")


class PeriodError(InvalidInputError):
    """A period ends before it begins."""

    message = N_("The period must end after it begins")


class ReasonMissingError(InvalidInputError):
    """A full number is shown to nobody who does not say why."""

    message = N_("Give a reason")


class OnlyInRecordsError(NotFoundError):
    """Records hold a number as a keyed index: nobody can read it back."""

    message = N_("This number is known from records alone, which do not hold it in plain: nobody can show it")


class HeldAt(NamedTuple):
    """A number at a moment: the key of ``holders_at``."""

    number_id: int
    at: dt.datetime


def number_ids(session: Session, keyring: Keyring, numbers: Collection[str]) -> dict[str, int]:
    """Return the id of each of *numbers* (normalised digits), creating the rows that are missing.

    Two transactions that meet the same new number end with one row. A number that only records named until now
    gets its cipher and its mask.
    """
    by_index = {keyring.blind_index(number): number for number in numbers}
    found = _known(session, by_index)
    if len(found) < len(by_index) or _has_unread(session, found.values()):
        # In turn, and asked again: whoever had the turn before may have brought the same number.
        take_turn(session, "subscriber numbers")
        found |= _known(session, by_index.keys() - found.keys())
        missing = sorted(by_index.keys() - found.keys())
        rows = [
            {
                "number_index": index,
                "number_cipher": keyring.encrypt(by_index[index], _NUMBER_CONTEXT, index),
                "number_mask": phone.mask(by_index[index]),
            }
            for index in missing
        ]
        insert_rows(session, SubscriberNumber.__table__, rows)
        found |= _known(session, missing)
        _read_out(session, keyring, {found[index]: number for index, number in by_index.items()})
    return {number: found[index] for index, number in by_index.items()}


def ids_of_indexes(session: Session, indexes: Collection[str]) -> dict[str, int]:
    """Return the id of each number that records name by its keyed index, creating rows without the number itself."""
    found = _known(session, indexes)
    if len(found) < len(indexes):
        take_turn(session, "subscriber numbers")
        missing = sorted(set(indexes) - _known(session, indexes).keys())
        rows = [{"number_index": index, "number_cipher": None, "number_mask": pseudonym(index)} for index in missing]
        insert_rows(session, SubscriberNumber.__table__, rows)
        found = _known(session, indexes)
    return found


def pseudonym(number_index: str) -> str:
    """Return what stands for a number of which only the keyed index is known; equal numbers have equal ones."""
    return f"#{number_index[:_PSEUDONYM]}"


def _has_unread(session: Session, number_ids_: Collection[int]) -> bool:
    query = select(SubscriberNumber.id).where(SubscriberNumber.number_cipher.is_(None)).limit(1)
    pieces = slices(sorted(number_ids_))
    return any(session.scalar(query.where(among(session, SubscriberNumber.id, piece))) is not None for piece in pieces)


def _read_out(session: Session, keyring: Keyring, numbers: Mapping[int, str]) -> None:
    query = select(SubscriberNumber).where(SubscriberNumber.number_cipher.is_(None))
    for piece in slices(sorted(numbers)):
        for row in session.scalars(query.where(among(session, SubscriberNumber.id, piece))):
            number = numbers[row.id]
            row.number_cipher = keyring.encrypt(number, _NUMBER_CONTEXT, row.number_index)
            row.number_mask = phone.mask(number)
    session.flush()


def known_number_ids(session: Session, keyring: Keyring, numbers: Collection[str]) -> dict[str, int]:
    """Return the ids of those of *numbers* (normalised digits) that are known; nothing is created."""
    by_index = {keyring.blind_index(number): number for number in numbers}
    return {by_index[index]: number_id for index, number_id in _known(session, by_index).items()}


def _known(session: Session, indexes: Collection[str]) -> dict[str, int]:
    query = select(SubscriberNumber.number_index, SubscriberNumber.id)
    found: dict[str, int] = {}
    for piece in slices(sorted(indexes)):
        rows = session.execute(query.where(among(session, SubscriberNumber.number_index, piece)))
        found.update((row.number_index, row.id) for row in rows)
    return found


def find_number_id(session: Session, keyring: Keyring, number: str) -> int | None:
    """Return the id of a full *number* (normalised digits); None if nobody ever complained or subscribed with it."""
    query = select(SubscriberNumber.id).where(SubscriberNumber.number_index == keyring.blind_index(number))
    return session.scalar(query)


def reveal_number(session: Session, keyring: Keyring, number_id: int, *, reason: str, actor_id: int) -> str:
    """Return the full digits of one number and record who looked and why.

    Raises:
        ReasonMissingError: without a reason.
        NotFoundError: if there is no such number.
        OnlyInRecordsError: if nobody ever reported the number itself.
    """
    if not reason.strip():
        raise ReasonMissingError
    row = session.get(SubscriberNumber, number_id)
    if row is None:
        raise NotFoundError
    if row.number_cipher is None:
        raise OnlyInRecordsError
    record_event(
        session,
        actor_id=actor_id,
        action="subscriber_number.revealed",
        subject="subscriber_number",
        subject_id=number_id,
        reason=reason.strip(),
    )
    return keyring.decrypt(row.number_cipher, _NUMBER_CONTEXT, row.number_index)


def refuse_other_keys(session: Session, keyring: Keyring) -> None:
    """Refuse keys that are not those of the stored numbers: the same subscriber would be entered, and paid, twice.

    Raises:
        ConfigError: if the first or the newest number does not decrypt, or is not found by its index.
    """
    read = SubscriberNumber.number_cipher.is_not(None)
    ends = select(func.min(SubscriberNumber.id)).where(read).union(select(func.max(SubscriberNumber.id)).where(read))
    for row in session.scalars(select(SubscriberNumber).where(SubscriberNumber.id.in_(ends))):
        if row.number_cipher is None:
            continue
        try:
            number = keyring.decrypt(row.number_cipher, _NUMBER_CONTEXT, row.number_index)
        except ValueError:
            number = ""
        if keyring.blind_index(number) != row.number_index:
            raise ConfigError("the key file is not the one this database was written with: set SUPERVISE_KEY_FILE")


def full_numbers(session: Session, keyring: Keyring, number_ids_: Collection[int]) -> dict[int, str]:
    """Return the full digits of many numbers, for a workbook that finance hands on; the caller records the export.

    A number that only records name is left out: nobody has it.
    """
    numbers: dict[int, str] = {}
    for piece in slices(sorted(set(number_ids_))):
        # Columns, not rows of the model: a workbook asks for hundreds of thousands.
        columns = select(SubscriberNumber.id, SubscriberNumber.number_cipher, SubscriberNumber.number_index)
        for number_id, cipher, index in session.execute(columns.where(SubscriberNumber.id.in_(piece))):
            if cipher is not None:
                numbers[number_id] = keyring.decrypt(cipher, _NUMBER_CONTEXT, index)
    return numbers


def holders_at(session: Session, wanted: Collection[HeldAt | tuple[int, dt.datetime]]) -> Mapping[HeldAt, Subscriber]:
    """Return the subscriber who held each number at each moment; pairs without one are left out."""
    ids = sorted({number_id for number_id, _at in wanted})
    periods: dict[int, list[Subscriber]] = {}
    for piece in slices(ids):
        for row in session.scalars(select(Subscriber).where(among(session, Subscriber.number_id, piece))):
            periods.setdefault(row.number_id, []).append(row)
    held: dict[HeldAt, Subscriber] = {}
    for number_id, at in wanted:
        for row in periods.get(number_id, ()):
            if row.held_from <= at and (row.held_to is None or at < row.held_to):
                held[HeldAt(number_id, at)] = row
    return held


def add_subscriber(
    session: Session,
    keyring: Keyring,
    *,
    number: str,
    account_ref: str,
    unit_id: int | None,
    held_from: dt.datetime,
    held_to: dt.datetime | None = None,
    source: str,
    actor_id: int,
) -> Subscriber:
    """Register that *account_ref* holds *number* (normalised digits) in ``[held_from, held_to)``.

    Raises:
        PeriodError: if the period is empty.
        OverlapError: if somebody holds the number in it; the database refuses the same (migration 0006).
    """
    _check_order(held_from, held_to)
    take_turn(session, "subscribers")
    number_id = number_ids(session, keyring, [number])[number]
    other = _overlapping(session, number_id, held_from, held_to)
    if other is not None:
        raise OverlapError(number=phone.mask(number), account=other.account_ref)
    row = Subscriber(
        number_id=number_id,
        account_ref=account_ref,
        unit_id=unit_id,
        held_from=held_from,
        held_to=held_to,
        source=source,
    )
    session.add(row)
    session.flush()
    _record(session, subject_id=row.id, action="subscriber.created", actor_id=actor_id, changes=_facts(row))
    return row


def end_subscriber(
    session: Session, subscriber_id: int, *, held_to: dt.datetime, version: int, actor_id: int
) -> Subscriber:
    """End the holding of a number at *held_to*, exclusive.

    Raises:
        NotFoundError: if there is no such subscriber.
        ConflictError: if the row changed since *version* or has ended already.
        PeriodError: if the end is not after the beginning.
    """
    row = _load_version(session, subscriber_id, version)
    if row.held_to is not None:
        raise ConflictError
    _check_order(row.held_from, held_to)
    row.held_to = held_to
    session.flush()
    changes = {"held_to": [None, held_to]}
    _record(session, subject_id=row.id, action="subscriber.ended", actor_id=actor_id, changes=changes)
    return row


def correct_subscriber(
    session: Session,
    subscriber_id: int,
    *,
    account_ref: str,
    unit_id: int | None,
    held_from: dt.datetime,
    held_to: dt.datetime | None,
    reason: str,
    version: int,
    actor_id: int,
) -> Subscriber:
    """Correct account, region or period of a holding; the trail keeps them as they were, and the number stays.

    What was approved or sent for the subscriber keeps what it was written with.

    Raises:
        NotFoundError: if there is no such subscriber.
        ConflictError: if the row changed since *version*.
        PeriodError: if the period is empty.
        OverlapError: if somebody else holds the number in it; the database refuses the same (migration 0006).
    """
    _check_order(held_from, held_to)
    take_turn(session, "subscribers")
    row = _load_version(session, subscriber_id, version)
    other = _overlapping(session, row.number_id, held_from, held_to, besides=subscriber_id)
    if other is not None:
        number = session.get_one(SubscriberNumber, row.number_id)
        raise OverlapError(number=number.number_mask, account=other.account_ref)
    before = _facts(row)
    row.account_ref, row.unit_id, row.held_from, row.held_to = account_ref, unit_id, held_from, held_to
    session.flush()
    _record(
        session,
        subject_id=subscriber_id,
        action="subscriber.corrected",
        actor_id=actor_id,
        changes=changed(before, _facts(row)),
        reason=reason,
    )
    return row


def _facts(row: Subscriber) -> dict[str, object]:
    names = ("account_ref", "unit_id", "held_from", "held_to")
    return {name: getattr(row, name) for name in names}


def _check_order(held_from: dt.datetime, held_to: dt.datetime | None) -> None:
    if held_to is not None and held_to <= held_from:
        raise PeriodError


def _load_version(session: Session, subscriber_id: int, version: int) -> Subscriber:
    """Return the row, locked, as the user saw it; its version counts one up."""
    row = session.get(Subscriber, subscriber_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError
    if row.version != version:
        raise ConflictError
    row.version += 1
    return row


def _overlapping(
    session: Session, number_id: int, held_from: dt.datetime, held_to: dt.datetime | None, *, besides: int = 0
) -> Subscriber | None:
    query = select(Subscriber).where(
        Subscriber.number_id == number_id,
        Subscriber.id != besides,
        overlaps(Subscriber.held_from, Subscriber.held_to, held_from, held_to),
    )
    return session.scalars(query.limit(1)).first()
