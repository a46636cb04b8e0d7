"""What waits for a second person, kind by kind: one select each, its columns as ``waiting`` lays them out."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, case, cast, func, literal, null, select
from sqlalchemy.orm import InstrumentedAttribute

from supervise.attribution.models import Attribution, AttributionState
from supervise.compensation.models import (
    CancellationState,
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchState,
    CreditCancellation,
    CreditState,
    PromiseState,
    Undertaking,
)
from supervise.contracts.models import (
    AmendmentState,
    Contract,
    ContractAmendment,
    ContractState,
    RuleState,
    RuleVersion,
)
from supervise.db import UTCDateTime
from supervise.ledger import reopen
from supervise.parties.models import Party, PhoneNumber
from supervise.parties.sanction_models import Sanction, SanctionState
from supervise.penalties.adjustment_models import Adjustment, AdjustmentState
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.penalties.models import (
    Objection,
    ObjectionState,
    Penalty,
    PenaltyState,
    ReversalRequest,
    ReversalState,
    Waiver,
    WaiverState,
)
from supervise.penalties.recovery_models import Recovery, RecoveryState
from supervise.settlement.models import RunState, SettlementRun, WriteOff, WriteOffState


def waiting(
    page_id: ColumnElement[Any] | Any,
    reference: ColumnElement[Any] | Any,
    proposer: ColumnElement[Any] | Any,
    *,
    about: Any = None,
    reason: Any = None,
    amount_fen: Any = None,
    barred: Any = None,
    at: Any = None,
) -> Select[*tuple[Any, ...]]:
    """Return what every kind says of a matter, in this order; what it does not say is NULL."""

    def column(value: Any, kind: Any, name: str) -> ColumnElement[Any]:
        return (cast(null(), kind) if value is None else value).label(name)

    return select(
        page_id.label("page_id"),
        reference.label("reference"),
        column(about, String(), "about"),
        column(reason, String(), "reason"),
        column(amount_fen, BigInteger(), "amount_fen"),
        proposer.label("proposer_id"),
        column(barred, BigInteger(), "barred_id"),
        column(at, UTCDateTime(), "proposed_at"),
    )


def _larger(first: InstrumentedAttribute[int], second: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return case((first > second, first), else_=second)


def penalties() -> Select[*tuple[Any, ...]]:
    """Return penalties that wait."""
    columns = waiting(
        Penalty.id, Penalty.reference, Penalty.maker_id, amount_fen=Penalty.amount_fen, at=Penalty.proposed_at
    )
    return columns.where(Penalty.state == PenaltyState.PROPOSED).order_by(Penalty.id)


def proposed_credits() -> Select[*tuple[Any, ...]]:
    """Return credits that wait."""
    columns = waiting(Credit.id, Credit.reference, Credit.maker_id, amount_fen=Credit.amount_fen, at=Credit.proposed_at)
    return columns.where(Credit.state == CreditState.PROPOSED).order_by(Credit.id)


def overrides() -> Select[*tuple[Any, ...]]:
    """Return overrides that wait."""
    columns = waiting(
        Attribution.incident_id,
        cast(Attribution.incident_id, String()),
        Attribution.decided_by,
        reason=Attribution.reason,
        at=Attribution.decided_at,
    )
    return columns.where(Attribution.state == AttributionState.WAITING).order_by(Attribution.id)


def objections() -> Select[*tuple[Any, ...]]:
    """Return objections that wait."""
    columns = waiting(
        Penalty.id,
        Penalty.reference,
        Objection.filed_by,
        about=Party.name,
        reason=Objection.body,
        amount_fen=Penalty.amount_fen,
        barred=Penalty.approver_id,
        at=Objection.filed_at,
    )
    return (
        columns.select_from(Objection)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(Objection.state.in_((ObjectionState.OPEN, ObjectionState.LATE)))
        .order_by(Objection.id)
    )


def fine_claims() -> Select[*tuple[Any, ...]]:
    """Return claims of regulators' fines that wait."""
    columns = waiting(
        FineRecourse.fine_id,
        FineRecourse.reference,
        FineRecourse.maker_id,
        about=Party.name,
        reason=FineRecourse.ground,
        amount_fen=FineRecourse.amount_fen,
        at=FineRecourse.proposed_at,
    )
    return (
        columns.join(Party, Party.id == FineRecourse.party_id)
        .where(FineRecourse.state == RecourseState.PROPOSED)
        .order_by(FineRecourse.id)
    )


