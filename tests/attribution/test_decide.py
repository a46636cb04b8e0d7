"""Verdicts: by a person, in bulk, against the suggestion, and corrected."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.checks import verdicts_against_pointer
from supervise.attribution.decide import (
    AmbiguousError,
    OverrideWaitingError,
    VerdictChangedError,
    accept_suggestions,
    confirm_override,
    decide_verdict,
    reject_override,
)
from supervise.attribution.findings import MoneyHangsOnItError
from supervise.attribution.grades import Grade
from supervise.attribution.models import (
    Attribution,
    AttributionState,
    FindingState,
    IncidentVerdict,
    Method,
    Verdict,
)
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident, IncidentState, Precision
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import use_locale
from supervise.parties.models import Party
from tests.factories.attribution import TRIAGER, attribute, find, make_verdict, verdict_in_force, verdicts_of
from tests.factories.complaints import make_incident
from tests.factories.parties import make_holder, make_number, make_party, make_staff_number, make_unit
from tests.factories.records import record_calls

SUPERVISOR = 912
CALLER = "02988880000"


@pytest.fixture
def holder(session: Session) -> Party:
    party = make_party(session, sponsor=make_unit(session))
    make_holder(session, party=party, digits=CALLER)
    return party


@pytest.fixture
def incident(session: Session, holder: Party) -> Incident:
    return make_incident(session, caller_number=CALLER)


def decide(
    session: Session,
    incident: Incident,
    verdict: Verdict,
    party: Party | None,
    *,
    reason: str | None = "分公司答复",
    shown_id: int | None = None,
) -> Attribution:
    return decide_verdict(
        session,
        incident.id,
        verdict,
        party.id if party else None,
        reason=reason,
        shown_id=shown_id,
        actor_id=TRIAGER,
    )


def current(session: Session, incident: Incident) -> Attribution | None:
    return verdict_in_force(session, incident.id)


def test_agreeing_with_the_only_suggestion_needs_no_second_person(
    session: Session, incident: Incident, holder: Party
) -> None:
    attribution = decide(session, incident, Verdict.ATTRIBUTED, holder, reason=None)

    assert (attribution.state, attribution.method) == (AttributionState.IN_FORCE, Method.NUMBER_HOLDER)
    assert attribution.chain[0] == [holder.id, None]
    pointer = session.get_one(IncidentVerdict, incident.id)
    assert (pointer.attribution_id, pointer.party_id) == (attribution.id, holder.id)


def test_a_verdict_is_written_to_the_audit_trail(session: Session, incident: Incident, holder: Party) -> None:
    attribution = decide(session, incident, Verdict.ATTRIBUTED, holder)

    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "verdict.decided")).one()
    assert (event.actor_id, event.subject_id) == (TRIAGER, str(incident.id))
    assert event.changes is not None
    assert event.changes["attribution_id"] == attribution.id


@pytest.mark.parametrize("verdict", [Verdict.SPOOFED, Verdict.OTHER_NETWORK, Verdict.INSUFFICIENT])
def test_deciding_against_the_only_suggestion_waits_for_a_second_person(
    session: Session, incident: Incident, verdict: Verdict
) -> None:
    attribution = decide(session, incident, verdict, None)

    assert (attribution.state, attribution.method) == (AttributionState.WAITING, Method.OVERRIDE)
    assert current(session, incident) is None


def test_an_override_without_a_reason_is_refused(session: Session, incident: Incident) -> None:
    with pytest.raises(InvalidInputError):
        decide(session, incident, Verdict.ATTRIBUTED, make_party(session), reason="  ")


def test_an_override_is_in_force_once_confirmed(session: Session, incident: Incident) -> None:
    other = make_party(session)
    waiting = decide(session, incident, Verdict.ATTRIBUTED, other)

    confirm_override(session, waiting.id, actor_id=SUPERVISOR)

    found = current(session, incident)
    assert found is not None
    assert (found.id, found.party_id, found.confirmed_by) == (waiting.id, other.id, SUPERVISOR)


def test_nobody_confirms_or_rejects_their_own_override(session: Session, incident: Incident) -> None:
    waiting = decide(session, incident, Verdict.SPOOFED, None)

    with pytest.raises(SamePersonError):
        confirm_override(session, waiting.id, actor_id=TRIAGER)
    with pytest.raises(SamePersonError):
        reject_override(session, waiting.id, "证据不足", actor_id=TRIAGER)


def test_the_database_itself_wants_a_second_person_for_an_override(session: Session, incident: Incident) -> None:
    waiting = decide(session, incident, Verdict.SPOOFED, None)
    update = sa.update(Attribution).where(Attribution.id == waiting.id)

    with pytest.raises(IntegrityError, match="override_confirmed"), session.begin_nested():
        session.execute(update.values(state=AttributionState.IN_FORCE))
    with pytest.raises(IntegrityError, match="two_people"), session.begin_nested():
        session.execute(update.values(state=AttributionState.IN_FORCE, confirmed_by=TRIAGER))


def test_a_rejected_override_leaves_things_as_they_were(session: Session, incident: Incident, holder: Party) -> None:
    first = decide(session, incident, Verdict.ATTRIBUTED, holder)
    waiting = decide(session, incident, Verdict.SPOOFED, None, shown_id=first.id)

    reject_override(session, waiting.id, "通话记录显示确由该号码拨出", actor_id=SUPERVISOR)

    found = current(session, incident)
    assert found is not None
    assert found.id == first.id
    with pytest.raises(AlreadyDecidedError):
        confirm_override(session, waiting.id, actor_id=SUPERVISOR)


def test_while_an_override_waits_no_other_verdict_is_taken(session: Session, incident: Incident, holder: Party) -> None:
    decide(session, incident, Verdict.SPOOFED, None)

    with pytest.raises(OverrideWaitingError):
        decide(session, incident, Verdict.ATTRIBUTED, holder)
    [result] = accept_suggestions(session, [incident.id], actor_id=TRIAGER)
    assert isinstance(result.refusal, OverrideWaitingError)


def test_after_a_rejected_override_a_correction_is_possible(
    session: Session, incident: Incident, holder: Party
) -> None:
    first = decide(session, incident, Verdict.ATTRIBUTED, holder)
    waiting = decide(session, incident, Verdict.SPOOFED, None, shown_id=first.id)
    reject_override(session, waiting.id, "证据不足", actor_id=SUPERVISOR)

    again = decide(session, incident, Verdict.OTHER_NETWORK, None, shown_id=first.id)
    confirm_override(session, again.id, actor_id=SUPERVISOR)

    found = current(session, incident)
    assert found is not None
    assert found.id == again.id


def test_a_correction_is_a_new_row_that_supersedes(session: Session) -> None:
    incident = make_incident(session, caller_number="02977770000")
    one, other = make_party(session), make_party(session)
    first = decide(session, incident, Verdict.ATTRIBUTED, one)

    second = decide(session, incident, Verdict.ATTRIBUTED, other, shown_id=first.id)

    assert second.supersedes_id == first.id
    assert [row.party_id for row in verdicts_of(session, incident.id)] == [one.id, other.id]
    assert verdicts_against_pointer(session) == []


def test_a_verdict_is_never_rewritten(session: Session, incident: Incident, holder: Party) -> None:
    attribution = decide(session, incident, Verdict.ATTRIBUTED, holder)

    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(Attribution).where(Attribution.id == attribution.id).values(party_id=None))
    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.delete(Attribution).where(Attribution.id == attribution.id))


def test_the_database_itself_keeps_verdicts_from_forking(session: Session) -> None:
    incident = make_incident(session, caller_number="02977770000")
    first = decide(session, incident, Verdict.ATTRIBUTED, make_party(session))
    decide(session, incident, Verdict.ATTRIBUTED, make_party(session), shown_id=first.id)
    row = {
        column.name: getattr(first, column.name)
        for column in Attribution.__table__.columns
        if column.name not in ("id", "supersedes_id")
    }

    for supersedes_id in (None, first.id):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(sa.insert(Attribution).values(**row, supersedes_id=supersedes_id))


def test_who_looked_at_an_older_verdict_is_told_both(session: Session, incident: Incident, holder: Party) -> None:
    first = decide(session, incident, Verdict.ATTRIBUTED, holder)

    with pytest.raises(VerdictChangedError) as refusal:
        decide(session, incident, Verdict.ATTRIBUTED, holder, shown_id=None)

    assert refusal.value.status == 409
    assert refusal.value.parameters == {"shown": 0, "current": first.id}


@pytest.mark.parametrize("verdict", [Verdict.ATTRIBUTED, Verdict.OFFICIAL_NUMBER])
def test_a_verdict_that_charges_needs_a_party(session: Session, incident: Incident, verdict: Verdict) -> None:
    with pytest.raises(InvalidInputError):
        decide(session, incident, verdict, None)


def test_a_verdict_that_charges_nobody_takes_no_party_and_needs_a_reason(session: Session, holder: Party) -> None:
    incident = make_incident(session, caller_number="02977770000")

    with pytest.raises(InvalidInputError):
        decide(session, incident, Verdict.SPOOFED, holder)
    with pytest.raises(InvalidInputError):
        decide(session, incident, Verdict.PRIVATE_DISPUTE, None, reason=None)

    assert decide(session, incident, Verdict.PRIVATE_DISPUTE, None).state is AttributionState.IN_FORCE
    session.refresh(incident)
    assert incident.state is IncidentState.PRIVATE


def test_a_new_verdict_overturns_the_findings_on_the_old_one(session: Session) -> None:
    incident = make_incident(session, caller_number="02977770000")
    first = attribute(session, incident=incident, party=make_party(session))
    finding = find(session, incident=incident)

    decide(session, incident, Verdict.OTHER_NETWORK, None, shown_id=first.id)

    session.refresh(finding)
    assert (finding.state, finding.overturned_by) == (FindingState.OVERTURNED, TRIAGER)
    session.refresh(incident)
    assert incident.state is IncidentState.REPORTED


def test_a_verdict_under_approved_money_does_not_change(session: Session) -> None:
    incident = make_incident(session, caller_number="02977770000")
    first = attribute(session, incident=incident, party=make_party(session))
    finding = find(session, incident=incident)
    finding.held = True
    session.flush()

    with pytest.raises(MoneyHangsOnItError):
        decide(session, incident, Verdict.OTHER_NETWORK, None, shown_id=first.id)


def test_what_records_prove_is_accepted_in_bulk_with_a_result_per_row(
    session: Session, incident: Incident, holder: Party
) -> None:
    record_calls(session, incident)
    unknown = make_incident(session, caller_number="02977770000")
    decided = make_incident(session, caller_number=CALLER)
    attribute(session, incident=decided, party=holder)

    results = accept_suggestions(session, [unknown.id, incident.id, decided.id, 999_999], actor_id=TRIAGER)

    kinds = [type(result.refusal) for result in results]
    assert kinds == [AmbiguousError, type(None), AlreadyDecidedError, NotFoundError]
    found = current(session, incident)
    assert found is not None
    assert (found.party_id, found.decided_by, found.method) == (holder.id, TRIAGER, Method.RECORD)
    assert found.grade is Grade.A
    assert found.grounds is not None
    assert [ground["kind"] for ground in found.grounds] == ["call_line", "holder"]
    assert current(session, unknown) is None


def test_a_register_alone_is_not_accepted_in_bulk(session: Session, incident: Incident) -> None:
    [result] = accept_suggestions(session, [incident.id], actor_id=TRIAGER)

    with use_locale("en"):
        assert str(result.refusal).startswith("Only the number register names it")
    assert current(session, incident) is None


def test_a_person_may_decide_by_the_register_alone(session: Session, incident: Incident, holder: Party) -> None:
    attribution = decide(session, incident, Verdict.ATTRIBUTED, holder, reason=None)

    assert (attribution.method, attribution.grade) == (Method.NUMBER_HOLDER, Grade.B)


def test_a_contradiction_asks_for_a_reason(session: Session, incident: Incident, holder: Party) -> None:
    other = make_party(session, sponsor=make_unit(session))
    make_staff_number(session, employer=other)
    record_calls(session, incident, staff_number="8001")

    with use_locale("en"), pytest.raises(InvalidInputError, match="contradicts itself"):
        decide(session, incident, Verdict.ATTRIBUTED, other, reason=None)
    attribution = decide(session, incident, Verdict.ATTRIBUTED, other, reason="以通话记录为准")

    assert (attribution.method, attribution.state) == (Method.RECORD, AttributionState.IN_FORCE)


def test_what_cannot_be_accepted_in_bulk_says_which_of_its_reasons_it_is(
    session: Session, incident: Incident, holder: Party
) -> None:
    day = clock.start_of_day(incident.occurred_on)
    changed = day + dt.timedelta(hours=1)
    number = make_number(session, digits="02966660000")
    make_holder(session, party=holder, number=number, held_to=changed)
    make_holder(session, party=make_party(session), number=number, held_from=changed)
    unsaid = make_incident(session, caller_number=None)
    unheld = make_incident(session, caller_number="02977770000")
    shared = make_incident(session, caller_number="02966660000", occurred_at=day, precision=Precision.DAY)
    official = make_incident(session, caller_number="10016")
    record_calls(session, incident)

    results = accept_suggestions(session, [unsaid.id, unheld.id, shared.id, official.id, incident.id], actor_id=TRIAGER)

    with use_locale("en"):
        words = [str(result.refusal) for result in results]
    assert words[0] == "The report names no calling number."
    assert words[1].startswith("Nobody held 02977770000 at ")
    assert words[2] == "The number changed hands on that day and the time is not known: ask both."
    assert words[3] == "The called number is not known: records cannot tell whether a platform dialled it."
    assert results[4].refusal is None


def test_accepting_twice_decides_once(session: Session, incident: Incident) -> None:
    record_calls(session, incident)
    accept_suggestions(session, [incident.id, incident.id], actor_id=TRIAGER)
    [again] = accept_suggestions(session, [incident.id], actor_id=TRIAGER)

    assert isinstance(again.refusal, AlreadyDecidedError)
    assert len(verdicts_of(session, incident.id)) == 1


def test_the_rows_that_other_tests_begin_with_are_those_of_a_decision(session: Session) -> None:
    party = make_party(session, sponsor=make_unit(session))
    decided = attribute(session, incident=make_incident(session), party=party)
    written = make_verdict(session, incident=make_incident(session), party=party)
    # A decision also keeps where it looked.
    own = {"id", "incident_id", "attribution_id", "decided_at", "reasons"}

    def said(row: Attribution | IncidentVerdict) -> dict[str, object]:
        columns = type(row).__table__.c.keys()
        return {name: getattr(row, name) for name in columns if name not in own}

    assert said(written) == said(decided)
    pointers = [session.get_one(IncidentVerdict, one.incident_id) for one in (decided, written)]
    assert said(pointers[0]) == said(pointers[1])
