"""What was found stays by party and day, and is found anew when there are more records."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchDay, WatchFindingDay
from supervise.attribution.watching.questions import MARKS, Amount, rows_asked, rows_chosen, summary_of
from supervise.cipher import Keyring
from supervise.evidence.models import RecordKind, RecordPartition
from tests.factories.parties import make_holder, make_party, make_unit
from tests.factories.records import write_records

DAY = dt.date(2026, 9, 29)
NIGHT = clock.from_china(dt.datetime.combine(DAY, dt.time(22)))


def night_call(
    session: Session, keyring: Keyring, subscriber: str = "13912345678", caller: str = "02988880000"
) -> None:
    rows = [{"caller": caller, "subscriber": subscriber, "started_at": NIGHT}]
    write_records(session, keyring, RecordKind.CALLS, rows)


def watch(session: Session) -> None:
    looked = look(session, Irregularity.OUTSIDE_HOURS, DAY)
    assert looked is not None
    keep(session, looked)


def kept(session: Session) -> list[tuple[int | None, int | None, int, int]]:
    """(party, unit, records, subscribers) of each line."""
    columns = (
        WatchFindingDay.party_id,
        WatchFindingDay.unit_id,
        WatchFindingDay.records,
        WatchFindingDay.subscribers,
    )
    rows = session.execute(sa.select(*columns).order_by(WatchFindingDay.id))
    return [(party_id, unit_id, records, subscribers) for party_id, unit_id, records, subscribers in rows]


def test_the_lines_of_a_day_carry_the_branch_of_that_day_and_are_replaced(session: Session, keyring: Keyring) -> None:
    unit = make_unit(session)
    agent = make_party(session, sponsor=unit)
    make_holder(session, party=agent)
    night_call(session, keyring)
    night_call(session, keyring, caller="02977770000")

    watch(session)
    before = session.scalars(sa.select(WatchFindingDay.id).order_by(WatchFindingDay.id)).all()
    assert kept(session) == [(agent.id, unit.id, 1, 1), (None, None, 1, 1)]

    night_call(session, keyring, subscriber="13900000001")
    watch(session)
    assert kept(session) == [(agent.id, unit.id, 2, 2), (None, None, 1, 1)]
    assert session.scalars(sa.select(WatchFindingDay.id).order_by(WatchFindingDay.id)).all() == before
    assert session.scalar(sa.select(sa.func.count()).select_from(WatchDay)) == 1


def test_a_day_is_due_until_it_was_looked_through_and_again_when_records_came(
    session: Session, keyring: Keyring
) -> None:
    night_call(session, keyring)
    assert Irregularity.OUTSIDE_HOURS in due_days(session)[DAY]

    watch(session)
    assert Irregularity.OUTSIDE_HOURS not in due_days(session)[DAY]

    night_call(session, keyring)
    assert Irregularity.OUTSIDE_HOURS in due_days(session)[DAY]


def test_a_day_whose_records_were_dropped_keeps_what_was_found(session: Session, keyring: Keyring) -> None:
    night_call(session, keyring)
    watch(session)
    dropped = {"dropped_at": clock.now(), "drop_reason": "保存期满", "dropped_by": 1}
    session.execute(sa.update(RecordPartition).values(dropped))

    assert due_days(session) == {}
    assert [records for _party, _unit, records, _subscribers in kept(session)] == [1]


def test_no_other_kind_is_due_for_a_day_without_its_records(session: Session, keyring: Keyring) -> None:
    night_call(session, keyring)

    assert Irregularity.SMS_BURST not in due_days(session)[DAY]


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_every_question_can_be_put_to_both_engines(dialect: str) -> None:
    assert set(MARKS) == set(Irregularity)
    for kind in Irregularity:
        for query in (summary_of(kind), rows_chosen(kind), rows_asked(kind, Amount.PAGE)):
            assert query.sql(dialect).startswith(("SELECT", "WITH"))
