"""Parties that owe final penalties, and what there is to take them from."""

import datetime as dt
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.models import Finding
from supervise.contracts.models import ContractDirection
from supervise.contracts.rules import RecoveryBase
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.post import post
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.models import Penalty, PenaltyFamily, PenaltyState
from supervise.penalties.postings import final_lines
from supervise.penalties.recourse import approve_recourse
from supervise.penalties.recoveries import approve_recoveries
from supervise.penalties.recovery_models import Recovery
from supervise.penalties.steps import record_steps
from supervise.settlement.commissions import CommissionFacts, record_commission
from supervise.settlement.deposits import DepositFacts, receive_deposit
from supervise.settlement.models import CommissionStatement, DepositMovement, Settlement, SettlementRun
from supervise.settlement.posting import post_next
from supervise.settlement.runs import approve_run, propose_run
from tests.factories.access import make_user
from tests.factories.attribution import make_proven_incident
from tests.factories.fines import make_recourse
from tests.factories.penalties import MAKER, Charged, make_supervisor
from tests.factories.recoveries import make_recovery

FINANCE = 941
_serial = count(1)


def make_finance_user(session: Session) -> User:
    known = session.scalars(select(User).where(User.username == "finance")).one_or_none()
    return known or make_user(session, username="finance", role=Role.FINANCE)


def make_final_penalty(
    session: Session,
    *,
    charged: Charged,
    amount_fen: int = 20000,
    finding: Finding | None = None,
    share: dict[str, Any] | None = None,
) -> Penalty:
    """A final penalty of a partner as the ledger has it; *finding* and *share* make it one of several joint ones."""
    if finding is None:
        incident = make_proven_incident(session, party=charged.party)
        finding = session.scalars(select(Finding).where(Finding.incident_id == incident.id)).one()
        finding.held = True
    now = clock.now()
    penalty = Penalty(
        reference=f"KF-E-{next(_serial):06d}",
        finding_id=finding.id,
        incident_id=finding.incident_id,
        offence_code=finding.offence_code,
        family=PenaltyFamily.EXTERNAL,
        party_id=charged.party.id,
        unit_id=charged.unit.id,
        contract_id=charged.contract.id,
        rule_version_id=charged.rule.id,
        gross_fen=amount_fen,
        capped_fen=0,
        amount_fen=amount_fen,
        loss_basis_fen=0,
        nature="damages",
        direction=ContractDirection.WE_BUY,
        tax_label="",
        gl_account_code="6301.01",
        explanation={"share": share} if share else {},
        is_joint=share is not None and share.get("mode") == "joint",
        content_sha256="0" * 64,
        occurred_on=clock.today(),
        period=clock.month_of(clock.today()),
        state=PenaltyState.FINAL,
        maker_id=MAKER,
        proposed_at=now,
        approver_id=make_supervisor(session).id,
        approved_at=now,
        finalised_at=now,
    )
    session.add(penalty)
    session.flush()
    record_steps(session, [penalty.id], PenaltyState.FINAL, actor_id=None)
    draft = EntryDraft(
        key=f"penalty:final:{penalty.id}",
        event="penalty.final",
        effective_on=clock.today(),
        lines=final_lines(penalty, amount_fen),
    )
    post(session, [draft])
    return penalty


def make_deposit(session: Session, *, charged: Charged, amount_fen: int) -> DepositMovement:
    facts = DepositFacts(charged.party.id, amount_fen, f"BANK-{next(_serial):06d}", clock.today())
    return receive_deposit(session, facts, actor_id=FINANCE)


def make_commission(session: Session, *, charged: Charged, due_fen: int, deducted_fen: int = 0) -> CommissionStatement:
    """What the contract earns this month."""
    facts = CommissionFacts(charged.contract.id, this_month(), due_fen, deducted_fen)
    return record_commission(session, facts, actor_id=FINANCE)


def this_month() -> str:
    return clock.month_of(clock.today())


def draft_run(session: Session, *, month: str | None = None) -> SettlementRun:
    return propose_run(session, month or this_month(), actor_id=FINANCE)


def approved(session: Session, run: SettlementRun) -> SettlementRun:
    return approve_run(session, run.id, run.content_sha256, actor_id=make_supervisor(session).id)


def posted(session: Session, run: SettlementRun) -> SettlementRun:
    """Approve the run and post all of it."""
    approved(session, run)
    while True:
        standing = post_next(session, run.id)
        if standing.done == standing.total:
            return run


def settlement_of(session: Session, run: SettlementRun, charged: Charged) -> Settlement:
    query = select(Settlement).where(Settlement.run_id == run.id, Settlement.party_id == charged.party.id)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def last_of_month(day: dt.date) -> dt.date:
    return clock.month_bounds(clock.month_of(day))[1] - dt.timedelta(days=1)


def make_due_recovery(
    session: Session, *, charged: Charged, paid_fen: int = 50_00, base: RecoveryBase = RecoveryBase.CALL_PROVEN
) -> Recovery:
    """An approved recovery of the whole credit for a call, beside its final penalty of 200 yuan."""
    penalty = make_final_penalty(session, charged=charged)
    recovery = make_recovery(session, penalty, paid_fen=paid_fen, base=base)
    supervisor = make_supervisor(session)
    [result] = approve_recoveries(session, [(recovery.id, recovery.content_sha256)], actor_id=supervisor.id)
    assert result.refusal is None
    return recovery


def make_due_recourse(
    session: Session, *, charged: Charged, amount_fen: int = 600_00, decided_on: dt.date = dt.date(2026, 10, 8)
) -> FineRecourse:
    """An approved claim of a part of a regulator's fine."""
    line = make_recourse(session, party_id=charged.party.id, amount_fen=amount_fen, decided_on=decided_on)
    return approve_recourse(session, line.id, actor_id=make_supervisor(session).id)
