"""Findings: nothing is proven without evidence, against nobody, or twice."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.findings import (
    MoneyHangsOnItError,
    NoVerdictError,
    Proof,
    record_findings,
    record_findings_for,
    suggested_offences,
)
from supervise.attribution.models import Finding, FindingState
from supervise.complaints.models import IncidentKind, IncidentState
from supervise.errors import AlreadyDecidedError, InvalidInputError
from tests.factories.attribution import HOW, TRIAGER, attribute, find
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party, make_unit, unit_party
from tests.factories.points import make_sanction

HEARD = "录音第12秒：用户明确拒绝"
REFUSED_BEFORE = {"earlier_refusal": True}


def test_several_types_are_found_for_one_call(session: Session) -> None:
    incident = make_incident(session)
    verdict = attribute(session, incident=incident, party=make_party(session))
    proofs = [
        Proof("after_refusal", proven=True, evidence_note=HEARD, checklist=REFUSED_BEFORE, verified_by=HOW),
        Proof("night_hours", proven=False, evidence_note="通话为上午10点"),
    ]

    findings = record_findings(session, incident.id, proofs, actor_id=TRIAGER)

    assert [(one.offence_code, one.state) for one in findings] == [
        ("after_refusal", FindingState.PROVEN),
        ("night_hours", FindingState.NOT_PROVEN),
    ]
    assert {one.attribution_id for one in findings} == {verdict.id}
    session.refresh(incident)
    assert incident.state is IncidentState.CONFIRMED


def test_an_incident_of_which_nothing_is_proven_is_not_confirmed(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))

    find(session, incident=incident, proven=False)

    session.refresh(incident)
    assert incident.state is IncidentState.UNCONFIRMED


def test_without_a_verdict_there_is_nobody_to_find_anything_against(session: Session) -> None:
    with pytest.raises(NoVerdictError):
        find(session, incident=make_incident(session))


@pytest.mark.parametrize("note", ["", "   "])
def test_no_finding_without_evidence(session: Session, note: str) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))

    with pytest.raises(InvalidInputError):
        record_findings(session, incident.id, [Proof("frequency", proven=True, evidence_note=note)], actor_id=TRIAGER)


def test_an_offence_type_must_exist_on_the_day_of_the_call(session: Session) -> None:
    before = clock.start_of_day(dt.date(2025, 7, 31))
    incident = make_incident(session, occurred_at=before)
    attribute(session, incident=incident, party=make_party(session))

    with pytest.raises(InvalidInputError, match="2025-07-31"):
        find(session, incident=incident, code="unauthorised_number")
    with pytest.raises(InvalidInputError):
        find(session, incident=incident, code="no_such_type")


def test_the_same_finding_is_made_once(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))
    find(session, incident=incident)

    with pytest.raises(AlreadyDecidedError):
        find(session, incident=incident)


def test_the_database_itself_keeps_one_live_finding_per_type_and_party(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))
    finding = find(session, incident=incident)
    row = {column.name: getattr(finding, column.name) for column in Finding.__table__.columns if column.name != "id"}

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.insert(Finding).values(**row))
    for changed in ({"evidence_note": "另一种说法"}, {"checklist": {"earlier_refusal": False}}):
        with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
            session.execute(sa.update(Finding).where(Finding.id == finding.id).values(changed))


def test_the_opposite_finding_overturns_the_first(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))
    first = find(session, incident=incident, proven=False)

    second = find(session, incident=incident, proven=True)

    session.refresh(first)
    assert (first.state, second.state) == (FindingState.OVERTURNED, FindingState.PROVEN)


def test_a_finding_under_approved_money_is_not_overturned(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))
    find(session, incident=incident).held = True
    session.flush()

    with pytest.raises(MoneyHangsOnItError):
        find(session, incident=incident, proven=False)


def test_the_database_itself_keeps_a_held_finding_proven(session: Session) -> None:
    incident = make_incident(session)
    attribute(session, incident=incident, party=make_party(session))
    finding = find(session, incident=incident)
    finding.held = True
    session.flush()

    with pytest.raises(IntegrityError, match="held_is_proven"), session.begin_nested():
        session.execute(sa.update(Finding).where(Finding.id == finding.id).values(state=FindingState.NOT_PROVEN))


def test_many_incidents_get_the_same_finding_with_a_result_per_row(session: Session) -> None:
    party = make_party(session)
    incidents = [make_incident(session) for _ in range(3)]
    for incident in incidents[:2]:
        attribute(session, incident=incident, party=party)
    find(session, incident=incidents[1])

    results = record_findings_for(
        session,
        [incident.id for incident in incidents],
        [Proof("after_refusal", proven=True, evidence_note=HEARD, checklist=REFUSED_BEFORE, verified_by=HOW)],
        actor_id=TRIAGER,
    )

    assert [type(result.refusal) for result in results] == [type(None), AlreadyDecidedError, NoVerdictError]


@pytest.mark.parametrize(
    ("caller", "day", "suggested"),
    [
        ("13800001111", dt.date(2025, 8, 1), ("unauthorised_number",)),
        ("13800001111", dt.date(2025, 7, 31), ()),
        ("10016", dt.date(2025, 8, 1), ()),
        ("10010", dt.date(2025, 8, 1), ()),
        (None, dt.date(2025, 8, 1), ()),
    ],
)
def test_since_august_2025_a_call_from_another_number_suggests_an_offence(
    session: Session, caller: str | None, day: dt.date, suggested: tuple[str, ...]
) -> None:
    incident = make_incident(session, caller_number=caller, occurred_at=clock.start_of_day(day))

    assert suggested_offences(session, [incident]) == {incident.id: suggested}


def test_a_call_of_a_suspended_party_is_suggested_as_an_offence_of_its_own(session: Session) -> None:
    branch = make_unit(session)
    party, free = make_party(session, sponsor=branch), make_party(session, name="未停权公司", sponsor=branch)
    made = {one.id: make_incident(session, caller_number=None) for one in (party, free)}
    for one in (party, free):
        attribute(session, incident=made[one.id], party=one)
    on = made[party.id].occurred_on
    make_sanction(session, party=party, from_on=on, until_on=on + dt.timedelta(days=1))
    # That its branch is suspended does not suspend the partner.
    make_sanction(session, party=unit_party(session, branch), from_on=on)

    assert suggested_offences(session, made.values()) == {
        made[party.id].id: ("call_while_suspended",),
        made[free.id].id: (),
    }


def test_a_call_before_or_after_the_suspension_is_none_nor_is_a_message(session: Session) -> None:
    party = make_party(session, sponsor=make_unit(session))
    incident = make_incident(session, caller_number=None)
    attribute(session, incident=incident, party=party)
    day, one = incident.occurred_on, dt.timedelta(days=1)
    make_sanction(session, party=party, from_on=day + one)
    make_sanction(session, party=party, from_on=day - one, until_on=day)
    message = make_incident(session, caller_number=None, kind=IncidentKind.SMS, occurred_at=incident.occurred_at + one)
    attribute(session, incident=message, party=party)

    assert suggested_offences(session, [incident, message]) == {incident.id: (), message.id: ()}
