import datetime as dt
import gc

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among, insert_rows, uncollected, update_column
from supervise.complaints.models import SubscriberNumber, Ticket, TicketState, TicketStep
from tests.factories.complaints import make_number, make_ticket


def test_rows_are_found_by_their_keys_numbers_or_text(session: Session) -> None:
    first, second, _third = (make_number(session) for _ in range(3))

    by_id = session.scalars(sa.select(SubscriberNumber.id).where(among(session, SubscriberNumber.id, [first.id, 0])))
    wanted = ["no such index", second.number_index]
    by_text = session.scalars(
        sa.select(SubscriberNumber.id).where(among(session, SubscriberNumber.number_index, wanted))
    )

    assert by_id.all() == [first.id]
    assert by_text.all() == [second.id]


def test_a_key_is_never_read_as_a_statement(session: Session) -> None:
    ticket = make_ticket(session)
    odd = """'"),[] OR 1=1 -- {},\\"""

    found = session.scalars(sa.select(Ticket.id).where(among(session, Ticket.reference, [odd]))).all()

    assert ticket.id not in found
    assert found == []


def test_no_keys_find_no_rows(session: Session) -> None:
    ticket = make_ticket(session)

    found = session.scalars(sa.select(Ticket.id).where(among(session, Ticket.id, []))).all()

    assert ticket.id not in found


def test_equal_and_distinct_values_of_a_column_are_all_stored_as_the_model_reads_them(session: Session) -> None:
    tickets = [make_ticket(session) for _ in range(3)]
    now = clock.now()
    in_china = now.astimezone(clock.CHINA)
    moments = [now, in_china, now - dt.timedelta(days=1)]
    steps = [
        {"ticket_id": ticket.id, "at": at, "actor_id": 1, "to_state": TicketState.ACCEPTED, "reason": reason}
        for ticket, at, reason in zip(tickets, moments, (None, "打我13912345678", None), strict=True)
    ]

    insert_rows(session, TicketStep.__table__, steps)

    query = sa.select(TicketStep).where(TicketStep.ticket_id.in_([ticket.id for ticket in tickets]))
    stored = session.scalars(query.order_by(TicketStep.id)).all()
    assert [step.at for step in stored] == [now, now, now - dt.timedelta(days=1)]
    assert [step.to_state for step in stored] == [TicketState.ACCEPTED] * 3
    assert [step.reason for step in stored] == [None, "打我139****5678", None]


def test_a_naive_moment_is_refused(session: Session) -> None:
    ticket = make_ticket(session)
    naive = dt.datetime(2026, 9, 29, 10, 0)  # noqa: DTZ001 - that is the mistake
    step = {"ticket_id": ticket.id, "at": naive, "actor_id": 1, "to_state": TicketState.ACCEPTED, "reason": None}

    with pytest.raises(TypeError):
        insert_rows(session, TicketStep.__table__, [step])


def test_each_row_gets_its_own_value(session: Session) -> None:
    first, second, third = (make_ticket(session) for _ in range(3))

    update_column(session, Ticket.claimed_calls, {first.id: 8, second.id: 3})

    session.expire_all()
    assert [first.claimed_calls, second.claimed_calls, third.claimed_calls] == [8, 3, None]


def test_the_collector_works_again_after_the_block() -> None:
    with uncollected():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_the_collector_works_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), uncollected():
        1 / 0  # noqa: B018 - any error

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass

        assert not gc.isenabled()
    finally:
        gc.enable()
