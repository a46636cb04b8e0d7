import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.compensation.batches import freeze_batch
from supervise.compensation.cancel import propose_cancellation
from supervise.compensation.models import Credit, CreditState
from supervise.errors import ConflictError
from tests.factories.compensation import make_approved_credit, make_undertaking
from tests.factories.complaints import make_subscriber
from tests.factories.ledger import make_period
from tests.factories.parties import make_unit

FINANCE, TRIAGER = 71, 72
WAITS_SECONDS = 0.5


def approved_credit(app: Flask) -> int:
    with app.app_context(), db.writing() as session:
        make_period(session)
        subscriber = make_subscriber(session, unit=make_unit(session))
        make_undertaking(session, subscriber=subscriber)
        return make_approved_credit(session, subscriber=subscriber).id


def in_background(app: Flask, work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        with app.app_context():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_batch_that_waited_for_a_wish_to_cancel_does_not_take_the_credit(app: Flask) -> None:
    credit_id = approved_credit(app)
    refused: list[ConflictError] = []

    def freeze() -> None:
        try:
            db.decide(freeze_batch, [credit_id], locale="en", anchor="", actor_id=FINANCE)
        except ConflictError as error:
            refused.append(error)

    def cancel(session: Session) -> threading.Thread:
        propose_cancellation(session, credit_id, "重复赔偿", actor_id=TRIAGER)
        rival = in_background(app, freeze)
        rival.join(WAITS_SECONDS)
        return rival

    with app.app_context():
        db.decide(cancel).join()
        with db.reading() as session:
            state = session.scalar(select(Credit.state).where(Credit.id == credit_id))

    assert len(refused) == 1
    assert state is CreditState.APPROVED
