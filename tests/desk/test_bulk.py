"""One decision on many tickets: a result for every row, and nothing beyond the scope or the limit."""

import pytest
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.attribution.findings import NoVerdictError, Proof
from supervise.complaints.models import TicketState
from supervise.complaints.tickets import ReasonError, StepError, move_tickets
from supervise.desk import bulk
from supervise.desk.bulk import (
    NoCallError,
    NoRowsError,
    TooManyRowsError,
    accept_suggested,
    decide_many,
    finding_decision,
    move_many,
    propose_amounts,
    tallies,
)
from supervise.errors import AlreadyDecidedError, NotFoundError
from tests.factories.access import make_user
from tests.factories.attribution import HOW, attribute, make_proven_incident
from tests.factories.complaints import link_ticket, make_incident, make_number, make_ticket
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.factories.penalties import make_charged_partner
from tests.factories.records import record_calls

ACTOR = 931


def test_suggestions_are_accepted_where_a_record_proves_them_and_refused_by_row_elsewhere(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    make_holder(session, party=make_party(session), digits="02988880000")
    known, unknown, empty = (make_ticket(session, number=make_number(session)) for _ in range(3))
    record_calls(session, make_incident(session, ticket=known, caller_number="02988880000"))
    make_incident(session, ticket=unknown, caller_number="02988889999")

    outcomes = decide_many(session, triager, [known.id, unknown.id, empty.id], accept_suggested, actor_id=ACTOR)

    assert [outcome.ticket_id for outcome in outcomes] == [known.id, unknown.id, empty.id]
    assert [type(outcome.refusal).__name__ for outcome in outcomes] == ["NoneType", "AmbiguousError", "NoCallError"]
    assert outcomes[0].caller_number == "02988880000"


def test_a_call_of_two_tickets_is_decided_once_and_told_twice(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    make_holder(session, party=make_party(session), digits="02988880000")
    first, second = make_ticket(session), make_ticket(session)
    incident = make_incident(session, ticket=first, caller_number="02988880000")
    link_ticket(session, ticket=second, incident=incident)
    record_calls(session, incident)

    outcomes = decide_many(session, triager, [first.id, second.id], accept_suggested, actor_id=ACTOR)

    assert [(outcome.ticket_id, outcome.refusal) for outcome in outcomes] == [(first.id, None), (second.id, None)]


def test_findings_need_a_verdict(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    decided, open_ = make_ticket(session), make_ticket(session)
    attribute(session, incident=make_incident(session, ticket=decided, caller_number=None), party=make_party(session))
    make_incident(session, ticket=open_, caller_number=None)
    decision = finding_decision([Proof("frequency", proven=True, evidence_note="录音", verified_by=HOW)])

    outcomes = decide_many(session, triager, [decided.id, open_.id], decision, actor_id=ACTOR)

    assert outcomes[0].refusal is None
    assert isinstance(outcomes[1].refusal, NoVerdictError)


def test_amounts_are_proposed_in_two_parts_each_with_its_result(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    charged = make_charged_partner(session)
    ticket = make_ticket(session)
    make_proven_incident(session, party=charged.party, ticket=ticket)

    penalty, credit = decide_many(session, triager, [ticket.id], propose_amounts, actor_id=ACTOR)

    assert (penalty.what, penalty.refusal) == ("Penalty proposed", None)
    assert credit.what == "Credit proposed"
    assert "nobody can be credited" in str(credit.refusal.message_id if credit.refusal else "")
    again, _credit = decide_many(session, triager, [ticket.id], propose_amounts, actor_id=ACTOR)
    assert isinstance(again.refusal, AlreadyDecidedError)


def test_what_was_done_is_counted_part_by_part(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    make_charged_partner(session)
    ticket, empty = (make_ticket(session, number=make_number(session)) for _ in range(2))
    make_incident(session, ticket=ticket)

    outcomes = decide_many(session, triager, [ticket.id, empty.id], propose_amounts, actor_id=ACTOR)

    assert tallies(outcomes) == [("Penalty proposed", 0, 1), ("Credit proposed", 0, 1), ("Done", 0, 1)]


def test_tickets_beyond_the_scope_are_not_there(session: Session) -> None:
    unit = make_unit(session)
    clerk = make_user(session, role=Role.CLERK)
    give_scope(session, user_id=clerk.id, unit=unit)
    own, foreign = make_ticket(session, unit=unit), make_ticket(session, unit=make_unit(session))

    outcomes = move_many(session, clerk, [own.id, foreign.id], TicketState.ACCEPTED, actor_id=clerk.id)

    assert outcomes[0].refusal is None
    assert isinstance(outcomes[1].refusal, NotFoundError)
    assert outcomes[1].reference is None
    assert (own.state, foreign.state) == (TicketState.ACCEPTED, TicketState.NEW)


def test_steps_that_a_state_does_not_allow_are_refused_row_by_row(session: Session) -> None:
    new, refused = make_ticket(session), make_ticket(session, state=TicketState.REFUSED)
    version = new.version

    done, not_done, missing = move_tickets(
        session, [new.id, refused.id, 987], TicketState.INVESTIGATING, actor_id=ACTOR
    )

    assert done.refusal is None
    assert isinstance(not_done.refusal, StepError)
    assert isinstance(missing.refusal, NotFoundError)
    session.refresh(new)
    assert (new.state, new.version) == (TicketState.INVESTIGATING, version + 1)


def test_steps_that_need_a_reason_are_not_taken_in_bulk(session: Session) -> None:
    with pytest.raises(ReasonError):
        move_tickets(session, [make_ticket(session).id], TicketState.REFUSED, actor_id=ACTOR)


def test_nothing_and_too_many_are_refused_as_a_whole(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    monkeypatch.setattr(bulk, "ROWS_MAX", 1)

    with pytest.raises(NoRowsError):
        decide_many(session, triager, [], accept_suggested, actor_id=ACTOR)
    with pytest.raises(TooManyRowsError):
        decide_many(session, triager, [1, 2], accept_suggested, actor_id=ACTOR)


def test_a_ticket_without_calls_says_so(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)

    [outcome] = decide_many(session, triager, [make_ticket(session).id], propose_amounts, actor_id=ACTOR)

    assert isinstance(outcome.refusal, NoCallError)
