"""How long evidence and records are kept: clocks, requests to keep, legal holds, and dropping at the end of retention."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import decide_verdict
from supervise.attribution.expiring import count_expiring, every_expiring, expiring_evidence
from supervise.attribution.models import Verdict
from supervise.attribution.watching.questions import CALLERS
from supervise.cipher import Keyring
from supervise.complaints.models import IncidentKind
from supervise.complaints.reference import BackDatedError
from supervise.errors import SamePersonError
from supervise.evidence.checks import partitions_against_files
from supervise.evidence.clocks import after, clock_periods, days_ending_by, expires_on, set_clock, set_retention
from supervise.evidence.coverage_calendar import DayState, coverage_of_month
from supervise.evidence.holds import AlreadyAskedError, AnsweredError, answer_hold, ask_hold, ask_holds, holds_of
from supervise.evidence.models import EvidenceForm, HoldState, LegalHold, RecordKind, RecordPartition
from supervise.evidence.retention import (
    HoldReleasedError,
    NothingDueError,
    OnLegalHoldError,
    ReleaseAskedError,
    ReleaseNotAskedError,
    ReleaseYourselfError,
    ask_release,
    drop_records,
    keep_on_hold,
    months_due,
    place_legal_hold,
    release_legal_hold,
)
from supervise.evidence.sources import SourceHasRecordsError, end_source
from supervise.evidence.store import current_files, store_of
from supervise.evidence.sweeping import sweep_records
from supervise.parties.scope import Scope
from tests.factories.complaints import make_incident
from tests.factories.records import make_source, write_records

TODAY = dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("day", "months", "days", "last"),
    [("2026-01-31", 1, 0, "2026-02-28"), ("2024-01-31", 1, 0, "2024-02-29"), ("2026-10-21", 0, 30, "2026-11-20")],
)
def test_a_clock_counts_calendar_months_and_then_days(day: str, months: int, days: int, last: str) -> None:
    assert after(dt.date.fromisoformat(day), months, days) == dt.date.fromisoformat(last)


def test_the_days_that_end_by_a_day_are_found_backwards_as_they_are_counted_forwards(session: Session) -> None:
    rows = clock_periods(session)

    for n in range(400):
        last = TODAY + dt.timedelta(days=n)
        for row in rows:
            [reach] = days_ending_by([row], last)
            assert after(reach.last, row.keep_months, row.keep_days) <= last
            assert after(reach.last + dt.timedelta(days=1), row.keep_months, row.keep_days) > last


def test_a_call_keeps_the_clock_of_its_day_and_a_new_clock_never_begins_earlier(session: Session) -> None:
    today = clock.today()
    call, message = (make_incident(session, kind=kind, occurred_at=clock.start_of_day(today)) for kind in IncidentKind)
    long_ago = make_incident(session, occurred_at=clock.start_of_day(today - dt.timedelta(days=9)))
    new: dict[str, Any] = {"keep_months": 6, "keep_days": 0, "legal_basis": "公司内部要求", "actor_id": 1}

    set_clock(session, EvidenceForm.RECORDING, valid_from=today, **new)

    assert expires_on(session, [call, message, long_ago]) == {
        call.id: after(today, 6),
        message.id: after(today, 5),
        long_ago.id: today + dt.timedelta(days=21),
    }
    with pytest.raises(BackDatedError):
        set_clock(session, EvidenceForm.SMS_LOG, valid_from=today - dt.timedelta(days=1), **new)


def _called(session: Session, days_ago: int, caller: str) -> int:
    at = clock.start_of_day(TODAY - dt.timedelta(days=days_ago))
    return make_incident(session, occurred_at=at, caller_number=caller).id


def test_undecided_calls_whose_recording_ends_are_listed_until_decided_or_kept(session: Session) -> None:
    soon, asked, kept, late, fresh, decided = (
        _called(session, days, f"1380000110{n}") for n, days in enumerate((25, 28, 27, 40, 3, 26))
    )
    decide_verdict(session, decided, Verdict.PRIVATE_DISPUTE, None, reason="双方熟识", shown_id=None, actor_id=1)
    results = ask_holds(session, [asked, kept, asked], asked_of="外呼平台", actor_id=1)
    answer_hold(session, holds_of(session, kept)[0].id, state=HoldState.KEPT, answer="已封存", actor_id=1)
    recording = EvidenceForm.RECORDING

    listed = expiring_evidence(session, Scope.everything(), recording, TODAY, within_days=7)
    first = expiring_evidence(session, Scope.everything(), recording, TODAY, within_days=7, limit=1)
    rest = expiring_evidence(session, Scope.everything(), recording, TODAY, within_days=7, after=first[-1].place)

    assert [(row.incident.id, row.days_left(TODAY)) for row in listed] == [(soon, 5), (asked, 2)]
    assert [row.incident.id for row in first + rest] == [soon, asked]
    assert [
        row.incident.id for row in every_expiring(session, Scope.everything(), recording, TODAY, within_days=None)
    ] == [late]
    assert count_expiring(session, Scope.everything(), recording, TODAY, within_days=60) == 3
    assert expiring_evidence(session, Scope.nothing(), recording, TODAY, within_days=7) == []
    assert count_expiring(session, Scope.nothing(), recording, TODAY, within_days=60) == 0
    assert fresh not in {row.incident.id for row in listed}
    assert [type(row.refusal) for row in results] == [type(None), type(None)]


def test_one_request_stands_for_a_call_and_is_answered_once(session: Session) -> None:
    call = make_incident(session)
    ask_hold(session, call.id, asked_of="外呼平台", actor_id=1)
    [hold] = holds_of(session, call.id)

    with pytest.raises(AlreadyAskedError):
        ask_hold(session, call.id, asked_of="短信中心", actor_id=1)
    answer_hold(session, hold.id, state=HoldState.WITHDRAWN, answer="已结案", actor_id=1)
    with pytest.raises(AnsweredError):
        answer_hold(session, hold.id, state=HoldState.KEPT, answer="已封存", actor_id=1)

    ask_hold(session, call.id, asked_of="短信中心", actor_id=1)
    assert len(holds_of(session, call.id)) == 2


def _old_records(session: Session, keyring: Keyring) -> None:
    days = (dt.date(2022, 5, 3), dt.date(2022, 5, 4), dt.date(2026, 5, 3))
    rows = [{"caller": "10086", "subscriber": "13900008888", "started_at": clock.start_of_day(day)} for day in days]
    write_records(session, keyring, RecordKind.CALLS, rows, days=[dt.date(2022, 5, 6)])


def test_records_past_their_retention_are_dropped_but_those_on_hold_stay(session: Session, keyring: Keyring) -> None:
    _old_records(session, keyring)
    held = place_legal_hold(
        session,
        kind=None,
        from_day=dt.date(2022, 5, 4),
        to_day=dt.date(2022, 5, 5),
        reason="法院调证",
        actor_id=1,
    )
    [due] = months_due(session, TODAY)

    dropped = drop_records(session, RecordKind.CALLS, "2022-05", today=TODAY, reason="保存期满", actor_id=2)

    assert (due.month, due.partitions, due.rows, due.held, dropped) == ("2022-05", 3, 2, 1, 2)
    [month] = coverage_of_month(session, RecordKind.CALLS, "2022-05")
    states = {one.day.day: one.state for one in month.days}
    assert [states[day] for day in (3, 4, 5, 6)] == [
        DayState.DROPPED,
        DayState.DELIVERED,
        DayState.MISSING,
        DayState.DROPPED,
    ]
    gone = session.scalars(sa.select(RecordPartition).where(RecordPartition.on_day == dt.date(2022, 5, 3))).one()
    assert gone.sha256
    assert partitions_against_files(session) == []
    with pytest.raises(OnLegalHoldError):
        drop_records(session, RecordKind.CALLS, "2022-05", today=TODAY, reason="保存期满", actor_id=2)
    with pytest.raises(NothingDueError):
        drop_records(session, RecordKind.CALLS, "2026-05", today=TODAY, reason="保存期满", actor_id=2)
    with pytest.raises(SamePersonError):
        release_legal_hold(session, held.id, reason="已结案", actor_id=1)
    release_legal_hold(session, held.id, reason="已结案", actor_id=2)
    assert drop_records(session, RecordKind.CALLS, "2022-05", today=TODAY, reason="保存期满", actor_id=2) == 1


def test_who_chose_the_files_before_a_drop_reads_them_and_an_hour_later_they_are_gone(
    session: Session, keyring: Keyring
) -> None:
    _old_records(session, keyring)
    chosen = current_files(session, RecordKind.CALLS, [dt.date(2022, 5, 3)])
    with clock.pretending(clock.now() - dt.timedelta(minutes=61)):
        drop_records(session, RecordKind.CALLS, "2022-05", today=TODAY, reason="保存期满", actor_id=2)
        sweep_records(session)

        asked = store_of(session).engine.run(CALLERS, {"calls": chosen})
        assert asked["sender"].to_pylist() == ["10086"]
        assert not current_files(session, RecordKind.CALLS, [dt.date(2022, 5, 3)]).paths

    sweep_records(session)

    assert [Path(path).exists() for path in chosen.paths] == [False]
    kept = current_files(session, RecordKind.CALLS).paths
    assert [Path(path).exists() for path in kept] == [True]


def test_whoever_placed_a_hold_asks_another_person_who_keeps_or_releases_it(session: Session) -> None:
    hold = place_legal_hold(
        session, kind=None, from_day=dt.date(2022, 5, 4), to_day=None, reason="法院调证", actor_id=1
    )

    with pytest.raises(ReleaseYourselfError):
        ask_release(session, hold.id, reason="已结案", actor_id=2)
    with pytest.raises(ReleaseNotAskedError):
        keep_on_hold(session, hold.id, reason="另案仍需", actor_id=2)
    ask_release(session, hold.id, reason="已结案", actor_id=1)
    with pytest.raises(ReleaseAskedError):
        ask_release(session, hold.id, reason="已结案", actor_id=1)

    keep_on_hold(session, hold.id, reason="另案仍需", actor_id=2)
    assert (hold.released_at, hold.release_asked_at, hold.release_asked_reason) == (None, None, None)
    ask_release(session, hold.id, reason="另案也已结", actor_id=1)
    release_legal_hold(session, hold.id, reason="同意", actor_id=2)
    assert hold.release_asked_reason == "另案也已结"
    with pytest.raises(HoldReleasedError):
        keep_on_hold(session, hold.id, reason="迟了", actor_id=2)


def test_the_database_itself_drops_nothing_on_hold_and_rewrites_no_hold(session: Session, keyring: Keyring) -> None:
    _old_records(session, keyring)
    hold = place_legal_hold(
        session, kind=RecordKind.CALLS, from_day=dt.date(2022, 1, 1), to_day=None, reason="法院调证", actor_id=1
    )
    dropping = sa.update(RecordPartition).values(dropped_at=clock.now(), dropped_by=1, drop_reason="绕过")

    for statement in (dropping, sa.update(LegalHold).values(from_day=TODAY), sa.delete(LegalHold)):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(statement)

    assert session.get_one(LegalHold, hold.id).released_at is None


def test_a_longer_retention_holds_for_days_to_come_only(session: Session, keyring: Keyring) -> None:
    _old_records(session, keyring)

    set_retention(
        session,
        RecordKind.CALLS,
        keep_months=120,
        legal_basis="公司内部要求",
        valid_from=clock.today(),
        actor_id=1,
    )

    assert [one.month for one in months_due(session, TODAY)] == ["2022-05"]


def test_a_platform_ends_after_the_last_day_that_it_delivered(session: Session, keyring: Keyring) -> None:
    _old_records(session, keyring)
    source = make_source(session)

    with pytest.raises(SourceHasRecordsError):
        end_source(session, source.id, valid_to=dt.date(2026, 5, 3), version=1, actor_id=1)

    end_source(session, source.id, valid_to=dt.date(2026, 5, 4), version=1, actor_id=1)
    [month] = coverage_of_month(session, RecordKind.CALLS, "2026-05")
    assert [one.state for one in month.days[2:5]] == [
        DayState.DELIVERED,
        DayState.NOT_IN_SERVICE,
        DayState.NOT_IN_SERVICE,
    ]
    assert month.missing_ranges == [(dt.date(2026, 5, 1), dt.date(2026, 5, 2))]
