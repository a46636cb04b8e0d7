"""When registers change, the recheck proposes; it never decides."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import accept_suggestions, decide_verdict
from supervise.attribution.models import ProposalState, ReattributionProposal, Verdict
from supervise.attribution.queries import open_proposals
from supervise.attribution.recheck import changed_incidents, dismiss_proposal, propose_again
from supervise.attribution.rounds import RECHECK, changed_since_round, note_round
from supervise.attribution.unattributed import count_unattributed, unattributed_incidents
from supervise.complaints.models import Incident
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.evidence.models import RecordImport, RecordKind, RecordPartition
from supervise.parties.models import StaffNumber
from supervise.parties.numbers import enter_number
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER, verdict_in_force
from tests.factories.complaints import CALLED_AT, make_incident
from tests.factories.complaints import make_number as make_called
from tests.factories.parties import (
    make_holder,
    make_number,
    make_party,
    make_sales_channel,
    make_staff_number,
    make_unit,
)
from tests.factories.records import record_calls, record_order, write_records

CALLER = "02988880000"


def recheck(session: Session) -> None:
    """As the duty does, in one transaction."""
    ids, _after = changed_incidents(session)
    propose_again(session, ids)


def decide(session: Session, incident: Incident, party_id: int) -> None:
    decide_verdict(session, incident.id, Verdict.ATTRIBUTED, party_id, reason=None, shown_id=None, actor_id=TRIAGER)


def test_a_number_entered_later_is_a_proposal_not_a_verdict(session: Session) -> None:
    incident = make_incident(session, caller_number=CALLER)
    recheck(session)
    assert open_proposals(session) == []
    party = make_party(session)
    make_holder(session, party=party, digits=CALLER)

    recheck(session)
    recheck(session)

    [proposal] = open_proposals(session)
    assert (proposal.incident_id, proposal.proposed_party_id) == (incident.id, party.id)
    assert verdict_in_force(session, incident.id) is None


def test_an_attributed_incident_whose_register_changed_is_proposed_again(session: Session) -> None:
    number = make_number(session, digits=CALLER)
    holding = make_holder(session, party=make_party(session), number=number)
    incident = make_incident(session, caller_number=CALLER)
    decide(session, incident, holding.party_id)
    recheck(session)
    assert open_proposals(session) == []
    holding.held_to = CALLED_AT - dt.timedelta(days=1)
    session.flush()
    other = make_party(session)
    make_holder(session, party=other, number=number, held_from=holding.held_to)

    recheck(session)

    [proposal] = open_proposals(session)
    assert proposal.proposed_party_id == other.id


def test_a_proposal_that_no_longer_holds_goes(session: Session) -> None:
    make_incident(session, caller_number=CALLER)
    holding = make_holder(session, party=make_party(session), digits=CALLER)
    recheck(session)
    holding.held_from = CALLED_AT + dt.timedelta(days=1)
    session.flush()

    recheck(session)

    assert open_proposals(session) == []


def test_deciding_takes_the_proposal_up(session: Session) -> None:
    incident = make_incident(session, caller_number=CALLER)
    party = make_party(session)
    make_holder(session, party=party, digits=CALLER)
    recheck(session)
    [proposal] = open_proposals(session)

    decide(session, incident, party.id)

    row = session.get_one(ReattributionProposal, proposal.proposal_id, populate_existing=True)
    assert (row.state, row.decided_by) == (ProposalState.TAKEN, TRIAGER)


def test_a_dismissed_proposal_stays_away_while_the_register_says_the_same(session: Session) -> None:
    make_incident(session, caller_number=CALLER)
    make_holder(session, party=make_party(session), digits=CALLER)
    recheck(session)
    [proposal] = open_proposals(session)
    with pytest.raises(InvalidInputError):
        dismiss_proposal(session, proposal.proposal_id, " ", actor_id=TRIAGER)

    dismiss_proposal(session, proposal.proposal_id, "登记有误，已通知更正", actor_id=TRIAGER)
    recheck(session)

    assert open_proposals(session) == []
    with pytest.raises(AlreadyDecidedError):
        dismiss_proposal(session, proposal.proposal_id, "再次", actor_id=TRIAGER)


def test_what_a_person_decided_without_the_register_is_left_alone(session: Session) -> None:
    incident = make_incident(session, caller_number=CALLER)
    decide_verdict(session, incident.id, Verdict.SPOOFED, None, reason="无主叫话单", shown_id=None, actor_id=TRIAGER)
    make_holder(session, party=make_party(session), digits=CALLER)

    recheck(session)

    assert open_proposals(session) == []


def test_the_recheck_goes_on_where_it_stopped(session: Session) -> None:
    make_holder(session, party=make_party(session), digits=CALLER)
    incidents = [
        make_incident(session, caller_number=CALLER, occurred_at=CALLED_AT + dt.timedelta(hours=hour))
        for hour in range(3)
    ]

    first, next_id = changed_incidents(session, limit=2)
    rest, end = changed_incidents(session, after_id=next_id or 0, limit=2)

    assert [*first, *rest] == [incident.id for incident in incidents]
    assert (next_id, end) == (incidents[1].id, None)


def corrected_away(session: Session, records: RecordImport) -> None:
    """A corrected import took the place of these records."""
    other = write_records(session, None, RecordKind.CALLS, [], days=[clock.china_day(CALLED_AT)])
    session.execute(
        sa.update(RecordPartition).where(RecordPartition.import_id == records.id).values(superseded_by_id=other.id)
    )


def proven_by_staff(session: Session) -> tuple[Incident, RecordImport, StaffNumber]:
    staff = make_staff_number(session, employer=make_party(session, name="乙外包"), staff_number="8001")
    incident = make_incident(session, number=make_called(session), caller_number=CALLER)
    records = record_calls(session, incident, staff_number="8001")
    [result] = accept_suggestions(session, [incident.id], actor_id=TRIAGER)
    assert result.refusal is None
    return incident, records, staff


def test_a_verdict_whose_record_is_corrected_away_is_proposed_again(session: Session) -> None:
    incident, records, _staff = proven_by_staff(session)
    recheck(session)
    assert open_proposals(session) == []

    corrected_away(session, records)
    recheck(session)

    [proposal] = open_proposals(session)
    assert (proposal.incident_id, proposal.proposed_party_id) == (incident.id, None)


def test_a_record_whose_retention_ended_takes_no_verdict_back(session: Session) -> None:
    _incident, records, _staff = proven_by_staff(session)
    session.execute(
        sa.update(RecordPartition)
        .where(RecordPartition.import_id == records.id)
        .values(dropped_at=clock.now(), dropped_by=TRIAGER, drop_reason="保存期满")
    )

    recheck(session)

    assert open_proposals(session) == []


def test_a_staff_number_and_a_sales_channel_corrected_later_are_proposed(session: Session) -> None:
    by_staff, _records, staff = proven_by_staff(session)
    by_order = make_incident(
        session, number=make_called(session), caller_number="13900001111", occurred_at=CALLED_AT + dt.timedelta(days=1)
    )
    channel = make_sales_channel(session, party=make_party(session, name="丙网点"), channel_code="QD01")
    record_order(session, by_order, channel_code="QD01")
    [result] = accept_suggestions(session, [by_order.id], actor_id=TRIAGER)
    assert result.refusal is None
    other = make_party(session, name="丁代理")

    staff.employer_id = channel.party_id = other.id
    session.flush()
    recheck(session)

    proposals = open_proposals(session)
    assert {row.incident_id: row.proposed_party_id for row in proposals} == {
        by_staff.id: other.id,
        by_order.id: other.id,
    }


def test_a_walk_begins_only_where_something_changed(session: Session) -> None:
    assert changed_since_round(session, RECHECK).everything
    long_after = clock.now() + dt.timedelta(hours=1)
    note_round(session, RECHECK, long_after)
    session.flush()
    assert not changed_since_round(session, RECHECK).anything

    with clock.pretending(long_after):
        write_records(session, None, RecordKind.CALLS, [], days=[clock.china_day(CALLED_AT)])
        changed = changed_since_round(session, RECHECK)
        assert not changed.everything
        early = make_incident(session, caller_number=CALLER, occurred_at=CALLED_AT - dt.timedelta(days=90))
        concerned = make_incident(session, caller_number=CALLER)
        make_holder(session, party=make_party(session), digits=CALLER)
        ids, _after = changed_incidents(session, changed)
        assert (concerned.id in ids, early.id in ids) == (True, False)
        enter_number(session, text="02988881111", actor_id=TRIAGER)
        assert changed_since_round(session, RECHECK).everything


def test_the_queue_of_unattributed_incidents_is_by_age_and_within_scope(session: Session) -> None:
    unit = make_unit(session)
    now = clock.now()
    young, old = make_incident(session, caller_number=CALLER), make_incident(session, caller_number=CALLER, unit=unit)
    young.created_at, old.created_at, old.unit_id = now - dt.timedelta(hours=2), now - dt.timedelta(days=40), unit.id
    session.flush()
    everything = Scope.everything()

    rows = unattributed_incidents(session, everything)

    assert [row.incident_id for row in rows] == [old.id, young.id]
    after = (rows[0].waiting_since, rows[0].incident_id)
    assert [row.incident_id for row in unattributed_incidents(session, everything, after=after)] == [young.id]
    assert count_unattributed(session, everything, now).ages == {"day": 1, "week": 0, "month": 0, "longer": 1}
    branch = Scope(sees_everything=False, unit_ids=frozenset({unit.id}), party_ids=frozenset())
    assert [row.incident_id for row in unattributed_incidents(session, branch)] == [old.id]
