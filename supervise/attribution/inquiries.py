"""Inquiries: a party is asked, answers, asks for more time, or is silent; none of it decides anything by itself."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.conflicts import look_for_conflicts
from supervise.attribution.inquiry_models import AnswerKind, Inquiry, InquiryAnswer, InquiryState
from supervise.attribution.inquiry_queries import answers_in_scope, overdue, parties_below
from supervise.audit.record import record_event
from supervise.bulk import slices
from supervise.complaints.models import DayType, Incident, IncidentState
from supervise.complaints.workdays import Calendar, load_calendar
from supervise.db import take_turn
from supervise.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    RefusalError,
    RowResult,
)
from supervise.labels import N_
from supervise.parties.models import Party, PartyKind
from supervise.parties.scope import Scope

#: Longer is no deadline.
DAYS_MAX = 60
#: Inquiries that one transaction deems, or counts again.
BATCH = 1_000
_NAMING = (AnswerKind.AGENT, AnswerKind.HANDED_ON)


class NobodyAnswersError(InvalidInputError):
    """An employee caller has no users: the unit answers."""

    message = N_("%(party)s is a person and cannot be asked here: ask the unit")


class AskedAlreadyError(ConflictError):
    """The same party still has a question about the same incident."""

    message = N_("%(party)s was asked about this call already and has not answered yet")


class MergedError(ConflictError):
    """Nobody is asked about a duplicate."""

    message = N_("This call was recognised as another one: ask about that")


class NotOpenError(ConflictError):
    """The step needs a question that still waits."""

    message = N_("This inquiry no longer waits for an answer")


class ExtendedAlreadyError(ConflictError):
    """More time is given once."""

    message = N_("The deadline was extended once already")


class AnswerChangedError(ConflictError):
    """Somebody else answered for the party meanwhile; both answers stay."""

    message = N_("Another answer was given meanwhile; look at it before you answer again")


class NotAskedError(NotPermittedError):
    """A branch reads what its agents are asked; they answer for themselves."""

    message = N_("%(party)s was asked, and answers for itself")


@dataclass(frozen=True)
class Answer:
    """What a party says; the names and the moment only where the kind has them."""

    kind: AnswerKind
    body: str
    named_party_id: int | None = None
    named_text: str | None = None
    handed_on_at: dt.datetime | None = None


def ask(
    session: Session, incident_ids: Collection[int], party_id: int, question: str, working_days: int, *, actor_id: int
) -> list[RowResult]:
    """Ask a party the same about each incident, with a deadline in working days from today.

    Returns a result for every id, in order; what is refused stays as it was.

    Raises:
        NotFoundError: if there is no such party.
        NobodyAnswersError: if it is a person.
        InvalidInputError: without a question, or with a deadline that is none.
    """
    party = _askable(session, party_id)
    _check_words(question, N_("Say what is asked"))
    check_days(working_days)
    take_turn(session, f"inquiries:{party_id}")
    ids = list(dict.fromkeys(incident_ids))
    refusals = _not_to_be_asked(session, ids, party)
    due = load_calendar(session).add_days(clock.today(), working_days, DayType.WORKING)
    rows = [
        {
            "incident_id": incident_id,
            "party_id": party_id,
            "question": question.strip(),
            "asked_by": actor_id,
            "asked_at": clock.now(),
            "working_days": working_days,
            "due_on": due.day,
            "due_provisional": due.provisional,
            "state": InquiryState.OPEN,
        }
        for incident_id in ids
        if incident_id not in refusals
    ]
    if rows:
        asked = session.scalars(insert(Inquiry).returning(Inquiry.id), rows).all()
        calls = [row["incident_id"] for row in rows]
        record_event(
            session,
            actor_id=actor_id,
            action="inquiries.asked",
            subject="inquiry",
            subject_id=asked[0] if len(asked) == 1 else None,
            changes={"party_id": party_id, "incident_ids": calls, "days": working_days, "ends_on": due.day},
        )
    return [RowResult(incident_id, refusals.get(incident_id)) for incident_id in ids]


def _askable(session: Session, party_id: int) -> Party:
    party = session.get(Party, party_id)
    if party is None or party.merged_into_id is not None:
        raise NotFoundError
    if party.kind is PartyKind.EMPLOYEE_CALLER:
        raise NobodyAnswersError(party=party.name)
    return party


def _not_to_be_asked(session: Session, ids: Sequence[int], party: Party) -> dict[int, RefusalError]:
    states: dict[int, IncidentState] = {}
    waiting: set[int] = set()
    for some in slices(ids):
        found = session.execute(select(Incident.id, Incident.state).where(Incident.id.in_(some)))
        states.update((row.id, row.state) for row in found)
        open_ = select(Inquiry.incident_id).where(
            Inquiry.incident_id.in_(some), Inquiry.party_id == party.id, Inquiry.state == InquiryState.OPEN
        )
        waiting.update(session.scalars(open_))
    refusals: dict[int, RefusalError] = {}
    for incident_id in ids:
        if incident_id not in states:
            refusals[incident_id] = NotFoundError()
        elif states[incident_id] is IncidentState.MERGED:
            refusals[incident_id] = MergedError()
        elif incident_id in waiting:  # also a unique index of the table
            refusals[incident_id] = AskedAlreadyError(party=party.name)
    return refusals


def answer_inquiry(
    session: Session, inquiry_id: int, answer: Answer, scope: Scope, *, shown_number: int, actor_id: int
) -> InquiryAnswer:
    """Answer for the asked party; a later answer supersedes, and all stay. Late is better than never.

    *shown_number* is the number of the last answer that the user saw, 0 for none.

    Raises:
        NotFoundError: if it is not in *scope*.
        NotAskedError: if another party was asked, an agent of the user's branch.
        NotOpenError: if it was withdrawn.
        AnswerChangedError: if a colleague answered meanwhile.
        InvalidInputError: without a text, or if what the kind needs is missing.
    """
    inquiry, party = _locked(session, inquiry_id)
    scope.check(None, party.id)
    if not answers_in_scope(scope, party):
        raise NotAskedError(party=party.name)
    if inquiry.state is InquiryState.WITHDRAWN:
        raise NotOpenError
    numbers = select(InquiryAnswer.number).where(InquiryAnswer.inquiry_id == inquiry_id)
    last = session.scalar(numbers.order_by(InquiryAnswer.number.desc()).limit(1)) or 0
    if last != shown_number:
        raise AnswerChangedError
    _check_answer(session, answer, party)
    answer = _registered(session, answer)
    given = InquiryAnswer(
        inquiry_id=inquiry_id,
        number=last + 1,
        kind=answer.kind,
        named_party_id=answer.named_party_id,
        named_text=answer.named_text,
        handed_on_at=answer.handed_on_at,
        body=answer.body.strip(),
        is_late=clock.today() > inquiry.due_on,
        answered_by=actor_id,
        answered_at=clock.now(),
    )
    session.add(given)
    inquiry.state = InquiryState.ANSWERED
    session.flush()
    changes = {"what": answer.kind, "number": given.number, "party_id": answer.named_party_id}
    _record(session, inquiry, "inquiry.answered", actor_id, changes=changes)
    look_for_conflicts(session, [inquiry.incident_id], actor_id=actor_id)
    return given


def _check_answer(session: Session, answer: Answer, party: Party) -> None:
    _check_words(answer.body, N_("Say how you know it"))
    # Also CHECKs of the table.
    names = [one for one in (answer.named_party_id, answer.named_text) if one is not None]
    if len(names) != (answer.kind in _NAMING):
        raise InvalidInputError(N_("Name exactly one other party where one is to be named, else none"))
    if answer.named_text is not None:
        _check_words(answer.named_text, N_("Name the other party"))
    if (answer.kind is AnswerKind.HANDED_ON) != (answer.handed_on_at is not None):
        raise InvalidInputError(N_("Say when the number was handed on"))
    if answer.handed_on_at is not None and answer.handed_on_at > clock.now():
        raise InvalidInputError(N_("The number cannot have been handed on in the future"))
    if answer.named_party_id is not None:
        below = {one.id for one in parties_below(session, party, clock.today())}
        if answer.named_party_id not in below:
            raise InvalidInputError(N_("Choose a party of your own, or type the name of another"))


def _registered(session: Session, answer: Answer) -> Answer:
    """Return *answer* with the party that its typed name is, if exactly one is registered under it."""
    if answer.named_text is None:
        return answer
    query = select(Party.id).where(Party.name == answer.named_text.strip(), Party.merged_into_id.is_(None))
    ids = session.scalars(query.limit(2)).all()
    return replace(answer, named_party_id=ids[0], named_text=None) if len(ids) == 1 else answer


def withdraw_inquiry(session: Session, inquiry_id: int, reason: str, *, actor_id: int) -> Inquiry:
    """Take back a question that waits; whoever was asked sees that, and why.

    Raises:
        NotFoundError: if there is none.
        NotOpenError: if it no longer waits.
        InvalidInputError: without a reason.
    """
    inquiry = _open(session, inquiry_id)
    _check_words(reason, N_("Give a reason"))
    inquiry.state = InquiryState.WITHDRAWN
    inquiry.withdrawal_reason = reason.strip()
    inquiry.withdrawn_by = actor_id
    inquiry.withdrawn_at = clock.now()
    session.flush()
    _record(session, inquiry, "inquiry.withdrawn", actor_id, reason=reason.strip())
    return inquiry


def extend_inquiry(session: Session, inquiry_id: int, working_days: int, reason: str, *, actor_id: int) -> Inquiry:
    """Give the asked party more working days, counted from the deadline, once.

    Raises:
        NotFoundError: if there is none.
        NotOpenError: if it no longer waits.
        ExtendedAlreadyError: the second time.
        InvalidInputError: without a reason, or with a number of days that is none.
    """
    inquiry = _open(session, inquiry_id)
    if inquiry.extended_at is not None:
        raise ExtendedAlreadyError
    _check_words(reason, N_("Give a reason"))
    check_days(working_days)
    before = inquiry.due_on
    inquiry.extension_days = working_days
    inquiry.extension_reason = reason.strip()
    inquiry.extended_by = actor_id
    inquiry.extended_at = clock.now()
    _count(inquiry, load_calendar(session))
    session.flush()
    changes = {"days": working_days, "ends_on": [before, inquiry.due_on]}
    _record(session, inquiry, "inquiry.extended", actor_id, changes=changes, reason=reason.strip())
    return inquiry


def deem_silent(session: Session, today: dt.date) -> int:
    """Note the silence of parties whose deadline has passed; return how many, 0 when there are none left.

    Deadlines that were counted without a calendar are counted anew first.
    """
    _count_again(session)
    due = select(Inquiry.id).where(overdue(today)).order_by(Inquiry.id).limit(BATCH)
    silent = session.scalars(
        update(Inquiry)
        # Asked again of the row itself: an answer may be ahead of this.
        .where(Inquiry.id.in_(due.scalar_subquery()), Inquiry.state == InquiryState.OPEN)
        .values(state=InquiryState.DEEMED, deemed_at=clock.now())
        .returning(Inquiry.id)
        .execution_options(synchronize_session=False)
    ).all()
    if silent:
        record_event(
            session,
            actor_id=None,
            action="inquiries.deemed",
            subject="inquiry",
            subject_id=silent[0] if len(silent) == 1 else None,
            changes={"inquiry_ids": sorted(silent)},
        )
    return len(silent)


def _count_again(session: Session) -> None:
    provisional = select(Inquiry).where(Inquiry.due_provisional, Inquiry.state == InquiryState.OPEN)
    rows = session.scalars(provisional.order_by(Inquiry.id).with_for_update()).all()
    if rows:
        calendar = load_calendar(session)
        for inquiry in rows:
            _count(inquiry, calendar)
        session.flush()


def _count(inquiry: Inquiry, calendar: Calendar) -> None:
    due = calendar.add_days(clock.china_day(inquiry.asked_at), inquiry.working_days, DayType.WORKING)
    provisional = due.provisional
    if inquiry.extension_days is not None:
        due = calendar.add_days(due.day, inquiry.extension_days, DayType.WORKING)
    inquiry.due_on = due.day
    inquiry.due_provisional = provisional or due.provisional


def _locked(session: Session, inquiry_id: int) -> tuple[Inquiry, Party]:
    """Return the inquiry as it is once its incident is locked: answers of several parties are compared there."""
    incident_id = session.scalar(select(Inquiry.incident_id).where(Inquiry.id == inquiry_id))
    if incident_id is None:
        raise NotFoundError
    session.execute(select(Incident.id).where(Incident.id == incident_id).with_for_update(key_share=True)).one()
    inquiry = session.get_one(Inquiry, inquiry_id, with_for_update=True, populate_existing=True)
    return inquiry, session.get_one(Party, inquiry.party_id)


def _open(session: Session, inquiry_id: int) -> Inquiry:
    inquiry, _party = _locked(session, inquiry_id)
    if inquiry.state is not InquiryState.OPEN:
        raise NotOpenError
    return inquiry


def _check_words(text: str, refusal: str) -> None:
    if not text.strip():
        raise InvalidInputError(refusal)


def check_days(working_days: int) -> None:
    """Refuse what is no deadline.

    Raises:
        InvalidInputError: for less than a working day, or more than ``DAYS_MAX``.
    """
    if not 0 < working_days <= DAYS_MAX:
        raise InvalidInputError(N_("A deadline is 1 to %(most)d working days"), most=DAYS_MAX)


def _record(
    session: Session,
    inquiry: Inquiry,
    action: str,
    actor_id: int,
    *,
    changes: dict[str, object] | None = None,
    reason: str | None = None,
) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="inquiry",
        subject_id=inquiry.id,
        changes={"incident_id": inquiry.incident_id, **(changes or {})},
        reason=reason,
    )
