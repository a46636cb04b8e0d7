"""Checklists: what a proven finding answers, what keeps it from being proven, by the items of the day of the call."""

import datetime as dt
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.checklists import ChecklistError, answers_of
from supervise.attribution.findings import Proof, record_findings, record_findings_for
from supervise.attribution.models import EvidenceItem, EvidenceKind, Finding, FindingState
from supervise.complaints.models import Incident
from supervise.labels import use_locale
from tests.factories.attribution import HOW, PROVING, TRIAGER, attribute, find
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party

TOLD_ALL = dict.fromkeys(("price", "applicable_scene", "validity", "limits"), True)


@pytest.fixture
def incident(session: Session) -> Incident:
    made = make_incident(session)
    attribute(session, incident=made, party=make_party(session))
    return made


def record(
    session: Session, incident: Incident, code: str, answers: Mapping[str, bool] | None, *, proven: bool = True
) -> Finding:
    proof = Proof(code, proven=proven, evidence_note="录音复核", checklist=answers, verified_by=HOW)
    [finding] = record_findings(session, incident.id, [proof], actor_id=TRIAGER)
    return finding


def findings_of(session: Session, incident: Incident) -> int:
    return session.scalar(sa.select(sa.func.count(Finding.id)).where(Finding.incident_id == incident.id)) or 0


@pytest.mark.parametrize("code", PROVING)
def test_a_proven_finding_keeps_the_answers_of_its_checklist(session: Session, incident: Incident, code: str) -> None:
    finding = record(session, incident, code, PROVING[code])

    session.refresh(finding)
    assert (finding.state, finding.checklist) == (FindingState.PROVEN, PROVING[code])


@pytest.mark.parametrize("code", PROVING)
@pytest.mark.parametrize("answers", [None, {}])
def test_without_answers_nothing_is_proven_that_has_a_checklist(
    session: Session, incident: Incident, code: str, answers: dict[str, bool] | None
) -> None:
    with use_locale("en"), pytest.raises(ChecklistError, match="not answered"):
        record(session, incident, code, answers)

    assert findings_of(session, incident) == 0


def test_the_refusal_names_the_items_that_are_missing(session: Session, incident: Incident) -> None:
    with pytest.raises(ChecklistError) as refused, use_locale("en"):
        record(session, incident, "concealment", {"price": False, "limits": True})

    with use_locale("en"):
        assert str(refused.value).endswith("not answered: Applicable scene, Validity")


@pytest.mark.parametrize("code", ["after_refusal", "without_consent"])
def test_an_offence_is_not_proven_without_its_proof(session: Session, incident: Incident, code: str) -> None:
    with pytest.raises(ChecklistError) as refused, use_locale("en"):
        record(session, incident, code, dict.fromkeys(PROVING[code], False))

    assert "without" in refused.value.message_id
    assert findings_of(session, incident) == 0


def test_nothing_was_concealed_where_everything_was_told(session: Session, incident: Incident) -> None:
    with use_locale("en"), pytest.raises(ChecklistError, match="was told"):
        record(session, incident, "concealment", TOLD_ALL)

    assert findings_of(session, incident) == 0


def test_an_answer_that_nobody_asked_for_is_refused(session: Session, incident: Incident) -> None:
    for code, proven in (("frequency", True), ("frequency", False), ("after_refusal", False)):
        with use_locale("en"), pytest.raises(ChecklistError, match="no item"):
            record(session, incident, code, {"price": False}, proven=proven)


def test_what_is_not_proven_needs_no_answers_and_keeps_those_it_has(session: Session, incident: Incident) -> None:
    assert record(session, incident, "concealment", TOLD_ALL, proven=False).checklist == TOLD_ALL

    other = make_incident(session)
    attribute(session, incident=other, party=make_party(session))
    assert record(session, other, "after_refusal", None, proven=False).checklist is None


def test_an_offence_type_without_items_needs_no_checklist(session: Session, incident: Incident) -> None:
    assert record(session, incident, "frequency", None).checklist is None


def test_each_row_of_a_bulk_decision_goes_by_the_items_of_its_own_day(session: Session) -> None:
    party, added_on = make_party(session), dt.date(2026, 9, 1)
    session.add(
        EvidenceItem(
            offence_code="frequency",
            code="call_records",
            kind=EvidenceKind.PROOF,
            name_zh="有通话详单",
            name_en="There are call records",
            position=1,
            valid_from=added_on,
        )
    )
    earlier, later = (
        make_incident(session, occurred_at=clock.start_of_day(day)) for day in (added_on - dt.timedelta(1), added_on)
    )
    for one in (earlier, later):
        attribute(session, incident=one, party=party)
    ids = [earlier.id, later.id]

    unanswered = record_findings_for(session, ids, [Proof("frequency", True, "详单", None, HOW)], actor_id=TRIAGER)  # noqa: FBT003
    answered = Proof("frequency", True, "详单", {"call_records": True}, HOW)  # noqa: FBT003 - a row of facts
    again = record_findings_for(session, [later.id], [answered], actor_id=TRIAGER)

    assert [type(result.refusal) for result in unanswered] == [type(None), ChecklistError]
    assert [result.refusal for result in again] == [None]


def test_the_database_itself_refuses_a_proven_finding_without_its_answers(session: Session, incident: Incident) -> None:
    finding = find(session, incident=incident, code="night_hours")
    row = {column.name: getattr(finding, column.name) for column in Finding.__table__.columns if column.name != "id"}

    with pytest.raises(DBAPIError, match="answers the checklist"), session.begin_nested():
        session.execute(sa.insert(Finding).values(row | {"offence_code": "concealment"}))


def test_a_finding_of_older_days_stays_valid_without_answers(session: Session, incident: Incident) -> None:
    finding = find(session, incident=incident, code="frequency")
    session.add(
        EvidenceItem(
            offence_code="frequency",
            code="call_records",
            kind=EvidenceKind.PROOF,
            name_zh="有通话详单",
            name_en="There are call records",
            position=1,
            valid_from=incident.occurred_on,
        )
    )
    session.flush()

    finding.held = True
    session.flush()

    assert answers_of(session, [(finding, incident.occurred_on)]) == {finding.id: ()}


def test_answers_are_told_in_the_order_of_the_checklist_with_the_words_of_the_day(
    session: Session, incident: Incident
) -> None:
    finding = record(session, incident, "concealment", {"limits": True, "validity": True} | PROVING["concealment"])

    answers = answers_of(session, [(finding, incident.occurred_on)])[finding.id]

    assert [(answer.item.name_zh, answer.given) for answer in answers] == [
        ("资费标准", False),
        ("适用范围", True),
        ("有效期", True),
        ("限制条件", True),
    ]
