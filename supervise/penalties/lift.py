"""Taking an amount off again: before finality so much of the approval is reversed, afterwards of what became final.

Objections, waivers and reversals decide; what follows in the books, in the state and for the findings is the same.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.findings import lift, lock_proven, release
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.money import format_yuan
from supervise.penalties.adjustments import find_adjustments
from supervise.penalties.models import LIVE_PENALTY_STATES, JointPayment, Penalty, PenaltyRefund, PenaltyState
from supervise.penalties.recoveries import fall_with_findings
from supervise.penalties.steps import record_steps


class NothingToLiftError(ConflictError):
    """Only what was charged and not lifted yet can be taken off."""

    message = N_("Nothing can be taken off %(reference)s any more")


@dataclass(frozen=True, kw_only=True)
class LiftReason:
    """Why an amount comes off, as the ledger keeps it; *key* says what happened and makes it happen once."""

    key: str
    event: str
    reason: str
    #: Who asked for it (None: the system found it), and who decided.
    actor_id: int | None
    approver_id: int
    #: Only the money goes: the offence stays proven and charged, at nothing if all of it was taken off.
    keeps_offence: bool = False
    #: Another proposal for the same offence takes its place: the finding is released, not overturned.
    is_replaced: bool = False


def liftable_fen(penalty: Penalty) -> int:
    """Return the most that can be taken off: all that was not lifted, and not written off."""
    return penalty.amount_fen - penalty.lifted_fen - penalty.written_off_fen


def lift_amount(session: Session, penalty: Penalty, lifted_fen: int, why: LiftReason) -> None:
    """Take *lifted_fen* off a contestable or final penalty whose row is locked; void or reverse it if nothing is left.

    What was collected beyond what stays owed becomes a refund due to the party.

    Raises:
        NothingToLiftError: if it is neither contestable nor final.
        InvalidInputError: if less than *lifted_fen* can be taken off.
    """
    if penalty.state not in (PenaltyState.APPROVED, PenaltyState.FINAL):
        raise NothingToLiftError(reference=penalty.reference)
    most_fen = liftable_fen(penalty)
    if not 0 <= lifted_fen <= most_fen:
        raise InvalidInputError(N_("At most %(amount)s yuan can be taken off"), amount=format_yuan(most_fen))
    refund_fen = max(0, lifted_fen - penalty.open_fen)
    penalty.settled_fen -= refund_fen
    penalty.lifted_fen += lifted_fen
    penalty.version += 1
    session.flush()
    on = clock.today()
    if lifted_fen:
        _reverse(session, penalty, lifted_fen, why, on)
    if refund_fen:
        _owe_back(session, penalty, refund_fen, why, on)
    if penalty.lifted_fen == penalty.amount_fen and not why.keeps_offence:
        _end(session, penalty, why)


def _reverse(session: Session, penalty: Penalty, lifted_fen: int, why: LiftReason, on: dt.date) -> None:
    stage = "approved" if penalty.state is PenaltyState.APPROVED else "final"
    key = f"penalty:{stage}:{penalty.id}"
    draft = ReversalDraft(
        entry_id=entries_of_keys(session, [key])[key],
        key=why.key,
        event=why.event,
        effective_on=on,
        amount_fen=lifted_fen,
        reason=why.reason,
        actor_id=why.actor_id,
        approver_id=why.approver_id,
    )
    reverse(session, [draft])


def _owe_back(session: Session, penalty: Penalty, refund_fen: int, why: LiftReason, on: dt.date) -> None:
    """Book what was collected in excess as owed to who paid it; a settlement run sets it off or pays it out.

    Joint debtors who paid what the party did not come first, the last payment of all before the others.
    """
    refund = PenaltyRefund(
        penalty_id=penalty.id, amount_fen=refund_fen, because=why.key, approved_by=why.approver_id, at=clock.now()
    )
    session.add(refund)
    payers = _payers(session, penalty, refund_fen)
    session.flush()  # the entry's key names the row
    draft = EntryDraft(
        key=f"penalty:refund:{penalty.id}:{refund.id}",
        event="penalty.refund_due",
        effective_on=on,
        lines=[
            Line(AccountCode.PENALTY_RECEIVABLE, penalty.party_id, refund_fen),
            *(Line(AccountCode.REFUND_DUE, payer_id, -fen) for payer_id, fen in payers.items()),
        ],
        actor_id=why.actor_id,
        approver_id=why.approver_id,
        reason=why.reason,
    )
    post(session, [draft])


def _payers(session: Session, penalty: Penalty, refund_fen: int) -> dict[int, int]:
    """Return who gets how much of a refund, and say so of what joint debtors paid; their penalty is locked."""
    left_fen, payers = refund_fen, dict[int, int]()
    by_others = select(JointPayment).where(JointPayment.penalty_id == penalty.id).order_by(JointPayment.id.desc())
    for payment in session.scalars(by_others.execution_options(populate_existing=True)):
        part_fen = min(left_fen, payment.amount_fen - payment.returned_fen)
        if part_fen:
            payment.returned_fen += part_fen
            payers[payment.payer_id] = payers.get(payment.payer_id, 0) + part_fen
            left_fen -= part_fen
    if left_fen:
        payers[penalty.party_id] = left_fen
    return payers


def _end(session: Session, penalty: Penalty, why: LiftReason) -> None:
    contestable = penalty.state is PenaltyState.APPROVED
    penalty.state = PenaltyState.VOIDED if contestable else PenaltyState.REVERSED
    record_steps(session, [penalty.id], penalty.state, actor_id=why.approver_id, reason=why.reason)
    session.flush()
    if why.is_replaced:
        release(session, _free_findings(session, [penalty]))
        return
    lift_findings(session, [penalty], actor_id=why.approver_id)
    find_adjustments(session, penalty)


def lift_findings(session: Session, penalties: Sequence[Penalty], *, actor_id: int) -> None:
    """Release and overturn the findings of lifted *penalties* that no other live share rests on.

    An overturned finding is not priced again by the next bulk proposal; who knows better records it anew.
    """
    free = _free_findings(session, penalties)
    release(session, free)
    lift(session, free, actor_id=actor_id)
    fall_with_findings(session, free, actor_id=actor_id)


def _free_findings(session: Session, penalties: Sequence[Penalty]) -> set[int]:
    """Lock the findings of *penalties*, and return those that no live share rests on."""
    ids = {penalty.finding_id for penalty in penalties}
    lock_proven(session, ids)
    still = select(Penalty.finding_id).where(Penalty.finding_id.in_(ids), Penalty.state.in_(LIVE_PENALTY_STATES))
    return ids - set(session.scalars(still))
