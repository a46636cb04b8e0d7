"""Recovering credits from the party whose call cost them: proposed, approved by a second person, posted (P-8)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.attribution.findings import lock_proven
from supervise.audit.record import record_event
from supervise.compensation.models import Credit, CreditKind, CreditNature, CreditState
from supervise.complaints.models import Incident
from supervise.contracts.rules import RecoveryBase, content_sha256
from supervise.db import reserve_ids
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    RefusalError,
    RowResult,
    SamePersonError,
)
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.parties.models import Party
from supervise.penalties.belonging import ChargedUnits, OwnUnitError
from supervise.penalties.cases import Case, PricedFinding, load_cases
from supervise.penalties.pricing import recover
from supervise.penalties.recovery_models import LIVE_RECOVERY_STATES, Recovery, RecoveryState

#: Why a recovery fell, where its rule lets it fall with the penalty.
FINDING_FELL = N_("The finding behind it was overturned, and the rule recovers only with the penalty")
_SHOWN = (
    "reference",
    "credit_id",
    "finding_id",
    "party_id",
    "contract_id",
    "rule_version_id",
    "paid_fen",
    "recovery_bp",
    "amount_fen",
    "explanation",
)


class NothingToRecoverError(ConflictError):
    """Only what billing has credited can be recovered, and once."""

    message = N_("Nothing that was paid for this call is left to recover")


class NoRecoveryClauseError(ConflictError):
    """No rule that prices the call says anything of credits."""

    message = N_("No rule of this call recovers credits")


def propose_recoveries(session: Session, incident_ids: Sequence[int], *, actor_id: int) -> list[RowResult]:
    """Propose what the parties give back of the credits paid for each incident; a result for every id, in order.

    Of the rules that price its proven findings the one that recovers most counts, of equals the first finding's.
    The part of a branch stays with the carrier: it is the carrier. Source: docs/rules.md, P-8.
    """
    ids = list(dict.fromkeys(incident_ids))
    query = select(Incident.id).where(Incident.id.in_(ids)).order_by(Incident.id).with_for_update(key_share=True)
    known = set(session.scalars(query))
    cases = load_cases(session, known)
    paid = _open_credits(session, known)
    rows: list[dict[str, Any]] = []
    results = []
    for incident_id in ids:
        refusal: RefusalError | None = None
        try:
            rows += _rows(cases.get(incident_id, NotFoundError()), paid.get(incident_id))
        except RefusalError as error:
            refusal = error
        results.append(RowResult(incident_id, refusal))
    if rows:
        _insert(session, rows, actor_id)
    return results


def approve_recoveries(session: Session, shown: Collection[tuple[int, str]], *, actor_id: int) -> list[RowResult]:
    """Approve each recovery (id and SHA-256 as shown) as the second person, and post it; a result for every line."""
    lines = dict(shown)
    ids = sorted(lines)
    locked = _lock(session, ids)
    proven = lock_proven(session, {recovery.finding_id for recovery in locked.values()})
    units = ChargedUnits(session, actor_id)
    results = [
        RowResult(recovery_id, _refusal(session, locked.get(recovery_id), lines[recovery_id], actor_id, units, proven))
        for recovery_id in lines
    ]
    approved = [locked[result.subject_id] for result in results if result.refusal is None]
    now = clock.now()
    for recovery in approved:
        recovery.state, recovery.approver_id, recovery.approved_at = RecoveryState.APPROVED, actor_id, now
    session.flush()
    post(session, [_entry(recovery, clock.china_day(now)) for recovery in approved])
    if approved:
        _record(session, "recovery.approved", approved, actor_id)
    return results


def void_recovery(session: Session, recovery_id: int, reason: str, *, actor_id: int) -> Recovery:
    """Take a recovery back with a *reason*; what was posted is reversed, what was collected is owed back.

    Never by who approved it.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it is void already.
        SamePersonError: if *actor_id* approved it.
        OwnUnitError: if it charges the user's own party.
        InvalidInputError: without a reason.
    """
    recovery = _lock(session, [recovery_id]).get(recovery_id)
    if recovery is None:
        raise NotFoundError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if recovery.state is RecoveryState.VOIDED:
        raise AlreadyDecidedError
    if recovery.approver_id == actor_id:
        raise SamePersonError
    if ChargedUnits(session, actor_id).include_party(session.get_one(Party, recovery.party_id)):
        raise OwnUnitError(reference=recovery.reference)
    _void(session, recovery, reason.strip(), actor_id=actor_id, by_person=True)
    return recovery


def fall_with_findings(session: Session, finding_ids: Collection[int], *, actor_id: int) -> None:
    """Void the recoveries of overturned findings whose rule recovers only with the penalty; the others stay."""
    query = (
        select(Recovery)
        .where(
            Recovery.finding_id.in_(finding_ids),
            Recovery.base == RecoveryBase.FINDING,
            Recovery.state.in_(LIVE_RECOVERY_STATES),
        )
        .order_by(Recovery.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for recovery in session.scalars(query).all():
        _void(session, recovery, FINDING_FELL, actor_id=actor_id, by_person=False)


def _open_credits(session: Session, incident_ids: Collection[int]) -> dict[int, Credit]:
    """Return the credit that billing accepted for each incident, unless it is being recovered already."""
    live = select(Recovery.credit_id).where(Recovery.state.in_(LIVE_RECOVERY_STATES))
    query = select(Credit).where(
        Credit.incident_id.in_(incident_ids),
        Credit.kind == CreditKind.PER_CALL,
        Credit.nature == CreditNature.COMPENSATION,
        Credit.state == CreditState.ACCEPTED,
        Credit.id.not_in(live),
    )
    return {credit.incident_id: credit for credit in session.scalars(query) if credit.incident_id is not None}


def _rows(case: Case | RefusalError, credit: Credit | None) -> list[dict[str, Any]]:
    if isinstance(case, RefusalError):
        raise case
    recovering = [found for found in case.findings if found.offence.rule.parameters.recovery_bp is not None]
    if not recovering:
        raise NoRecoveryClauseError
    found = max(recovering, key=lambda one: one.offence.rule.parameters.recovery_bp or 0)
    if credit is None:
        raise NothingToRecoverError
    rows = _parts(case, found, credit)
    if not rows:
        raise NothingToRecoverError
    return rows


def _parts(case: Case, found: PricedFinding, credit: Credit) -> list[dict[str, Any]]:
    rule, shares = found.offence.rule, found.offence.rule.parameters.shares
    weights = [part.share_bp or 1 for part in shares.parts] if shares is not None else [1]
    recovery_bp = rule.parameters.recovery_bp or 0
    amounts = recover(credit.amount_fen, recovery_bp, weights)
    return [
        {
            "credit_id": credit.id,
            "incident_id": case.incident_id,
            "finding_id": found.offence.finding_id,
            "party_id": bearer.party_id,
            "unit_id": case.unit_id,
            "contract_id": found.contract.id,
            "rule_version_id": rule.version_id,
            "base": rule.parameters.recovery_base,
            "paid_fen": credit.amount_fen,
            "recovery_bp": recovery_bp,
            "amount_fen": amount_fen,
            "explanation": {
                "rule": {"code": rule.code, "number": rule.number, "content_sha256": rule.content_sha256},
                "credit": credit.reference,
                "paid_fen": credit.amount_fen,
                "recovery_bp": recovery_bp,
                "share": {"weight": weight, "of": sum(weights)} if shares is not None else None,
            },
            "occurred_on": found.offence.occurred_on,
            "period": clock.month_of(found.offence.occurred_on),
        }
        for bearer, weight, amount_fen in zip(found.bearers, weights, amounts, strict=True)
        if bearer.contract is not None and amount_fen
    ]


def _insert(session: Session, rows: list[dict[str, Any]], actor_id: int) -> None:
    ids = reserve_ids(session, Recovery.__table__, len(rows))
    now = clock.now()
    for recovery_id, row in zip(ids, rows, strict=True):
        row |= {
            "id": recovery_id,
            "reference": f"ZC{clock.china_day(now):%Y%m}-{recovery_id:06d}",
            "state": RecoveryState.PROPOSED,
            "maker_id": actor_id,
            "proposed_at": now,
        }
        row["content_sha256"] = content_sha256({name: row[name] for name in _SHOWN})
    session.execute(insert(Recovery), rows)
    record_event(
        session,
        actor_id=actor_id,
        action="recovery.proposed",
        subject="recovery",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"recovery_ids": ids, "total_fen": sum(row["amount_fen"] for row in rows)},
    )


def _lock(session: Session, ids: Collection[int]) -> dict[int, Recovery]:
    rows = session.scalars(
        select(Recovery)
        .where(Recovery.id.in_(ids))
        .order_by(Recovery.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {recovery.id: recovery for recovery in rows}


def _refusal(  # noqa: PLR0917 - one line for each reason
    session: Session,
    recovery: Recovery | None,
    shown_sha256: str,
    actor_id: int,
    units: ChargedUnits,
    proven: Collection[int],
) -> RefusalError | None:
    if recovery is None:
        return NotFoundError()
    if recovery.state is not RecoveryState.PROPOSED or recovery.content_sha256 != shown_sha256:
        return AlreadyDecidedError()
    if recovery.maker_id == actor_id:  # also a CHECK of the table
        return SamePersonError()
    if units.include_party(session.get_one(Party, recovery.party_id)):
        return OwnUnitError(reference=recovery.reference)
    if recovery.base is RecoveryBase.FINDING and recovery.finding_id not in proven:
        return ConflictError(FINDING_FELL)
    if session.get_one(Credit, recovery.credit_id).state is not CreditState.ACCEPTED:
        return NothingToRecoverError()
    try:
        require_authority(session, user_id=actor_id, amount_fen=recovery.amount_fen)
    except NotPermittedError as refusal:
        return refusal
    return None


def _entry(recovery: Recovery, on: dt.date) -> EntryDraft:
    return EntryDraft(
        key=f"recovery:approved:{recovery.id}",
        event="recovery.approved",
        effective_on=on,
        lines=[
            Line(AccountCode.COMPENSATION_RECOVERABLE, recovery.party_id, recovery.amount_fen),
            Line(AccountCode.COMPENSATION_RECOVERY, recovery.party_id, -recovery.amount_fen),
        ],
        actor_id=recovery.maker_id,
        approver_id=recovery.approver_id,
    )


def _void(session: Session, recovery: Recovery, reason: str, *, actor_id: int, by_person: bool) -> None:
    was_posted = recovery.state is RecoveryState.APPROVED
    recovery.state, recovery.void_reason, recovery.voided_at = RecoveryState.VOIDED, reason, clock.now()
    recovery.voided_by = actor_id if by_person else None
    session.flush()
    if was_posted:
        key = f"recovery:approved:{recovery.id}"
        draft = ReversalDraft(
            entry_id=entries_of_keys(session, [key])[key],
            key=f"recovery:voided:{recovery.id}",
            event="recovery.voided",
            effective_on=clock.today(),
            reason=reason,
            actor_id=actor_id,
        )
        reverse(session, [draft])
    if recovery.settled_fen:
        _owe_back(session, recovery, reason, actor_id)
    _record(session, "recovery.voided", [recovery], actor_id, reason)


def _owe_back(session: Session, recovery: Recovery, reason: str, actor_id: int) -> None:
    draft = EntryDraft(
        key=f"recovery:refund:{recovery.id}",
        event="recovery.refund_due",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.COMPENSATION_RECOVERABLE, recovery.party_id, recovery.settled_fen),
            Line(AccountCode.REFUND_DUE, recovery.party_id, -recovery.settled_fen),
        ],
        actor_id=actor_id,
        reason=reason,
    )
    post(session, [draft])


def _record(
    session: Session, action: str, recoveries: Sequence[Recovery], actor_id: int, reason: str | None = None
) -> None:
    ids = [recovery.id for recovery in recoveries]
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="recovery",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"recovery_ids": ids, "total_fen": sum(recovery.amount_fen for recovery in recoveries)},
        reason=reason,
    )
