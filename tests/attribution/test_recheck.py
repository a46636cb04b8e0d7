"""When registers change, the recheck proposes; it never decides."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import decide_verdict
from supervise.attribution.models import ProposalState, ReattributionProposal, Verdict
from supervise.attribution.queries import open_proposals
from supervise.attribution.recheck import changed_incidents, dismiss_proposal, propose_again
from supervise.attribution.unattributed import count_unattributed, unattributed_incidents
from supervise.complaints.models import Incident
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER, verdict_in_force
from tests.factories.complaints import CALLED_AT, make_incident
from tests.factories.parties import make_holder, make_number, make_party, make_unit

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
