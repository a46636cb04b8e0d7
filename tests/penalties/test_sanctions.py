"""Sanctions: a second person, the day after at the earliest, over when they are over, lifted by somebody else."""

import datetime as dt

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import AlreadyDecidedError, InvalidInputError, SamePersonError
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.parties.sanctions import standing_at, suspended
from supervise.penalties.sanctions import (
    NotInForceError,
    OwnPartyError,
    TooSoonError,
    WaitingAlreadyError,
    approve_sanction,
    extend_sanction,
    lift_sanction,
    propose_sanction,
    reject_sanction,
)
from tests.factories.parties import give_scope, make_holder, make_number, make_party
from tests.factories.penalties import make_supervisor

TODAY = dt.date(2026, 10, 12)
TOMORROW, END = TODAY + dt.timedelta(days=1), dt.date(2027, 1, 13)
TRIAGER, SUPERVISOR, OTHER = 951, 952, 953


@pytest.fixture(autouse=True)
def _today() -> object:
    with time_machine.travel(clock.start_of_day(TODAY) + dt.timedelta(hours=2), tick=False) as traveller:
        yield traveller


@pytest.fixture
def party(session: Session) -> Party:
    return make_party(session)


def propose(session: Session, party: Party, kind: SanctionKind = SanctionKind.OUTBOUND_SUSPENSION) -> Sanction:
    return propose_sanction(
        session, kind, party_id=party.id, from_on=TOMORROW, until_on=END, reason="多次违规", actor_id=TRIAGER
    )


def in_force(session: Session, party: Party, on: dt.date) -> bool:
    return bool(standing_at(session, [party.id], on)[party.id])


def test_an_approved_suspension_binds_from_its_first_day_until_its_last(session: Session, party: Party) -> None:
    row = propose(session, party)
    assert not in_force(session, party, TOMORROW)

    approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)

    assert not in_force(session, party, TODAY)
    assert in_force(session, party, TOMORROW)
    assert in_force(session, party, END - dt.timedelta(days=1))
    assert not in_force(session, party, END)
    one_second = dt.timedelta(seconds=1)
    assert suspended(session, [party.id], clock.start_of_day(TOMORROW)) == {party.id}
    assert suspended(session, [party.id], clock.start_of_day(TOMORROW) - one_second) == set()
    assert suspended(session, [party.id], clock.start_of_day(END)) == set()


def test_a_late_approval_begins_tomorrow_and_keeps_the_length(session: Session, party: Party) -> None:
    row = propose(session, party)
    with time_machine.travel(clock.start_of_day(TODAY + dt.timedelta(days=9)), tick=False):
        approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)

    assert row.from_on == TODAY + dt.timedelta(days=10)
    assert row.until_on is not None
    assert row.until_on - row.from_on == END - TOMORROW


def test_nobody_approves_what_they_proposed_nor_what_is_against_their_own_party(session: Session, party: Party) -> None:
    row = propose(session, party)
    with pytest.raises(SamePersonError):
        approve_sanction(session, row.id, note=None, actor_id=TRIAGER)
    own = make_supervisor(session)
    give_scope(session, user_id=own.id, party=party)
    with pytest.raises(OwnPartyError):
        approve_sanction(session, row.id, note=None, actor_id=own.id)

    assert row.state is SanctionState.PROPOSED


def test_a_sanction_is_decided_once(session: Session, party: Party) -> None:
    row = propose(session, party)
    reject_sanction(session, row.id, note="证据不足", actor_id=SUPERVISOR)

    with pytest.raises(AlreadyDecidedError):
        approve_sanction(session, row.id, note=None, actor_id=OTHER)
    assert not in_force(session, party, TOMORROW)


def test_the_same_is_not_proposed_twice_nor_for_today(session: Session, party: Party) -> None:
    propose(session, party)
    with pytest.raises(WaitingAlreadyError):
        propose(session, party)
    with pytest.raises(TooSoonError):
        propose_sanction(
            session,
            SanctionKind.WARNING,
            party_id=party.id,
            from_on=TODAY,
            until_on=None,
            reason="警告",
            actor_id=TRIAGER,
        )


def test_a_bar_lasts_two_years_unless_somebody_says_otherwise(session: Session, party: Party) -> None:
    row = propose_sanction(
        session,
        SanctionKind.BAR,
        party_id=party.id,
        from_on=TOMORROW,
        until_on=None,
        reason="列入黑名单",
        actor_id=TRIAGER,
    )

    assert row.until_on == dt.date(2028, 10, 13)


def test_who_proposed_it_does_not_lift_it_and_what_is_over_is_not_lifted(session: Session, party: Party) -> None:
    row = propose(session, party)
    approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)
    with pytest.raises(SamePersonError):
        lift_sanction(session, row.id, reason="整改完成", actor_id=TRIAGER)

    day = TOMORROW + dt.timedelta(days=20)
    with time_machine.travel(clock.start_of_day(day), tick=False):
        lift_sanction(session, row.id, reason="整改完成", actor_id=OTHER)
        with pytest.raises(NotInForceError):
            lift_sanction(session, row.id, reason="再次", actor_id=OTHER)

    assert in_force(session, party, day - dt.timedelta(days=1))
    assert not in_force(session, party, day)


def test_an_extension_carries_on_without_a_gap_and_falls_with_what_it_extends(session: Session, party: Party) -> None:
    row = propose(session, party)
    approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)
    later = dt.date(2027, 4, 13)
    longer = extend_sanction(session, row.id, until_on=later, reason="整改未完成", actor_id=TRIAGER)
    assert not in_force(session, party, END)
    approve_sanction(session, longer.id, note=None, actor_id=SUPERVISOR)

    assert row.state is SanctionState.EXTENDED
    assert in_force(session, party, END)
    assert not in_force(session, party, later)
    with time_machine.travel(clock.start_of_day(TOMORROW), tick=False):
        lift_sanction(session, row.id, reason="申诉成立", actor_id=OTHER)
    assert not in_force(session, party, TOMORROW)
    assert not in_force(session, party, END)


def test_a_shutdown_names_the_number_and_leaves_the_party_alone(session: Session, party: Party) -> None:
    number = make_number(session)
    make_holder(session, party=party, number=number)
    row = propose_sanction(
        session,
        SanctionKind.NUMBER_SHUTDOWN,
        number_id=number.id,
        from_on=TOMORROW,
        until_on=None,
        reason="骚扰号码",
        actor_id=TRIAGER,
    )
    approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)

    assert row.party_id == party.id
    assert not in_force(session, party, TOMORROW)
    with pytest.raises(InvalidInputError):
        propose_sanction(
            session,
            SanctionKind.NUMBER_SHUTDOWN,
            party_id=party.id,
            from_on=TOMORROW,
            until_on=None,
            reason="无号码",
            actor_id=TRIAGER,
        )


def test_what_was_imposed_on_an_entry_holds_for_the_one_it_was_merged_into(session: Session, party: Party) -> None:
    row = propose(session, party)
    approve_sanction(session, row.id, note=None, actor_id=SUPERVISOR)
    into = make_party(session, name="存续公司")
    party.merged_into_id = into.id
    session.flush()

    assert in_force(session, into, TOMORROW)
