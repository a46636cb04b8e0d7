"""Fill an empty, migrated database with the demo: ten months of registers, nine weeks of complaints and records."""

import datetime as dt

from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.weighing_run import undecided_by_day
from supervise.cipher import Keyring
from supervise.demo.agreements import make_agreements
from supervise.demo.cases import steps
from supervise.demo.collecting import collecting_steps
from supervise.demo.disputes import dispute_steps
from supervise.demo.inquiries import inquiry_steps
from supervise.demo.people import make_people
from supervise.demo.records import make_sources
from supervise.demo.registers import HANDED_OVER_DAYS, hand_over_at_noon, make_registers
from supervise.demo.regulation import regulation_steps
from supervise.demo.story import story_steps
from supervise.demo.story_records import make_story_registers
from supervise.demo.two_people import two_people_steps
from supervise.jobs.weighing import weigh_parts
from supervise.ledger.periods import open_period

_SINCE = dt.timedelta(days=300)
#: So many days are looked through before the first look at the demo.
_WATCHED = {
    Irregularity.AFTER_REFUSAL: 15,
    Irregularity.NO_RECORDING: 15,
    Irregularity.SMS_BURST: 9,
    Irregularity.ORDER_STEP_MISSING: 13,
}


def load_demo(keyring: Keyring) -> None:
    """Load everything; called once, on a database that nobody else has opened, within an app context."""
    today = clock.today()
    since = today - _SINCE
    # The parties were registered, and the contracts signed, before anybody complained.
    with clock.pretending(clock.start_of_day(since) + dt.timedelta(hours=9)):
        users = db.decide(make_people)
        registers = db.decide(make_registers, keyring, users, since)
        db.decide(make_agreements, registers, since)
        db.decide(make_sources, since)
        db.decide(make_story_registers, registers, since, today)
    with clock.pretending(clock.start_of_day(today - dt.timedelta(days=HANDED_OVER_DAYS)) + dt.timedelta(hours=12)):
        db.decide(hand_over_at_noon, registers)
    _open_months(since, today)
    now = clock.now()
    told = [*steps(keyring, registers, now), *inquiry_steps(registers, now), *story_steps(keyring, registers, now)]
    told += [*collecting_steps(registers, since, now), *regulation_steps(registers, now)]
    told += [*dispute_steps(registers, now), *two_people_steps(keyring, registers, now)]
    for step in sorted(told, key=lambda step: step.at):
        with clock.pretending(step.at):
            step.take()
    with db.reading() as session:
        undecided = undecided_by_day(session)
    weigh_parts(undecided, lambda _done, _total: None)
    _watch(today)


def _watch(today: dt.date) -> None:
    """Look through the last days for what the story tells of, as the worker does for the rest within minutes."""
    with db.reading() as session:
        due = due_days(session)
    told = [(kind, day) for day, kinds in due.items() for kind in kinds if (today - day).days < _WATCHED.get(kind, 0)]
    for kind, day in told:
        with db.reading() as session:
            looked = look(session, kind, day)
        if looked is not None:
            db.decide(keep, looked)


def _open_months(since: dt.date, today: dt.date) -> None:
    month = clock.month_of(since)
    while month <= clock.month_of(today):
        with clock.pretending(clock.start_of_day(clock.month_bounds(month)[0])):
            db.decide(_open, month)
        month = clock.next_month(month)


def _open(session: Session, month: str) -> None:
    open_period(session, month, actor_id=None)
