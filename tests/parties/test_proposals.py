"""Branches and partners propose changes to their own numbers and staff; a triager does them."""

import datetime as dt

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import AlreadyDecidedError, ConflictError, NotFoundError, SamePersonError
from supervise.parties.holders import holders_at
from supervise.parties.models import NumberHolder, Party, ProposalState, RegisterProposal
from supervise.parties.proposals import Action, accept, propose, reject, withdraw
from supervise.parties.refusals import HolderOverlapError, ProposalError
from supervise.parties.scope import Scope
from supervise.phone import PhoneError
from tests.factories.parties import make_carrier, make_holder, make_party, make_staff_number, staff_number_at

NOON = dt.datetime(2026, 3, 5, 12, 0, tzinfo=clock.CHINA).astimezone(dt.UTC)
CONTACT, TRIAGER = 7, 8


def scope_of(party: Party) -> Scope:
    return Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({party.id}))


def propose_number(session: Session, party: Party, action: Action = Action.HOLD) -> RegisterProposal:
    return propose(
        session,
        scope_of(party),
        action=action,
        party_id=party.id,
        change={"digits": "029 8888 0000", "at": NOON.isoformat()},
        reason="新线路",
        actor_id=CONTACT,
    )


def test_a_proposed_number_is_held_once_it_is_accepted(session: Session) -> None:
    party = make_party(session)
    proposal = propose_number(session, party)
    assert holders_at(session, [("02988880000", NOON)]) == {}

    accept(session, proposal.id, version=1, note=None, actor_id=TRIAGER)

    assert holders_at(session, [("02988880000", NOON)])["02988880000", NOON].party_id == party.id
    assert (proposal.state, proposal.decided_by) == (ProposalState.ACCEPTED, TRIAGER)


def test_a_number_is_taken_over_from_its_holder_at_the_moment(session: Session) -> None:
    old, new = make_party(session), make_party(session)
    holder = make_holder(session, party=old)

    proposal = propose_number(session, new, Action.TAKE_OVER)
    accept(session, proposal.id, version=1, note=None, actor_id=TRIAGER)

    session.refresh(holder)
    assert holder.held_to == NOON
    assert holders_at(session, [("02988880000", NOON)])["02988880000", NOON].party_id == new.id


def test_a_number_given_back_is_nobodys_from_then_on(session: Session) -> None:
    party = make_party(session)
    holder = make_holder(session, party=party)
    proposal = propose(
        session,
        scope_of(party),
        action=Action.END_HOLDING,
        party_id=party.id,
        change={"holder_id": holder.id, "at": NOON.isoformat()},
        reason="退订",
        actor_id=CONTACT,
    )

    accept(session, proposal.id, version=1, note=None, actor_id=TRIAGER)

    assert holders_at(session, [("02988880000", NOON)]) == {}


def test_staff_numbers_are_proposed_and_ended_alike(session: Session) -> None:
    make_carrier(session)
    party, on = make_party(session), dt.date(2026, 3, 1)
    added = propose(
        session,
        scope_of(party),
        action=Action.ASSIGN,
        party_id=party.id,
        change={"carrier_code": "CU", "staff_number": "8001", "on": on.isoformat()},
        reason="入职",
        actor_id=CONTACT,
    )
    accept(session, added.id, version=1, note=None, actor_id=TRIAGER)
    worker = staff_number_at(session, "CU", "8001", on)
    assert worker is not None

    ended = propose(
        session,
        scope_of(party),
        action=Action.END_STAFF,
        party_id=party.id,
        change={"staff_id": worker.id, "on": "2026-04-01"},
        reason="离职",
        actor_id=CONTACT,
    )
    accept(session, ended.id, version=1, note=None, actor_id=TRIAGER)

    assert staff_number_at(session, "CU", "8001", dt.date(2026, 4, 1)) is None


