"""What the worker does by the clock, unasked; each duty may be done twice without harm."""

from collections.abc import Callable
from typing import NamedTuple

from huey import crontab
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.periods import open_period, periods
from supervise.ledger.seal import append_anchor, seal_closed_entries


class Duty(NamedTuple):
    """A duty, its hour (huey's crontab, in UTC) and what does it."""

    name: str
    schedule: Callable[..., bool]
    perform: Callable[[Surroundings], None]


def seal_ledger(surroundings: Surroundings) -> None:
    """Seal what was posted since the last time, and write the newest seal outside the database."""
    for anchor in db.decide(seal_closed_entries, surroundings.keyring):
        append_anchor(surroundings.anchor_file, anchor)


def open_month(_surroundings: Surroundings) -> None:
    """Open the present month for entries, so that nobody's approval fails on the first of a month."""
    db.decide(_open_month)


def _open_month(session: Session) -> None:
    month = clock.month_of(clock.today())
    if month not in {period.month for period in periods(session)}:
        open_period(session, month, actor_id=None)


DUTIES = (
    Duty("seal_ledger", crontab(minute="*/5"), seal_ledger),
    # Also at 16:00 UTC, when the China day begins.
    Duty("open_month", crontab(minute="0,30"), open_month),
)
