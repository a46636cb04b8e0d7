"""Asking parties about calls: deadlines in working days, answers that stay, silence that decides nothing."""

import datetime as dt
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.inquiries import (
    Answer,
    AnswerChangedError,
    AskedAlreadyError,
    ExtendedAlreadyError,
    NobodyAnswersError,
    NotAskedError,
    NotOpenError,
    answer_inquiry,
    ask,
    deem_silent,
    extend_inquiry,
    withdraw_inquiry,
)
from supervise.attribution.inquiry_models import AnswerKind, Inquiry, InquiryAnswer, InquiryState
from supervise.attribution.inquiry_queries import (
    Standing,
    answer_lines,
    answers_for,
    inquiries_in_scope,
    term_on,
    waiting_for_us,
)
from supervise.attribution.inquiry_terms import TermPlannedError, set_inquiry_term
from supervise.attribution.models import Attribution
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident
from supervise.complaints.reference import BackDatedError
from supervise.db import Database
from supervise.errors import InvalidInputError, NotFoundError, RefusalError
from supervise.parties.models import Party, PartyKind
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER
from tests.factories.complaints import make_incident
from tests.factories.inquiries import QUESTION, answer, make_inquiry, scope_of
from tests.factories.parties import make_party, make_relation, make_unit, unit_party

#: A Tuesday, and the last working day of five after it: the holiday of October 1 to 7, October 10 is worked.
ASKED = dt.datetime(2026, 9, 29, 3, tzinfo=dt.UTC)
DUE_ON = dt.date(2026, 10, 12)


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
    return make_incident(session)


def test_the_deadline_counts_working_days_by_the_calendar(session: Session, incident: Incident, branch: Party) -> None:
    with clock.pretending(ASKED):
        inquiry = make_inquiry(session, incident=incident, party=branch, working_days=5)

    assert inquiry.due_on == DUE_ON
    assert not inquiry.due_provisional


def test_a_new_default_term_ends_the_one_before_it_and_is_never_back_dated(session: Session) -> None:
    today = clock.today()
    first = today + dt.timedelta(days=7)

    set_inquiry_term(session, working_days=3, reason="省公司督办要求", valid_from=first, actor_id=1)

    assert [term_on(session, day) for day in (today, first)] == [5, 3]
    with pytest.raises(TermPlannedError):
        set_inquiry_term(session, working_days=4, reason="省公司督办要求", valid_from=first, actor_id=1)
    with pytest.raises(BackDatedError):
        set_inquiry_term(session, working_days=4, reason="追溯", valid_from=today - dt.timedelta(days=1), actor_id=1)
    with pytest.raises(InvalidInputError):
        set_inquiry_term(session, working_days=0, reason="无期限", valid_from=first, actor_id=1)


def test_the_default_term_is_a_dated_row(session: Session) -> None:
    session.execute(sa.text("UPDATE inquiry_term SET valid_to = '2026-07-01'"))
    session.execute(sa.text("INSERT INTO inquiry_term (working_days, valid_from) VALUES (3, '2026-07-01')"))

    assert term_on(session, dt.date(2026, 6, 30)) == 5
    assert term_on(session, dt.date(2026, 7, 1)) == 3


def test_several_calls_are_asked_about_at_once_with_a_result_for_each(session: Session, branch: Party) -> None:
    calls = [make_incident(session, caller_number=f"0298888000{n}") for n in range(3)]
    make_inquiry(session, incident=calls[1], party=branch)

    results = ask(session, [*(call.id for call in calls), 987_654_321], branch.id, QUESTION, 5, actor_id=TRIAGER)

    assert [type(result.refusal) for result in results] == [type(None), AskedAlreadyError, type(None), NotFoundError]
    assert session.scalar(sa.select(sa.func.count()).select_from(Inquiry)) == 3


