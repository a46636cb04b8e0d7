"""Deposits: what parties leave with us for penalties (plain security, domain R30), received, and returned in the end.

Runs draw them (``posting``). docs/rules.md, C-6.
"""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.contracts.models import Contract, ContractState
from supervise.contracts.terms import terms_at
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.money import FEN_MAX, format_yuan
from supervise.penalties.collecting import open_debts
from supervise.settlement.accounts import deposits_held, lock_outside_party
from supervise.settlement.models import DepositKind, DepositMovement, TopUpCall


class DepositTooSmallError(ConflictError):
    """A deposit never goes below zero (a trigger says so too), and what is needed of it stays."""

    message = N_("Only %(free)s yuan of the deposit can be returned: the rest is required or covers what is owed")


class EvidenceKnownError(ConflictError):
    """One bank reference is one movement."""

    message = N_("The reference %(evidence)s was entered before")


class DepositFacts(NamedTuple):
    """What finance types about a deposit; *evidence* is the bank's reference or a voucher's number."""

    party_id: int
    amount_fen: int
    evidence: str
    on: dt.date


def receive_deposit(session: Session, facts: DepositFacts, *, actor_id: int) -> DepositMovement:
    """Book a deposit that came in; top-up calls that it answers are met.

    Raises:
        NotFoundError, OurselvesError: if the party is none outside the carrier.
        EvidenceKnownError: if the reference was entered before.
        InvalidInputError: for an amount or a day that cannot be.
    """
    _check(facts)
    lock_outside_party(session, facts.party_id)
    movement = _written(session, DepositKind.RECEIVED, facts, actor_id)
    _meet_calls(session, facts)
    return movement


def return_deposit(session: Session, facts: DepositFacts, *, actor_id: int) -> DepositMovement:
    """Book a deposit that went back to the party.

    Raises:
        NotFoundError, OurselvesError: if the party is none outside the carrier.
        EvidenceKnownError: if the reference was entered before.
        DepositTooSmallError: if less can be spared: a contract requires it, or penalties are owed.
        InvalidInputError: for an amount or a day that cannot be.
    """
    _check(facts)
    party = lock_outside_party(session, facts.party_id)
    held_fen = deposits_held(session, [party.id]).get(party.id, 0)
    debts = open_debts(session, until=clock.now(), party_ids=[party.id])
    owed_fen = sum(debt.open_fen for debt in debts)
    free_fen = held_fen - max(required_deposits(session, facts.on).get(party.id, 0), owed_fen)
    if facts.amount_fen > free_fen:
        raise DepositTooSmallError(free=format_yuan(max(0, free_fen)))
    return _written(session, DepositKind.RETURNED, facts, actor_id)


def required_deposits(session: Session, on: dt.date) -> dict[int, int]:
    """Return how much deposit the contracts in force on a day require of each party, in fen."""
    in_force = select(Contract.id, Contract.party_id).where(
        Contract.state == ContractState.ACTIVE,
        Contract.party_id.is_not(None),
        Contract.starts_on <= on,
        Contract.ends_on.is_(None) | (Contract.ends_on > on),
    )
    party_of = {row.id: row.party_id for row in session.execute(in_force)}
    required: dict[int, int] = {}
    for contract_id, terms in terms_at(session, list(party_of), on).items():
        if terms.deposit_required_fen:
            party_id = party_of[contract_id] or 0
            required[party_id] = required.get(party_id, 0) + terms.deposit_required_fen
    return required


def _check(facts: DepositFacts) -> None:
    if not 0 < facts.amount_fen <= FEN_MAX:
        raise InvalidInputError(N_("Enter an amount above zero"))
    if facts.on > clock.today():
        raise InvalidInputError(N_("The day lies in the future"))
    if not facts.evidence.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give the bank's reference"))


def _written(session: Session, kind: DepositKind, facts: DepositFacts, actor_id: int) -> DepositMovement:
    evidence = facts.evidence.strip()
    take_turn(session, f"deposit:{kind.value}:{evidence}")
    known = select(DepositMovement.id).where(
        DepositMovement.kind == kind, DepositMovement.evidence == evidence, DepositMovement.settlement_id.is_(None)
    )
    if session.scalar(known) is not None:  # also a unique index
        raise EvidenceKnownError(evidence=evidence)
    movement = DepositMovement(
        party_id=facts.party_id,
        kind=kind,
        amount_fen=facts.amount_fen,
        evidence=evidence,
        effective_on=facts.on,
        made_by=actor_id,
        made_at=clock.now(),
    )
    session.add(movement)
    session.flush()  # the entry's key names the row
    sign = 1 if kind is DepositKind.RECEIVED else -1
    draft = EntryDraft(
        key=f"deposit:{kind.value}:{movement.id}",
        event=f"deposit.{kind.value}",
        effective_on=facts.on,
        lines=[
            Line(AccountCode.BANK, None, sign * facts.amount_fen),
            Line(AccountCode.DEPOSITS_HELD, facts.party_id, -sign * facts.amount_fen),
        ],
        actor_id=actor_id,
        reason=evidence,
    )
    post(session, [draft])
    _record(session, movement, actor_id)
    return movement


def _record(session: Session, movement: DepositMovement, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=f"deposit.{movement.kind.value}",
        subject="party",
        subject_id=movement.party_id,
        changes={"movement_id": movement.id, "amount_fen": movement.amount_fen, "voucher": movement.evidence},
    )


def _meet_calls(session: Session, facts: DepositFacts) -> None:
    """Close the party's calls once the deposit is what its contracts require."""
    open_calls = session.scalars(
        select(TopUpCall).where(TopUpCall.party_id == facts.party_id, TopUpCall.met_on.is_(None)).order_by(TopUpCall.id)
    ).all()
    held_fen = deposits_held(session, [facts.party_id]).get(facts.party_id, 0)
    short_fen = required_deposits(session, clock.today()).get(facts.party_id, 0) - held_fen
    # The oldest first: what is still short belongs to the newest.
    for call in reversed(open_calls):
        if short_fen <= 0:
            call.met_on = facts.on
        short_fen -= call.amount_fen
    session.flush()
