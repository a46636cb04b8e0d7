"""Staff numbers and the numbers that a carrier declared official."""

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.errors import ConflictError
from supervise.parties.models import OfficialNumber, OfficialUse, PartyStatus, StaffNumber
from supervise.parties.officials import (
    correct_official,
    declare_official,
    end_official,
    official_use_at,
    official_uses_at,
)
from supervise.parties.refusals import (
    OfficialOverlapError,
    PeriodOrderError,
    StaffOverlapError,
    TerminatedPartyError,
    UnknownCarrierError,
)
from supervise.parties.staff import assign_staff_number, correct_staff_number, end_staff_number
from tests.factories.parties import make_carrier, make_party, make_staff_number, staff_number_at

MARCH = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)


def assign(session: Session, employer_id: int, *, carrier_code: str = "CU") -> StaffNumber:
    return assign_staff_number(
        session,
        carrier_code=carrier_code,
        staff_number="8001",
        employer_id=employer_id,
        valid_from=MARCH,
        actor_id=1,
    )


def test_a_staff_number_is_reused_after_its_period_is_closed(session: Session) -> None:
    old, new = make_party(session), make_party(session)
    make_staff_number(session, employer=old, valid_to=MARCH)

    assign(session, new.id)

    rows = [staff_number_at(session, "CU", "8001", day) for day in (MARCH - DAY, MARCH)]
    assert [row and row.employer_id for row in rows] == [old.id, new.id]


def test_a_staff_number_that_somebody_has_is_refused_in_words(session: Session) -> None:
    make_staff_number(session, employer=make_party(session, name="宏鼎"))

    with pytest.raises(StaffOverlapError) as refusal:
        assign(session, make_party(session).id)

    assert refusal.value.parameters["name"] == "宏鼎"


def test_another_carrier_may_use_the_same_number(session: Session) -> None:
    employer = make_party(session)
    make_staff_number(session, employer=employer, carrier_code="CM")
    make_carrier(session, code="CU")

    assert assign(session, employer.id).id


def test_the_database_refuses_a_second_worker_of_a_number(session: Session) -> None:
    row = make_staff_number(session, employer=make_party(session))

    session.add(StaffNumber(carrier_code="CU", staff_number="8001", employer_id=row.employer_id, valid_from=MARCH))

    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_an_unknown_carrier_or_a_terminated_employer_is_refused(session: Session) -> None:
    make_carrier(session, code="CU")

    with pytest.raises(UnknownCarrierError):
        assign(session, make_party(session).id, carrier_code="XX")
    with pytest.raises(TerminatedPartyError):
        assign(session, make_party(session, status=PartyStatus.TERMINATED).id)


def test_a_later_end_may_not_run_into_the_next_worker(session: Session) -> None:
    employer = make_party(session)
    first = make_staff_number(session, employer=employer, valid_to=MARCH)
    make_staff_number(session, employer=employer, valid_from=MARCH)

    with pytest.raises(StaffOverlapError):
        end_staff_number(session, first.id, on=MARCH + DAY, reason=None, actor_id=1)


def test_an_end_before_the_beginning_is_refused(session: Session) -> None:
    row = make_staff_number(session, employer=make_party(session), valid_from=MARCH)

    with pytest.raises(PeriodOrderError):
        end_staff_number(session, row.id, on=MARCH, reason=None, actor_id=1)


def test_the_three_carriers_outbound_numbers_hold_from_august_2025(session: Session) -> None:
    first_day = dt.date(2025, 8, 1)

    for digits, carrier in (("10001", "CT"), ("10085", "CM"), ("10016", "CU")):
        official = official_use_at(session, digits, first_day)
        assert official is not None
        assert (official.use, official.carrier_code) == (OfficialUse.OUTBOUND, carrier)
        assert official.legal_basis
        assert official_use_at(session, digits, first_day - DAY) is None


def test_the_hotlines_were_hotlines_before_and_after(session: Session) -> None:
    days = (dt.date(2025, 7, 31), dt.date(2025, 8, 1))

    found = official_uses_at(session, [(digits, on) for digits in ("10000", "10086", "10010") for on in days])

    assert len(found) == 6
    assert {row.use for row in found.values()} == {OfficialUse.HOTLINE}


