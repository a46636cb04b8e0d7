"""What the worker does by the clock, unasked; each duty may be done twice without harm."""

from collections.abc import Callable
from typing import NamedTuple

from huey import crontab

from supervise import db
from supervise.jobs.surroundings import Surroundings
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


DUTIES = (Duty("seal_ledger", crontab(minute="*/5"), seal_ledger),)
