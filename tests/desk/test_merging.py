"""Two calls that are one: what parties answered about either counts there, and what contradicts is found there."""

import datetime as dt
from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import suggestions
from supervise.attribution.conflict_queries import conflicts_to_settle
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.inquiry_queries import InquiryRow, Standing, inquiries_in_scope, inquiries_of
from supervise.complaints.models import Incident
from supervise.desk.merging import merge_calls
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER, attribute
from tests.factories.complaints import CALLED_AT, make_incident, make_number
from tests.factories.inquiries import answer, ask_and_answer, make_inquiry
from tests.factories.parties import make_holder, make_party

CALLER = "02988880000"


@pytest.fixture
def holder(session: Session) -> Party:
    party = make_party(session, name="华信代理")
    make_holder(session, party=party, digits=CALLER)
    return party


@pytest.fixture
def calls(session: Session) -> tuple[Incident, Incident, Incident]:
    """One call as three reports tell it."""
    number = make_number(session)
    first, second, third = (
        make_incident(session, number=number, caller_number=CALLER, occurred_at=CALLED_AT + dt.timedelta(minutes=late))
        for late in (0, 5, 10)
    )
    return first, second, third


def merge(session: Session, merged: Incident, into: Incident) -> None:
    merge_calls(session, merged.id, into.id, reason="同一次来电", actor_id=TRIAGER)


def to_decide(session: Session) -> Sequence[InquiryRow]:
    return inquiries_in_scope(session, Scope.everything(), today=clock.today(), standing=Standing.TO_DECIDE)


def test_a_denial_of_a_call_that_was_merged_speaks_against_its_party_where_the_call_lives(
    session: Session, calls: tuple[Incident, Incident, Incident], holder: Party
) -> None:
    lives, merged, other = calls
    ask_and_answer(session, merged, holder, AnswerKind.NOT_OURS)
    assert suggestions(session, [lives.id])[lives.id].contradictions == ()
    assert [row.incident_id for row in conflicts_to_settle(session)] == [merged.id]

    merge(session, merged, other)
    merge(session, other, lives)

    [(message, _parameters)] = suggestions(session, [lives.id])[lives.id].contradictions
    assert message == "%(party)s denies that it was its own doing."
    assert [row.incident_id for row in conflicts_to_settle(session)] == [lives.id]
    assert [facts.incident.id for facts in inquiries_of(session, lives.id)] == [merged.id]


def test_an_answer_that_comes_after_the_merge_is_compared_where_the_call_lives(
    session: Session, calls: tuple[Incident, Incident, Incident], holder: Party
) -> None:
    lives, merged, _other = calls
    inquiry = make_inquiry(session, incident=merged, party=holder)
    merge(session, merged, lives)

    answer(session, inquiry, AnswerKind.NOT_OURS, party=holder)

    assert [row.incident_id for row in conflicts_to_settle(session)] == [lives.id]


def test_an_answer_about_a_merged_call_waits_for_a_verdict_until_the_living_one_has_it(
    session: Session, calls: tuple[Incident, Incident, Incident], holder: Party
) -> None:
    lives, merged, _other = calls
    ask_and_answer(session, merged, holder, AnswerKind.OURS)
    merge(session, merged, lives)
    assert len(to_decide(session)) == 1

    attribute(session, incident=lives, party=holder)

    assert to_decide(session) == []
