"""Claiming a regulator's fine back from those behind it, up to its amount: proposed, approved by a second person.

A partner owes what is approved of it; a branch is the carrier itself, so its part is an internal assessment that nets
to zero and is never collected. Source: docs/rules.md, F-1 to F-4; domain.md F57, section 2 (fine and damages).
"""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.contracts.models import Contract, ContractState
from supervise.db import reserve_ids, take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.money import FEN_MAX, format_yuan
from supervise.parties.models import Party, PartyKind
from supervise.penalties.belonging import ChargedUnits, OwnUnitError
from supervise.penalties.fine_models import (
    LIVE_RECOURSE_STATES,
    FineRecourse,
    FineState,
    RecourseReceipt,
    RecourseState,
    RegulatorFine,
)
from supervise.penalties.fines import lock_fine
from supervise.penalties.models import PenaltyFamily


class RecourseOverFineError(ConflictError):
    """All lines of a fine together never exceed it."""

    message = N_("At most %(amount)s yuan of %(reference)s can still be claimed back")


class FineCancelledError(ConflictError):
    """Nothing is claimed back of a fine that was taken back."""

    message = N_("%(reference)s was cancelled")


class MergedAwayError(ConflictError):
    """A claim goes to who exists."""

    message = N_("%(name)s was merged into another party; claim from that one")


class NotOwedError(ConflictError):
    """Only what is approved and open is paid, by a party outside the carrier."""

    message = N_("%(reference)s is not owed, or nothing of it is open")


class ReceiptKnownError(ConflictError):
    """One bank reference is one payment, whoever enters it."""

    message = N_("The bank reference %(reference)s was entered before")


@dataclass(frozen=True)
class ReceiptFacts:
    """What the bank's list says of a payment, in fen."""

    amount_fen: int
    bank_reference: str
    on: dt.date


def claimable_fen(session: Session, fine: RegulatorFine) -> int:
    """Return what of a fine no live line claims back yet."""
    if fine.state is FineState.CANCELLED:
        return 0
    live = select(func.coalesce(func.sum(FineRecourse.amount_fen), 0)).where(
        FineRecourse.fine_id == fine.id, FineRecourse.state.in_(LIVE_RECOURSE_STATES)
    )
    return fine.amount_fen - int(session.scalars(live).one())


def fine_of(session: Session, recourse_id: int) -> int:
    """Return the fine that a line belongs to.

    Raises:
        NotFoundError: if there is no such line.
    """
    fine_id = session.scalar(select(FineRecourse.fine_id).where(FineRecourse.id == recourse_id))
    if fine_id is None:
        raise NotFoundError
    return fine_id


def propose_recourse(
    session: Session, fine_id: int, party_id: int, amount_fen: int, ground: str, *, actor_id: int
) -> FineRecourse:
    """Propose to claim *amount_fen* of a fine back from a party, a branch by its own.

    Raises:
        NotFoundError: if there is no such fine or party.
        FineCancelledError: if the fine was taken back.
        MergedAwayError: if the party was merged into another one.
        RecourseOverFineError: if all live lines would exceed the fine.
        InvalidInputError: for an amount that is none, or without a ground.
    """
    fine = lock_fine(session, fine_id)
    party = session.get(Party, party_id)
    if party is None:
        raise NotFoundError
    if fine.state is FineState.CANCELLED:
        raise FineCancelledError(reference=fine.reference)
    if party.merged_into_id is not None:
        raise MergedAwayError(name=party.name)
    if not 0 < amount_fen <= FEN_MAX:
        raise InvalidInputError(N_("Enter an amount above zero"))
    if not ground.strip():
        raise InvalidInputError(N_("Say on what the claim stands"))
    left_fen = claimable_fen(session, fine)
    if amount_fen > left_fen:  # also a trigger
        raise RecourseOverFineError(amount=format_yuan(left_fen), reference=fine.reference)
    is_branch = party.kind is PartyKind.ORG_UNIT
    now = clock.now()
    [recourse_id] = reserve_ids(session, FineRecourse.__table__, 1)
    line = FineRecourse(
        id=recourse_id,
        reference=f"ZF{clock.china_day(now):%Y%m}-{recourse_id:06d}",
        fine_id=fine.id,
        party_id=party.id,
        unit_id=party.org_unit_id if is_branch else None,
        family=PenaltyFamily.INTERNAL if is_branch else PenaltyFamily.EXTERNAL,
        contract_id=None if is_branch else _contract_on(session, party.id, fine.decided_on),
        ground=ground.strip(),
        amount_fen=amount_fen,
        maker_id=actor_id,
        proposed_at=now,
    )
    session.add(line)
    session.flush()
    _record(session, "fine_recourse.proposed", line, actor_id)
    return line


