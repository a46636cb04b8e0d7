"""Contracts and the assessment policy: one person drafts, another activates, either may end early with a reason."""

import datetime as dt
from dataclasses import asdict, dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.complaints.models import DayType
from supervise.contracts.models import (
    Contract,
    ContractDirection,
    ContractScope,
    ContractState,
    RuleVersion,
    SettlementOrder,
)
from supervise.db import take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.money import FEN_MAX
from supervise.parties.models import OrgUnit, Party, PartyKind

DAYS_MAX = 365


class OverlappingContractError(ConflictError):
    """A party has one contract for a scope at a time, as has a unit one policy (constraint of migration 0005)."""

    message = N_("%(number)s already covers this party and scope in that period")


@dataclass(frozen=True)
class ContractTerms:
    """What a contract says; a policy (direction internal) has no party and holds below its unit."""

    number: str
    name: str
    party_id: int | None
    counterparty_unit_id: int
    scope: ContractScope
    direction: ContractDirection
    starts_on: dt.date
    #: The day after the last; None: open.
    ends_on: dt.date | None
    appeal_days: int
    appeal_day_type: DayType
    deemed_days: int
    #: 0: no deposit agreed.
    deposit_required_fen: int = 0
    #: Working days to bring the deposit back to what is required.
    top_up_days: int = 10
    settlement_order: SettlementOrder = SettlementOrder.DEPOSIT_COMMISSION_CASH


def draft_contract(session: Session, terms: ContractTerms, *, actor_id: int) -> Contract:
    """Draft a contract or policy; it prices nothing before a second person activates it.

    Raises:
        InvalidInputError: for terms that make no sense.
        ConflictError: if the number is taken.
    """
    _check(session, terms)
    _refuse_taken_number(session, terms.number, None)
    contract = Contract(drafted_by=actor_id, **asdict(terms))
    session.add(contract)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action="contract.drafted",
        subject="contract",
        subject_id=contract.id,
        changes=asdict(terms),
    )
    return contract


def edit_contract_draft(
    session: Session, contract_id: int, version: int, terms: ContractTerms, *, actor_id: int
) -> Contract:
    """Change a draft; who edits it last counts as its maker.

    Raises:
        AlreadyDecidedError: if it is in force, or changed since *version* was shown.
        InvalidInputError: for terms that make no sense.
    """
    contract = _draft_for_change(session, contract_id, version)
    _check(session, terms)
    _refuse_taken_number(session, terms.number, contract_id)
    before = {name: getattr(contract, name) for name in asdict(terms)}
    for name, value in asdict(terms).items():
        setattr(contract, name, value)
    contract.drafted_by = actor_id
    contract.version += 1
    record_event(
        session,
        actor_id=actor_id,
        action="contract.edited",
        subject="contract",
        subject_id=contract_id,
        changes=changed(before, asdict(terms)),
    )
    return contract


def activate_contract(session: Session, contract_id: int, version: int, *, actor_id: int) -> Contract:
    """Put a draft into force, as the second person.

    Raises:
        AlreadyDecidedError: if it is no draft any more, or changed since *version* was shown.
        SamePersonError: if *actor_id* drafted it.
        OverlappingContractError: if another one covers the same party and scope in that period.
    """
    take_turn(session, "contract")
    contract = _draft_for_change(session, contract_id, version)
    if contract.drafted_by == actor_id:
        raise SamePersonError
    refuse_overlap(session, contract, contract.ends_on)
    contract.state = ContractState.ACTIVE
    contract.activated_by = actor_id
    contract.version += 1
    session.flush()  # the database's own refusal of an overlap belongs to this decision
    record_event(session, actor_id=actor_id, action="contract.activated", subject="contract", subject_id=contract_id)
    return contract


def terminate_contract(
    session: Session, contract_id: int, version: int, ends_on: dt.date, *, reason: str, actor_id: int
) -> Contract:
    """End a contract in force early; *ends_on* is the day after its last. Earlier calls stay priced by it.

    Raises:
        ConflictError: if it is not in force, changed meanwhile, or has already priced a call on or after *ends_on*.
        InvalidInputError: without a reason, or if the end is not before the end it has.
    """
    contract = session.get(Contract, contract_id, with_for_update=True, populate_existing=True)
    if contract is None:
        raise NotFoundError
    if contract.state is not ContractState.ACTIVE or contract.version != version:
        raise AlreadyDecidedError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if ends_on <= contract.starts_on or (contract.ends_on is not None and ends_on > contract.ends_on):
        raise InvalidInputError(N_("The end must lie after the start and not after the agreed end"))
    refuse_end_before_priced_call(session, contract_id, ends_on)
    before = {"ends_on": contract.ends_on, "state": contract.state}
    contract.ends_on = ends_on
    contract.state = ContractState.TERMINATED
    contract.version += 1
    record_event(
        session,
        actor_id=actor_id,
        action="contract.terminated",
        subject="contract",
        subject_id=contract_id,
        changes=changed(before, {"ends_on": ends_on, "state": contract.state}),
        reason=reason,
    )
    return contract