def test_a_person_cannot_be_asked(session: Session, incident: Incident) -> None:
    person = make_party(session, kind=PartyKind.EMPLOYEE_CALLER)

    with pytest.raises(NobodyAnswersError):
        ask(session, [incident.id], person.id, QUESTION, 5, actor_id=TRIAGER)


def test_a_second_answer_supersedes_the_first_and_both_stay(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)
    answer(session, inquiry, AnswerKind.NOT_OURS, party=branch)
    answer(session, inquiry, AnswerKind.AGENT, party=branch, named_party_id=agent.id, shown_number=1)

    lines = answer_lines(session, [inquiry.id])[inquiry.id]
    [given] = answers_for(session, [incident.id])[incident.id]

    assert [(line.answer.number, line.answer.kind) for line in lines] == [
        (2, AnswerKind.AGENT),
        (1, AnswerKind.NOT_OURS),
    ]
    assert (given.party_id, given.kind, given.named_party_id, given.named) == (
        branch.id,
        AnswerKind.AGENT,
        agent.id,
        "华信代理",
    )


def test_an_answer_to_what_a_colleague_answered_meanwhile_is_refused(
    session: Session, incident: Incident, branch: Party
) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)
    answer(session, inquiry, party=branch)

    with pytest.raises(AnswerChangedError):
        answer(session, inquiry, AnswerKind.NOT_OURS, party=branch, shown_number=0)


def test_an_answer_is_never_changed_nor_deleted(session: Session, incident: Incident, branch: Party) -> None:
    given = answer(session, make_inquiry(session, incident=incident, party=branch), party=branch)

    for statement in (
        sa.update(InquiryAnswer).values(kind=AnswerKind.NOT_OURS),
        sa.delete(InquiryAnswer).where(InquiryAnswer.id == given.id),
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(statement.execution_options(synchronize_session=False))


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (AnswerKind.AGENT, {}),
        (AnswerKind.OURS, {"named_text": "某某公司"}),
        (AnswerKind.HANDED_ON, {"named_text": "某某公司"}),
        (AnswerKind.HANDED_ON, {"named_text": "某某公司", "handed_on_at": dt.datetime(2099, 1, 1, tzinfo=dt.UTC)}),
        (AnswerKind.NOT_OURS, {"body": "  "}),
    ],
)
def test_an_answer_says_just_what_its_kind_needs(
    session: Session, incident: Incident, branch: Party, kind: AnswerKind, facts: dict[str, Any]
) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)

    with pytest.raises(InvalidInputError):
        answer(session, inquiry, kind, party=branch, **facts)


def test_a_party_names_its_own_agents_only(session: Session, incident: Incident, branch: Party) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)
    stranger = make_party(session, name="联达外呼")

    with pytest.raises(InvalidInputError):
        answer(session, inquiry, AnswerKind.AGENT, party=branch, named_party_id=stranger.id)


def test_a_name_that_is_typed_is_the_party_registered_under_it_if_it_is_one_alone(
    session: Session, incident: Incident, branch: Party
) -> None:
    holder = make_party(session, name="星河呼叫中心有限公司")
    inquiry = make_inquiry(session, incident=incident, party=branch)
    typed: dict[str, Any] = {"named_text": "星河呼叫中心有限公司", "handed_on_at": clock.now()}

    known = answer(session, inquiry, AnswerKind.HANDED_ON, party=branch, **typed)
    make_party(session, name=holder.name)
    twice = answer(session, inquiry, AnswerKind.HANDED_ON, party=branch, shown_number=1, **typed)

    assert (known.named_party_id, known.named_text) == (holder.id, None)
    assert (twice.named_party_id, twice.named_text) == (None, "星河呼叫中心有限公司")


def test_full_numbers_in_a_text_are_masked(session: Session, incident: Incident, branch: Party) -> None:
    given = answer(
        session, make_inquiry(session, incident=incident, party=branch), party=branch, body="用户13912345678已核实"
    )
    session.flush()
    session.expire(given)

    assert "13912345678" not in given.body


