"""Finance's rows for the world of ``tests.authorisation``: credits of two branches, a batch, its return file."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.batches import freeze_batch
from supervise.files.models import ImportKind, Upload
from supervise.files.staging import open_batch
from supervise.jobs.checking import start_verification
from supervise.ledger.models import PeriodReopening, PeriodState
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reopen import ask_reopening
from supervise.parties.models import OrgUnit
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.ledger import make_period


class FinanceIds(NamedTuple):
    """Keys of rows; lists are for the branch and the other branch."""

    credits: list[int]
    subscribers: list[int]
    batch: int
    return_file: int
    entry: int
    month: str
    #: Finance asks to reopen a month of long ago.
    reopening: int


def make_finance(session: Session, *, units: Sequence[OrgUnit], finance_id: int) -> FinanceIds:
    """Grant a subscriber of each of two branches two credits; a batch holds the second ones."""
    granted, subscribers, sent = [], [], []
    for unit in units:
        victim = make_victim(session, unit=unit)
        make_undertaking(session, subscriber=victim, reference=f"CN-F{unit.id}")
        granted.append(make_approved_credit(session, subscriber=victim).id)
        sent.append(make_approved_credit(session, subscriber=victim, occurred_at=clock.now()).id)
        subscribers.append(victim.id)
    batch = freeze_batch(session, sent, locale="zh_Hans", anchor="", actor_id=finance_id)
    key = f"credit:approved:{granted[0]}"
    return FinanceIds(
        credits=granted,
        subscribers=subscribers,
        batch=batch.id,
        return_file=make_return_import(session, batch.id, actor_id=finance_id),
        entry=entries_of_keys(session, [key])[key],
        month=clock.month_of(clock.today()),
        reopening=make_reopening_request(session, actor_id=finance_id).id,
    )


def make_reopening_request(session: Session, *, actor_id: int, month: str = "2019-12") -> PeriodReopening:
    """Close *month* and ask to reopen it."""
    period = make_period(session, month=month)
    period.state, period.closed_at = PeriodState.CLOSED, clock.now()
    session.flush()
    return ask_reopening(session, month, "漏记退费", actor_id=actor_id)


def make_return_import(session: Session, batch_id: int, *, actor_id: int) -> int:
    """Upload a return file whose bytes are purged already."""
    upload = Upload(
        file_name="return.csv", sha256="0" * 64, size_bytes=1, uploaded_by=actor_id, uploaded_at=clock.now()
    )
    session.add(upload)
    session.flush()
    options = {"credit_batch_id": batch_id}
    return open_batch(
        session, kind=ImportKind.BILLING_RETURNS, upload_id=upload.id, actor_id=actor_id, options=options
    ).id


def make_verification(session: Session, actor_id: int) -> int:
    """Ask for a verification that nobody has run yet."""
    return start_verification(session, actor_id=actor_id)
