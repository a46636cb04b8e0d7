"""Changes of the checklists: an item holds for calls from a day on, and until one; never back-dated."""

import datetime as dt

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import EvidenceItem, EvidenceKind
from supervise.audit.record import record_event
from supervise.complaints.offences import offence_types_in_force
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class ItemTakenError(ConflictError):
    """Two items of one checklist would answer to the same code."""

    message = N_("The checklist has an item %(code)s already")


class NoSuchOffenceError(InvalidInputError):
    """An item hangs on an offence type."""

    message = N_("%(code)s is no offence type on that day")


def add_evidence_item(
    session: Session,
    *,
    offence_code: str,
    code: str,
    kind: EvidenceKind,
    name_zh: str,
    name_en: str,
    valid_from: dt.date,
    actor_id: int,
) -> EvidenceItem:
    """Ask for one thing more when an offence is found for a call from *valid_from* on; it comes last.

    Raises:
        BackDatedError: if *valid_from* lies before today: what was found already would lack an answer.
        NoSuchOffenceError: if the offence type does not hold on that day.
        ItemTakenError: if the checklist has an item of that code on that day or later.
    """
    take_turn(session, "evidence items")
    if valid_from < clock.today():
        raise BackDatedError
    if all(row.code != offence_code for row in offence_types_in_force(session, valid_from)):
        raise NoSuchOffenceError(code=offence_code)
    of_offence = EvidenceItem.offence_code == offence_code
    in_force = or_(EvidenceItem.valid_to.is_(None), EvidenceItem.valid_to > valid_from)
    if session.scalar(select(EvidenceItem.id).where(of_offence, EvidenceItem.code == code, in_force)) is not None:
        raise ItemTakenError(code=code)
    last = session.scalar(select(func.max(EvidenceItem.position)).where(of_offence)) or 0
    made = EvidenceItem(
        offence_code=offence_code,
        code=code,
        kind=kind,
        name_zh=name_zh,
        name_en=name_en,
        position=last + 1,
        valid_from=valid_from,
    )
    session.add(made)
    session.flush()
    facts = {"offence_code": offence_code, "code": code, "kind": kind, "valid_from": valid_from}
    _record(session, "evidence_item.added", made.id, facts, actor_id)
    return made


def end_evidence_item(session: Session, item_id: int, *, valid_to: dt.date, actor_id: int) -> EvidenceItem:
    """Ask for it no more for calls from *valid_to* on; findings keep what they answered.

    Raises:
        NotFoundError: if there is no such item, or it has an end.
        BackDatedError: if *valid_to* lies before today, or not after the beginning.
    """
    row = session.get(EvidenceItem, item_id, with_for_update=True)
    if row is None or row.valid_to is not None:
        raise NotFoundError
    if valid_to < clock.today() or valid_to <= row.valid_from:
        raise BackDatedError
    row.valid_to = valid_to
    session.flush()
    facts = {"offence_code": row.offence_code, "code": row.code, "valid_to": valid_to}
    _record(session, "evidence_item.ended", row.id, facts, actor_id)
    return row


def evidence_item_by_id(session: Session, item_id: int) -> EvidenceItem:
    """Return one item.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(EvidenceItem, item_id)
    if row is None:
        raise NotFoundError
    return row


def _record(session: Session, action: str, item_id: int, changes: dict[str, object], actor_id: int) -> None:
    record_event(
        session, actor_id=actor_id, action=action, subject="evidence_item", subject_id=item_id, changes=changes
    )
