"""The story of a ticket and of a call: complete, in order, within reach."""

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.decide import decide_verdict
from supervise.attribution.models import Verdict
from supervise.compensation.approve import approve_credits
from supervise.compensation.models import Credit
from supervise.compensation.propose import propose_credits, propose_lump
from supervise.complaints.link import merge_incidents
from supervise.complaints.models import Channel, DemandHead, DemandLine, TicketIncident, TicketState
from supervise.complaints.subscribers import reveal_number
from supervise.complaints.tickets import accept_ticket
from supervise.desk.replies import reply_to_ticket
from supervise.desk.story import incident_story, reply_choices, ticket_story
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.errors import NotFoundError
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER, attribute, find, make_proven_incident
from tests.factories.compensation import make_proven_call, make_undertaking, make_victim, shown
from tests.factories.complaints import CALLED_AT, KEYRING, link_ticket, make_incident, make_number, make_ticket
from tests.factories.parties import make_holder, make_party, make_unit
from tests.factories.penalties import make_charged_partner, propose

EVERYTHING = Scope.everything()
SUPERVISOR = 4711


def test_two_tickets_of_one_call_name_each_other(session: Session) -> None:
    first = make_ticket(session, channel=Channel.REPORT_12321)
    second = make_ticket(session, channel=Channel.MAYOR_12345, external_ref="W-1")
    incident = make_incident(session, ticket=first)
    link_ticket(session, ticket=second, incident=incident)

    [call] = ticket_story(session, EVERYTHING, first.id).calls

    assert [(one.reference, one.external_ref) for one in call.others(first.id)] == [(second.reference, "W-1")]


def test_a_ticket_of_another_branch_is_counted_but_not_named(session: Session) -> None:
    unit, other = make_unit(session), make_unit(session)
    own, foreign = make_ticket(session, unit=unit), make_ticket(session, unit=other)
    link_ticket(session, ticket=foreign, incident=make_incident(session, ticket=own))
    scope = Scope(sees_everything=False, unit_ids=frozenset({unit.id}), party_ids=frozenset())

    [call] = ticket_story(session, scope, own.id).calls

    assert (call.others(own.id), call.out_of_reach) == ([], 1)
    with pytest.raises(NotFoundError):
        ticket_story(session, scope, foreign.id)


def test_an_incident_is_reached_through_any_ticket_in_scope_and_else_not(session: Session) -> None:
    unit, other = make_unit(session), make_unit(session)
    foreign = make_incident(session, ticket=make_ticket(session, unit=other))
    shared = make_incident(session, ticket=make_ticket(session, unit=other))
    link_ticket(session, ticket=make_ticket(session, unit=unit), incident=shared)
    scope = Scope(sees_everything=False, unit_ids=frozenset({unit.id}), party_ids=frozenset())

    assert incident_story(session, scope, shared.id).call.incident.id == shared.id
    with pytest.raises(NotFoundError):
        incident_story(session, scope, foreign.id)


def test_a_merged_incident_is_reached_by_the_tickets_of_the_one_it_became(session: Session) -> None:
    number = make_number(session)
    into = make_incident(session, number=number)
    merged = make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=5))
    merge_incidents(session, merged.id, into.id, reason="同一次来电", actor_id=TRIAGER)

    assert incident_story(session, EVERYTHING, merged.id).call.incident.merged_into_id == into.id


def test_an_undecided_call_says_what_the_registers_say(session: Session) -> None:
    party = make_party(session, name="华信代理")
    make_holder(session, party=party, digits="02988880000")
    ticket = make_ticket(session, number=make_number(session))
    make_incident(session, ticket=ticket, caller_number="02988880000")

    story = ticket_story(session, EVERYTHING, ticket.id)

    [call] = story.calls
    assert call.suggestion is not None
    assert [candidate.chain[0].name for candidate in call.suggestion.candidates] == ["华信代理"]
    assert story.undecided == 1


def test_verdicts_in_force_waiting_and_earlier_are_told_apart(session: Session) -> None:
    holder, first, second = (make_party(session, name=name) for name in ("登记持有人", "甲", "乙"))
    make_holder(session, party=holder, digits="02988880000")
    incident = make_incident(session, caller_number="02988880000")
    insufficient = decide_verdict(
        session, incident.id, Verdict.ATTRIBUTED, holder.id, reason=None, shown_id=None, actor_id=TRIAGER
    )
    decide_verdict(
        session,
        incident.id,
        Verdict.ATTRIBUTED,
        first.id,
        reason="分公司说明",
        shown_id=insufficient.id,
        actor_id=TRIAGER,
    )

    call = incident_story(session, EVERYTHING, incident.id).call

    assert call.in_force is not None
    assert call.waiting is not None
    assert (call.in_force.party, call.waiting.party, call.earlier) == ("登记持有人", "甲", ())
    assert second.id not in {call.in_force.attribution.party_id, call.waiting.attribution.party_id}


