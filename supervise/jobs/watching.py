"""Watching the records: each day that got more of them is looked through again, unasked."""

from supervise import db
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.jobs.surroundings import Surroundings

#: Kinds and days that one run looks through: what is left waits for the next, so that other duties have their turn.
AT_ONCE = 200


def watch_records(_surroundings: Surroundings) -> None:
    """Look through what got records since it was last looked through, the newest days first.

    The records are read outside the transaction that writes; what is imported meanwhile makes the day due again.
    """
    with db.reading() as session:
        due = [(kind, day) for day, kinds in due_days(session).items() for kind in kinds]
    for kind, day in due[:AT_ONCE]:
        with db.reading() as session:
            looked = look(session, kind, day)
        if looked is not None:
            db.decide(keep, looked)
