"""Irregular calls: what each kind finds, and what it lets pass."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.looking import Watch, parties_of, rows_of
from supervise.cipher import Keyring
from supervise.evidence.models import RecordKind
from supervise.parties.models import Capability, OfficialNumber, OfficialUse, Party, PartyKind
from tests.factories.complaints import make_number, make_subscriber
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.parties import make_capability, make_carrier, make_holder, make_party, make_staff_number
from tests.factories.parties import make_number as make_registered
from tests.factories.records import make_source, write_records

DAY = dt.date(2026, 9, 29)
LINE, SUBSCRIBER = "02988880000", "13912345678"


def at(hour: int, minute: int = 0, second: int = 0, day: dt.date = DAY) -> dt.datetime:
    """A moment of the day in China."""
    return clock.from_china(dt.datetime.combine(day, dt.time(hour, minute, second)))


def call(started_at: dt.datetime, **values: Any) -> dict[str, Any]:
    """A row of a dialling platform."""
    return {"caller": LINE, "subscriber": SUBSCRIBER, "started_at": started_at, **values}


def looked(session: Session, kind: Irregularity, day: dt.date = DAY) -> list[tuple[int | None, int, int]]:
    """What is found of each party: (party, records, subscribers)."""
    watch = Watch(session, day)
    assert watch.is_watched(kind)
    return [
        (row["party_id"], row["records"], row["subscribers"])
        for row in parties_of(watch, kind).to_pylist()
        if row["is_suspected"]
    ]


def times(session: Session, kind: Irregularity, party: Party | None, day: dt.date = DAY) -> list[dt.datetime]:
    """When the irregular records of a party were, in order."""
    rows = rows_of(Watch(session, day), kind, party.id if party else None).to_pylist()
    return [row["at"] for row in rows]


@pytest.fixture
def agent(session: Session) -> Party:
    """An agent that holds the number the tests call from."""
    party = make_party(session)
    make_holder(session, party=party, digits=LINE)
    return party


def set_figure(session: Session, kind: WatchKind, value: int, within_days: int | None = None) -> None:
    """Let a threshold of the standing rows be another figure."""
    new = {"value": value} | ({"within_days": within_days} if within_days else {})
    session.execute(sa.update(WatchThreshold).where(WatchThreshold.kind == kind).values(new))


def test_a_call_after_the_subscriber_said_no_is_found_and_one_before_is_not(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    make_refusal(session, number=make_number(session, digits=SUBSCRIBER), said_at=at(12))
    write_records(session, keyring, RecordKind.CALLS, [call(at(11)), call(at(12)), call(at(13))])

    assert looked(session, Irregularity.AFTER_REFUSAL) == [(agent.id, 1, 1)]
    assert times(session, Irregularity.AFTER_REFUSAL, agent) == [at(13)]


def test_a_later_yes_ends_a_no_and_a_no_to_another_party_is_not_said_to_this_one(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    number = make_number(session, digits=SUBSCRIBER)
    make_refusal(session, number=number, said_at=at(8))
    make_consent(session, number=number, party=agent, said_at=at(9))
    make_refusal(session, number=number, said_at=at(9, 30), party=make_party(session))
    write_records(session, keyring, RecordKind.CALLS, [call(at(10))])

    assert looked(session, Irregularity.AFTER_REFUSAL) == []


def test_what_the_former_holder_of_a_number_said_holds_no_more(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    number = make_number(session, digits=SUBSCRIBER)
    make_refusal(session, number=number, said_at=at(8))
    make_subscriber(session, number=number, account_ref="A1", held_to=at(9))
    make_subscriber(session, number=number, account_ref="A2", held_from=at(11))
    write_records(session, keyring, RecordKind.CALLS, [call(at(10)), call(at(11))])

    # Between the two holders the register knows nobody: the word still holds.
    assert times(session, Irregularity.AFTER_REFUSAL, agent) == [at(10)]


def test_the_last_allowed_minute_passes_and_the_first_forbidden_one_does_not(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    rows = [call(at(8, 59)), call(at(9)), call(at(20, 59, 59)), call(at(21))]
    write_records(session, keyring, RecordKind.CALLS, rows)

    assert times(session, Irregularity.OUTSIDE_HOURS, agent) == [at(8, 59), at(21)]
    assert looked(session, Irregularity.OUTSIDE_HOURS) == [(agent.id, 2, 1)]


def test_the_hours_of_another_period_do_not_count(session: Session, keyring: Keyring, agent: Party) -> None:
    row = session.scalars(sa.select(WatchThreshold).where(WatchThreshold.kind == WatchKind.CALL_HOURS)).one()
    row.valid_to = DAY
    session.flush()
    later = WatchThreshold(
        kind=WatchKind.CALL_HOURS, from_minute=600, to_minute=1320, legal_note="省内要求", valid_from=DAY
    )
    session.add(later)
    session.flush()
    write_records(session, keyring, RecordKind.CALLS, [call(at(9, 30)), call(at(21, 30))])

    assert times(session, Irregularity.OUTSIDE_HOURS, agent) == [at(9, 30)]


def test_a_day_without_a_threshold_or_without_the_duty_is_not_watched(session: Session) -> None:
    before_the_rules = Watch(session, dt.date(2025, 7, 31))

    assert not before_the_rules.is_watched(Irregularity.NO_RECORDING)
    assert not before_the_rules.is_watched(Irregularity.UNOFFICIAL_NUMBER)
    assert before_the_rules.is_watched(Irregularity.OUTSIDE_HOURS)


def test_calls_to_one_subscriber_beyond_the_figure_are_found_whatever_the_number(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    make_holder(session, party=agent, digits="02988880001")
    rows = [call(at(10)), call(at(11)), call(at(12), caller="02988880001"), call(at(13))]
    write_records(session, keyring, RecordKind.CALLS, [*rows, call(at(14), subscriber="13900000001")])

    assert times(session, Irregularity.SUBSCRIBER_TOO_OFTEN, agent) == [at(13)]


def test_a_staff_number_is_counted_by_the_hour_for_its_employer(session: Session, keyring: Keyring) -> None:
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_staff_number(session, employer=outsourcer, staff_number="8001")
    set_figure(session, WatchKind.DIALS_PER_STAFF, 2)
    rows = [call(at(10, minute), staff_number="8001") for minute in (0, 10, 20)]
    write_records(session, keyring, RecordKind.CALLS, [*rows, call(at(11), staff_number="8001"), call(at(10, 30))])

    assert looked(session, Irregularity.STAFF_PACE) == [(outsourcer.id, 1, 1)]
    assert times(session, Irregularity.STAFF_PACE, outsourcer) == [at(10, 20)]


def official(session: Session, digits: str, carrier_code: str = "CU") -> None:
    """A carrier's number to market from, since the day."""
    make_carrier(session, code=carrier_code, name=carrier_code)
    row = OfficialNumber(
        carrier_code=carrier_code, digits=digits, use=OfficialUse.OUTBOUND, legal_basis="统一外呼", valid_from=DAY
    )
    session.add(row)
    session.flush()