def test_a_branch_reads_what_its_agent_is_asked_but_does_not_answer_it(
    session: Session, incident: Incident, branch: Party, agent: Party
) -> None:
    inquiry = make_inquiry(session, incident=incident, party=agent)
    assert branch.org_unit_id is not None
    scope = Scope(
        sees_everything=False,
        unit_ids=frozenset({branch.org_unit_id}),
        party_ids=frozenset({branch.id, agent.id}),
    )

    assert [row.id for row in inquiries_in_scope(session, scope, today=clock.today())] == [inquiry.id]
    assert session.scalars(waiting_for_us(scope)).all() == []
    assert session.scalars(waiting_for_us(scope_of(agent))).all() == [inquiry.id]
    with pytest.raises(NotAskedError):
        answer_as(session, inquiry, scope)


def test_another_party_finds_no_such_inquiry(session: Session, incident: Incident, branch: Party, agent: Party) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)

    assert inquiries_in_scope(session, scope_of(agent), today=clock.today()) == []
    with pytest.raises(NotFoundError):
        answer_as(session, inquiry, scope_of(agent))


def answer_as(session: Session, inquiry: Inquiry, scope: Scope) -> InquiryAnswer:
    return answer_inquiry(session, inquiry.id, Answer(AnswerKind.OURS, "是"), scope, shown_number=0, actor_id=TRIAGER)


def test_silence_is_noted_after_the_deadline_once_and_decides_nothing(
    session: Session, incident: Incident, branch: Party
) -> None:
    with clock.pretending(ASKED):
        inquiry = make_inquiry(session, incident=incident, party=branch)

    on_time = deem_silent(session, DUE_ON)
    after = [deem_silent(session, DUE_ON + dt.timedelta(days=1)) for _ in range(2)]
    session.refresh(inquiry)
    [silence] = answers_for(session, [incident.id])[incident.id]

    assert (on_time, after) == (0, [1, 0])
    assert inquiry.state is InquiryState.DEEMED
    assert (silence.deemed, silence.kind, silence.party_id) == (True, None, branch.id)
    assert session.scalar(sa.select(sa.func.count()).select_from(Attribution)) == 0


def test_a_late_answer_outweighs_silence(session: Session, incident: Incident, branch: Party) -> None:
    with clock.pretending(ASKED):
        inquiry = make_inquiry(session, incident=incident, party=branch)
    deem_silent(session, DUE_ON + dt.timedelta(days=1))

    given = answer(session, inquiry, AnswerKind.NOT_OURS, party=branch)
    [now] = answers_for(session, [incident.id])[incident.id]

    assert given.is_late
    assert (now.deemed, now.kind) == (False, AnswerKind.NOT_OURS)
    assert inquiry.deemed_at is not None


def test_the_deadline_is_extended_once(session: Session, incident: Incident, branch: Party) -> None:
    with clock.pretending(ASKED):
        inquiry = make_inquiry(session, incident=incident, party=branch)

    extend_inquiry(session, inquiry.id, 2, "录音正在调取", actor_id=TRIAGER)

    assert inquiry.due_on == dt.date(2026, 10, 14)
    assert deem_silent(session, dt.date(2026, 10, 14)) == 0
    with pytest.raises(ExtendedAlreadyError):
        extend_inquiry(session, inquiry.id, 2, "再等等", actor_id=TRIAGER)


def test_a_deadline_that_no_calendar_covered_is_counted_again(
    session: Session, incident: Incident, branch: Party
) -> None:
    with clock.pretending(ASKED):
        inquiry = make_inquiry(session, incident=incident, party=branch)
    inquiry.due_on, inquiry.due_provisional = dt.date(2026, 10, 6), True  # as Monday to Friday would have it
    session.flush()

    assert deem_silent(session, dt.date(2026, 10, 8)) == 0
    assert (inquiry.due_on, inquiry.due_provisional) == (DUE_ON, False)