def approve_recourse(session: Session, recourse_id: int, *, actor_id: int) -> FineRecourse:
    """Approve a line as the second person, and post it.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it does not wait.
        SamePersonError: if *actor_id* proposed it.
        OwnUnitError: if it charges the user's own party or unit.
        NotPermittedError: if the amount is beyond the user's authority.
    """
    _fine, line = _lock(session, recourse_id)
    _require_waiting(line, actor_id)
    _refuse_own(session, line, actor_id)
    require_authority(session, user_id=actor_id, amount_fen=line.amount_fen)
    line.state, line.approver_id, line.approved_at = RecourseState.APPROVED, actor_id, clock.now()
    session.flush()
    debit, credit, dimension_id = _accounts(line)
    draft = EntryDraft(
        key=f"recourse:approved:{line.id}",
        event="fine_recourse.approved",
        effective_on=clock.today(),
        lines=[Line(debit, dimension_id, line.amount_fen), Line(credit, dimension_id, -line.amount_fen)],
        actor_id=line.maker_id,
        approver_id=actor_id,
        reason=line.reference,
    )
    post(session, [draft])
    _record(session, "fine_recourse.approved", line, actor_id)
    return line


def reject_recourse(session: Session, recourse_id: int, reason: str, *, actor_id: int) -> FineRecourse:
    """Refuse a proposed line; its room is free again.

    Raises:
        NotFoundError, AlreadyDecidedError, SamePersonError: as ``approve_recourse``.
        InvalidInputError: without a reason.
    """
    _fine, line = _lock(session, recourse_id)
    _require_waiting(line, actor_id)
    _end(session, line, RecourseState.REJECTED, reason, actor_id)
    _record(session, "fine_recourse.rejected", line, actor_id, reason)
    return line


def reverse_recourse(session: Session, recourse_id: int, reason: str, *, actor_id: int) -> FineRecourse:
    """Take an approved line back, as somebody else than its approver; what was paid of it is owed back.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it is not approved.
        SamePersonError: if *actor_id* approved it.
        OwnUnitError: if it charges the user's own party or unit.
        InvalidInputError: without a reason.
    """
    _fine, line = _lock(session, recourse_id)
    if line.state is not RecourseState.APPROVED:
        raise AlreadyDecidedError
    if line.approver_id == actor_id:  # also a CHECK of the table
        raise SamePersonError
    _refuse_own(session, line, actor_id)
    require_authority(session, user_id=actor_id, amount_fen=line.amount_fen)
    _end(session, line, RecourseState.REVERSED, reason, actor_id)
    key = f"recourse:approved:{line.id}"
    draft = ReversalDraft(
        entry_id=entries_of_keys(session, [key])[key],
        key=f"recourse:reversed:{line.id}",
        event="fine_recourse.reversed",
        effective_on=clock.today(),
        reason=reason.strip(),
        actor_id=actor_id,
    )
    reverse(session, [draft])
    if line.received_fen:
        _owe_back(session, line, reason.strip(), actor_id)
    _record(session, "fine_recourse.reversed", line, actor_id, reason)
    return line


