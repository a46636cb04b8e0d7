"""A termination or a bar ends the party's contracts: drafted once, by one person, put into force by another."""

import datetime as dt

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.amendments import activate_amendment, withdraw_amendment
from supervise.contracts.models import Contract
from supervise.errors import SamePersonError
from supervise.parties.merge import merge_party
from supervise.parties.models import Party
from supervise.parties.sanction_models import SanctionKind, SanctionState
from supervise.penalties.contract_ends import (
    NotEndingError,
    NothingToEndError,
    propose_contract_ends,
    running_contracts,
)
from tests.factories.contracts import make_contract
from tests.factories.parties import make_party, make_unit
from tests.factories.points import make_sanction

TODAY = dt.date(2026, 10, 12)
FIRST = TODAY + dt.timedelta(days=10)
TRIAGER, SUPERVISOR = 951, 952


@pytest.fixture(autouse=True)
def _today() -> object:
    with time_machine.travel(clock.start_of_day(TODAY) + dt.timedelta(hours=2), tick=False) as traveller:
        yield traveller


@pytest.fixture
def party(session: Session) -> Party:
    return make_party(session)


def make_running(session: Session, party: Party) -> Contract:
    return make_contract(session, party=party, unit=make_unit(session))


def test_every_contract_that_runs_on_ends_on_the_first_day_of_the_bar(session: Session, party: Party) -> None:
    old = make_party(session)
    merge_party(session, old.id, into_id=party.id, reason="同一家", actor_id=1)
    contracts = [make_running(session, one) for one in (party, old)]
    other = make_running(session, make_party(session))
    bar = make_sanction(session, party=party, kind=SanctionKind.BAR, from_on=FIRST)

    drafts = propose_contract_ends(session, bar.id, actor_id=TRIAGER)
    with pytest.raises(SamePersonError):
        activate_amendment(session, drafts[0].id, actor_id=TRIAGER)
    for draft in drafts:
        activate_amendment(session, draft.id, actor_id=SUPERVISOR)

    assert {contract.ends_on for contract in contracts} == {FIRST}
    assert other.ends_on is None
    assert running_contracts(session, bar) == []


def test_an_end_is_drafted_once_and_again_after_it_was_withdrawn(session: Session, party: Party) -> None:
    make_running(session, party)
    sanction = make_sanction(session, party=party, kind=SanctionKind.TERMINATION, from_on=TODAY)

    [draft] = propose_contract_ends(session, sanction.id, actor_id=TRIAGER)
    with pytest.raises(NothingToEndError):
        propose_contract_ends(session, sanction.id, actor_id=TRIAGER)
    withdraw_amendment(session, draft.id, actor_id=TRIAGER)
    [second] = propose_contract_ends(session, sanction.id, actor_id=TRIAGER)

    # The day of the sanction has begun: its calls are still the contract's.
    assert draft.ends_on == second.ends_on == TODAY + dt.timedelta(days=1)
    assert second.number != draft.number


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (SanctionKind.OUTBOUND_SUSPENSION, SanctionState.APPROVED),
        (SanctionKind.TERMINATION, SanctionState.PROPOSED),
        (SanctionKind.BAR, SanctionState.REJECTED),
    ],
)
def test_what_does_not_end_the_cooperation_ends_no_contract(
    session: Session, party: Party, kind: SanctionKind, state: SanctionState
) -> None:
    make_running(session, party)
    sanction = make_sanction(session, party=party, kind=kind, from_on=TODAY, state=state)

    assert running_contracts(session, sanction) == []
    with pytest.raises(NotEndingError):
        propose_contract_ends(session, sanction.id, actor_id=TRIAGER)
