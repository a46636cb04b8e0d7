"""Named reads on inquiries: who was asked what, what they answered, which answers contradict; within a scope."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from supervise.attribution.inquiry_models import (
    AnswerKind,
    Inquiry,
    InquiryAnswer,
    InquiryState,
    InquiryTerm,
)
from supervise.attribution.models import IncidentVerdict
from supervise.bulk import slices
from supervise.complaints.link import merged_into
from supervise.complaints.models import Incident, IncidentKind, SubscriberNumber
from supervise.errors import NotFoundError
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import Party, PartyRelation
from supervise.parties.periods import holds_at
from supervise.parties.scope import Scope
from supervise.parties.tree import branch_ids

PAGE = 50
#: As many as a list of choices can bear.
_CHOICES_MAX = 300


class AnswerGiven(NamedTuple):
    """What a party says about an incident now: its last answer, or its silence."""

    inquiry_id: int
    #: None where it was silent.
    answer_id: int | None
    party_id: int
    party: str
    #: None where it was silent.
    kind: AnswerKind | None
    named_party_id: int | None
    #: The name of the other party, registered or as it was typed: who it was, or to whom the number went.
    named: str | None
    handed_on_at: dt.datetime | None
    #: Silent beyond the deadline: not contested, which proves nothing by itself.
    deemed: bool
    #: When it answered, or when its silence was noted.
    answered_at: dt.datetime
    body: str | None


class Standing(LabelledEnum):
    """Which inquiries a list shows."""

    OPEN = "open", N_("Waiting for an answer")
    OVERDUE = "overdue", N_("Waiting beyond the deadline")
    TO_DECIDE = "to_decide", N_("Answered or silent, without a verdict")
    ANSWERED = "answered", N_("An answer is there")
    DEEMED = "deemed", N_("Deemed not contested")
    WITHDRAWN = "withdrawn", N_("Withdrawn")
    ALL = "all", N_("All")


#: These are worked through as they fall due; of the others the last come first.
_AS_THEY_FALL_DUE = (Standing.OPEN, Standing.OVERDUE, Standing.TO_DECIDE)


class InquiryRow(NamedTuple):
    """An inquiry in a list."""

    id: int
    incident_id: int
    kind: IncidentKind
    caller_number: str | None
    occurred_at: dt.datetime
    party_id: int
    party: str
    state: InquiryState
    due_on: dt.date
    asked_at: dt.datetime
    #: The answer that holds.
    answer: AnswerKind | None


class InquiryFacts(NamedTuple):
    """An inquiry with what the asked party may know of the incident."""

    inquiry: Inquiry
    incident: Incident
    number_mask: str | None
    party: Party


class AnswerLine(NamedTuple):
    """An answer with the name it gives."""

    answer: InquiryAnswer
    named: str | None


def answers_for(session: Session, incident_ids: Collection[int]) -> dict[int, list[AnswerGiven]]:
    """Return what each party says about each incident now, by party id; incidents nobody spoke on are left out.

    A party that was asked again keeps its last answer until it gives another; it is silent only if it never answered.
    What it said of a call that was recognised as this one, it said of this one.
    """
    lives = merged_into(session, incident_ids)
    given: dict[tuple[int, int], AnswerGiven] = {}
    answers: list[tuple[int, AnswerGiven]] = []
    for ids in slices({*incident_ids, *lives}):
        for incident_id, one in _silences(session, ids):
            given[lives.get(incident_id, incident_id), one.party_id] = one
        answers += _answers(session, ids)
    for incident_id, one in sorted(answers, key=lambda each: each[1].answer_id or 0):  # the last one stays
        given[lives.get(incident_id, incident_id), one.party_id] = one
    found: dict[int, list[AnswerGiven]] = defaultdict(list)
    for incident_id, party_id in sorted(given):
        found[incident_id].append(given[incident_id, party_id])
    return dict(found)


def _silences(session: Session, incident_ids: Sequence[int]) -> list[tuple[int, AnswerGiven]]:
    query = (
        select(Inquiry.incident_id, Inquiry.id, Inquiry.party_id, Party.name, Inquiry.deemed_at)
        .join(Party, Party.id == Inquiry.party_id)
        .where(Inquiry.incident_id.in_(incident_ids), Inquiry.state == InquiryState.DEEMED)
        .order_by(Inquiry.id)
    )
    return [
        (
            row.incident_id,
            AnswerGiven(
                row.id,
                None,
                row.party_id,
                row.name,
                None,
                None,
                None,
                None,
                deemed=True,
                answered_at=row.deemed_at,
                body=None,
            ),
        )
        for row in session.execute(query)
    ]


def _answers(session: Session, incident_ids: Sequence[int]) -> list[tuple[int, AnswerGiven]]:
    asked, named = aliased(Party), aliased(Party)
    query = (
        select(
            Inquiry.incident_id, Inquiry.party_id, asked.name.label("party"), named.name.label("named"), InquiryAnswer
        )
        .join(InquiryAnswer, InquiryAnswer.inquiry_id == Inquiry.id)
        .join(asked, asked.id == Inquiry.party_id)
        .outerjoin(named, named.id == InquiryAnswer.named_party_id)
        .where(Inquiry.incident_id.in_(incident_ids))
        .order_by(InquiryAnswer.id)
    )
    return [
        (
            incident_id,
            AnswerGiven(
                answer.inquiry_id,
                answer.id,
                party_id,
                party,
                answer.kind,
                answer.named_party_id,
                registered or answer.named_text,
                answer.handed_on_at,
                deemed=False,
                answered_at=answer.answered_at,
                body=answer.body,
            ),
        )
        for incident_id, party_id, party, registered, answer in session.execute(query)
    ]


def term_on(session: Session, on: dt.date) -> int:
    """Return how many working days an asked party has by default, on a day.

    Raises:
        NotFoundError: if the reference rows have a gap there.
    """
    query = select(InquiryTerm.working_days).where(holds_at(InquiryTerm.valid_from, InquiryTerm.valid_to, on))
    days = session.scalars(query).one_or_none()
    if days is None:
        raise NotFoundError
    return days


def answering(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a user of *scope* answers for the asked party; agrees with ``answers_in_scope``.

    A branch reads what its agents are asked, but they answer for themselves.
    """
    if scope.sees_everything:
        return false()
    if scope.unit_ids:
        own = aliased(Party)
        return Inquiry.party_id.in_(select(own.id).where(own.org_unit_id.in_(scope.unit_ids)))
    return Inquiry.party_id.in_(scope.party_ids)