def test_money_of_the_calls_adds_up_and_counts_live_penalties_only(session: Session) -> None:
    charged = make_charged_partner(session)
    ticket = make_ticket(session, number=make_number(session))
    incident = make_proven_incident(session, party=charged.party, ticket=ticket)
    propose(session, incident)
    session.add(DemandLine(ticket_id=ticket.id, head=DemandHead.PER_CALL, units=3, unit_fen=10000))
    session.flush()

    story = ticket_story(session, EVERYTHING, ticket.id)

    assert story.penalties_fen == 20000
    assert story.granted_fen == 0
    assert [(line.claimed_fen, line.granted_fen) for line in story.claims] == [(30000, 0)]
    assert story.has_proven


def test_what_was_granted_stands_beside_what_is_claimed(session: Session) -> None:
    victim = make_victim(session)
    incident = make_proven_call(session, subscriber=victim)
    [ticket_id] = session.scalars(select(TicketIncident.ticket_id).where(TicketIncident.incident_id == incident.id))
    undertaking = make_undertaking(session, subscriber=victim, per_call_fen=50_00, lump_fen=100_00)
    undertaking.ticket_id = ticket_id
    for head, unit_fen in (
        (DemandHead.HISTORY, 1_000_00),
        (DemandHead.PER_CALL, 200_00),
        (DemandHead.PER_CALL, 300_00),
        (DemandHead.TIME, 80_00),
    ):
        session.add(DemandLine(ticket_id=ticket_id, head=head, units=2, unit_fen=unit_fen))
        session.flush()
    propose_credits(session, [incident.id], actor_id=TRIAGER)
    propose_lump(session, undertaking.id, actor_id=TRIAGER)
    proposed = ticket_story(session, EVERYTHING, ticket_id)
    credits_ = session.scalars(select(Credit)).all()
    approve_credits(session, [shown(credit) for credit in credits_], actor_id=SUPERVISOR)
    session.expire_all()

    story = ticket_story(session, EVERYTHING, ticket_id)

    assert (proposed.credits_fen, proposed.granted_fen) == (150_00, 0)

    assert [(line.head, line.claimed_fen, line.granted_fen) for line in story.claims] == [
        (DemandHead.HISTORY, 2_000_00, 100_00),
        (DemandHead.PER_CALL, 400_00, 50_00),
        (DemandHead.PER_CALL, 600_00, None),
        (DemandHead.TIME, 160_00, None),
    ]
    assert (story.credits_fen, story.granted_fen) == (150_00, 150_00)


def test_refusals_of_the_subscriber_stand_on_the_page(session: Session) -> None:
    number = make_number(session)
    ticket = make_ticket(session, number=number)
    session.add(
        PermissionEvent(
            number_id=number.id,
            scope=PermissionScope.MARKETING_CALLS,
            given=False,
            channel="来电中",
            source="ticket",
            said_at=CALLED_AT,
            recorded_by=1,
            recorded_at=CALLED_AT,
        )
    )
    session.flush()

    [line] = ticket_story(session, EVERYTHING, ticket.id).refusals

    assert (line.event.given, line.party) == (False, None)


def test_the_timeline_tells_each_thing_once_the_newest_first(session: Session) -> None:
    number = make_number(session)
    ticket = make_ticket(session, number=number)
    incident = make_incident(session, ticket=ticket, caller_number=None)
    accept_ticket(session, ticket.id, actor_id=TRIAGER)
    attribute(session, incident=incident, party=make_party(session))
    find(session, incident=incident)
    reveal_number(session, KEYRING, number.id, reason="回访用户", actor_id=TRIAGER)
    code = reply_choices(session).codes[0].code
    reply_to_ticket(session, ticket.id, "已核实", code, version=ticket.version, actor_id=TRIAGER)

    timeline = ticket_story(session, EVERYTHING, ticket.id).timeline

    told = [happening.message for happening in timeline]
    assert [happening.at for happening in timeline] == sorted((one.at for one in timeline), reverse=True)
    assert sorted(told) == sorted(
        [
            "Received: %(channel)s",
            "Ticket: %(state)s",
            "Verdict: %(verdict)s, %(party)s",
            "Proven: %(offence)s",
            "The full number was shown",
            "Answered: %(code)s",
        ]
    )
    assert told[-1] == "Received: %(channel)s"


def test_a_ticket_without_calls_or_number_has_a_story_too(session: Session) -> None:
    ticket = make_ticket(session, state=TicketState.NEW)

    story = ticket_story(session, EVERYTHING, ticket.id)

    assert (story.calls, story.number_mask, story.refusals, story.penalties_fen) == ((), None, (), 0)
