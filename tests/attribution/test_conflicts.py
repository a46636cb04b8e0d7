"""Answers that contradict each other, the register or the verdict, and how a supervisor settles them."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.attribution.conflict_queries import conflicts_to_settle, open_conflicts
from supervise.attribution.conflicts import ConflictChangedError, recheck_conflicts, settle_conflict
from supervise.attribution.decide import VerdictChangedError, reject_override
from supervise.attribution.inquiry_models import AnswerKind, ConflictState
from supervise.attribution.models import AttributionState, Verdict
from supervise.complaints.models import Incident
from supervise.errors import InvalidInputError, NotFoundError
from supervise.parties.models import Party
from tests.factories.attribution import attribute, verdict_in_force, verdicts_of
from tests.factories.complaints import CALLED_AT, make_incident
from tests.factories.inquiries import answer, ask_and_answer, conflicts_of, make_inquiry
from tests.factories.parties import make_holder, make_party, make_relation, make_unit, unit_party

CALLER = "02988880000"
SUPERVISOR, SECOND = 931, 932


@pytest.fixture
def branch(session: Session) -> Party:
    return unit_party(session, make_unit(session, name="城关分公司"))


@pytest.fixture
def agent(session: Session, branch: Party) -> Party:
    agent = make_party(session, name="华信代理")
    make_relation(session, child=agent, parent=branch)
    return agent


@pytest.fixture
def incident(session: Session) -> Incident:
    return make_incident(session, caller_number=CALLER)


def messages(session: Session, incident: Incident) -> list[str]:
    """What the last contradiction says, while it is open."""
    last = conflicts_of(session, incident)[-1:]
    return [message for one in last if one.state is ConflictState.OPEN for message, _parameters in one.reasons]


def settle(
    session: Session,
    incident: Incident,
    verdict: Verdict | None,
    party: Party | None = None,
    *,
    shown_id: int | None = None,
    reason: str = "以订单记录为准",
) -> object:
    return settle_conflict(
        session,
        incident.id,
        verdict,
        party.id if party else None,
        reason=reason,
        shown_conflict_id=conflicts_of(session, incident)[-1].id,
        shown_id=shown_id,
        actor_id=SUPERVISOR,
    )


def test_a_denial_against_the_register_waits_for_a_supervisor(
    session: Session, incident: Incident, branch: Party
) -> None:
    make_holder(session, party=branch, digits=CALLER)

    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)

    assert messages(session, incident) == [
        "%(party)s denies it, but by the register it held the number at that moment."
    ]
    assert [row.incident_id for row in conflicts_to_settle(session)] == [incident.id]


def test_a_branch_that_names_the_agent_of_the_register_contradicts_nothing(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    make_holder(session, party=agent, digits=CALLER)

    ask_and_answer(session, incident, branch, AnswerKind.AGENT, named_party_id=agent.id)
    ask_and_answer(session, incident, agent, AnswerKind.OURS)

    assert conflicts_of(session, incident) == []


def test_a_denial_against_the_verdict_is_a_conflict_also_when_the_verdict_comes_later(
    session: Session, incident: Incident, branch: Party
) -> None:
    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)
    assert messages(session, incident) == []
    attribute(session, incident=incident, party=branch)

    assert recheck_conflicts(session) is None

    assert messages(session, incident) == ["%(party)s denies it, but answers for it by the verdict in force."]


def test_a_branch_that_names_an_agent_which_denies_is_a_conflict(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    ask_and_answer(session, incident, branch, AnswerKind.AGENT, named_party_id=agent.id)
    ask_and_answer(session, incident, agent, AnswerKind.NOT_OURS)

    assert messages(session, incident) == ["%(party)s denies it, but %(other)s names it."]


def test_two_that_deny_and_two_that_claim_are_conflicts(session: Session, branch: Party, agent: Party) -> None:
    denied, claimed = (make_incident(session, caller_number=f"0298888111{n}") for n in range(2))

    for party in (branch, agent):
        ask_and_answer(session, denied, party, AnswerKind.NOT_OURS)
        ask_and_answer(session, claimed, party, AnswerKind.OURS)

    assert messages(session, denied) == ["Each of them denies it: %(parties)s."]
    assert messages(session, claimed) == ["More than one is named as the caller: %(parties)s."]


def test_a_number_handed_on_after_the_call_was_still_its_own(
    session: Session, incident: Incident, branch: Party
) -> None:
    ask_and_answer(
        session,
        incident,
        branch,
        AnswerKind.HANDED_ON,
        named_text="某通信店",
        handed_on_at=CALLED_AT + dt.timedelta(hours=2),
    )

    assert messages(session, incident) == ["%(party)s says that it handed the number on, but only after the call."]


def test_an_answer_that_agrees_after_all_dissolves_the_conflict(
    session: Session, incident: Incident, branch: Party
) -> None:
    make_holder(session, party=branch, digits=CALLER)
    inquiry = make_inquiry(session, incident=incident, party=branch)
    answer(session, inquiry, AnswerKind.NOT_OURS, party=branch)

    answer(session, inquiry, AnswerKind.OURS, party=branch, shown_number=1)

    assert [one.state for one in conflicts_of(session, incident)] == [ConflictState.DISSOLVED]


def test_the_supervisors_verdict_settles_it_until_somebody_answers_anew(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    ask_and_answer(session, incident, branch, AnswerKind.AGENT, named_party_id=agent.id)
    inquiry = make_inquiry(session, incident=incident, party=agent)
    answer(session, inquiry, AnswerKind.NOT_OURS, party=agent)

    settle(session, incident, Verdict.ATTRIBUTED, agent)
    recheck_conflicts(session)

    in_force = verdict_in_force(session, incident.id)
    [settled] = conflicts_of(session, incident)
    assert in_force is not None
    assert (in_force.party_id, in_force.decided_by) == (agent.id, SUPERVISOR)
    assert (settled.state, settled.attribution_id) == (ConflictState.SETTLED, in_force.id)
    assert session.scalars(open_conflicts()).all() == []

    answer(session, inquiry, AnswerKind.NOT_OURS, party=agent, shown_number=1, body="附号码停用单。")
    assert len(messages(session, incident)) == 2


def test_the_verdict_in_force_may_stand(session: Session, incident: Incident, branch: Party) -> None:
    decided = attribute(session, incident=incident, party=branch)
    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)

    settle(session, incident, None, shown_id=decided.id)

    assert [one.state for one in conflicts_of(session, incident)] == [ConflictState.SETTLED]
    assert [one.id for one in verdicts_of(session, incident.id)] == [decided.id]


def test_an_override_takes_a_second_person_and_its_rejection_opens_the_conflict_again(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    make_holder(session, party=branch, digits=CALLER)
    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)

    settle(session, incident, Verdict.ATTRIBUTED, agent)
    [waiting] = verdicts_of(session, incident.id)
    assert waiting.state is AttributionState.WAITING
    recheck_conflicts(session)
    assert messages(session, incident) == []

    reject_override(session, waiting.id, "没有依据", actor_id=SECOND)
    recheck_conflicts(session)
    assert len(messages(session, incident)) == 1


def test_settling_refuses_what_was_not_seen(session: Session, incident: Incident, branch: Party) -> None:
    with pytest.raises(NotFoundError):
        settle_conflict(
            session, incident.id, None, None, reason="-", shown_conflict_id=1, shown_id=None, actor_id=SUPERVISOR
        )
    make_holder(session, party=branch, digits=CALLER)
    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)

    with pytest.raises(InvalidInputError):
        settle(session, incident, Verdict.SPOOFED, reason=" ")
    with pytest.raises(InvalidInputError):
        settle(session, incident, None)
    with pytest.raises(VerdictChangedError):
        settle(session, incident, Verdict.ATTRIBUTED, branch, shown_id=987_654)
    settle(session, incident, Verdict.ATTRIBUTED, branch)
    with pytest.raises(ConflictChangedError):
        settle(session, incident, Verdict.ATTRIBUTED, branch)


def test_looking_again_writes_nothing_twice(session: Session, incident: Incident, branch: Party) -> None:
    make_holder(session, party=branch, digits=CALLER)
    ask_and_answer(session, incident, branch, AnswerKind.NOT_OURS)

    recheck_conflicts(session)

    assert len(conflicts_of(session, incident)) == 1
    with pytest.raises(sa.exc.DBAPIError), session.begin_nested():
        session.execute(sa.text("UPDATE answer_conflict SET reasons = '[]'"))