def recoveries() -> Select[*tuple[Any, ...]]:
    """Return recoveries of credits that wait."""
    columns = waiting(
        Recovery.id,
        Recovery.reference,
        Recovery.maker_id,
        about=Party.name,
        amount_fen=Recovery.amount_fen,
        at=Recovery.proposed_at,
    )
    return (
        columns.join(Party, Party.id == Recovery.party_id)
        .where(Recovery.state == RecoveryState.PROPOSED)
        .order_by(Recovery.id)
    )


def reversals() -> Select[*tuple[Any, ...]]:
    """Return reversals that wait."""
    columns = waiting(
        ReversalRequest.penalty_id,
        Penalty.reference,
        ReversalRequest.proposed_by,
        amount_fen=ReversalRequest.amount_fen,
        at=ReversalRequest.proposed_at,
    )
    return (
        columns.select_from(ReversalRequest)
        .join(Penalty, Penalty.id == ReversalRequest.penalty_id)
        .where(ReversalRequest.state == ReversalState.OPEN)
        .order_by(ReversalRequest.id)
    )


def adjustments() -> Select[*tuple[Any, ...]]:
    """What follows of lifted penalties; the system found it, so nobody is barred as its proposer."""
    columns = waiting(
        Adjustment.id, Penalty.reference, literal(0), amount_fen=Adjustment.amount_fen, at=Adjustment.found_at
    )
    return (
        columns.select_from(Adjustment)
        .join(Penalty, Penalty.id == Adjustment.penalty_id)
        .where(Adjustment.state == AdjustmentState.OPEN)
        .order_by(Adjustment.id)
    )


