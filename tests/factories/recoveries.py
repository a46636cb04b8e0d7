"""Paid credits, and what a party gives back of them."""

from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.models import Credit, CreditKind, CreditNature, CreditState
from supervise.complaints.models import Incident
from supervise.contracts.rules import RecoveryBase
from supervise.penalties.models import Penalty
from supervise.penalties.recovery_models import Recovery
from tests.factories.compensation import make_policy, make_victim

MAKER = 921


def pay(session: Session, incident: Incident, fen: int, *, state: CreditState = CreditState.ACCEPTED) -> Credit:
    """A credit of *fen* for the call, as it stands after billing's answer."""
    victim = make_victim(session)
    credit = Credit(
        reference=f"PC-{incident.id}",
        kind=CreditKind.PER_CALL,
        nature=CreditNature.COMPENSATION,
        incident_id=incident.id,
        policy_id=make_policy(session, code=f"P-{incident.id}").id,
        subscriber_id=victim.id,
        number_id=victim.number_id,
        amount_fen=fen,
        explanation={},
        content_sha256="",
        tax_label="",
        gl_account_code="6711.01",
        occurred_on=incident.occurred_on,
        period=clock.month_of(incident.occurred_on),
        state=state,
        maker_id=MAKER,
        approver_id=MAKER + 1,
        approved_at=clock.now(),
        proposed_at=clock.now(),
    )
    session.add(credit)
    session.flush()
    return credit


def make_recovery(
    session: Session, penalty: Penalty, *, paid_fen: int = 5000, base: RecoveryBase = RecoveryBase.CALL_PROVEN
) -> Recovery:
    """A proposed recovery of the whole credit for a charged call, by the party that its penalty charges."""
    credit = pay(session, session.get_one(Incident, penalty.incident_id), paid_fen)
    recovery = Recovery(
        reference=f"ZC-{credit.id}",
        credit_id=credit.id,
        incident_id=penalty.incident_id,
        finding_id=penalty.finding_id,
        party_id=penalty.party_id,
        unit_id=penalty.unit_id,
        contract_id=penalty.contract_id,
        rule_version_id=penalty.rule_version_id,
        base=base,
        paid_fen=paid_fen,
        recovery_bp=10000,
        amount_fen=paid_fen,
        explanation={"rule": {"code": "R", "number": 1}},
        content_sha256="ab" * 32,
        occurred_on=penalty.occurred_on,
        period=penalty.period,
        maker_id=MAKER,
        proposed_at=clock.now(),
    )
    session.add(recovery)
    session.flush()
    return recovery