def test_what_is_withdrawn_cannot_be_answered_and_may_be_asked_again(
    session: Session, incident: Incident, branch: Party
) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)
    withdraw_inquiry(session, inquiry.id, "问错了对象", actor_id=TRIAGER)

    with pytest.raises(NotOpenError):
        answer(session, inquiry, party=branch)
    with pytest.raises(NotOpenError):
        withdraw_inquiry(session, inquiry.id, "问错了对象", actor_id=TRIAGER)
    assert make_inquiry(session, incident=incident, party=branch).id != inquiry.id


def test_the_first_to_fall_due_come_first_page_by_page(session: Session, branch: Party) -> None:
    calls = [make_incident(session, caller_number=f"0298888000{n}") for n in range(3)]
    with clock.pretending(ASKED):
        made = [
            make_inquiry(session, incident=call, party=branch, working_days=days)
            for call, days in zip(calls, (9, 3, 5), strict=True)
        ]
    scope = scope_of(branch)

    first = inquiries_in_scope(session, scope, today=DUE_ON, standing=Standing.OPEN, limit=2)
    rest = inquiries_in_scope(
        session, scope, today=DUE_ON, standing=Standing.OPEN, beyond=(first[-1].due_on, first[-1].id)
    )
    late = inquiries_in_scope(session, scope, today=DUE_ON, standing=Standing.OVERDUE)

    assert [row.id for row in (*first, *rest)] == [made[1].id, made[2].id, made[0].id]
    assert [row.id for row in late] == [made[1].id]


def test_every_step_is_in_the_audit_trail(session: Session, incident: Incident, branch: Party) -> None:
    inquiry = make_inquiry(session, incident=incident, party=branch)
    extend_inquiry(session, inquiry.id, 2, "录音正在调取", actor_id=TRIAGER)
    answer(session, inquiry, party=branch)

    actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.subject == "inquiry")).all()

    assert list(actions) == ["inquiries.asked", "inquiry.extended", "inquiry.answered"]


def raced(database: Database, *acts: Any) -> list[Any]:
    """Run each act in a transaction of its own, all at once; what each returned, or was refused with."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(place: int, act: Any) -> None:
        barrier.wait()
        try:
            with database.session(writes=True) as session:
                results[place] = act(session)
        except RefusalError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def committed_inquiry(database: Database) -> tuple[Inquiry, Party]:
    with database.session(writes=True) as session, clock.pretending(ASKED):
        branch = unit_party(session, make_unit(session, name="城关分公司"))
        return make_inquiry(session, incident=make_incident(session), party=branch), branch


def test_of_two_answers_at_once_one_is_told_of_the_other(database: Database) -> None:
    inquiry, branch = committed_inquiry(database)

    results = raced(
        database,
        *(
            lambda session, kind=kind: answer(session, inquiry, kind, party=branch)
            for kind in (AnswerKind.OURS, AnswerKind.NOT_OURS)
        ),
    )

    assert sorted(type(result).__name__ for result in results) == ["AnswerChangedError", "InquiryAnswer"]
    with database.session(writes=False) as session:
        assert session.scalars(sa.select(InquiryAnswer.number)).all() == [1]


def test_an_answer_at_the_deadline_holds_whether_silence_was_noted_first_or_not(database: Database) -> None:
    inquiry, branch = committed_inquiry(database)

    results = raced(
        database,
        lambda session: answer(session, inquiry, AnswerKind.NOT_OURS, party=branch),
        lambda session: deem_silent(session, DUE_ON + dt.timedelta(days=1)),
    )

    assert not any(isinstance(result, RefusalError) for result in results)
    with database.session(writes=False) as session:
        after = session.get_one(Inquiry, inquiry.id)
        assert after.state is InquiryState.ANSWERED
        # Noted first, or not at all: never over an answer.
        assert (after.deemed_at is not None) is (results[1] == 1)
