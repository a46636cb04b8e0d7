"""Supplementary agreements: drafted by one person, put into force by another, never back-dated.

Terms are read as of the day on which something is listed or settled, so an amendment that reached into the past would
say of days already gone what nobody went by. Only the end of the contract moves at once.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import DayType
from supervise.contracts.agreements import DAYS_MAX, check_money_terms, refuse_end_before_priced_call, refuse_overlap
from supervise.contracts.models import AmendmentState, Contract, ContractAmendment, ContractState, SettlementOrder
from supervise.db import take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_


class BackDatedAmendmentError(ConflictError):
    """It would begin on a day on which notices and settlements may have followed the old terms."""

    message = N_("An amendment begins on the day that it is put into force or later; draft it again with a later day")


class SecondAmendmentError(ConflictError):
    """Two amendments of a contract that begin on one day could say two things (also a unique index)."""

    message = N_("Amendment %(number)s begins on the same day")


@dataclass(frozen=True)
class AmendedTerms:
    """What an amendment changes; None leaves a term as it is. It can set an end, not take one away."""

    #: The day after the last day.
    ends_on: dt.date | None = None
    appeal_days: int | None = None
    appeal_day_type: DayType | None = None
    deemed_days: int | None = None
    deposit_required_fen: int | None = None
    top_up_days: int | None = None
    settlement_order: SettlementOrder | None = None


#: Their names, as the table's columns have them.
AMENDABLE = tuple(one.name for one in fields(AmendedTerms))


def draft_amendment(
    session: Session,
    contract_id: int,
    terms: AmendedTerms,
    *,
    number: str,
    signed_on: dt.date,
    effective_from: dt.date,
    reason: str,
    actor_id: int,
) -> ContractAmendment:
    """Draft an amendment of a contract in force; it changes nothing before a second person puts it into force.

    Raises:
        ConflictError: if the contract is not in force, or has an amendment of that number.
        InvalidInputError: if it changes nothing, or something that makes no sense.
    """
    # The row lock names amendments one after the other.
    contract = session.get(Contract, contract_id, with_for_update={"key_share": True}, populate_existing=True)
    if contract is None:
        raise NotFoundError
    _refuse_unless_in_force(contract)
    if not number.strip() or not reason.strip():
        raise InvalidInputError(N_("Enter the number of the amendment and what it rests on"))
    if not contract.starts_on <= effective_from or signed_on > effective_from:
        raise InvalidInputError(N_("An amendment begins after its contract and not before it was signed"))
    _check(contract, terms)
    same_number = select(ContractAmendment.id).where(
        ContractAmendment.contract_id == contract_id, ContractAmendment.number == number.strip()
    )
    if session.scalar(same_number) is not None:  # also a unique key
        raise ConflictError(N_("The number %(number)s is taken"), number=number.strip())
    amendment = ContractAmendment(
        contract_id=contract_id,
        number=number.strip(),
        signed_on=signed_on,
        effective_from=effective_from,
        reason=reason.strip(),
        drafted_by=actor_id,
        drafted_at=clock.now(),
        **asdict(terms),
    )
    session.add(amendment)
    session.flush()
    _record(session, amendment, "contract.amendment_drafted", actor_id)
    return amendment


def activate_amendment(session: Session, amendment_id: int, *, actor_id: int) -> ContractAmendment:
    """Put an amendment into force, as the second person; a new end of the contract holds at once.

    Raises:
        AlreadyDecidedError: if it is no draft any more.
        SamePersonError: if *actor_id* drafted it.
        BackDatedAmendmentError: if it would begin before today.
        SecondAmendmentError: if another one begins on the same day.
        ConflictError: if the contract is not in force any more, its new end lies before a call that it priced, or it
            would run into another contract of its scope.
    """
    take_turn(session, "contract")
    amendment = _locked_draft(session, amendment_id)
    if amendment.drafted_by == actor_id:
        raise SamePersonError
    # Pricing locks the same row (penalties.propose): no call is priced while the contract's end moves.
    contract = session.get_one(Contract, amendment.contract_id, with_for_update=True, populate_existing=True)
    _refuse_unless_in_force(contract)
    if amendment.effective_from < clock.today():
        raise BackDatedAmendmentError
    _refuse_second(session, amendment)
    if amendment.ends_on is not None:
        _move_end(session, contract, amendment.ends_on)
    amendment.state = AmendmentState.ACTIVE
    amendment.decided_by, amendment.decided_at = actor_id, clock.now()
    session.flush()  # the database's own refusals belong to this decision
    _record(session, amendment, "contract.amended", actor_id)
    return amendment


def withdraw_amendment(session: Session, amendment_id: int, *, actor_id: int) -> ContractAmendment:
    """Give up a draft; its number stays taken, so that the trail names one paper by it.

    Raises:
        AlreadyDecidedError: if it is no draft any more.
    """
    amendment = _locked_draft(session, amendment_id)
    amendment.state = AmendmentState.WITHDRAWN
    amendment.decided_by, amendment.decided_at = actor_id, clock.now()
    session.flush()
    _record(session, amendment, "contract.amendment_withdrawn", actor_id)
    return amendment


def amendments_of_contract(session: Session, contract_id: int) -> Sequence[ContractAmendment]:
    """Return the amendments of a contract, the latest to begin first."""
    query = select(ContractAmendment).where(ContractAmendment.contract_id == contract_id)
    return session.scalars(query.order_by(ContractAmendment.effective_from.desc(), ContractAmendment.id.desc())).all()


def amendment_by_id(session: Session, amendment_id: int) -> ContractAmendment:
    """Return one amendment.

    Raises:
        NotFoundError: if there is none.
    """
    amendment = session.get(ContractAmendment, amendment_id)
    if amendment is None:
        raise NotFoundError
    return amendment


def _check(contract: Contract, terms: AmendedTerms) -> None:
    if all(value is None for value in asdict(terms).values()):  # also a CHECK of the table
        raise InvalidInputError(N_("An amendment changes at least one term"))
    if terms.ends_on is not None and terms.ends_on <= contract.starts_on:
        raise InvalidInputError(N_("The end must lie after the start"))
    days = [value for value in (terms.appeal_days, terms.deemed_days) if value is not None]
    if not all(1 <= value <= DAYS_MAX for value in days):
        raise InvalidInputError(N_("Days for objection and delivery must be from 1 to 365"))
    check_money_terms(
        terms.deposit_required_fen or 0, contract.top_up_days if terms.top_up_days is None else terms.top_up_days
    )


def _refuse_unless_in_force(contract: Contract) -> None:
    if contract.state is not ContractState.ACTIVE:
        raise ConflictError(N_("Only a contract in force is amended; a draft is edited"))


def _locked_draft(session: Session, amendment_id: int) -> ContractAmendment:
    amendment = session.get(ContractAmendment, amendment_id, with_for_update=True, populate_existing=True)
    if amendment is None:
        raise NotFoundError
    if amendment.state is not AmendmentState.DRAFT:
        raise AlreadyDecidedError
    return amendment


def _refuse_second(session: Session, amendment: ContractAmendment) -> None:
    same_day = select(ContractAmendment.number).where(
        ContractAmendment.contract_id == amendment.contract_id,
        ContractAmendment.state == AmendmentState.ACTIVE,
        ContractAmendment.effective_from == amendment.effective_from,
    )
    number = session.scalar(same_day)
    if number is not None:
        raise SecondAmendmentError(number=number)


def _move_end(session: Session, contract: Contract, ends_on: dt.date) -> None:
    refuse_end_before_priced_call(session, contract.id, ends_on)
    refuse_overlap(session, contract, ends_on)
    contract.ends_on = ends_on
    contract.version += 1


def _record(session: Session, amendment: ContractAmendment, action: str, actor_id: int) -> None:
    changes = {name: value for name in AMENDABLE if (value := getattr(amendment, name)) is not None}
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="contract",
        subject_id=amendment.contract_id,
        changes={"amendment": amendment.number, "effective_from": amendment.effective_from, **changes},
        reason=amendment.reason,
    )
