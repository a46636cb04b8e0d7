"""kill -9 in the middle of a bulk run: slices are whole or not there, and whoever comes next takes the rest once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from supervise import db
from supervise.access.roles import Role
from supervise.compensation.models import Credit, CreditBatch, CreditBatchLine, CreditState
from supervise.complaints.models import Ticket, TicketState
from supervise.config import Settings
from supervise.desk import bulk_runs
from supervise.desk.bulk_runs import Subject
from supervise.desk.models import BulkAction, BulkRun, BulkRunRow
from supervise.jobs.runs import carry_out, order_run
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from tests.factories.access import make_user
from tests.factories.complaints import make_ticket
from tests.factories.ledger import out_of_balance_fen
from tests.test_kills import STEPS, rounds
from tests.views.finance_pages import open_office

ROWS = 30


@pytest.fixture(autouse=True)
def _short_slices(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bulk_runs, "SLICE_ROWS", 4)
    with app.app_context():
        yield


def worker_on(settings: Settings, run_id: int, actor_id: int) -> Callable[[Flask], None]:
    """What the worker does with a run: from its beginning, or from where the last one was killed."""
    around = Surroundings(settings.instance, settings.keyring, Path(settings.anchor_file))
    return lambda _app: void(carry_out(around, lambda _done, _total: None, actor_id, run_id=run_id))


def void(_outcome: object) -> None:
    """Forget what a job says at its end."""


def test_a_run_killed_at_any_statement_decides_every_row_once(settings: Settings) -> None:
    with db.writing() as session:
        actor_id = make_user(session, role=Role.TRIAGER).id
        subjects = [Subject(make_ticket(session).id) for _ in range(ROWS)]
    run_id = db.decide(order_run, BulkAction.ACCEPT, subjects, locale="en", actor_id=actor_id)

    def whole() -> None:
        with db.reading() as session:
            accepted = session.scalar(select(func.count(Ticket.id)).where(Ticket.state == TicketState.ACCEPTED))
            told = session.scalar(select(func.count()).where(BulkRunRow.outcomes.is_not(None)))
            assert session.get_one(BulkRun, run_id).rows_done == accepted == told

    deaths = rounds(settings, worker_on(settings, run_id, actor_id), STEPS, whole)

    whole()
    assert deaths > 3
    with db.reading() as session:
        done = session.get_one(BulkRun, run_id)
        assert (done.rows_done, done.rows_refused) == (ROWS, 0)


def test_a_batch_killed_at_any_statement_is_frozen_whole_and_once(app: Flask, settings: Settings) -> None:
    office = open_office(app, credits_granted=12)
    actor_id = office.users["finance"]
    subjects = [Subject(credit_id) for credit_id in office.credit_ids]
    run_id = db.decide(order_run, BulkAction.SEND_CREDITS, subjects, locale="zh_Hans", actor_id=actor_id)

    def whole() -> None:
        with db.reading() as session:
            batches = session.scalars(select(CreditBatch)).all()
            lines = session.scalar(select(func.count(CreditBatchLine.id)))
            sent = session.scalar(select(func.count(Credit.id)).where(Credit.state == CreditState.BATCHED))
            assert len(batches) <= 1
            assert lines == sent == 12 * len(batches)
            assert balance_fen(session, AccountCode.BILLING_CLEARING) == -50_00 * 12 * len(batches)
            assert out_of_balance_fen(session) == 0

    deaths = rounds(settings, worker_on(settings, run_id, actor_id), STEPS, whole)

    whole()
    assert deaths > 3
    with db.reading() as session:
        assert session.get_one(BulkRun, run_id).credit_batch_id is not None
