"""A subscriber objects to the reply, an authority mediates: the ticket is open until both are at rest (F85)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.giving_up import give_up_undertaking
from supervise.compensation.mediated import (
    NobodyHoldsError,
    NothingAgreedError,
    StillPromisedError,
    promise_agreed_amount,
    promise_anew,
)
from supervise.compensation.models import PromiseState, Undertaking
from supervise.compensation.promises import agree_undertaking
from supervise.complaints.dispute_models import (
    Mediation,
    MediationState,
    Mediator,
    TicketObjection,
    TicketObjectionState,
)
from supervise.complaints.dispute_queries import Dispute, mediations_of, objections_to, tickets_in
from supervise.complaints.mediations import (
    MediationCase,
    MediationEnding,
    MediationOpenError,
    NoMediationError,
    add_mediation_event,
    end_mediation,
    open_mediation,
)
from supervise.complaints.models import Channel, Ticket, TicketState
from supervise.complaints.ticket_objections import (
    NoObjectionError,
    NotAnsweredError,
    ObjectionOpenError,
    record_objection,
    withdraw_objection,
)
from supervise.complaints.tickets import DisputeOpenError, StepError, transfer_ticket, withdraw_ticket
from supervise.desk.replies import close_ticket, reply_to_ticket
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_undertaking
from tests.factories.complaints import link_ticket, make_incident, make_number, make_subscriber, make_ticket
from tests.factories.parties import make_party

CLERK = 7
DUE = dt.date(2026, 10, 14)


def answered(session: Session, **facts: object) -> Ticket:
    ticket = make_ticket(session, due_on=DUE, **facts)  # type: ignore[arg-type]
    reply(session, ticket)
    return ticket


def reply(session: Session, ticket: Ticket) -> None:
    reply_to_ticket(session, ticket.id, "已核实处理。", "redressed", version=ticket.version, actor_id=CLERK)


def objected(session: Session, ticket: Ticket, *, at: dt.datetime | None = None) -> None:
    record_objection(
        session,
        ticket.id,
        Channel.HOTLINE,
        at or clock.now(),
        "不认可处理结果",
        version=ticket.version,
        actor_id=CLERK,
    )


def mediated(
    session: Session, ticket: Ticket, case_number: str = "12315-1", due_on: dt.date | None = None
) -> Mediation:
    return open_mediation(
        session,
        ticket.id,
        MediationCase(Mediator.CONSUMER_12315, case_number, clock.today(), due_on),
        version=ticket.version,
        actor_id=CLERK,
    )


def ended(session: Session, ticket: Ticket, state: MediationState, agreed_fen: int | None) -> Mediation:
    return end_mediation(
        session,
        ticket.id,
        MediationEnding(state, clock.today(), "一次性补偿，双方不再争议", agreed_fen),
        version=ticket.version,
        actor_id=CLERK,
    )


def test_an_objection_opens_the_ticket_again_and_the_first_reply_keeps_its_date(session: Session) -> None:
    ticket = answered(session)
    first_replied_at = ticket.first_replied_at

    objected(session, ticket)

    [objection] = objections_to(session, ticket.id)
    assert ticket.state is TicketState.INVESTIGATING
    assert (ticket.first_replied_at, ticket.first_due_on) == (first_replied_at, DUE)
    assert ticket.due_on == objection.due_on > clock.today()
    assert (objection.number, objection.state) == (1, TicketObjectionState.OPEN)


def test_the_next_reply_answers_the_objection(session: Session) -> None:
    ticket = answered(session)
    objected(session, ticket)

    reply(session, ticket)

    [objection] = objections_to(session, ticket.id)
    assert (objection.state, objection.ended_by) == (TicketObjectionState.ANSWERED, CLERK)
    assert ticket.state is TicketState.REPLIED


def test_a_ticket_objected_to_again_is_counted_and_found_by_its_filter(session: Session) -> None:
    once, twice = answered(session), answered(session)
    objected(session, once)
    objected(session, twice)
    reply(session, twice)
    objected(session, twice)

    assert [one.number for one in objections_to(session, twice.id)] == [1, 2]
    assert set(session.scalars(tickets_in(Dispute.OBJECTED))) >= {once.id, twice.id}
    again = set(session.scalars(tickets_in(Dispute.AGAIN)))
    assert twice.id in again
    assert once.id not in again


def test_an_objection_that_is_taken_back_leaves_the_last_reply(session: Session) -> None:
    ticket = answered(session)
    objected(session, ticket)

    withdraw_objection(session, ticket.id, "用户来电撤回", version=ticket.version, actor_id=CLERK)

    [objection] = objections_to(session, ticket.id)
    assert (objection.state, objection.end_reason) == (TicketObjectionState.WITHDRAWN, "用户来电撤回")
    assert ticket.state is TicketState.REPLIED
    with pytest.raises(NoObjectionError):
        withdraw_objection(session, ticket.id, "再次撤回", version=ticket.version, actor_id=CLERK)


def test_what_was_not_answered_cannot_be_objected_to(session: Session) -> None:
    ticket = make_ticket(session)

    with pytest.raises(NotAnsweredError):
        objected(session, ticket)


def test_a_second_live_objection_is_refused_by_the_house_and_by_the_database(session: Session) -> None:
    ticket = answered(session)
    objected(session, ticket)

    with pytest.raises(ObjectionOpenError):
        objected(session, ticket)
    names = [column.name for column in TicketObjection.__table__.c if column.name not in {"id", "number"}]
    columns = [TicketObjection.__table__.c[name] for name in names]
    row = sa.select(*columns, sa.literal(2)).where(TicketObjection.ticket_id == ticket.id)
    copy = sa.insert(TicketObjection).from_select([*names, "number"], row)
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(copy)


def test_who_saw_an_older_ticket_does_not_object(session: Session) -> None:
    ticket = answered(session)
    seen = ticket.version
    objected(session, ticket)

    with pytest.raises(ConflictError):
        record_objection(session, ticket.id, Channel.HOTLINE, clock.now(), "不认可", version=seen, actor_id=8)
    assert len(objections_to(session, ticket.id)) == 1


@pytest.mark.parametrize("minutes", [-30, 30])
def test_an_objection_before_the_reply_or_in_the_future_is_refused(session: Session, minutes: int) -> None:
    ticket = answered(session)

    with pytest.raises(InvalidInputError):
        objected(session, ticket, at=clock.now() + dt.timedelta(minutes=minutes))


def test_a_ticket_in_dispute_is_not_put_away(session: Session) -> None:
    ticket = answered(session)
    link_ticket(session, ticket=ticket, incident=make_proven_incident(session, party=make_party(session)))
    mediated(session, ticket)

    with pytest.raises(DisputeOpenError):
        close_ticket(session, ticket.id, version=ticket.version, actor_id=CLERK)
    session.refresh(ticket)
    with pytest.raises(DisputeOpenError):
        withdraw_ticket(session, ticket.id, reason="渠道撤回", actor_id=CLERK)
    objected(session, ticket)
    with pytest.raises(DisputeOpenError):
        transfer_ticket(session, ticket.id, to_whom="12345", reason="非本企业", actor_id=CLERK)


def test_a_mediation_opens_a_closed_ticket_with_its_term_of_working_days(session: Session) -> None:
    ticket = answered(session)
    link_ticket(session, ticket=ticket, incident=make_proven_incident(session, party=make_party(session)))
    close_ticket(session, ticket.id, version=ticket.version, actor_id=CLERK)

    mediation = mediated(session, ticket)

    assert ticket.state is TicketState.INVESTIGATING
    assert ticket.closed_at is None
    # 45 working days are nine weeks at least.
    assert mediation.due_on >= clock.today() + dt.timedelta(weeks=9)
    assert (ticket.due_on, ticket.first_due_on) == (mediation.due_on, DUE)


def test_the_day_that_the_mediator_names_wins(session: Session) -> None:
    named = clock.today() + dt.timedelta(days=20)

    assert mediated(session, answered(session), due_on=named).due_on == named


def test_a_mediator_without_a_rule_names_the_day(session: Session) -> None:
    ticket = answered(session)

    with pytest.raises(InvalidInputError):
        open_mediation(
            session,
            ticket.id,
            MediationCase(Mediator.COMMUNICATIONS, "GXB-1", clock.today(), None),
            version=ticket.version,
            actor_id=CLERK,
        )


def test_one_mediation_at_a_time_and_each_case_once(session: Session) -> None:
    ticket, other = answered(session), answered(session)
    mediated(session, ticket)

    with pytest.raises(MediationOpenError):
        mediated(session, ticket, "12315-2")
    with pytest.raises(ConflictError):
        mediated(session, other)


def test_a_refused_ticket_is_not_mediated(session: Session) -> None:
    ticket = make_ticket(session, state=TicketState.REFUSED)

    with pytest.raises(StepError):
        mediated(session, ticket)


def test_a_mediation_is_told_and_ends_with_its_terms(session: Session) -> None:
    ticket = answered(session)
    mediated(session, ticket)
    add_mediation_event(session, ticket.id, clock.today(), "双方到场调解", version=ticket.version, actor_id=CLERK)

    ended(session, ticket, MediationState.FAILED, None)

    [line] = mediations_of(session, ticket.id)
    assert [event.words for event in line.events] == ["双方到场调解"]
    assert line.mediation.state is MediationState.FAILED
    with pytest.raises(NoMediationError):
        ended(session, ticket, MediationState.AGREED, None)


def test_only_an_agreement_has_an_amount(session: Session) -> None:
    ticket = answered(session)
    mediated(session, ticket)

    with pytest.raises(InvalidInputError):
        ended(session, ticket, MediationState.FAILED, 100_00)


def test_an_agreed_amount_becomes_one_draft_of_an_undertaking(session: Session) -> None:
    number = make_number(session)
    make_subscriber(session, number=number)
    ticket = answered(session, number=number)
    mediated(session, ticket)
    ended(session, ticket, MediationState.AGREED, 300_00)

    undertaking = promise_agreed_amount(session, ticket.id, version=ticket.version, actor_id=CLERK)

    assert (undertaking.lump_fen, undertaking.per_call_fen) == (300_00, 0)
    assert (undertaking.state, undertaking.ticket_id) == (PromiseState.DRAFT, ticket.id)
    with pytest.raises(NothingAgreedError):
        promise_agreed_amount(session, ticket.id, version=ticket.version, actor_id=CLERK)


def test_an_agreed_amount_leaves_what_is_promised_for_each_call(session: Session) -> None:
    number = make_number(session)
    victim = make_subscriber(session, number=number)
    running = make_undertaking(session, subscriber=victim)
    ticket = answered(session, number=number)
    mediated(session, ticket)
    ended(session, ticket, MediationState.AGREED, 300_00)

    lump = promise_agreed_amount(session, ticket.id, version=ticket.version, actor_id=CLERK)
    agree_undertaking(session, lump.id, lump.version, actor_id=CLERK + 1)

    assert lump.ends_at == running.starts_at
    assert (running.state, lump.state) == (PromiseState.ACTIVE, PromiseState.ACTIVE)


def agreed_to_credit(session: Session) -> tuple[Ticket, Mediation]:
    """A ticket whose mediation agreed on 300 yuan for the holder of its number."""
    number = make_number(session)
    make_subscriber(session, number=number)
    ticket = answered(session, number=number)
    mediation = mediated(session, ticket)
    ended(session, ticket, MediationState.AGREED, 300_00)
    return ticket, mediation


def drafted(session: Session, ticket: Ticket) -> Undertaking:
    return promise_agreed_amount(session, ticket.id, version=ticket.version, actor_id=CLERK)


def anew(session: Session, ticket: Ticket, mediation: Mediation) -> Undertaking:
    return promise_anew(session, ticket.id, mediation.id, version=ticket.version, actor_id=CLERK)


def test_an_agreed_amount_whose_draft_was_turned_down_is_drafted_anew_and_agreed_to(session: Session) -> None:
    ticket, mediation = agreed_to_credit(session)
    first = drafted(session, ticket)
    give_up_undertaking(session, first.id, "条款与调解书不一致", actor_id=CLERK + 1)

    second = anew(session, ticket, mediation)
    agree_undertaking(session, second.id, second.version, actor_id=CLERK + 1)

    assert second.id != first.id
    assert (second.lump_fen, second.terms, second.ticket_id) == (300_00, mediation.outcome, ticket.id)
    assert mediation.undertaking_id == second.id
    assert second.state is PromiseState.ACTIVE
    assert first.given_up_because == "条款与调解书不一致"


def test_an_agreed_amount_is_not_drafted_beside_a_draft_or_an_undertaking_of_it(session: Session) -> None:
    ticket, mediation = agreed_to_credit(session)
    with pytest.raises(NothingAgreedError):
        anew(session, ticket, mediation)
    session.refresh(ticket)
    draft = drafted(session, ticket)

    with pytest.raises(StillPromisedError):
        anew(session, ticket, mediation)
    agree_undertaking(session, draft.id, draft.version, actor_id=CLERK + 1)
    session.refresh(ticket)
    with pytest.raises(StillPromisedError):
        anew(session, ticket, mediation)
    assert mediation.undertaking_id == draft.id


def test_the_mediation_of_another_ticket_is_not_found(session: Session) -> None:
    ticket, mediation = agreed_to_credit(session)
    draft = drafted(session, ticket)
    give_up_undertaking(session, draft.id, "重拟", actor_id=CLERK)

    with pytest.raises(NotFoundError):
        anew(session, answered(session), mediation)


def test_the_database_lets_another_undertaking_take_the_place_of_a_given_up_one_alone(session: Session) -> None:
    ticket, mediation = agreed_to_credit(session)
    draft = drafted(session, ticket)
    other = make_undertaking(session, subscriber=make_subscriber(session), state=PromiseState.DRAFT)

    rewrite = sa.update(Mediation).where(Mediation.id == mediation.id)
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(rewrite.values(undertaking_id=other.id))
    give_up_undertaking(session, draft.id, "重拟", actor_id=CLERK)
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(rewrite.values(undertaking_id=None))
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(rewrite.values(undertaking_id=other.id, agreed_fen=400_00))
    session.execute(rewrite.values(undertaking_id=other.id))


def test_nothing_is_promised_to_nobody(session: Session) -> None:
    ticket = answered(session)
    make_incident(session, ticket=ticket)
    mediated(session, ticket)
    ended(session, ticket, MediationState.AGREED, 300_00)

    with pytest.raises(NobodyHoldsError):
        promise_agreed_amount(session, ticket.id, version=ticket.version, actor_id=CLERK)