def receive_recourse(session: Session, recourse_id: int, facts: ReceiptFacts, *, actor_id: int) -> RecourseReceipt:
    """Book money that a party paid for an approved line.

    Raises:
        NotFoundError: if there is no such line.
        NotOwedError: if nothing of it is open, or it charges a branch.
        ReceiptKnownError: if the bank's reference was entered before.
        InvalidInputError: for more than is open, or a day or reference that cannot be.
    """
    _fine, line = _lock(session, recourse_id)
    reference = facts.bank_reference.strip()
    if line.family is PenaltyFamily.INTERNAL or not line.open_fen:
        raise NotOwedError(reference=line.reference)
    if not 0 < facts.amount_fen <= line.open_fen:
        raise InvalidInputError(N_("At most %(amount)s yuan is open"), amount=format_yuan(line.open_fen))
    if facts.on > clock.today():
        raise InvalidInputError(N_("The day lies in the future"))
    if not reference:  # also a CHECK of the table
        raise InvalidInputError(N_("Give the bank's reference"))
    take_turn(session, f"bank:{reference}")
    known = select(RecourseReceipt.id).where(RecourseReceipt.bank_reference == reference)
    if session.scalar(known) is not None:  # also a unique key
        raise ReceiptKnownError(reference=reference)
    receipt = RecourseReceipt(
        recourse_id=line.id,
        amount_fen=facts.amount_fen,
        bank_reference=reference,
        received_on=facts.on,
        made_by=actor_id,
        made_at=clock.now(),
    )
    session.add(receipt)
    line.received_fen += facts.amount_fen
    session.flush()  # the entry's key names the row
    draft = EntryDraft(
        key=f"recourse:received:{receipt.id}",
        event="fine_recourse.received",
        effective_on=facts.on,
        lines=[
            Line(AccountCode.BANK, None, facts.amount_fen),
            Line(AccountCode.FINE_RECOVERABLE, line.party_id, -facts.amount_fen),
        ],
        actor_id=actor_id,
        reason=reference,
    )
    post(session, [draft])
    _record(session, "fine_recourse.received", line, actor_id, received_fen=facts.amount_fen)
    return receipt


def _lock(session: Session, recourse_id: int) -> tuple[RegulatorFine, FineRecourse]:
    """Return a line and its fine, both locked, the fine first."""
    fine = lock_fine(session, fine_of(session, recourse_id))
    lock = {"key_share": True}
    return fine, session.get_one(FineRecourse, recourse_id, with_for_update=lock, populate_existing=True)


def _require_waiting(line: FineRecourse, actor_id: int) -> None:
    if line.state is not RecourseState.PROPOSED:
        raise AlreadyDecidedError
    if line.maker_id == actor_id:  # also a CHECK of the table
        raise SamePersonError


def _refuse_own(session: Session, line: FineRecourse, actor_id: int) -> None:
    if ChargedUnits(session, actor_id).include_party(session.get_one(Party, line.party_id)):
        raise OwnUnitError(reference=line.reference)


def _end(session: Session, line: FineRecourse, state: RecourseState, reason: str, actor_id: int) -> None:
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    line.state, line.ended_by, line.ended_at, line.end_reason = state, actor_id, clock.now(), reason.strip()
    session.flush()


def _accounts(line: FineRecourse) -> tuple[AccountCode, AccountCode, int | None]:
    if line.family is PenaltyFamily.INTERNAL:
        return AccountCode.FINE_ASSESSMENT, AccountCode.FINE_ASSESSMENT_OFFSET, line.unit_id
    return AccountCode.FINE_RECOVERABLE, AccountCode.FINE_RECOURSE, line.party_id


def _owe_back(session: Session, line: FineRecourse, reason: str, actor_id: int) -> None:
    draft = EntryDraft(
        key=f"recourse:refund:{line.id}",
        event="fine_recourse.refund_due",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.FINE_RECOVERABLE, line.party_id, line.received_fen),
            Line(AccountCode.REFUND_DUE, line.party_id, -line.received_fen),
        ],
        actor_id=actor_id,
        reason=reason,
    )
    post(session, [draft])


def _contract_on(session: Session, party_id: int, on: dt.date) -> int | None:
    """Return the contract with the party that was in force on the day, the newest of several."""
    query = (
        select(Contract.id)
        .where(
            Contract.party_id == party_id,
            Contract.state != ContractState.DRAFT,
            Contract.starts_on <= on,
            or_(Contract.ends_on.is_(None), Contract.ends_on > on),
        )
        .order_by(Contract.id.desc())
    )
    return session.scalars(query.limit(1)).first()


def _record(
    session: Session,
    action: str,
    line: FineRecourse,
    actor_id: int,
    reason: str | None = None,
    *,
    received_fen: int | None = None,
) -> None:
    changes: dict[str, object] = {
        "recourse_id": line.id,
        "party_id": line.party_id,
        "amount_fen": line.amount_fen if received_fen is None else received_fen,
    }
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="regulator_fine",
        subject_id=line.fine_id,
        changes=changes,
        reason=reason.strip() if reason else None,
    )
