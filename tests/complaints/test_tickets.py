import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.models import Ticket, TicketState, TicketStep
from supervise.complaints.tickets import (
    ReasonError,
    StepError,
    accept_ticket,
    investigate_ticket,
    move_ticket,
    refuse_ticket,
    reopen_ticket,
    transfer_ticket,
    withdraw_ticket,
)
from supervise.errors import ConflictError, NotFoundError
from tests.factories.complaints import make_ticket


def closed_ticket(session: Session) -> Ticket:
    ticket = make_ticket(session)
    ticket.resolution_code, ticket.closed_at, ticket.state = "credited", clock.now(), TicketState.CLOSED
    session.flush()
    return ticket


def test_each_step_is_kept_with_who_and_why(session: Session) -> None:
    ticket = make_ticket(session)

    accept_ticket(session, ticket.id, actor_id=7, version=1)
    investigate_ticket(session, ticket.id, actor_id=8)
    withdraw_ticket(session, ticket.id, reason="taken back by 12345", actor_id=9)

    query = sa.select(TicketStep).where(TicketStep.ticket_id == ticket.id).order_by(TicketStep.id)
    steps = [(step.to_state, step.actor_id, step.reason) for step in session.scalars(query)]
    assert steps == [
        (TicketState.ACCEPTED, 7, None),
        (TicketState.INVESTIGATING, 8, None),
        (TicketState.WITHDRAWN, 9, "taken back by 12345"),
    ]
    assert (ticket.state, ticket.version) == (TicketState.WITHDRAWN, 4)


def test_a_closed_ticket_is_reopened_and_keeps_its_first_reply(session: Session) -> None:
    ticket = closed_ticket(session)
    replied_at = ticket.received_at
    ticket.first_replied_at = replied_at

    reopen_ticket(session, ticket.id, reason="calls go on", actor_id=7)

    assert ticket.state is TicketState.INVESTIGATING
    assert ticket.closed_at is None
    assert ticket.first_replied_at == replied_at


def test_only_a_closed_ticket_is_reopened(session: Session) -> None:
    ticket = make_ticket(session)

    with pytest.raises(StepError):
        reopen_ticket(session, ticket.id, reason="why not", actor_id=7)


def test_reopening_needs_a_reason(session: Session) -> None:
    ticket = closed_ticket(session)

    with pytest.raises(ReasonError):
        reopen_ticket(session, ticket.id, reason="", actor_id=7)


def test_a_transfer_names_the_body_that_answers(session: Session) -> None:
    ticket = make_ticket(session)

    transfer_ticket(session, ticket.id, to_whom="中国移动江西公司", reason="主叫为该公司号码", actor_id=7)

    step = session.scalars(sa.select(TicketStep).where(TicketStep.ticket_id == ticket.id)).one()
    assert step.reason == "中国移动江西公司: 主叫为该公司号码"


def test_a_transfer_to_nobody_is_refused(session: Session) -> None:
    ticket = make_ticket(session)

    with pytest.raises(ReasonError):
        transfer_ticket(session, ticket.id, to_whom=" ", reason="not ours", actor_id=7)

    assert ticket.state is TicketState.NEW


@pytest.mark.parametrize(
    ("state", "to_state"),
    [
        (TicketState.ACCEPTED, TicketState.REFUSED),
        (TicketState.REFUSED, TicketState.ACCEPTED),
        (TicketState.WITHDRAWN, TicketState.INVESTIGATING),
        (TicketState.NEW, TicketState.CLOSED),
        (TicketState.TRANSFERRED, TicketState.WITHDRAWN),
        (TicketState.ACCEPTED, TicketState.NEW),
    ],
)
def test_a_step_that_the_state_does_not_allow_is_refused(
    session: Session, state: TicketState, to_state: TicketState
) -> None:
    ticket = make_ticket(session, state=state)

    with pytest.raises(StepError):
        move_ticket(session, ticket.id, to_state, reason="try", actor_id=7)

    assert ticket.state is state


def test_not_accepting_needs_a_reason(session: Session) -> None:
    ticket = make_ticket(session)

    with pytest.raises(ReasonError):
        refuse_ticket(session, ticket.id, reason=" ", actor_id=7)


def test_a_ticket_that_changed_meanwhile_is_not_moved(session: Session) -> None:
    ticket = make_ticket(session)
    accept_ticket(session, ticket.id, actor_id=7, version=1)

    with pytest.raises(ConflictError):
        investigate_ticket(session, ticket.id, actor_id=8, version=1)


def test_a_ticket_that_does_not_exist_is_not_found(session: Session) -> None:
    with pytest.raises(NotFoundError):
        accept_ticket(session, 999_999, actor_id=7)
