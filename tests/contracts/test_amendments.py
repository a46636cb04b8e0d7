"""Amendments: drafted by one, put into force by another, from today on; terms are read as of a day."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.agreements import OverlappingContractError
from supervise.contracts.amendments import (
    AmendedTerms,
    BackDatedAmendmentError,
    SecondAmendmentError,
    activate_amendment,
    draft_amendment,
    withdraw_amendment,
)
from supervise.contracts.models import AmendmentState, Contract, ContractAmendment, ContractState, SettlementOrder
from supervise.contracts.terms import SettlementMethod, terms_at
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, SamePersonError
from tests.factories.contracts import make_contract, make_rule
from tests.factories.parties import make_party, make_unit

TODAY = dt.date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with time_machine.travel(clock.start_of_day(TODAY), tick=False):
        yield


@pytest.fixture
def contract(session: Session) -> Contract:
    return make_contract(
        session, party=make_party(session), unit=make_unit(session), ends_on=dt.date(2027, 1, 1), appeal_days=5
    )


def amended(
    session: Session, contract: Contract, *, on: dt.date = TODAY, number: str = "补充协议一", **terms: Any
) -> ContractAmendment:
    return draft_amendment(
        session,
        contract.id,
        AmendedTerms(**terms),
        number=number,
        signed_on=min(on, TODAY),
        effective_from=on,
        reason="双方 11 月会谈纪要",
        actor_id=1,
    )


def test_an_amendment_holds_from_its_day_on_and_not_before(session: Session, contract: Contract) -> None:
    later = TODAY + dt.timedelta(days=10)
    draft = amended(
        session,
        contract,
        on=later,
        deposit_required_fen=50_000_00,
        appeal_days=10,
        settlement_order=SettlementOrder.COMMISSION_CASH,
    )

    activate_amendment(session, draft.id, actor_id=2)

    before = terms_at(session, [contract.id], later - dt.timedelta(days=1))[contract.id]
    after = terms_at(session, [contract.id], later)[contract.id]
    assert (before.deposit_required_fen, before.appeal_days) == (0, 5)
    assert before.settlement_order == (SettlementMethod.DEPOSIT, SettlementMethod.COMMISSION, SettlementMethod.CASH)
    assert (after.deposit_required_fen, after.appeal_days, after.deemed_days) == (50_000_00, 10, 3)
    assert after.settlement_order == (SettlementMethod.COMMISSION, SettlementMethod.CASH)


def test_the_later_of_two_amendments_holds(session: Session, contract: Contract) -> None:
    first = amended(session, contract, appeal_days=10, top_up_days=15)
    second = amended(session, contract, on=TODAY + dt.timedelta(days=1), number="补充协议二", appeal_days=7)
    for one in (second, first):
        activate_amendment(session, one.id, actor_id=2)

    terms = terms_at(session, [contract.id], TODAY + dt.timedelta(days=1))[contract.id]

    assert (terms.appeal_days, terms.top_up_days) == (7, 15)


def test_a_draft_changes_nothing_and_can_be_withdrawn(session: Session, contract: Contract) -> None:
    draft = amended(session, contract, appeal_days=10)

    withdraw_amendment(session, draft.id, actor_id=1)

    assert terms_at(session, [contract.id], TODAY)[contract.id].appeal_days == 5
    with pytest.raises(AlreadyDecidedError):
        activate_amendment(session, draft.id, actor_id=2)


def test_who_drafted_an_amendment_does_not_put_it_into_force(session: Session, contract: Contract) -> None:
    draft = amended(session, contract, appeal_days=10)

    with pytest.raises(SamePersonError):
        activate_amendment(session, draft.id, actor_id=1)

    assert draft.state is AmendmentState.DRAFT


def test_an_amendment_is_not_back_dated(session: Session, contract: Contract) -> None:
    draft = amended(session, contract, on=TODAY - dt.timedelta(days=1), appeal_days=10)

    with pytest.raises(BackDatedAmendmentError):
        activate_amendment(session, draft.id, actor_id=2)


def test_two_amendments_do_not_begin_on_one_day(session: Session, contract: Contract) -> None:
    activate_amendment(session, amended(session, contract, appeal_days=10).id, actor_id=2)
    second = amended(session, contract, number="补充协议二", appeal_days=7)

    with pytest.raises(SecondAmendmentError):
        activate_amendment(session, second.id, actor_id=2)


def test_an_amendment_moves_the_end_of_the_contract_at_once(session: Session, contract: Contract) -> None:
    draft = amended(session, contract, on=TODAY + dt.timedelta(days=30), ends_on=dt.date(2028, 1, 1))

    activate_amendment(session, draft.id, actor_id=2)

    assert (contract.ends_on, contract.state) == (dt.date(2028, 1, 1), ContractState.ACTIVE)


def test_the_end_does_not_move_before_a_priced_call(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract).priced_on = dt.date(2026, 11, 20)
    session.flush()
    draft = amended(session, contract, ends_on=dt.date(2026, 11, 20))

    with pytest.raises(ConflictError, match="2026-11-20"):
        activate_amendment(session, draft.id, actor_id=2)


def test_the_end_does_not_move_into_the_next_contract(session: Session, contract: Contract) -> None:
    party = make_party(session)
    first = make_contract(session, party=party, unit=make_unit(session), ends_on=dt.date(2027, 1, 1))
    make_contract(session, party=party, unit=make_unit(session), starts_on=dt.date(2027, 1, 1))
    draft = amended(session, first, ends_on=dt.date(2027, 1, 2))

    with pytest.raises(OverlappingContractError):
        activate_amendment(session, draft.id, actor_id=2)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"deposit_required_fen": -1},
        {"top_up_days": 0},
        {"appeal_days": 366},
        {"ends_on": dt.date(2020, 1, 1)},
    ],
)
def test_amendments_that_make_no_sense_are_refused(session: Session, contract: Contract, terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        amended(session, contract, **terms)


def test_a_contract_that_ended_early_is_not_amended(session: Session, contract: Contract) -> None:
    contract.state = ContractState.TERMINATED
    session.flush()

    with pytest.raises(ConflictError):
        amended(session, contract, appeal_days=10)


@pytest.mark.parametrize(
    ("table", "change"),
    [(ContractAmendment, {"appeal_days": 11}), (Contract, {"deposit_required_fen": 1})],
)
def test_the_database_itself_refuses_to_edit_terms_in_force(
    session: Session, contract: Contract, table: Any, change: dict[str, int]
) -> None:
    activate_amendment(session, amended(session, contract, appeal_days=10).id, actor_id=2)

    with pytest.raises(DBAPIError, match="in force"), session.begin_nested():
        session.execute(sa.update(table).values(change))
