"""Promises, proven calls and credits for tests, with dull legal defaults."""

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import (
    Attribution,
    AttributionState,
    Finding,
    FindingState,
    IncidentVerdict,
    Method,
    Verdict,
)
from supervise.attribution.proof_models import VerificationKind, VerificationOutcome
from supervise.attribution.verification import Verified, write_entries
from supervise.compensation.approve import Shown, approve_credits
from supervise.compensation.models import (
    CallUnit,
    CompensationPolicy,
    Credit,
    CreditNature,
    PromiseState,
    Undertaking,
)
from supervise.compensation.propose import propose_credits
from supervise.complaints.models import Incident, OffenceType, Subscriber
from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.parties.models import OrgUnit, Party
from tests.factories.complaints import CALLED_AT, make_incident, make_subscriber, make_ticket
from tests.factories.ledger import make_period
from tests.factories.parties import make_party, make_unit

MAKER = 11
APPROVER = 12
HEARD = Verified(VerificationKind.RECORDING_REVIEW, VerificationOutcome.CONFIRMED, "录音复核：用户已明确拒绝")


def make_labels(session: Session) -> None:
    """What finance must have said before a credit can be booked, and the open month that takes it."""
    make_period(session)
    for nature in CreditNature:
        label = select(AccountingLabel.id).where(AccountingLabel.nature == nature.value)
        if session.scalar(label) is None:
            session.add(
                AccountingLabel(
                    nature=nature.value,
                    direction=ContractDirection.INTERNAL,
                    gl_account_code="6711.01",
                    tax_label="非应税",
                    valid_from=dt.date(2020, 1, 1),
                )
            )
    session.flush()


def make_undertaking(
    session: Session,
    *,
    subscriber: Subscriber,
    starts_at: dt.datetime = CALLED_AT - dt.timedelta(days=30),
    ends_at: dt.datetime | None = None,
    per_call_fen: int = 50_00,
    lump_fen: int = 0,
    call_unit: CallUnit = CallUnit.ATTEMPTED,
    calls_per_day_max: int | None = None,
    nature: CreditNature = CreditNature.COMPENSATION,
    state: PromiseState = PromiseState.ACTIVE,
    reference: str | None = None,
) -> Undertaking:
    undertaking = Undertaking(
        reference=reference or f"CN-T{subscriber.id:05d}-{starts_at:%y%m%d%H%M}",
        number_id=subscriber.number_id,
        subscriber_id=subscriber.id,
        starts_at=starts_at,
        ends_at=ends_at,
        per_call_fen=per_call_fen,
        lump_fen=lump_fen,
        call_unit=call_unit,
        calls_per_day_max=calls_per_day_max,
        nature=nature,
        state=state,
        drafted_by=MAKER,
        drafted_at=starts_at,
        agreed_by=None if state is PromiseState.DRAFT else APPROVER,
        agreed_at=None if state is PromiseState.DRAFT else starts_at,
    )
    session.add(undertaking)
    session.flush()
    return undertaking


def make_policy(
    session: Session,
    *,
    code: str = "POLICY-T",
    starts_at: dt.datetime = CALLED_AT - dt.timedelta(days=30),
    ends_at: dt.datetime | None = None,
    per_call_fen: int = 30_00,
    call_unit: CallUnit = CallUnit.ATTEMPTED,
    state: PromiseState = PromiseState.ACTIVE,
) -> CompensationPolicy:
    policy = CompensationPolicy(
        code=code,
        name="统一赔偿办法",
        starts_at=starts_at,
        ends_at=ends_at,
        per_call_fen=per_call_fen,
        call_unit=call_unit,
        nature=CreditNature.COMPENSATION,
        state=state,
        drafted_by=MAKER,
        agreed_by=None if state is PromiseState.DRAFT else APPROVER,
    )
    session.add(policy)
    session.flush()
    return policy


def make_victim(session: Session, *, unit: OrgUnit | None = None, held_to: dt.datetime | None = None) -> Subscriber:
    """A subscriber whose branch bears the expense."""
    make_labels(session)
    return make_subscriber(session, unit=unit or make_unit(session, cost_centre="CC-1"), held_to=held_to)


def make_call(
    session: Session,
    *,
    subscriber: Subscriber | None,
    occurred_at: dt.datetime = CALLED_AT,
    party: Party | None = None,
    **facts: object,
) -> Incident:
    """A reported call to *subscriber*; without one, an anonymous report."""
    ticket = make_ticket(session, received_at=occurred_at + dt.timedelta(hours=1))
    ticket.number_id = subscriber.number_id if subscriber else None
    return make_incident(session, ticket=ticket, occurred_at=occurred_at, **facts)  # type: ignore[arg-type]


def prove(session: Session, incident: Incident, *, party: Party | None = None) -> Finding:
    """Attribute *incident* and prove an offence."""
    party = party or make_party(session)
    attribution = Attribution(
        incident_id=incident.id,
        verdict=Verdict.ATTRIBUTED,
        method=Method.NUMBER_HOLDER,
        party_id=party.id,
        chain=[[party.id, None]],
        reasons=[],
        state=AttributionState.IN_FORCE,
        decided_by=MAKER,
        decided_at=clock.now(),
    )
    session.add(attribution)
    session.flush()
    session.add(
        IncidentVerdict(
            incident_id=incident.id,
            attribution_id=attribution.id,
            verdict=Verdict.ATTRIBUTED,
            party_id=party.id,
        )
    )
    offence = session.scalars(select(OffenceType).where(OffenceType.code == "after_refusal")).first()
    assert offence is not None
    write_entries(session, [incident.id], [HEARD], actor_id=MAKER)
    finding = Finding(
        incident_id=incident.id,
        attribution_id=attribution.id,
        offence_type_id=offence.id,
        offence_code=offence.code,
        party_id=party.id,
        state=FindingState.PROVEN,
        evidence_note="录音复核：用户已明确拒绝",
        checklist={"earlier_refusal": True},
        found_by=MAKER,
        found_at=clock.now(),
    )
    session.add(finding)
    session.flush()
    return finding


def make_proven_call(
    session: Session, *, subscriber: Subscriber | None, occurred_at: dt.datetime = CALLED_AT, **facts: Any
) -> Incident:
    incident = make_call(session, subscriber=subscriber, occurred_at=occurred_at, **facts)
    prove(session, incident)
    return incident


def make_credit(
    session: Session, *, subscriber: Subscriber, occurred_at: dt.datetime = CALLED_AT, maker: int = MAKER
) -> Credit:
    """A proposed credit for a proven call; *subscriber* must have been promised something."""
    incident = make_proven_call(session, subscriber=subscriber, occurred_at=occurred_at)
    [result] = propose_credits(session, [incident.id], actor_id=maker)
    assert result.refusal is None, result.refusal
    return session.scalars(select(Credit).where(Credit.incident_id == incident.id)).one()


def shown(credit: Credit) -> Shown:
    return Shown(credit.id, credit.content_sha256)


def make_approved_credit(session: Session, *, subscriber: Subscriber, occurred_at: dt.datetime = CALLED_AT) -> Credit:
    credit = make_credit(session, subscriber=subscriber, occurred_at=occurred_at)
    [result] = approve_credits(session, [shown(credit)], actor_id=APPROVER)
    assert result.refusal is None, result.refusal
    session.refresh(credit)
    return credit