def refuse_end_before_priced_call(session: Session, contract_id: int, ends_on: dt.date) -> None:
    """Refuse an end that would leave a call without the contract that priced it; the caller holds the contract's row.

    Raises:
        ConflictError: naming the day of the latest call that was priced.
    """
    priced_on = session.scalar(select(func.max(RuleVersion.priced_on)).where(RuleVersion.contract_id == contract_id))
    if priced_on is not None and priced_on >= ends_on:
        raise ConflictError(N_("A call of %(day)s has been priced by this contract"), day=priced_on.isoformat())


def _check(session: Session, terms: ContractTerms) -> None:
    if not terms.number.strip() or not terms.name.strip():
        raise InvalidInputError(N_("Enter a number and a name"))
    if terms.ends_on is not None and terms.ends_on <= terms.starts_on:
        raise InvalidInputError(N_("The end must lie after the start"))
    if not 1 <= terms.appeal_days <= DAYS_MAX or not 1 <= terms.deemed_days <= DAYS_MAX:
        raise InvalidInputError(N_("Days for objection and delivery must be from 1 to 365"))
    check_money_terms(terms.deposit_required_fen, terms.top_up_days)
    if (terms.direction is ContractDirection.INTERNAL) != (terms.party_id is None):
        raise InvalidInputError(N_("A policy has no party; a contract has one"))
    if session.get(OrgUnit, terms.counterparty_unit_id) is None:
        raise InvalidInputError(N_("There is no such unit"))
    if terms.party_id is not None:
        party = session.get(Party, terms.party_id)
        if party is None or party.kind in (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER):
            raise InvalidInputError(N_("A contract is made with a party outside the carrier"))


def check_money_terms(deposit_required_fen: int, top_up_days: int) -> None:
    """Refuse a deposit or a time to top it up that makes no sense; CHECKs of the tables say the same.

    Raises:
        InvalidInputError: saying which.
    """
    if not 0 <= deposit_required_fen <= FEN_MAX:
        raise InvalidInputError(N_("A deposit cannot be negative"))
    if not 1 <= top_up_days <= DAYS_MAX:
        raise InvalidInputError(N_("Days to top up the deposit must be from 1 to 365"))


def _refuse_taken_number(session: Session, number: str, own_id: int | None) -> None:
    holder = session.scalar(select(Contract.id).where(Contract.number == number))
    if holder is not None and holder != own_id:
        raise ConflictError(N_("The number %(number)s is taken"), number=number)


def _draft_for_change(session: Session, contract_id: int, version: int) -> Contract:
    """Return the draft, its row locked by a compare-and-set on what the user was shown."""
    seen = session.execute(
        update(Contract)
        .where(Contract.id == contract_id, Contract.version == version, Contract.state == ContractState.DRAFT)
        .values(version=Contract.version)
        .returning(Contract.id)
    ).first()
    contract = session.get(Contract, contract_id, populate_existing=True)
    if contract is None:
        raise NotFoundError
    if seen is None:
        raise AlreadyDecidedError
    return contract


def refuse_overlap(session: Session, contract: Contract, ends_on: dt.date | None) -> None:
    """Refuse a contract that until *ends_on* would share a day of its scope; the caller has taken its turn.

    Raises:
        OverlappingContractError: naming the other one.
    """
    others = select(Contract.number).where(
        Contract.id != contract.id,
        Contract.state != ContractState.DRAFT,
        Contract.scope == contract.scope,
        Contract.party_id == contract.party_id
        if contract.party_id is not None
        else Contract.party_id.is_(None) & (Contract.counterparty_unit_id == contract.counterparty_unit_id),
        Contract.ends_on.is_(None) | (Contract.ends_on > contract.starts_on),
    )
    if ends_on is not None:
        others = others.where(Contract.starts_on < ends_on)
    number = session.scalar(others.limit(1))
    if number is not None:
        raise OverlappingContractError(number=number)
