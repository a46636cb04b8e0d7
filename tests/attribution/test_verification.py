"""The verification log: entries are added, never changed, and nothing is proven that none of them confirms."""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.findings import Proof, record_findings, record_findings_for
from supervise.attribution.models import Finding
from supervise.attribution.proof_models import VerificationEntry, VerificationKind, VerificationOutcome
from supervise.attribution.verification import UnverifiedError, Verified, enter_verification, verification_log
from supervise.complaints.models import Incident
from supervise.errors import InvalidInputError, NotFoundError
from tests.factories.attribution import HOW, TRIAGER, attribute, find
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party

LOGGED = Proof("frequency", proven=True, evidence_note="详单：一日七次")
BACK = Verified(VerificationKind.CALL_BACK, VerificationOutcome.CONFIRMED, "回拨：自称某代理推销")


@pytest.fixture
def incident(session: Session) -> Incident:
    made = make_incident(session)
    attribute(session, incident=made, party=make_party(session))
    return made


def test_nothing_is_proven_before_a_verification_confirms_it(session: Session, incident: Incident) -> None:
    not_reached = BACK._replace(outcome=VerificationOutcome.NOT_REACHED, what="无法接通")
    enter_verification(session, incident.id, not_reached, actor_id=TRIAGER)
    with pytest.raises(UnverifiedError):
        record_findings(session, incident.id, [LOGGED], actor_id=TRIAGER)

    enter_verification(session, incident.id, BACK, actor_id=TRIAGER)
    [finding] = record_findings(session, incident.id, [LOGGED], actor_id=TRIAGER)

    assert finding.offence_code == "frequency"
    assert len(verification_log(session, incident.id)) == 2


def test_a_finding_enters_its_verification_in_the_same_decision(session: Session, incident: Incident) -> None:
    find(session, incident=incident)

    [entry] = verification_log(session, incident.id)
    assert (entry.kind, entry.outcome, entry.entered_by) == (HOW, VerificationOutcome.CONFIRMED, TRIAGER)
    assert entry.what == "回访录音：用户已明确拒绝"


def test_what_is_checked_and_not_proven_is_logged_as_not_confirmed(session: Session, incident: Incident) -> None:
    find(session, incident=incident, proven=False)

    [entry] = verification_log(session, incident.id)
    assert entry.outcome is VerificationOutcome.NOT_CONFIRMED


def test_many_incidents_are_looked_up_in_one_query(
    session: Session, count_queries: Callable[[Session], AbstractContextManager[list[str]]]
) -> None:
    party = make_party(session)
    made = [make_incident(session) for _ in range(4)]
    for one in made:
        attribute(session, incident=one, party=party)
    enter_verification(session, made[0].id, BACK, actor_id=TRIAGER)

    with count_queries(session) as statements:
        results = record_findings_for(session, [one.id for one in made], [LOGGED], actor_id=TRIAGER)

    assert [type(result.refusal) for result in results] == [type(None), *[UnverifiedError] * 3]
    assert sum("FROM verification_entry" in statement for statement in statements) == 1


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (BACK._replace(what="  "), InvalidInputError),
        (BACK._replace(verified_at=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)), InvalidInputError),
        (BACK._replace(verified_at=dt.datetime(2001, 1, 1, tzinfo=dt.UTC)), InvalidInputError),
        (BACK._replace(attachment_id=999_999), NotFoundError),
    ],
)
def test_an_entry_that_says_nothing_or_cannot_be_is_refused(
    session: Session, incident: Incident, wrong: Verified, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        enter_verification(session, incident.id, wrong, actor_id=TRIAGER)

    assert verification_log(session, incident.id) == []


def test_a_number_in_the_words_is_masked(session: Session, incident: Incident) -> None:
    entry = enter_verification(session, incident.id, BACK._replace(what="回拨 13800138000 未接"), actor_id=TRIAGER)

    session.refresh(entry)
    assert "13800138000" not in entry.what


def test_the_database_itself_keeps_the_log_as_it_was_written(session: Session, incident: Incident) -> None:
    enter_verification(session, incident.id, BACK, actor_id=TRIAGER)

    for change in ({"outcome": "not_confirmed"}, {"what": "另一种说法"}, {"verified_at": clock.now()}):
        with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
            session.execute(sa.update(VerificationEntry).values(change))
    with pytest.raises(DBAPIError, match="not deleted"), session.begin_nested():
        session.execute(sa.delete(VerificationEntry))


def test_the_database_itself_refuses_a_proven_finding_that_nothing_confirms(
    session: Session, incident: Incident
) -> None:
    found = find(session, incident=incident)
    other = make_incident(session)
    verdict = attribute(session, incident=other, party=make_party(session, code="other"))
    row = {column.name: getattr(found, column.name) for column in Finding.__table__.columns if column.name != "id"}
    row |= {"incident_id": other.id, "attribution_id": verdict.id, "party_id": verdict.party_id}

    with pytest.raises(IntegrityError, match="verification confirms"), session.begin_nested():
        session.execute(sa.insert(Finding).values(row))