def test_what_has_become_impossible_is_refused_at_acceptance(session: Session) -> None:
    proposal = propose_number(session, make_party(session))
    make_holder(session, party=make_party(session, name="拓见"))

    with pytest.raises(HolderOverlapError), session.begin_nested():
        accept(session, proposal.id, version=1, note=None, actor_id=TRIAGER)

    session.refresh(proposal)
    assert proposal.state is ProposalState.OPEN


def test_nobody_accepts_or_rejects_the_own_proposal(session: Session) -> None:
    proposal = propose_number(session, make_party(session))

    with pytest.raises(SamePersonError), session.begin_nested():
        accept(session, proposal.id, version=1, note=None, actor_id=CONTACT)
    with pytest.raises(SamePersonError), session.begin_nested():
        reject(session, proposal.id, version=1, note="不", actor_id=CONTACT)

    assert session.scalar(select(func.count(NumberHolder.id))) == 0


def test_the_database_demands_two_people(session: Session) -> None:
    proposal = propose_number(session, make_party(session))
    proposal.state, proposal.decided_by = ProposalState.ACCEPTED, CONTACT

    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_rejected_proposal_changes_nothing_and_is_closed(session: Session) -> None:
    proposal = propose_number(session, make_party(session))

    reject(session, proposal.id, version=1, note="号码不属于你方", actor_id=TRIAGER)

    assert holders_at(session, [("02988880000", NOON)]) == {}
    with pytest.raises(AlreadyDecidedError), session.begin_nested():
        accept(session, proposal.id, version=2, note=None, actor_id=TRIAGER)


def test_of_two_triagers_the_second_is_told(session: Session) -> None:
    proposal = propose_number(session, make_party(session))
    accept(session, proposal.id, version=1, note=None, actor_id=TRIAGER)

    with pytest.raises(ConflictError):
        accept(session, proposal.id, version=1, note=None, actor_id=9)


def test_a_proposal_is_withdrawn_by_who_made_it_and_nobody_else(session: Session) -> None:
    proposal = propose_number(session, make_party(session))

    with pytest.raises(NotFoundError), session.begin_nested():
        withdraw(session, proposal.id, version=1, actor_id=TRIAGER)
    session.refresh(proposal)
    withdraw(session, proposal.id, version=1, actor_id=CONTACT)

    assert proposal.state is ProposalState.WITHDRAWN
    with pytest.raises(AlreadyDecidedError), session.begin_nested():
        withdraw(session, proposal.id, version=2, actor_id=CONTACT)


def test_nothing_is_proposed_for_somebody_else(session: Session) -> None:
    own, other = make_party(session), make_party(session)

    with pytest.raises(NotFoundError):
        propose(
            session,
            scope_of(own),
            action=Action.HOLD,
            party_id=other.id,
            change={"digits": "02988880000", "at": NOON.isoformat()},
            reason="x",
            actor_id=CONTACT,
        )


def test_nobody_ends_a_row_of_somebody_else(session: Session) -> None:
    own, other = make_party(session), make_party(session)
    holder, worker = make_holder(session, party=other), make_staff_number(session, employer=other)

    changes: list[tuple[Action, dict[str, str | int | None]]] = [
        (Action.END_HOLDING, {"holder_id": holder.id, "at": NOON.isoformat()}),
        (Action.END_STAFF, {"staff_id": worker.id, "on": "2026-04-01"}),
    ]
    for action, change in changes:
        with pytest.raises(NotFoundError):
            propose(session, scope_of(own), action=action, party_id=own.id, change=change, reason="x", actor_id=CONTACT)


def test_a_wrong_or_incomplete_proposal_is_refused_at_once(session: Session) -> None:
    party = make_party(session)

    for change, refusal in (
        ({"digits": "2988880000", "at": NOON.isoformat()}, PhoneError),
        ({"digits": "02988880000"}, ProposalError),
    ):
        with pytest.raises(refusal):
            propose(
                session,
                scope_of(party),
                action=Action.HOLD,
                party_id=party.id,
                change=change,
                reason="x",
                actor_id=CONTACT,
            )
