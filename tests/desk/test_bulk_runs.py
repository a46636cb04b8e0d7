"""Runs over many rows: whole slices, a result for every row, nothing beyond the reader's scope or the actor's rights."""

import datetime as dt

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.findings import Proof
from supervise.attribution.models import Finding, FindingState
from supervise.compensation.models import Credit, CreditState
from supervise.complaints.models import Ticket, TicketState
from supervise.desk import bulk_runs
from supervise.desk.bulk_runs import Standing, Subject, run_of, take_slice, write_run
from supervise.desk.models import BulkAction, BulkRun, BulkRunRow
from supervise.desk.run_results import purge_results, results_of_run
from supervise.errors import NotFoundError, NotPermittedError
from supervise.jobs.records import create_job
from supervise.labels import use_locale
from supervise.parties.scope import Scope
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.notice_models import Notice
from tests.factories.access import make_deputy, make_user
from tests.factories.attribution import HOW, attribute, make_proven_incident
from tests.factories.compensation import make_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT, make_incident, make_ticket
from tests.factories.parties import give_scope, make_party, make_unit
from tests.factories.penalties import make_charged_partner, make_supervisor, propose


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_runs, "SLICE_ROWS", 2)


def ordered(
    session: Session, user: User, action: BulkAction, subjects: list[Subject], proofs: tuple[Proof, ...] = ()
) -> BulkRun:
    job = create_job(session, "bulk.run", {}, actor_id=user.id)
    return write_run(session, action, subjects, job_id=job.id, locale="en", actor_id=user.id, proofs=proofs)


def tickets(session: Session, count: int = 3) -> list[Ticket]:
    return [make_ticket(session, unit=make_unit(session)) for _ in range(count)]


def to_the_end(session: Session, run: BulkRun) -> Standing:
    standing = take_slice(session, run.id)
    while standing.rows_done < standing.rows_total:
        standing = take_slice(session, run.id)
    return standing


def test_a_slice_decides_its_rows_and_no_others(session: Session) -> None:
    made = tickets(session)
    run = ordered(session, make_user(session, role=Role.TRIAGER), BulkAction.ACCEPT, [Subject(one.id) for one in made])

    standing = take_slice(session, run.id)

    assert standing == (2, 3, 0)
    states = session.scalars(select(Ticket.state).where(Ticket.id.in_([one.id for one in made])).order_by(Ticket.id))
    assert list(states) == [TicketState.ACCEPTED, TicketState.ACCEPTED, TicketState.NEW]


def test_every_row_keeps_its_result_and_a_finished_run_does_nothing_more(session: Session) -> None:
    made = tickets(session)
    made[1].state = TicketState.ACCEPTED
    triager = make_user(session, role=Role.TRIAGER)
    run = ordered(session, triager, BulkAction.ACCEPT, [Subject(one.id) for one in made])

    standing = to_the_end(session, run)

    assert standing == (3, 3, 1)
    assert take_slice(session, run.id) == standing
    results = list(results_of_run(session, Scope.everything(), run))
    assert [(one.reference, one.refusal is None) for one in results] == [
        (made[0].reference, True),
        (made[1].reference, False),
        (made[2].reference, True),
    ]
    with use_locale("en"):
        assert results[0].words == "Done"
    assert [one.reference for one in results_of_run(session, Scope.everything(), run, refused_only=True)] == [
        made[1].reference
    ]


def test_findings_of_a_run_are_recorded_for_every_call(session: Session) -> None:
    made = tickets(session)
    for ticket in made:
        incident = make_incident(session, ticket=ticket, caller_number=None)
        attribute(session, incident=incident, party=make_party(session))
    answers = {"price": True, "applicable_scene": True, "validity": False, "limits": True}
    proofs = (Proof("concealment", proven=True, evidence_note="录音", checklist=answers, verified_by=HOW),)
    triager = make_user(session, role=Role.TRIAGER)
    run = ordered(session, triager, BulkAction.FINDINGS, [Subject(one.id) for one in made], proofs)

    to_the_end(session, run)

    proven = select(Finding.checklist).where(Finding.state == FindingState.PROVEN, Finding.evidence_note == "录音")
    assert session.scalars(proven).all() == [answers] * 3


def test_penalties_are_approved_as_they_were_shown_and_not_otherwise(session: Session) -> None:
    charged = make_charged_partner(session)
    times = [CALLED_AT + dt.timedelta(hours=hour) for hour in range(3)]
    penalties = [
        propose(session, make_proven_incident(session, party=charged.party, occurred_at=at))[0] for at in times
    ]
    shown = [Subject(one.id, one.content_sha256) for one in penalties]
    shown[1] = Subject(penalties[1].id, "0" * 64)
    run = ordered(session, make_supervisor(session), BulkAction.APPROVE_PENALTIES, shown)

    standing = to_the_end(session, run)

    assert standing.rows_refused == 1
    states = session.scalars(select(Penalty.state).where(Penalty.id.in_([one.id for one in penalties])).order_by("id"))
    assert list(states) == [PenaltyState.APPROVED, PenaltyState.PROPOSED, PenaltyState.APPROVED]


