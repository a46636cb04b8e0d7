"""Thresholds of reporters: different subscribers, confirmed only; a mark, never a finding or a penalty."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Finding
from supervise.attribution.proof_models import CountedPer, ReporterThreshold
from supervise.attribution.reporters import (
    end_reporter_threshold,
    set_reporter_threshold,
    suspected_numbers,
    suspected_parties,
    threshold_on,
)
from supervise.complaints.models import Incident
from supervise.complaints.reference import BackDatedError
from supervise.errors import InvalidInputError
from supervise.labels import use_locale
from supervise.parties.models import OfficialUse, Party
from supervise.parties.officials import declare_official
from tests.factories.attribution import TRIAGER, attribute, make_proven_incident
from tests.factories.complaints import make_incident, make_number
from tests.factories.parties import make_carrier, make_party

CALLER, TODAY = "02988880000", dt.date(2026, 6, 30)
NOTE = "内部规定第3条"


@pytest.fixture
def party(session: Session) -> Party:
    return make_party(session)


def report(session: Session, party: Party, subscriber: str, day: dt.date = TODAY, hour: int = 10) -> Incident:
    at = clock.start_of_day(day) + dt.timedelta(hours=hour)
    number = make_number(session, digits=subscriber)
    return make_proven_incident(session, party=party, caller_number=CALLER, occurred_at=at, number=number)


def set_to(
    session: Session, subscribers: int, within_days: int = 30, *, per: CountedPer = CountedPer.NUMBER
) -> ReporterThreshold:
    return set_reporter_threshold(
        session,
        counted_per=per,
        subscribers=subscribers,
        within_days=within_days,
        legal_note=NOTE,
        valid_from=clock.today(),
        actor_id=TRIAGER,
    )


def test_a_number_is_suspected_from_the_threshold_on(session: Session, party: Party) -> None:
    for subscriber in ("13900000001", "13900000002"):
        report(session, party, subscriber)
    assert suspected_numbers(session, [CALLER], TODAY) == {}

    report(session, party, "13900000003")

    assert suspected_numbers(session, [CALLER, "10010"], TODAY)[CALLER].subscribers == 3


def test_one_subscriber_who_reports_often_counts_once(session: Session, party: Party) -> None:
    for hour in (9, 10, 11, 12):
        report(session, party, "13900000001", hour=hour)

    assert suspected_numbers(session, [CALLER], TODAY) == {}


def test_what_is_not_confirmed_or_lies_before_the_days_is_not_counted(session: Session, party: Party) -> None:
    report(session, party, "13900000001")
    report(session, party, "13900000002")
    report(session, party, "13900000003", day=TODAY - dt.timedelta(days=30))
    open_ = make_incident(
        session,
        caller_number=CALLER,
        occurred_at=clock.start_of_day(TODAY),
        number=make_number(session, digits="13900000004"),
    )
    attribute(session, incident=open_, party=party)

    assert suspected_numbers(session, [CALLER], TODAY) == {}
    report(session, party, "13900000005", day=TODAY - dt.timedelta(days=29))
    assert suspected_numbers(session, [CALLER], TODAY)[CALLER].subscribers == 3


def test_an_official_number_is_never_suspected(session: Session, party: Party) -> None:
    carrier = make_carrier(session)
    for subscriber in ("13900000001", "13900000002", "13900000003"):
        report(session, party, subscriber)
    assert CALLER in suspected_numbers(session, [CALLER], TODAY)

    declare_official(
        session,
        carrier_code=carrier.code,
        digits=CALLER,
        use=OfficialUse.HOTLINE,
        legal_basis=NOTE,
        valid_from=TODAY,
        actor_id=TRIAGER,
    )

    assert suspected_numbers(session, [CALLER], TODAY) == {}


def test_a_party_is_suspected_by_the_reporters_of_all_its_numbers(session: Session, party: Party) -> None:
    for serial in range(10):
        report(session, party, f"1390000001{serial}")

    assert suspected_parties(session, [party.id], TODAY)[party.id].subscribers == 10


def test_suspicion_finds_nothing_and_writes_nothing(session: Session, party: Party) -> None:
    for subscriber in ("13900000001", "13900000002", "13900000003"):
        report(session, party, subscriber)
    before = session.scalar(sa.select(sa.func.count(Finding.id)))

    suspected_numbers(session, [CALLER], TODAY)

    assert session.scalar(sa.select(sa.func.count(Finding.id))) == before
    assert not session.new
    assert not session.dirty


def test_a_new_threshold_ends_the_one_before_and_one_that_ended_suspects_nobody(session: Session) -> None:
    today, tomorrow = clock.today(), clock.today() + dt.timedelta(days=1)
    before = threshold_on(session, CountedPer.NUMBER, today)
    assert before is not None

    made = set_to(session, 5)
    assert before.valid_to == today
    assert threshold_on(session, CountedPer.NUMBER, today) is made
    with pytest.raises(BackDatedError):
        set_to(session, 6)
    with pytest.raises(BackDatedError):
        end_reporter_threshold(session, made.id, valid_to=today, actor_id=TRIAGER)
    end_reporter_threshold(session, made.id, valid_to=tomorrow, actor_id=TRIAGER)
    assert threshold_on(session, CountedPer.NUMBER, tomorrow) is None


@pytest.mark.parametrize(("subscribers", "within_days"), [(0, 30), (-1, 30), (3, 0)])
def test_a_threshold_that_is_not_above_zero_is_refused_in_words_and_by_the_database(
    session: Session, subscribers: int, within_days: int
) -> None:
    with use_locale("en"), pytest.raises(InvalidInputError, match="above zero"):
        set_to(session, subscribers, within_days)
    row = {"counted_per": "number", "legal_note": NOTE, "valid_from": TODAY}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(
            sa.insert(ReporterThreshold).values(row | {"subscribers": subscribers, "within_days": within_days})
        )