def answers_in_scope(scope: Scope, party: Party) -> bool:
    """Say whether a user of *scope* answers for *party*."""
    if scope.sees_everything:
        return False
    if scope.unit_ids:
        return party.org_unit_id in scope.unit_ids
    return party.id in scope.party_ids


def answers_in_scope_ids(session: Session, scope: Scope, party_ids: Collection[int]) -> frozenset[int]:
    """Return those of *party_ids* that a user of *scope* answers for."""
    parties = session.scalars(select(Party).where(Party.id.in_(party_ids)))
    return frozenset(party.id for party in parties if answers_in_scope(scope, party))


def waiting_for_us(scope: Scope) -> Select[int]:
    """Return the select of the open inquiries that a user of *scope* answers."""
    return select(Inquiry.id).where(Inquiry.state == InquiryState.OPEN, answering(scope))


def overdue(today: dt.date) -> ColumnElement[bool]:
    """Return the condition that an inquiry waits beyond its deadline."""
    return and_(Inquiry.state == InquiryState.OPEN, Inquiry.due_on < today)


def to_decide() -> ColumnElement[bool]:
    """Return the condition that a party answered or was silent, and nobody decided on the incident yet."""
    lives = func.coalesce(Incident.merged_into_id, Incident.id)
    decided = exists().where(Incident.id == Inquiry.incident_id, IncidentVerdict.incident_id == lives)
    return and_(Inquiry.state.in_((InquiryState.ANSWERED, InquiryState.DEEMED)), ~decided)