def test_a_run_gives_each_charged_party_one_notice_however_many_its_lines(session: Session) -> None:
    one, other = make_charged_partner(session), make_charged_partner(session)
    penalties = [
        propose(session, make_proven_incident(session, party=charged.party))[0]
        for charged in (one, other, one, one, other, one)
    ]
    shown = [Subject(penalty.id, penalty.content_sha256) for penalty in penalties]
    run = ordered(session, make_supervisor(session), BulkAction.APPROVE_PENALTIES, shown)

    first = take_slice(session, run.id)
    standing = take_slice(session, run.id)

    # Slices of two: the first one goes on to the end of its party.
    assert (first.rows_done, standing.rows_done, standing.rows_refused) == (4, 6, 0)
    told = session.execute(select(Notice.party_id, Notice.lines).order_by(Notice.id)).all()
    assert [tuple(row) for row in told] == [(one.party.id, 4), (other.party.id, 2)]


def test_a_run_with_an_unknown_penalty_refuses_that_row_alone(session: Session) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))
    shown = [Subject(987_654, "0" * 64), Subject(penalty.id, penalty.content_sha256)]
    run = ordered(session, make_supervisor(session), BulkAction.APPROVE_PENALTIES, shown)

    assert to_the_end(session, run).rows_refused == 1
    assert session.scalars(select(Notice.lines)).all() == [1]


def test_nobody_approves_their_own_credit_nor_a_deputy_one_above_the_limit(session: Session) -> None:
    deputy = make_user(session, role=Role.TRIAGER)
    make_deputy(session, delegator=make_supervisor(session), deputy=deputy, limit_fen=60_00)
    small, large = make_victim(session), make_victim(session)
    make_undertaking(session, subscriber=small)
    make_undertaking(session, subscriber=large, per_call_fen=90_00)
    made = [
        make_credit(session, subscriber=small),
        make_credit(session, subscriber=small, occurred_at=CALLED_AT.replace(minute=1), maker=deputy.id),
        make_credit(session, subscriber=large),
    ]
    shown = [Subject(one.id, one.content_sha256) for one in made]
    run = ordered(session, deputy, BulkAction.APPROVE_CREDITS, shown)

    to_the_end(session, run)

    states = session.scalars(select(Credit.state).where(Credit.id.in_([one.id for one in made])).order_by("id"))
    assert list(states) == [CreditState.APPROVED, CreditState.PROPOSED, CreditState.PROPOSED]
    assert run.rows_refused == 2


def test_who_lost_the_right_meanwhile_decides_nothing_more(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    run = ordered(session, triager, BulkAction.ACCEPT, [Subject(one.id) for one in tickets(session)])
    take_slice(session, run.id)

    triager.role = Role.AUDITOR
    session.flush()

    with pytest.raises(NotPermittedError):
        take_slice(session, run.id)
    assert run.rows_done == 2


def test_a_run_is_its_owners_alone(session: Session) -> None:
    owner = make_user(session, role=Role.TRIAGER)
    run = ordered(session, owner, BulkAction.ACCEPT, [Subject(one.id) for one in tickets(session, 1)])

    assert run_of(session, run.id, actor_id=owner.id) is run
    with pytest.raises(NotFoundError):
        run_of(session, run.id, actor_id=owner.id + 1)


def test_rows_outside_the_scope_are_neither_decided_nor_told(session: Session) -> None:
    own, foreign = tickets(session, 2)
    clerk = make_user(session, role=Role.CLERK)
    assert own.unit_id is not None
    give_scope(session, user_id=clerk.id, unit=session.get_one(type(make_unit(session)), own.unit_id))
    run = ordered(session, clerk, BulkAction.ACCEPT, [Subject(own.id), Subject(foreign.id)])

    to_the_end(session, run)

    assert session.get_one(Ticket, foreign.id).state is TicketState.NEW
    assert [one.reference for one in results_of_run(session, Scope.of(session, clerk), run)] == [own.reference]
    assert list(results_of_run(session, Scope.nothing(), run)) == []


def test_old_results_are_forgotten_and_young_ones_kept(session: Session) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    run = ordered(session, triager, BulkAction.ACCEPT, [Subject(one.id) for one in tickets(session)])
    rows = select(func.count()).select_from(BulkRunRow).where(BulkRunRow.run_id == run.id)

    purge_results(session, run.ordered_at)
    assert session.scalar(rows) == 3

    purge_results(session, clock.now() + dt.timedelta(seconds=1))
    assert session.scalar(rows) == 0
