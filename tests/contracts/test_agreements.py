"""Contracts and policies: drafted by one, activated by another, never two for one scope and day."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise.contracts.agreements import (
    OverlappingContractError,
    activate_contract,
    draft_contract,
    edit_contract_draft,
    terminate_contract,
)
from supervise.contracts.models import Contract, ContractDirection, ContractScope, ContractState
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, SamePersonError
from supervise.parties.models import PartyKind
from tests.factories.contracts import contract_terms, make_contract, make_rule
from tests.factories.parties import make_party, make_unit, unit_party


def test_a_contract_is_in_force_once_a_second_person_activates_it(session: Session) -> None:
    unit = make_unit(session)
    contract = draft_contract(session, contract_terms(party=make_party(session), unit=unit), actor_id=1)

    activate_contract(session, contract.id, contract.version, actor_id=2)

    assert (contract.state, contract.drafted_by, contract.activated_by) == (ContractState.ACTIVE, 1, 2)


def test_who_drafted_a_contract_does_not_activate_it(session: Session) -> None:
    contract = draft_contract(session, contract_terms(party=None, unit=make_unit(session)), actor_id=1)

    with pytest.raises(SamePersonError):
        activate_contract(session, contract.id, contract.version, actor_id=1)

    assert contract.state is ContractState.DRAFT


def test_the_last_editor_counts_as_the_maker(session: Session) -> None:
    terms = contract_terms(party=None, unit=make_unit(session))
    contract = draft_contract(session, terms, actor_id=1)

    edit_contract_draft(session, contract.id, 1, replace(terms, appeal_days=9), actor_id=2)

    assert contract.appeal_days == 9
    with pytest.raises(SamePersonError):
        activate_contract(session, contract.id, contract.version, actor_id=2)


def test_a_draft_that_changed_meanwhile_is_not_activated_unseen(session: Session) -> None:
    terms = contract_terms(party=None, unit=make_unit(session))
    contract = draft_contract(session, terms, actor_id=1)
    edit_contract_draft(session, contract.id, 1, replace(terms, appeal_days=9), actor_id=1)

    with pytest.raises(AlreadyDecidedError):
        activate_contract(session, contract.id, 1, actor_id=2)


def test_a_contract_in_force_is_not_edited(session: Session) -> None:
    unit = make_unit(session)
    contract = make_contract(session, party=None, unit=unit)

    with pytest.raises(AlreadyDecidedError):
        edit_contract_draft(session, contract.id, 1, contract_terms(party=None, unit=unit), actor_id=3)


def test_the_database_itself_refuses_to_edit_what_is_in_force(session: Session) -> None:
    contract = make_contract(session, party=None, unit=make_unit(session))

    with pytest.raises(DBAPIError, match="in force"), session.begin_nested():
        session.execute(sa.update(Contract).where(Contract.id == contract.id).values(appeal_days=1))


@pytest.mark.parametrize(("starts_on", "overlaps"), [(dt.date(2026, 12, 31), True), (dt.date(2027, 1, 1), False)])
def test_two_contracts_of_a_scope_share_no_day(session: Session, starts_on: dt.date, *, overlaps: bool) -> None:
    party, unit = make_party(session), make_unit(session)
    make_contract(session, party=party, unit=unit, ends_on=dt.date(2027, 1, 1))
    second = draft_contract(session, contract_terms(party=party, unit=unit, starts_on=starts_on), actor_id=1)

    if overlaps:
        with pytest.raises(OverlappingContractError):
            activate_contract(session, second.id, 1, actor_id=2)
    else:
        assert activate_contract(session, second.id, 1, actor_id=2).state is ContractState.ACTIVE


def test_contracts_of_different_scopes_stand_side_by_side(session: Session) -> None:
    party, unit = make_party(session), make_unit(session)
    make_contract(session, party=party, unit=unit, scope=ContractScope.OUTBOUND)
    second = draft_contract(session, contract_terms(party=party, unit=unit, scope=ContractScope.SMS), actor_id=1)

    assert activate_contract(session, second.id, 1, actor_id=2).state is ContractState.ACTIVE


def test_a_unit_has_one_policy_at_a_time(session: Session) -> None:
    unit = make_unit(session)
    make_contract(session, party=None, unit=unit)
    second = draft_contract(session, contract_terms(party=None, unit=unit), actor_id=1)

    with pytest.raises(OverlappingContractError):
        activate_contract(session, second.id, 1, actor_id=2)


def test_the_database_itself_refuses_an_overlap(session: Session) -> None:
    party, unit = make_party(session), make_unit(session)
    make_contract(session, party=party, unit=unit)

    with pytest.raises(IntegrityError, match="overlap"), session.begin_nested():
        make_contract(session, party=party, unit=unit)


@pytest.mark.parametrize(
    "change",
    [
        {"number": " "},
        {"ends_on": dt.date(2020, 1, 1)},
        {"appeal_days": 0},
        {"deemed_days": 0},
        {"direction": ContractDirection.INTERNAL},
        {"party_id": None},
        {"counterparty_unit_id": 999_999},
    ],
)
def test_terms_that_make_no_sense_are_refused(session: Session, change: dict[str, Any]) -> None:
    terms = contract_terms(party=make_party(session), unit=make_unit(session))

    with pytest.raises(InvalidInputError):
        draft_contract(session, replace(terms, **change), actor_id=1)


def test_branches_and_employees_have_no_contract(session: Session) -> None:
    unit = make_unit(session)

    for party in (unit_party(session, unit), make_party(session, kind=PartyKind.EMPLOYEE_CALLER)):
        with pytest.raises(InvalidInputError):
            draft_contract(session, contract_terms(party=party, unit=unit), actor_id=1)


def test_a_number_names_one_contract(session: Session) -> None:
    unit = make_unit(session)
    make_contract(session, party=None, unit=unit, number="HT-1")

    with pytest.raises(ConflictError):
        draft_contract(session, contract_terms(party=None, unit=unit, number="HT-1"), actor_id=1)


def test_a_terminated_contract_still_covers_the_days_before(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))

    terminate_contract(session, contract.id, 1, dt.date(2026, 10, 1), reason="违约解除", actor_id=3)

    assert (contract.state, contract.ends_on) == (ContractState.TERMINATED, dt.date(2026, 10, 1))


def test_a_contract_does_not_end_before_a_call_that_it_priced(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))
    make_rule(session, contract=contract).priced_on = dt.date(2026, 10, 1)
    session.flush()

    with pytest.raises(ConflictError, match="2026-10-01"):
        terminate_contract(session, contract.id, 1, dt.date(2026, 10, 1), reason="违约解除", actor_id=3)

    terminate_contract(session, contract.id, 1, dt.date(2026, 10, 2), reason="违约解除", actor_id=3)


def test_a_contract_does_not_end_without_a_reason(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))

    with pytest.raises(InvalidInputError):
        terminate_contract(session, contract.id, 1, dt.date(2026, 10, 1), reason=" ", actor_id=3)