def test_an_ordinary_number_is_not_official(session: Session) -> None:
    assert official_use_at(session, "02988880000", MARCH) is None


def test_a_number_is_declared_once_for_a_use_and_period(session: Session) -> None:
    def declare(valid_from: dt.date) -> OfficialNumber:
        return declare_official(
            session,
            carrier_code="CU",
            digits="10018",
            use=OfficialUse.HOTLINE,
            legal_basis="公告",
            valid_from=valid_from,
            actor_id=1,
        )

    first = declare(MARCH)
    with pytest.raises(OfficialOverlapError):
        declare(MARCH + DAY)

    end_official(session, first.id, on=MARCH + DAY, reason="停用", actor_id=1)
    assert declare(MARCH + DAY).valid_to is None
    with pytest.raises(OfficialOverlapError):
        end_official(session, first.id, on=MARCH + 2 * DAY, reason=None, actor_id=1)


def correct(session: Session, row: StaffNumber, *, valid_from: dt.date = MARCH, version: int = 1) -> StaffNumber:
    return correct_staff_number(
        session,
        row.id,
        alias="小李",
        placed_at_id=None,
        valid_from=valid_from,
        valid_to=None,
        reason="录入有误",
        version=version,
        actor_id=1,
    )


def test_a_workers_period_and_alias_are_corrected_and_the_trail_keeps_the_period(session: Session) -> None:
    row = make_staff_number(session, employer=make_party(session))
    before = row.valid_from

    correct(session, row)

    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "staff_number.corrected")).one()
    assert (row.alias, row.valid_from, row.version) == ("小李", MARCH, 2)
    assert event.reason == "录入有误"
    assert event.changes is not None
    assert event.changes["valid_from"] == [f"{before}", f"{MARCH}"]
    assert "小李" not in str(event.changes)


def test_a_correction_may_not_run_into_another_worker(session: Session) -> None:
    employer = make_party(session, name="宏鼎")
    make_staff_number(session, employer=employer, valid_to=MARCH)
    second = make_staff_number(session, employer=employer, valid_from=MARCH)

    with pytest.raises(StaffOverlapError) as refusal:
        correct(session, second, valid_from=MARCH - DAY)

    assert refusal.value.parameters["name"] == "宏鼎"


def test_a_correction_over_somebody_elses_is_refused(session: Session) -> None:
    row = make_staff_number(session, employer=make_party(session))
    correct(session, row)

    with pytest.raises(ConflictError):
        correct(session, row, version=1)


def declared(session: Session, *, valid_from: dt.date, valid_to: dt.date | None = None) -> OfficialNumber:
    return declare_official(
        session,
        carrier_code="CU",
        digits="10018",
        use=OfficialUse.HOTLINE,
        legal_basis="公告",
        valid_from=valid_from,
        valid_to=valid_to,
        actor_id=1,
    )


def correct_declaration(session: Session, row: OfficialNumber, *, valid_from: dt.date, version: int = 1) -> None:
    correct_official(
        session,
        row.id,
        legal_basis="工信部公告",
        valid_from=valid_from,
        valid_to=row.valid_to,
        reason="文号有误",
        version=version,
        actor_id=1,
    )


def test_a_declaration_is_corrected_and_the_trail_keeps_what_was(session: Session) -> None:
    row = declared(session, valid_from=MARCH)

    correct_declaration(session, row, valid_from=MARCH + DAY)

    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "official_number.corrected")).one()
    assert official_use_at(session, "10018", MARCH) is None
    assert event.changes == {
        "legal_basis": ["公告", "工信部公告"],
        "valid_from": [f"{MARCH}", f"{MARCH + DAY}"],
    }


def test_a_corrected_declaration_may_not_overlap_another_or_overwrite_a_colleagues(session: Session) -> None:
    declared(session, valid_from=MARCH, valid_to=MARCH + DAY)
    later = declared(session, valid_from=MARCH + DAY)

    with pytest.raises(OfficialOverlapError):
        correct_declaration(session, later, valid_from=MARCH)
    with pytest.raises(ConflictError):
        correct_declaration(session, later, valid_from=MARCH + DAY, version=7)
