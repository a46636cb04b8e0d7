"""Money between a party and the bank: what it paid for its debts, refunds paid to it (docs/rules.md, C-7, C-8)."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import insert_rows
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.money import FEN_MAX, format_yuan
from supervise.penalties.collecting import collect, lock_for_collection, open_debts
from supervise.penalties.debts import RECEIVABLE, DebtKey
from supervise.penalties.fine_models import RecourseReceipt
from supervise.penalties.recourse import ReceiptFacts, receive_recourse
from supervise.settlement.accounts import lock_outside_party, refunds_due
from supervise.settlement.models import BankDirection, BankMovement, ReceiptLine


class ReferenceKnownError(ConflictError):
    """One bank reference is one payment, whoever enters it."""

    message = N_("The bank reference %(reference)s was entered before")


class NoRefundDueError(ConflictError):
    """Only what is owed back can be paid back."""

    message = N_("At most %(amount)s yuan is owed back to the party")


class PaymentFacts(NamedTuple):
    """What the bank's list says of a payment."""

    party_id: int
    amount_fen: int
    bank_reference: str
    on: dt.date


def receive_payment(session: Session, facts: PaymentFacts, *, actor_id: int) -> BankMovement:
    """Book money that a party paid, against its open debts in the order of payment.

    A disputed one is paid last: the party may still win. What is paid beyond all debts is owed back to the party.

    Raises:
        NotFoundError, OurselvesError: if the party is none outside the carrier.
        ReferenceKnownError: if the bank's reference was entered before.
        InvalidInputError: for an amount or a day that cannot be.
    """
    party = lock_outside_party(session, facts.party_id)
    movement = _written(session, BankDirection.RECEIVED, facts, actor_id)
    paid = _applied(session, facts)
    collect(session, dict(paid))
    insert_rows(
        session,
        ReceiptLine.__table__,
        [{"bank_movement_id": movement.id, **key.columns, "amount_fen": fen} for key, fen in paid],
    )
    applied_fen = sum(fen for _key, fen in paid)
    lines = [Line(AccountCode.BANK, None, facts.amount_fen)]
    for kind, account in RECEIVABLE.items():
        if part_fen := sum(fen for key, fen in paid if key.kind is kind):
            lines.append(Line(account, party.id, -part_fen))
    if applied_fen < facts.amount_fen:
        lines.append(Line(AccountCode.REFUND_DUE, party.id, applied_fen - facts.amount_fen))
    draft = EntryDraft(
        key=f"receipt:{movement.id}",
        event="settlement.cash",
        effective_on=facts.on,
        lines=lines,
        actor_id=actor_id,
        reason=movement.bank_reference,
    )
    post(session, [draft])
    record_event(
        session,
        actor_id=actor_id,
        action="payment.received",
        subject="party",
        subject_id=party.id,
        changes={"movement_id": movement.id, "amount_fen": facts.amount_fen, "collected_fen": applied_fen},
    )
    return movement


def receive_for_claim(session: Session, recourse_id: int, facts: ReceiptFacts, *, actor_id: int) -> RecourseReceipt:
    """Book money that a party paid for one claim of a regulator's fine, as ``recourse.receive_recourse``.

    Raises:
        ReferenceKnownError: if the bank's reference was entered before, for this claim or for anything else.
        RefusalError: as ``receive_recourse``.
    """
    reference = facts.bank_reference.strip()
    take_turn(session, f"bank:{reference}")
    _refuse_known(session, reference)
    return receive_recourse(session, recourse_id, facts, actor_id=actor_id)


def pay_refund(session: Session, facts: PaymentFacts, *, actor_id: int) -> BankMovement:
    """Book that a refund due was paid to the party.

    Raises:
        NotFoundError, OurselvesError: if the party is none outside the carrier.
        ReferenceKnownError: if the bank's reference was entered before.
        NoRefundDueError: if less is owed back.
        InvalidInputError: for an amount or a day that cannot be.
    """
    party = lock_outside_party(session, facts.party_id)
    due_fen = refunds_due(session, [party.id]).get(party.id, 0)
    if facts.amount_fen > due_fen:
        raise NoRefundDueError(amount=format_yuan(max(0, due_fen)))
    movement = _written(session, BankDirection.REFUNDED, facts, actor_id)
    draft = EntryDraft(
        key=f"refund:paid:{movement.id}",
        event="refund.paid",
        effective_on=facts.on,
        lines=[
            Line(AccountCode.REFUND_DUE, party.id, facts.amount_fen),
            Line(AccountCode.BANK, None, -facts.amount_fen),
        ],
        actor_id=actor_id,
        reason=movement.bank_reference,
    )
    post(session, [draft])
    record_event(
        session,
        actor_id=actor_id,
        action="refund.paid",
        subject="party",
        subject_id=party.id,
        changes={"movement_id": movement.id, "amount_fen": facts.amount_fen},
    )
    return movement


def _applied(session: Session, facts: PaymentFacts) -> Sequence[tuple[DebtKey, int]]:
    """Return what the payment pays of each debt; the rows are locked first, then read."""
    now, party_ids = clock.now(), [facts.party_id]
    lock_for_collection(session, [debt.key for debt in open_debts(session, until=now, party_ids=party_ids)])
    # Stable: the order of payment stays.
    debts = sorted(open_debts(session, until=now, party_ids=party_ids), key=lambda debt: debt.is_disputed)
    left_fen, paid = facts.amount_fen, []
    for debt in debts:
        part_fen = min(left_fen, debt.open_fen)
        if part_fen:
            paid.append((debt.key, part_fen))
            left_fen -= part_fen
    return paid


def _written(session: Session, direction: BankDirection, facts: PaymentFacts, actor_id: int) -> BankMovement:
    reference = facts.bank_reference.strip()
    if not 0 < facts.amount_fen <= FEN_MAX:
        raise InvalidInputError(N_("Enter an amount above zero"))
    if facts.on > clock.today():
        raise InvalidInputError(N_("The day lies in the future"))
    if not reference:  # also a CHECK of the table
        raise InvalidInputError(N_("Give the bank's reference"))
    take_turn(session, f"bank:{reference}")
    _refuse_known(session, reference)
    movement = BankMovement(
        party_id=facts.party_id,
        direction=direction,
        amount_fen=facts.amount_fen,
        bank_reference=reference,
        effective_on=facts.on,
        made_by=actor_id,
        made_at=clock.now(),
    )
    session.add(movement)
    session.flush()  # the entry's key names the row
    return movement


def _refuse_known(session: Session, reference: str) -> None:
    # Within each table also a unique key; across both the turn of the reference keeps it so.
    movement = select(BankMovement.id).where(BankMovement.bank_reference == reference)
    receipt = select(RecourseReceipt.id).where(RecourseReceipt.bank_reference == reference)
    if session.scalar(movement) is not None or session.scalar(receipt) is not None:
        raise ReferenceKnownError(reference=reference)
