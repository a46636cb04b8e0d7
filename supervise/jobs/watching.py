"""Watching the records: a day that got more of them, or whose registers were corrected, is looked through, unasked."""

from supervise import clock, db
from supervise.attribution.rounds import WATCH, note_round
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.jobs.surroundings import Surroundings

#: Kinds and days that one run looks through: what is left waits for the next, so that other duties have their turn.
AT_ONCE = 200


def watch_records(_surroundings: Surroundings) -> None:
    """Look through what got records, or other registers, since it was last looked through, the newest days first.

    The records are read outside the transaction that writes; what is imported meanwhile makes the day due again.
    """
    begun_at = clock.now()
    with db.reading() as session:
        due = [(kind, day) for day, kinds in due_days(session).items() for kind in kinds]
    for kind, day in due[:AT_ONCE]:
        with db.reading() as session:
            looked = look(session, kind, day)
        if looked is not None:
            db.decide(keep, looked)
    if len(due) <= AT_ONCE:
        db.decide(note_round, WATCH, begun_at)
