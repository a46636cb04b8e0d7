"""A staff number, channel or plan code that holds somebody's number: keyed in the records, found by the registers."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import suggestions
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.looking import Watch, parties_of
from supervise.cipher import Keyring
from supervise.complaints.models import Precision
from supervise.evidence.codes import in_records, shown
from supervise.evidence.models import RecordKind
from supervise.parties.models import PartyKind
from tests.evidence.record_files import CALLS_HEADER, Importer, call, csv_text
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party, make_sales_channel, make_staff_number
from tests.factories.records import record_calls, record_order, write_records

MOBILE = "13912345678"


@pytest.mark.parametrize("written", [MOBILE, "139-1234-5678", f"ZB{MOBILE}", "029-88880000"])
def test_a_staff_number_that_holds_a_telephone_number_is_never_plain_in_the_store(
    importer: Importer, keyring: Keyring, written: str
) -> None:
    importer.take(csv_text([[*call(), written], [*call("C2"), "8001"]], (*CALLS_HEADER, "工号")))

    keyed, plain = [row["staff_number"] for row in importer.seen()]
    assert keyed == in_records(written, keyring) == keyring.blind_index(f"record {written}")
    assert plain == "8001"
    assert MOBILE.encode() not in importer.files()[0].read_bytes()


@pytest.mark.parametrize("code", ["8001", "GH-2026-000123", "1000123456", "", "5G-PLAN-199"])
def test_a_code_without_a_number_stands_as_it_is(keyring: Keyring, code: str) -> None:
    assert in_records(code, keyring) == shown(code) == code


def test_a_worker_whose_staff_number_is_a_mobile_number_is_found_by_the_call_record(
    session: Session, keyring: Keyring
) -> None:
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_staff_number(session, employer=outsourcer, staff_number=MOBILE)
    make_staff_number(session, employer=make_party(session), staff_number="13800000000")
    incident = make_incident(session, caller_number="10016", precision=Precision.SECOND)
    record_calls(session, incident, staff_number=in_records(MOBILE, keyring))

    candidate = suggestions(session, [incident.id])[incident.id].leading

    assert candidate is not None
    assert (candidate.party_id, candidate.grade) == (outsourcer.id, "A")
    assert MOBILE not in str(candidate.reasons)
    assert shown(in_records(MOBILE, keyring)) in str(candidate.reasons)


def test_a_seller_whose_channel_code_is_a_mobile_number_is_found_by_the_order(
    session: Session, keyring: Keyring
) -> None:
    agent = make_party(session)
    make_sales_channel(session, party=agent, channel_code=MOBILE)
    incident = make_incident(session, precision=Precision.SECOND)
    record_order(session, incident, channel_code=in_records(MOBILE, keyring))

    candidate = suggestions(session, [incident.id])[incident.id].leading

    assert candidate is not None
    assert candidate.party_id == agent.id


def test_watching_counts_the_calls_of_such_a_worker_for_the_employer(session: Session, keyring: Keyring) -> None:
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_staff_number(session, employer=outsourcer, staff_number=MOBILE)
    at = clock.from_china(dt.datetime(2026, 9, 29, 23))  # noqa: DTZ001 - China's wall clock
    row = {"caller": "02988880000", "subscriber": "13912340000", "started_at": at}
    write_records(session, keyring, RecordKind.CALLS, [{**row, "staff_number": in_records(MOBILE, keyring)}])

    found = parties_of(Watch(session, dt.date(2026, 9, 29)), Irregularity.OUTSIDE_HOURS).to_pylist()

    assert [row["party_id"] for row in found] == [outsourcer.id]
