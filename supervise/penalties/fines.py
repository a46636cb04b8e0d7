"""Recording a regulator's fine on the carrier: what its decision says, who is named in it, its scans, its payment."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import insert_rows
from supervise.db import reserve_ids, take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.files.models import Attachment
from supervise.files.vault import NewFile, hold_attachment, record_attachment
from supervise.labels import N_
from supervise.money import FEN_MAX
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.fine_models import (
    LIVE_RECOURSE_STATES,
    FinePaper,
    FineRecourse,
    FineRespondent,
    FineState,
    RegulatorFine,
)


class DecisionKnownError(ConflictError):
    """One decision is one fine, whoever records it."""

    message = N_("Decision %(number)s of this authority is recorded already, as %(reference)s")


class RecourseOpenError(ConflictError):
    """A fine of which something is claimed back is not taken back."""

    message = N_("Something of %(reference)s is claimed back; reject or reverse that first")


@dataclass(frozen=True, kw_only=True)
class FineFacts:
    """What a decision says; the amount in fen."""

    authority: str
    decision_number: str
    decided_on: dt.date
    received_on: dt.date
    unit_id: int
    subject: str
    legal_basis: str
    amount_fen: int
    due_on: dt.date | None = None
    #: The parties, of branches their own, that the decision names.
    respondent_ids: Collection[int] = ()


def record_fine(session: Session, facts: FineFacts, files: Sequence[NewFile] = (), *, actor_id: int) -> RegulatorFine:
    """Record a fine with the scans of its decision; nothing is posted.

    Raises:
        NotFoundError: if the unit or a respondent does not exist.
        DecisionKnownError: if the decision is recorded already.
        InvalidInputError: for an amount, days or words that cannot be.
    """
    _check(session, facts)
    take_turn(session, RegulatorFine.__tablename__)
    _refuse_known(session, facts)
    now = clock.now()
    [fine_id] = reserve_ids(session, RegulatorFine.__table__, 1)
    fine = RegulatorFine(
        id=fine_id,
        reference=f"FK{clock.china_day(now):%Y%m}-{fine_id:06d}",
        authority=facts.authority.strip(),
        decision_number=facts.decision_number.strip(),
        decided_on=facts.decided_on,
        received_on=facts.received_on,
        unit_id=facts.unit_id,
        subject=facts.subject.strip(),
        legal_basis=facts.legal_basis.strip(),
        amount_fen=facts.amount_fen,
        due_on=facts.due_on,
        recorded_by=actor_id,
        recorded_at=now,
    )
    session.add(fine)
    session.flush()
    respondents = sorted(set(facts.respondent_ids))
    insert_rows(
        session, FineRespondent.__table__, [{"fine_id": fine_id, "party_id": party_id} for party_id in respondents]
    )
    changes = {"amount_fen": fine.amount_fen, "party_ids": respondents, "files": len(files)}
    _record(session, "fine.recorded", fine, actor_id, changes)
    for file in files:
        _keep(session, fine, file, actor_id)
    return fine


def add_fine_paper(session: Session, fine_id: int, file: NewFile, *, actor_id: int) -> FinePaper:
    """Keep a further scan with a fine.

    Raises:
        NotFoundError: if there is no such fine.
    """
    fine = lock_fine(session, fine_id)
    paper = _keep(session, fine, file, actor_id)
    _record(session, "fine.paper_added", fine, actor_id, {"attachment_id": paper.attachment_id})
    return paper


def record_fine_download(session: Session, paper_id: int, *, actor_id: int) -> None:
    """Note that somebody took a copy of a scan."""
    paper = session.get_one(FinePaper, paper_id)
    fine = session.get_one(RegulatorFine, paper.fine_id)
    _record(session, "fine.paper_downloaded", fine, actor_id, {"attachment_id": paper.attachment_id})


def record_fine_payment(session: Session, fine_id: int, on: dt.date, payment_reference: str, *, actor_id: int) -> None:
    """Say when the carrier paid the fine; the payment itself is booked in the main general ledger.

    Raises:
        NotFoundError: if there is no such fine.
        AlreadyDecidedError: if it is cancelled, or paid already.
        InvalidInputError: for a day that cannot be, or without a reference.
    """
    fine = lock_fine(session, fine_id)
    if fine.state is FineState.CANCELLED or fine.paid_on is not None:
        raise AlreadyDecidedError
    if not payment_reference.strip():
        raise InvalidInputError(N_("Give the bank's reference"))
    if not fine.decided_on <= on <= clock.today():
        raise InvalidInputError(N_("The day of payment lies between the decision and today"))
    fine.paid_on, fine.payment_reference = on, payment_reference.strip()
    session.flush()
    _record(session, "fine.paid", fine, actor_id, {"amount_fen": fine.amount_fen, "paid_on": on})


def cancel_fine(session: Session, fine_id: int, reason: str, *, actor_id: int) -> RegulatorFine:
    """Take a wrong entry back, as somebody else than who recorded it; it stays, with the reason.

    Raises:
        NotFoundError: if there is no such fine.
        AlreadyDecidedError: if it is cancelled already.
        SamePersonError: if *actor_id* recorded it.
        RecourseOpenError: if a live line claims something back.
        InvalidInputError: without a reason.
    """
    fine = lock_fine(session, fine_id)
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if fine.state is FineState.CANCELLED:
        raise AlreadyDecidedError
    if fine.recorded_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    live = select(FineRecourse.id).where(FineRecourse.fine_id == fine_id, FineRecourse.state.in_(LIVE_RECOURSE_STATES))
    if session.scalars(live.limit(1)).first() is not None:
        raise RecourseOpenError(reference=fine.reference)
    fine.state, fine.cancelled_by, fine.cancelled_at = FineState.CANCELLED, actor_id, clock.now()
    fine.cancel_reason = reason.strip()
    session.flush()
    _record(session, "fine.cancelled", fine, actor_id, {"amount_fen": fine.amount_fen}, reason=reason.strip())
    return fine


def lock_fine(session: Session, fine_id: int) -> RegulatorFine:
    """Return a fine whose row is locked: what is claimed back of it is counted under this lock.

    Raises:
        NotFoundError: if there is none.
    """
    fine = session.get(RegulatorFine, fine_id, with_for_update={"key_share": True}, populate_existing=True)
    if fine is None:
        raise NotFoundError
    return fine


def _check(session: Session, facts: FineFacts) -> None:
    if not 0 < facts.amount_fen <= FEN_MAX:
        raise InvalidInputError(N_("Enter an amount above zero"))
    words = (facts.authority, facts.decision_number, facts.subject, facts.legal_basis)
    if not all(text.strip() for text in words):
        raise InvalidInputError(N_("A fine has an authority, a decision number, a subject and a legal basis"))
    if not facts.decided_on <= facts.received_on <= clock.today():
        raise InvalidInputError(N_("A decision is received on its day or later, and not in the future"))
    if facts.due_on is not None and facts.due_on < facts.decided_on:
        raise InvalidInputError(N_("The last day to pay lies before the decision"))
    if session.get(OrgUnit, facts.unit_id) is None:
        raise NotFoundError
    known = set(session.scalars(select(Party.id).where(Party.id.in_(facts.respondent_ids))))
    if known != set(facts.respondent_ids):
        raise NotFoundError


def _refuse_known(session: Session, facts: FineFacts) -> None:
    known = session.scalars(
        select(RegulatorFine.reference).where(
            RegulatorFine.authority == facts.authority.strip(),
            RegulatorFine.decision_number == facts.decision_number.strip(),
            RegulatorFine.state == FineState.RECORDED,
        )
    ).first()
    if known is not None:  # also a unique index
        raise DecisionKnownError(number=facts.decision_number.strip(), reference=known)


def _keep(session: Session, fine: RegulatorFine, file: NewFile, actor_id: int) -> FinePaper:
    attachment: Attachment = record_attachment(
        session, file.stored, file.name, file.media_type, source=fine.reference, actor_id=actor_id
    )
    hold_attachment(session, attachment.id, fine.reference, actor_id=actor_id)
    paper = FinePaper(fine_id=fine.id, attachment_id=attachment.id, added_by=actor_id, added_at=clock.now())
    session.add(paper)
    session.flush()
    return paper


def _record(
    session: Session,
    action: str,
    fine: RegulatorFine,
    actor_id: int,
    changes: dict[str, object],
    *,
    reason: str | None = None,
) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="regulator_fine",
        subject_id=fine.id,
        changes=changes,
        reason=reason,
    )