def waivers() -> Select[*tuple[Any, ...]]:
    """Return waivers that wait."""
    columns = waiting(
        Penalty.id,
        Penalty.reference,
        Waiver.proposed_by,
        about=Party.name,
        reason=Waiver.reason,
        amount_fen=Waiver.amount_fen,
        at=Waiver.proposed_at,
    )
    return (
        columns.select_from(Waiver)
        .join(Penalty, Penalty.id == Waiver.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(Waiver.state == WaiverState.OPEN)
        .order_by(Waiver.id)
    )


def voids() -> Select[*tuple[Any, ...]]:
    """Return voids that wait."""
    columns = waiting(
        CreditBatch.id, CreditBatch.number, CreditBatch.void_proposed_by, amount_fen=CreditBatch.total_fen
    )
    asked = CreditBatch.void_proposed_by.is_not(None)
    return columns.where(asked, CreditBatch.state == CreditBatchState.SENT).order_by(CreditBatch.id)


def cancellations() -> Select[*tuple[Any, ...]]:
    """Return cancellations that wait."""
    columns = waiting(
        Credit.id,
        Credit.reference,
        CreditCancellation.proposed_by,
        reason=CreditCancellation.reason,
        amount_fen=Credit.amount_fen,
        at=CreditCancellation.proposed_at,
    )
    return (
        columns.select_from(CreditCancellation)
        .join(Credit, Credit.id == CreditCancellation.credit_id)
        .where(CreditCancellation.state == CancellationState.OPEN)
        .order_by(CreditCancellation.id)
    )


def contracts() -> Select[*tuple[Any, ...]]:
    """Return contracts that wait."""
    columns = waiting(Contract.id, Contract.number, Contract.drafted_by, about=Contract.name)
    return columns.where(Contract.state == ContractState.DRAFT).order_by(Contract.id)


def amendments() -> Select[*tuple[Any, ...]]:
    """Return amendments of contracts that wait."""
    columns = waiting(
        ContractAmendment.contract_id,
        Contract.number + " · " + ContractAmendment.number,
        ContractAmendment.drafted_by,
        about=Contract.name,
        reason=ContractAmendment.reason,
        at=ContractAmendment.drafted_at,
    )
    return (
        columns.select_from(ContractAmendment)
        .join(Contract, Contract.id == ContractAmendment.contract_id)
        .where(ContractAmendment.state == AmendmentState.DRAFT)
        .order_by(ContractAmendment.id)
    )


def rules() -> Select[*tuple[Any, ...]]:
    """Return rules that wait."""
    columns = waiting(
        RuleVersion.id,
        RuleVersion.code + " v" + cast(RuleVersion.number, String()),
        RuleVersion.drafted_by,
        about=Contract.name,
    )
    return (
        columns.select_from(RuleVersion)
        .join(Contract, Contract.id == RuleVersion.contract_id)
        .where(RuleVersion.state == RuleState.DRAFT)
        .order_by(RuleVersion.id)
    )


def undertakings() -> Select[*tuple[Any, ...]]:
    """Return undertakings that wait."""
    columns = waiting(
        Undertaking.id,
        Undertaking.reference,
        Undertaking.drafted_by,
        amount_fen=_larger(Undertaking.lump_fen, Undertaking.per_call_fen),
        at=Undertaking.drafted_at,
    )
    return columns.where(Undertaking.state == PromiseState.DRAFT, Undertaking.given_up_at.is_(None)).order_by(
        Undertaking.id
    )


def policies() -> Select[*tuple[Any, ...]]:
    """Return policies that wait."""
    columns = waiting(
        CompensationPolicy.id,
        CompensationPolicy.code,
        CompensationPolicy.drafted_by,
        about=CompensationPolicy.name,
        amount_fen=CompensationPolicy.per_call_fen,
    )
    return columns.where(
        CompensationPolicy.state == PromiseState.DRAFT, CompensationPolicy.given_up_at.is_(None)
    ).order_by(CompensationPolicy.id)


def reopenings() -> Select[*tuple[Any, ...]]:
    """Return reopenings that wait."""
    request = reopen.ReopeningRow
    columns = waiting(request.id, request.month, request.asked_by, reason=request.reason, at=request.asked_at)
    return columns.where(reopen.waits()).order_by(request.id)


def sanctions() -> Select[*tuple[Any, ...]]:
    """Return sanctions that wait; those of the ladder have no proposer."""
    columns = waiting(
        Sanction.id,
        cast(Sanction.id, String()),
        func.coalesce(Sanction.proposed_by, 0),
        about=func.coalesce(Party.name, PhoneNumber.digits),
        reason=Sanction.reason,
        at=Sanction.proposed_at,
    )
    return (
        columns.select_from(Sanction)
        .outerjoin(Party, Party.id == Sanction.party_id)
        .outerjoin(PhoneNumber, PhoneNumber.id == Sanction.number_id)
        .where(Sanction.state == SanctionState.PROPOSED)
        .order_by(Sanction.id)
    )


def settlement_runs() -> Select[*tuple[Any, ...]]:
    """Monthly settlement runs that wait for a supervisor."""
    columns = waiting(
        SettlementRun.id,
        SettlementRun.number,
        SettlementRun.made_by,
        about=SettlementRun.month,
        at=SettlementRun.made_at,
    )
    return columns.where(SettlementRun.state == RunState.DRAFT).order_by(SettlementRun.id)


def write_offs() -> Select[*tuple[Any, ...]]:
    """Write-offs that wait for their first or second supervisor."""
    columns = waiting(
        WriteOff.id,
        Penalty.reference,
        WriteOff.proposed_by,
        about=Party.name,
        reason=WriteOff.reason,
        amount_fen=WriteOff.amount_fen,
        barred=WriteOff.first_by,
        at=WriteOff.proposed_at,
    )
    return (
        columns.select_from(WriteOff)
        .join(Penalty, Penalty.id == WriteOff.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(WriteOff.state.in_((WriteOffState.OPEN, WriteOffState.ENDORSED)))
        .order_by(WriteOff.id)
    )