def inquiries_in_scope(
    session: Session,
    scope: Scope,
    *,
    today: dt.date,
    standing: Standing = Standing.ALL,
    mine: bool = False,
    beyond: tuple[dt.date, int] | None = None,
    limit: int = PAGE,
) -> Sequence[InquiryRow]:
    """Return inquiries in *scope*, those to be worked on first due first; *mine*: only those that the user answers.

    *beyond* is (due_on, id) of the last row of the page before.
    """
    any_answer = aliased(InquiryAnswer)
    last = select(func.max(any_answer.id)).where(any_answer.inquiry_id == Inquiry.id).scalar_subquery()
    query = (
        select(
            Inquiry.id,
            Inquiry.incident_id,
            Incident.kind,
            Incident.caller_number,
            Incident.occurred_at,
            Inquiry.party_id,
            Party.name,
            Inquiry.state,
            Inquiry.due_on,
            Inquiry.asked_at,
            InquiryAnswer.kind,
        )
        .join(Incident, Incident.id == Inquiry.incident_id)
        .join(Party, Party.id == Inquiry.party_id)
        .outerjoin(InquiryAnswer, InquiryAnswer.id == last)
        .where(_standing(standing, today))
        .limit(limit)
    )
    if mine:
        query = query.where(answering(scope))
    place = tuple_(Inquiry.due_on, Inquiry.id)
    rising = standing in _AS_THEY_FALL_DUE
    if beyond is not None:
        query = query.where(place > beyond if rising else place < beyond)
    query = query.order_by(*(column if rising else column.desc() for column in (Inquiry.due_on, Inquiry.id)))
    return [InquiryRow._make(row) for row in session.execute(scope.limit(query, party=Inquiry.party_id))]


def _standing(standing: Standing, today: dt.date) -> ColumnElement[bool]:
    if standing is Standing.ALL:
        return true()
    if standing is Standing.OVERDUE:
        return overdue(today)
    if standing is Standing.TO_DECIDE:
        return to_decide()
    return Inquiry.state == InquiryState(standing.value)


def inquiry_in_scope(session: Session, scope: Scope, inquiry_id: int) -> InquiryFacts:
    """Return an inquiry.

    Raises:
        NotFoundError: if there is none, or the asked party lies outside the scope.
    """
    query = (
        select(Inquiry, Incident, SubscriberNumber.number_mask, Party)
        .join(Incident, Incident.id == Inquiry.incident_id)
        .join(Party, Party.id == Inquiry.party_id)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Incident.number_id)
        .where(Inquiry.id == inquiry_id)
    )
    row = session.execute(scope.limit(query, party=Inquiry.party_id)).one_or_none()
    if row is None:
        raise NotFoundError
    return InquiryFacts._make(row)


def answer_lines(session: Session, inquiry_ids: Collection[int]) -> dict[int, list[AnswerLine]]:
    """Return the answers to each inquiry, the last one first."""
    query = (
        select(InquiryAnswer, Party.name)
        .outerjoin(Party, Party.id == InquiryAnswer.named_party_id)
        .where(InquiryAnswer.inquiry_id.in_(inquiry_ids))
        .order_by(InquiryAnswer.inquiry_id, InquiryAnswer.number.desc())
    )
    found: dict[int, list[AnswerLine]] = {inquiry_id: [] for inquiry_id in inquiry_ids}
    for answer, name in session.execute(query):
        found[answer.inquiry_id].append(AnswerLine(answer, name or answer.named_text))
    return found


def inquiries_of(session: Session, incident_id: int) -> Sequence[InquiryFacts]:
    """Return every inquiry about an incident, or what was merged into it, the oldest first; for its readers."""
    query = (
        select(Inquiry, Incident, SubscriberNumber.number_mask, Party)
        .join(Incident, Incident.id == Inquiry.incident_id)
        .join(Party, Party.id == Inquiry.party_id)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Incident.number_id)
        .where(or_(Incident.id == incident_id, Incident.merged_into_id == incident_id))
        .order_by(Inquiry.id)
    )
    return [InquiryFacts._make(row) for row in session.execute(query)]


def parties_below(session: Session, party: Party, today: dt.date) -> Sequence[Party]:
    """Return the parties that work or worked for *party*, at whatever remove, by name; of a branch, its units' too."""
    own = select(Party.id.label("party_id")).where(Party.id == party.id)
    if party.org_unit_id is not None:
        own = select(Party.id.label("party_id")).where(
            Party.org_unit_id.in_(branch_ids(session, party.org_unit_id, today))
        )
    below = own.cte("tied", recursive=True)
    below = below.union(select(PartyRelation.child_id).join(below, PartyRelation.parent_id == below.c.party_id))
    query = (
        select(Party)
        .where(Party.id.in_(select(below.c.party_id)), Party.id != party.id, Party.merged_into_id.is_(None))
        .order_by(Party.name, Party.id)
        .limit(_CHOICES_MAX)
    )
    return session.scalars(query).all()
