"""Approving, returning and cancelling credits: a second person, once, posted to the ledger."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Finding, FindingState
from supervise.audit.record import record_event
from supervise.compensation.models import Credit, CreditKind, CreditNature, CreditState
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    NotFoundError,
    NotPermittedError,
    RefusalError,
    RowResult,
    SamePersonError,
)
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.post import post

#: Which expense a credit is, by its nature (domain 8).
EXPENSE_OF_NATURE = {
    CreditNature.COMPENSATION: AccountCode.COMPENSATION_EXPENSE,
    CreditNature.REWARD: AccountCode.REWARD_EXPENSE,
}


class ContentChangedError(ConflictError):
    """What the approver had on screen is not what would be approved."""

    message = N_("%(reference)s changed since it was shown; look at it again")


class AboveLimitError(NotPermittedError):
    """The amount is above what this person may approve."""

    message = N_("%(reference)s is above your limit: a supervisor must decide")


class Shown(NamedTuple):
    """A line as the person who decides had it on screen."""

    credit_id: int
    content_sha256: str


def approve_credits(
    session: Session, shown: Sequence[Shown], *, actor_id: int, limit_fen: int | None = None
) -> list[RowResult]:
    """Approve each credit that still is what was shown, and post it; return a result for every line, in order.

    *limit_fen* is the largest single amount that *actor_id* may approve (a deputy's), or None.
    An approved credit is payable from this moment: debit the unit's expense, credit the subscriber (domain 8).
    """
    locked = _lock(session, [line.credit_id for line in shown])
    proven = _incidents_with_proof(session, locked.values())

    def refusal(line: Shown) -> RefusalError | None:
        credit = locked.get(line.credit_id)
        return _refusal(credit, line, actor_id, limit_fen) or _proof_missing(credit, proven)

    results = [RowResult(line.credit_id, refusal(line)) for line in _once(shown)]
    approved = [locked[result.subject_id] for result in results if result.refusal is None]
    _mark_approved(session, [credit.id for credit in approved], actor_id)
    today = clock.today()
    post(session, [_payable(credit, actor_id, today) for credit in approved])
    _audit(session, "credits.approved", approved, actor_id)
    return results


def return_credits(session: Session, credit_ids: Sequence[int], reason: str, *, actor_id: int) -> list[RowResult]:
    """Send proposed credits back to their maker with a *reason*; the incident can be proposed anew."""
    locked = _lock(session, credit_ids)
    results = [RowResult(credit_id, _not_proposed(locked.get(credit_id))) for credit_id in dict.fromkeys(credit_ids)]
    returned = [locked[result.subject_id] for result in results if result.refusal is None]
    session.execute(
        update(Credit)
        .where(Credit.id.in_([credit.id for credit in returned]))
        .values(state=CreditState.RETURNED, return_reason=reason, version=Credit.version + 1)
    )
    _audit(session, "credits.returned", returned, actor_id, reason)
    return results


def _lock(session: Session, credit_ids: Collection[int]) -> dict[int, Credit]:
    rows = session.scalars(
        select(Credit)
        .where(Credit.id.in_(credit_ids))
        .order_by(Credit.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {credit.id: credit for credit in rows}


def _once(shown: Sequence[Shown]) -> list[Shown]:
    return list({line.credit_id: line for line in shown}.values())


def _refusal(credit: Credit | None, line: Shown, actor_id: int, limit_fen: int | None) -> RefusalError | None:
    """Return why *credit* cannot be approved by *actor_id*, or None."""
    refusal = _not_proposed(credit)
    if refusal is not None or credit is None:
        return refusal
    if credit.maker_id == actor_id:  # also a CHECK on credit
        return SamePersonError()
    if credit.content_sha256 != line.content_sha256:
        return ContentChangedError(reference=credit.reference)
    if limit_fen is not None and credit.amount_fen > limit_fen:
        return AboveLimitError(reference=credit.reference)
    return None


def _not_proposed(credit: Credit | None) -> RefusalError | None:
    if credit is None:
        return NotFoundError()
    return None if credit.state is CreditState.PROPOSED else AlreadyDecidedError()


def _incidents_with_proof(session: Session, chosen: Collection[Credit]) -> set[int]:
    incident_ids = {credit.incident_id for credit in chosen if credit.incident_id is not None}
    query = select(Finding.incident_id).where(
        Finding.incident_id.in_(incident_ids), Finding.state == FindingState.PROVEN
    )
    return set(session.scalars(query))


def _proof_missing(credit: Credit | None, proven: set[int]) -> RefusalError | None:
    if credit is None or credit.kind is not CreditKind.PER_CALL or credit.incident_id in proven:
        return None
    return ConflictError(N_("The finding behind %(reference)s was overturned"), reference=credit.reference)


def _mark_approved(session: Session, credit_ids: Sequence[int], actor_id: int) -> None:
    session.execute(
        update(Credit)
        .where(Credit.id.in_(credit_ids), Credit.state == CreditState.PROPOSED)
        .values(state=CreditState.APPROVED, approver_id=actor_id, approved_at=clock.now(), version=Credit.version + 1)
    )


def _payable(credit: Credit, approver_id: int, on: dt.date) -> EntryDraft:
    return EntryDraft(
        key=f"credit:approved:{credit.id}",
        event="credit.approved",
        effective_on=on,
        lines=[
            (EXPENSE_OF_NATURE[credit.nature], credit.unit_id, credit.amount_fen),
            (AccountCode.COMPENSATION_PAYABLE, credit.subscriber_id, -credit.amount_fen),
        ],
        actor_id=credit.maker_id,
        approver_id=approver_id,
    )


def _audit(session: Session, action: str, chosen: Sequence[Credit], actor_id: int, reason: str | None = None) -> None:
    if chosen:
        record_event(
            session,
            actor_id=actor_id,
            action=action,
            subject="credit",
            subject_id=chosen[0].id if len(chosen) == 1 else None,
            changes={"credit_ids": [credit.id for credit in chosen]},
            reason=reason,
        )