def test_a_burst_from_one_number_is_found_but_not_from_an_official_one(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    official(session, digits="1008511")
    set_figure(session, WatchKind.CALLS_PER_NUMBER, 2)
    rows = [call(at(10, minute), caller=caller) for minute in (0, 10, 20) for caller in (LINE, "1008511")]
    write_records(session, keyring, RecordKind.CALLS, rows)

    assert looked(session, Irregularity.NUMBER_BURST) == [(agent.id, 1, 1)]


def test_marketing_from_another_number_is_found_from_the_day_of_the_official_one(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    official(session, digits="1008511", carrier_code="XT")
    eve = DAY - dt.timedelta(days=1)
    rows = [call(at(10), campaign="5G 升级"), call(at(11)), call(at(12), campaign="5G 升级", caller="1008511")]
    rows.append(call(at(10, day=eve), campaign="5G 升级"))
    write_records(session, keyring, RecordKind.CALLS, rows, carrier_code="XT")

    assert times(session, Irregularity.UNOFFICIAL_NUMBER, agent) == [at(10)]
    assert looked(session, Irregularity.UNOFFICIAL_NUMBER, eve) == []


def test_a_party_without_permission_on_the_day_is_found_and_one_with_it_is_not(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    eve = DAY - dt.timedelta(days=1)
    make_capability(session, party=agent, valid_to=DAY)
    make_capability(session, party=agent, capability=Capability.SELL_PLAN)
    make_capability(session, party=make_party(session))
    write_records(session, keyring, RecordKind.CALLS, [call(at(10)), call(at(10, day=eve))])

    assert looked(session, Irregularity.NO_PERMISSION) == [(agent.id, 1, 1)]
    assert looked(session, Irregularity.NO_PERMISSION, eve) == []


def test_permissions_that_nobody_registered_accuse_nobody(session: Session) -> None:
    assert not Watch(session, DAY).is_watched(Irregularity.NO_PERMISSION)


def test_changing_numbers_against_one_subscriber_is_found_within_the_days(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    set_figure(session, WatchKind.NUMBER_ROTATION, 3, within_days=3)
    others = ["02988880001", "02988880002"]
    for digits in others:
        make_holder(session, party=agent, digits=digits)
    two_days_ago = DAY - dt.timedelta(days=2)
    rows = [call(at(10, day=two_days_ago), caller=digits) for digits in others]
    write_records(session, keyring, RecordKind.CALLS, [*rows, call(at(10)), call(at(11), subscriber="13900000001")])

    assert times(session, Irregularity.NUMBER_ROTATION, agent) == [at(10)]

    set_figure(session, WatchKind.NUMBER_ROTATION, 3, within_days=2)
    assert looked(session, Irregularity.NUMBER_ROTATION) == []


def test_a_number_belongs_to_whoever_held_it_at_the_moment(session: Session, keyring: Keyring) -> None:
    morning, evening = make_party(session), make_party(session)
    number = make_registered(session, digits=LINE)
    make_holder(session, party=morning, number=number, held_to=at(8, 30))
    make_holder(session, party=evening, number=number, held_from=at(21), held_to=at(22))
    write_records(session, keyring, RecordKind.CALLS, [call(at(8)), call(at(8, 30)), call(at(21)), call(at(22))])

    assert times(session, Irregularity.OUTSIDE_HOURS, morning) == [at(8)]
    assert times(session, Irregularity.OUTSIDE_HOURS, evening) == [at(21)]
    assert times(session, Irregularity.OUTSIDE_HOURS, None) == [at(8, 30), at(22)]


def coverage(session: Session, kind: Irregularity) -> list[tuple[int, int, bool]]:
    """Of each party: (irregular, of how many, suspected)."""
    rows = parties_of(Watch(session, DAY), kind).to_pylist()
    return [(row["records"], row["looked_at"], row["is_suspected"]) for row in rows]


def test_answered_calls_without_a_recording_are_a_share_of_the_party_s_calls(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    rows = [
        call(at(10), answered=True, recording_ref="R1"),
        call(at(11), answered=True),
        call(at(12), answered=False),
        call(at(13), talk_seconds=0),
    ]
    write_records(session, keyring, RecordKind.CALLS, rows)

    assert coverage(session, Irregularity.NO_RECORDING) == [(1, 2, True)]
    assert times(session, Irregularity.NO_RECORDING, agent) == [at(11)]

    set_figure(session, WatchKind.RECORDING_COVERAGE, 50)
    assert coverage(session, Irregularity.NO_RECORDING) == [(1, 2, False)]


def test_a_quality_check_of_a_later_day_counts_and_one_of_another_platform_does_not(
    session: Session, keyring: Keyring, agent: Party
) -> None:
    rows = [call(at(10 + n), record_id=f"C{n}", answered=True) for n in range(3)]
    write_records(session, keyring, RecordKind.CALLS, rows)
    later = at(10, day=DAY + dt.timedelta(days=1))
    checks = [
        {"call_record_id": "C0", "subscriber": SUBSCRIBER, "checked_at": later, "passed": True},
        {
            "call_record_id": "C1",
            "call_platform": "other",
            "subscriber": SUBSCRIBER,
            "checked_at": later,
            "passed": True,
        },
    ]
    write_records(session, keyring, RecordKind.QUALITY, checks, platform="qc", days=[DAY])

    assert coverage(session, Irregularity.NO_QUALITY_CHECK) == [(2, 3, True)]
    assert times(session, Irregularity.NO_QUALITY_CHECK, agent) == [at(11), at(12)]


def test_a_day_whose_quality_checks_were_not_delivered_accuses_nobody(session: Session) -> None:
    make_source(session, code="qc", kind=RecordKind.QUALITY)

    assert not Watch(session, DAY).is_watched(Irregularity.NO_QUALITY_CHECK)
