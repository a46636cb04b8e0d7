"""Sparing a proven call an amount, and bringing it back."""

import datetime as dt
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.models import AuditEvent
from supervise.db import Database
from supervise.desk.second_person_registers import sparings
from supervise.errors import AlreadyDecidedError, InvalidInputError, SamePersonError
from supervise.parties.scope import Scope
from supervise.penalties.cases import NothingProvenError
from supervise.penalties.models import Penalty
from supervise.penalties.propose import SparedCallError, propose_penalties
from supervise.penalties.queries import count_unpriced, unpriced_incidents
from supervise.penalties.spare import (
    AlreadyPricedError,
    AlreadySparedError,
    NotSparedError,
    OwnCallError,
    agree_to_sparing,
    bring_back_call,
    spare_call,
)
from supervise.penalties.spare_models import SparedFinding, SpareReason
from supervise.penalties.spare_queries import spared_calls, sparings_of_incident
from tests.factories.attribution import TRIAGER, find, make_proven_incident
from tests.factories.complaints import make_incident
from tests.factories.penalties import MAKER, make_charged_partner, make_contact, propose
from tests.penalties.test_races import at_once

EVERYTHING = Scope.everything()


def spare(session: Session, incident_id: int, *, actor_id: int = TRIAGER) -> list[SparedFinding]:
    return spare_call(session, incident_id, SpareReason.PUT_RIGHT, "当日已整改", actor_id=actor_id)


def refusal(session: Session, incident_id: int) -> Any:
    [result] = propose_penalties(session, [incident_id], actor_id=MAKER)
    return result.refusal


def unpriced(session: Session) -> list[int]:
    return [row.incident_id for row in unpriced_incidents(session, EVERYTHING)]


def test_a_spared_call_leaves_the_list_and_is_not_proposed(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)

    spare(session, incident.id)

    assert unpriced(session) == []
    assert count_unpriced(session, clock.now() + dt.timedelta(days=1)) == 0
    assert isinstance(refusal(session, incident.id), SparedCallError)
    assert [(row.incident_id, row.findings, row.reason) for row in spared_calls(session, EVERYTHING)] == [
        (incident.id, 1, "当日已整改")
    ]
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "incident.spared")).one()
    assert (event.subject_id, event.reason, (event.changes or {})["because"]) == (
        str(incident.id),
        "当日已整改",
        "put_right",
    )


def test_a_call_that_is_brought_back_is_priced_again_and_can_be_spared_anew(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)
    spare(session, incident.id)

    bring_back_call(session, incident.id, "整改未落实", actor_id=TRIAGER)

    assert unpriced(session) == [incident.id]
    assert spared_calls(session, EVERYTHING) == []
    spare(session, incident.id)
    bring_back_call(session, incident.id, "再次核实", actor_id=TRIAGER)
    [penalty] = propose(session, incident)
    assert penalty.amount_fen == 20000
    assert [line.sparing.bring_back_note for line in sparings_of_incident(session, incident.id)] == [
        "再次核实",
        "整改未落实",
    ]


def test_what_is_found_later_is_not_spared_with_the_rest(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    spare(session, incident.id)

    find(session, incident=incident, code="night_hours")

    assert [(row.incident_id, row.findings) for row in unpriced_incidents(session, EVERYTHING)] == [(incident.id, 1)]
    [penalty] = propose(session, incident)
    assert penalty.offence_code == "night_hours"
    with pytest.raises(AlreadyPricedError, match=penalty.reference):
        spare(session, incident.id)


def test_numbers_in_the_words_of_a_sparing_are_masked(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)

    [row] = spare_call(session, incident.id, SpareReason.OTHER, "用户13912345678已谅解", actor_id=TRIAGER)

    session.refresh(row)
    assert "13912345678" not in row.reason


def test_what_is_priced_spared_or_not_proven_is_not_spared(session: Session) -> None:
    party = make_charged_partner(session).party
    priced, spared = make_proven_incident(session, party=party), make_proven_incident(session, party=party)
    unproven = make_incident(session)
    propose(session, priced)
    spare(session, spared.id)

    for incident, refused in (
        (priced, AlreadyPricedError),
        (spared, AlreadySparedError),
        (unproven, NothingProvenError),
    ):
        with pytest.raises(refused):
            spare(session, incident.id)
    with pytest.raises(NotSparedError):
        bring_back_call(session, priced.id, "重新计价", actor_id=TRIAGER)
    with pytest.raises(InvalidInputError):
        bring_back_call(session, spared.id, " ", actor_id=TRIAGER)


def test_nobody_spares_what_the_own_branch_or_party_answers_for(session: Session) -> None:
    charged = make_charged_partner(session)
    contact = make_contact(session, charged)
    incident = make_proven_incident(session, party=charged.party)

    with pytest.raises(OwnCallError):
        spare(session, incident.id, actor_id=contact.id)


def test_the_database_refuses_a_second_live_sparing_and_rewritten_words(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)
    [row] = spare(session, incident.id)
    again = sa.insert(SparedFinding).values(
        finding_id=row.finding_id, because=SpareReason.OTHER, reason="x", spared_by=1, spared_at=clock.now()
    )
    reworded = sa.update(SparedFinding).values(reason="另一理由")
    for statement in (again, reworded, sa.delete(SparedFinding)):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(statement)
    bring_back_call(session, incident.id, "重新计价", actor_id=TRIAGER)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.update(SparedFinding).values(bring_back_note="改写"))


def test_of_two_sparings_and_a_proposal_at_once_one_holds(database: Database) -> None:
    with database.session(writes=True) as session:
        incident_id = make_proven_incident(session, party=make_charged_partner(session).party).id

    at_once(
        database,
        partial(spare, incident_id=incident_id),
        partial(spare, incident_id=incident_id, actor_id=MAKER),
        partial(propose_penalties, incident_ids=[incident_id], actor_id=MAKER),
    )

    with database.session(writes=False) as session:
        sparings = session.scalar(sa.select(sa.func.count()).select_from(SparedFinding))
        penalties = session.scalar(sa.select(sa.func.count()).select_from(Penalty))
    assert (sparings, penalties) in ((1, 0), (0, 1))


def test_what_waits_is_named_by_the_number_that_called_or_by_the_call_itself(session: Session) -> None:
    party = make_charged_partner(session).party
    named = make_proven_incident(session, party=party, caller_number="02588880001")
    unnamed = make_proven_incident(session, party=party, caller_number=None)
    for incident in (named, unnamed):
        spare(session, incident.id)

    assert [row.reference for row in session.execute(sparings())] == ["02588880001", f"{unnamed.id}"]


def test_a_second_person_agrees_once_and_it_waits_for_nobody_any_more(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)
    spare(session, incident.id)
    waits = session.execute(sparings()).all()

    with pytest.raises(SamePersonError):
        agree_to_sparing(session, incident.id, actor_id=TRIAGER)
    [row] = agree_to_sparing(session, incident.id, actor_id=MAKER)

    assert len(waits) == 1
    assert (row.agreed_by, session.execute(sparings()).all()) == (MAKER, [])
    with pytest.raises(AlreadyDecidedError):
        agree_to_sparing(session, incident.id, actor_id=MAKER)
    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(SparedFinding).values(agreed_by=MAKER + 1))


def test_what_was_brought_back_is_not_agreed_to(session: Session) -> None:
    incident = make_proven_incident(session, party=make_charged_partner(session).party)
    spare(session, incident.id)
    bring_back_call(session, incident.id, "复核后应扣罚", actor_id=MAKER)

    with pytest.raises(NotSparedError):
        agree_to_sparing(session, incident.id, actor_id=MAKER)
