"""What the registers say about a call: the holder at its moment, the official numbers, the neighbours."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import Suggestion, suggestions
from supervise.attribution.grades import GroundKind
from supervise.attribution.models import Method, Verdict
from supervise.complaints.models import Incident, IncidentKind, Precision
from supervise.evidence.models import RecordKind
from supervise.parties.models import OfficialUse, PartyKind, RelationRole
from supervise.parties.officials import declare_official
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import CALLED_AT, make_incident
from tests.factories.complaints import make_number as make_called
from tests.factories.parties import (
    make_carrier,
    make_holder,
    make_number,
    make_party,
    make_relation,
    make_sales_channel,
    make_staff_number,
    make_unit,
)
from tests.factories.records import make_source, record_calls, record_message, record_order, write_records

CALLER = "02988880000"
NOON = clock.from_china(dt.datetime(2026, 9, 29, 12, 0))  # noqa: DTZ001 - China's wall clock
DAY = clock.start_of_day(dt.date(2026, 9, 29))


def suggested(session: Session, incident: Incident, *, with_neighbours: bool = False) -> Suggestion:
    return suggestions(session, [incident.id], with_neighbours=with_neighbours)[incident.id]


def messages(suggestion: Suggestion) -> str:
    reasons = [*suggestion.reasons, *(reason for one in suggestion.candidates for reason in one.reasons)]
    return " ".join(message % parameters if parameters else message for message, parameters in reasons)


def test_the_holder_at_the_moment_of_the_call_is_suggested_with_the_chain(session: Session) -> None:
    unit = make_unit(session, name="莲湖分公司")
    agent = make_party(session, name="甲代理", sponsor=unit)
    outsourcer = make_party(session, name="乙外包", kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    make_holder(session, party=outsourcer, digits=CALLER, source="合同附件三")

    suggestion = suggested(session, make_incident(session, caller_number=CALLER))

    assert (suggestion.verdict, suggestion.method) == (Verdict.ATTRIBUTED, Method.NUMBER_HOLDER)
    assert suggestion.unambiguous is not None
    assert suggestion.unambiguous.party_id == outsourcer.id
    assert suggestion.unambiguous.unit_id == unit.id
    assert "乙外包 → 甲代理 → 莲湖分公司" in messages(suggestion)
    assert "合同附件三" in messages(suggestion)


@pytest.mark.parametrize(("at", "second_holds"), [(NOON - dt.timedelta(seconds=1), False), (NOON, True)])
def test_a_number_that_changed_hands_at_noon_goes_by_the_second(
    session: Session, at: dt.datetime, *, second_holds: bool
) -> None:
    number = make_number(session, digits=CALLER)
    first, second = make_party(session), make_party(session)
    make_holder(session, party=first, number=number, held_to=NOON)
    make_holder(session, party=second, number=number, held_from=NOON)
    incident = make_incident(session, caller_number=CALLER, occurred_at=at, precision=Precision.SECOND)

    candidate = suggested(session, incident).unambiguous

    assert candidate is not None
    assert candidate.party_id == (second if second_holds else first).id


@pytest.mark.parametrize(
    ("precision", "at", "candidates"),
    [
        (Precision.DAY, DAY, 2),
        (Precision.DAY, DAY + dt.timedelta(days=1), 1),
        (Precision.MINUTE, NOON - dt.timedelta(seconds=30), 2),
        (Precision.MINUTE, NOON - dt.timedelta(minutes=1), 1),
        (Precision.MINUTE, NOON, 1),
    ],
)
def test_when_the_time_is_vague_both_holders_are_asked(
    session: Session, precision: Precision, at: dt.datetime, candidates: int
) -> None:
    number = make_number(session, digits=CALLER)
    make_holder(session, party=make_party(session), number=number, held_to=NOON)
    make_holder(session, party=make_party(session), number=number, held_from=NOON)

    suggestion = suggested(session, make_incident(session, caller_number=CALLER, occurred_at=at, precision=precision))

    assert len(suggestion.candidates) == candidates
    assert (suggestion.unambiguous is None) is (candidates == 2)
    assert ("ask both" in messages(suggestion)) is (candidates == 2)


def test_a_holder_who_came_later_in_the_day_is_the_only_one_to_ask(session: Session) -> None:
    party = make_party(session)
    make_holder(session, party=party, digits=CALLER, held_from=NOON)

    suggestion = suggested(
        session, make_incident(session, caller_number=CALLER, occurred_at=DAY, precision=Precision.DAY)
    )

    assert suggestion.unambiguous is not None
    assert suggestion.unambiguous.party_id == party.id


def test_a_moment_without_a_holder_names_the_neighbours_and_nobody_else(session: Session) -> None:
    number = make_number(session, digits=CALLER)
    make_holder(session, party=make_party(session, name="前手公司"), number=number, held_to=DAY)
    make_holder(
        session, party=make_party(session, name="后手公司"), number=number, held_from=DAY + dt.timedelta(days=1)
    )

    suggestion = suggested(
        session, make_incident(session, caller_number=CALLER, occurred_at=NOON), with_neighbours=True
    )

    assert suggestion.verdict is None
    assert suggestion.candidates == ()
    assert "前手公司" in messages(suggestion)
    assert "后手公司" in messages(suggestion)


def test_an_official_outbound_number_is_its_own_verdict_with_a_reason(session: Session) -> None:
    incident = make_incident(session, caller_number="10016")

    suggestion = suggested(session, incident)

    assert (suggestion.verdict, suggestion.method) == (Verdict.OFFICIAL_NUMBER, Method.OFFICIAL_RULE)
    assert suggestion.unambiguous is None  # who called shows by staff number
    assert "10016 was an official outbound number" in messages(suggestion)


def test_before_its_day_an_official_number_is_a_number_like_any_other(session: Session) -> None:
    before = clock.start_of_day(dt.date(2025, 7, 31))

    suggestion = suggested(session, make_incident(session, caller_number="10016", occurred_at=before))

    assert suggestion.verdict is None


def make_official(session: Session) -> None:
    make_carrier(session, code="XX", name="某运营商")
    declare_official(
        session,
        carrier_code="XX",
        digits="10099",
        use=OfficialUse.OUTBOUND,
        legal_basis="通告",
        valid_from=dt.date(2025, 8, 1),
        actor_id=1,
    )


def test_the_apparent_holder_of_an_official_number_is_not_suggested_without_a_record(session: Session) -> None:
    make_official(session)
    team = make_party(session, kind=PartyKind.OUTSOURCER)
    make_holder(session, party=team, digits="10099")

    suggestion = suggested(session, make_incident(session, caller_number="10099"))

    assert (suggestion.verdict, suggestion.unambiguous) == (Verdict.OFFICIAL_NUMBER, None)
    assert "cannot be said whether a platform dialled" in messages(suggestion)


def test_an_official_number_that_no_platform_dialled_is_suspected_to_be_spoofed(session: Session) -> None:
    make_official(session)
    make_holder(session, party=make_party(session), digits="10099")
    incident = make_incident(session, number=make_called(session), caller_number="10099")
    write_records(session, None, RecordKind.CALLS, [], days=[incident.occurred_on])

    suggestion = suggested(session, incident)

    assert (suggestion.verdict, suggestion.unambiguous) == (Verdict.SPOOFED, None)
    assert "probably spoofed" in messages(suggestion)


def test_spoofing_is_not_suspected_while_a_platform_in_service_has_not_delivered(session: Session) -> None:
    make_official(session)
    incident = make_incident(session, caller_number="10099")
    write_records(session, None, RecordKind.CALLS, [], days=[incident.occurred_on])
    make_source(session, code="late")

    suggestion = suggested(session, incident)

    assert suggestion.verdict is Verdict.OFFICIAL_NUMBER
    assert "No call records for that day from: late" in messages(suggestion)


def test_a_call_from_an_official_number_leads_by_its_staff_number_to_the_outsourcer(session: Session) -> None:
    make_official(session)
    unit = make_unit(session)
    agent = make_party(session, name="甲代理", sponsor=unit)
    outsourcer = make_party(session, name="乙外包", kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    make_staff_number(session, employer=outsourcer)
    make_holder(session, party=make_party(session), digits="10099")
    incident = make_incident(session, caller_number="10099")
    record_calls(session, incident, staff_number="8001")

    suggestion = suggested(session, incident)

    assert (suggestion.verdict, suggestion.method) == (Verdict.OFFICIAL_NUMBER, Method.OFFICIAL_RULE)
    assert suggestion.automatic is not None
    assert suggestion.automatic.party_id == outsourcer.id
    assert suggestion.automatic.unit_id == unit.id
    assert "dialled by staff number 8001" in messages(suggestion)


def test_without_a_registered_staff_number_the_line_answers(session: Session) -> None:
    party = make_party(session)
    make_holder(session, party=party, digits=CALLER)
    incident = make_incident(session, caller_number=CALLER)
    record_calls(session, incident, staff_number="9999")

    candidate = suggested(session, incident).automatic

    assert candidate is not None
    assert [ground.kind for ground in candidate.grounds] == [GroundKind.CALL_LINE, GroundKind.HOLDER]


def test_an_order_after_the_call_proves_the_seller_and_shows_the_price(session: Session) -> None:
    hall = make_party(session, name="城南营业厅")
    make_sales_channel(session, party=hall)
    incident = make_incident(session, caller_number="13800001111")
    record_order(session, incident, after=dt.timedelta(days=3))

    suggestion = suggested(session, incident)

    assert suggestion.automatic is not None
    assert suggestion.automatic.party_id == hall.id
    assert "under channel code QD01" in messages(suggestion)
    assert "40.00 yuan a month more" in messages(suggestion)


@pytest.mark.parametrize("after", [dt.timedelta(minutes=-10), dt.timedelta(days=31)])
def test_an_order_before_the_call_or_long_after_it_proves_nothing(session: Session, after: dt.timedelta) -> None:
    make_sales_channel(session, party=make_party(session))
    incident = make_incident(session, caller_number="13800001111")
    record_order(session, incident, after=after)

    assert suggested(session, incident).candidates == ()


def test_a_record_against_the_register_is_a_contradiction_and_not_averaged(session: Session) -> None:
    dialled, holds = make_party(session, name="丙外包"), make_party(session, name="丁代理")
    make_staff_number(session, employer=dialled)
    make_holder(session, party=holds, digits=CALLER)
    incident = make_incident(session, caller_number=CALLER)
    record_calls(session, incident, staff_number="8001")

    suggestion = suggested(session, incident)

    assert suggestion.leading is not None
    assert (suggestion.leading.party_id, suggestion.unambiguous) == (dialled.id, None)
    assert [message % parameters for message, parameters in suggestion.contradictions] == [
        "The register says that 丁代理 held the number."
    ]


def test_a_message_leads_to_the_holder_of_the_longest_prefix_of_its_port(session: Session) -> None:
    wide, narrow = make_party(session), make_party(session)
    make_holder(session, party=wide, number=make_number(session, digits="10690000", is_prefix=True))
    make_holder(session, party=narrow, number=make_number(session, digits="1069000012", is_prefix=True))
    incident = make_incident(session, caller_number="106900001234", kind=IncidentKind.SMS)
    record_message(session, incident)

    candidate = suggested(session, incident).automatic

    assert candidate is not None
    assert candidate.party_id == narrow.id
    assert [ground.kind for ground in candidate.grounds] == [GroundKind.MESSAGE, GroundKind.HOLDER]


def test_a_report_without_a_calling_number_says_so(session: Session) -> None:
    suggestion = suggested(session, make_incident(session, caller_number=None))

    assert (suggestion.verdict, suggestion.candidates) == (None, ())
    assert "names no calling number" in messages(suggestion)


def test_a_gap_in_the_register_is_shown(session: Session) -> None:
    make_holder(session, party=make_party(session), digits=CALLER)

    suggestion = suggested(session, make_incident(session, caller_number=CALLER))

    assert "No branch sponsored it" in messages(suggestion)


def test_an_employee_is_said_to_count_as_the_unit(session: Session) -> None:
    unit = make_unit(session)
    employee = make_party(session, kind=PartyKind.EMPLOYEE_CALLER, sponsor=unit, is_person=True)
    make_holder(session, party=employee, digits=CALLER)

    suggestion = suggested(session, make_incident(session, caller_number=CALLER))

    assert "the unit answers" in messages(suggestion)


def test_many_incidents_are_answered_by_as_many_queries_as_one(session: Session, count_queries: object) -> None:
    number = make_number(session, digits=CALLER)
    make_holder(session, party=make_party(session), number=number)
    incidents = [
        make_incident(session, caller_number=CALLER, occurred_at=NOON + dt.timedelta(minutes=minute))
        for minute in range(30)
    ]

    with count_queries(session) as one:  # type: ignore[operator]
        suggestions(session, [incidents[0].id])
    with count_queries(session) as many:  # type: ignore[operator]
        suggestions(session, [incident.id for incident in incidents])

    assert len(many) == len(one)


@pytest.mark.parametrize(("caller", "is_named"), [("18652010088", True), ("10016", False)])
def test_earlier_confirmed_calls_of_a_number_are_a_pattern_unless_many_dial_from_it(
    session: Session, caller: str, *, is_named: bool
) -> None:
    party = make_party(session, sponsor=make_unit(session))
    for hours in (1, 2, 3):
        at = CALLED_AT - dt.timedelta(hours=hours)
        make_proven_incident(session, party=party, caller_number=caller, occurred_at=at)

    suggestion = suggested(session, make_incident(session, caller_number=caller))

    assert [one.party_id for one in suggestion.candidates] == ([party.id] if is_named else [])


@pytest.mark.parametrize(("numbers", "is_named"), [(2, True), (1, False)])
def test_confirmed_calls_of_a_party_from_changing_numbers_are_a_pattern(
    session: Session, numbers: int, *, is_named: bool
) -> None:
    party, called = make_party(session, sponsor=make_unit(session)), make_called(session)
    for n in range(2):
        at = CALLED_AT - dt.timedelta(days=n + 1)
        make_proven_incident(
            session, party=party, number=called, caller_number=f"1865201009{n % numbers}", occurred_at=at
        )

    suggestion = suggested(session, make_incident(session, number=called, caller_number=CALLER))

    assert [one.party_id for one in suggestion.candidates] == ([party.id] if is_named else [])
    assert ("from other numbers" in messages(suggestion)) is is_named


@pytest.mark.parametrize(("kind", "is_named"), [(IncidentKind.CALL, True), (IncidentKind.SMS, False)])
def test_confirmed_calls_of_a_party_on_the_same_day_are_a_burst(
    session: Session, kind: IncidentKind, *, is_named: bool
) -> None:
    party, called = make_party(session, sponsor=make_unit(session)), make_called(session)
    for minutes in (5, 10, 15):
        at = CALLED_AT - dt.timedelta(minutes=minutes)
        make_proven_incident(
            session, party=party, number=called, caller_number="18652010099", occurred_at=at, kind=kind
        )

    suggestion = suggested(session, make_incident(session, number=called, caller_number=CALLER))

    assert [one.party_id for one in suggestion.candidates] == ([party.id] if is_named else [])


def test_a_message_signed_with_the_name_of_another_party_contradicts_the_holder_of_its_port(session: Session) -> None:
    holder, signer = make_party(session, sponsor=make_unit(session)), make_party(session, name="畅联科技")
    make_holder(session, party=holder, number=make_number(session, digits="1069000012", is_prefix=True))
    texted = make_incident(session, caller_number="106900001234", kind=IncidentKind.SMS)
    record_message(session, texted, signature="【畅联科技】")

    suggestion = suggested(session, texted)

    assert suggestion.leading is not None
    assert (suggestion.leading.party_id, suggestion.automatic) == (holder.id, None)
    assert [text % parameters for text, parameters in suggestion.contradictions] == [
        f"The message is signed with the name of {signer.name}."
    ]
