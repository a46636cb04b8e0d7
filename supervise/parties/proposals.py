"""Changes to numbers and staff numbers that a branch or a partner proposes and a triager accepts: two people.

What is proposed is stored as it will be done, and done by the same decisions as a triager's own entry, so that
acceptance refuses what has become impossible meanwhile.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, NotFoundError, SamePersonError
from supervise.labels import N_, LabelledEnum, _
from supervise.parties.locks import load_version
from supervise.parties.models import NumberHolder, PhoneNumber, ProposalState, RegisterProposal, StaffNumber
from supervise.parties.numbers import end_holding, enter_number, hand_over, hold
from supervise.parties.refusals import ProposalError
from supervise.parties.scope import Scope
from supervise.parties.staff import assign_staff_number, end_staff_number
from supervise.phone import normalise


class Action(LabelledEnum):
    """What a proposal does; the first three to a number, the others to a staff number."""

    HOLD = "hold", N_("Add a number that we hold")
    TAKE_OVER = "take_over", N_("Take a number over from its holder")
    END_HOLDING = "end_holding", N_("Give a number back")
    ASSIGN = "assign", N_("Add a staff number")
    END_STAFF = "end_staff", N_("End a staff number")


_REGISTER_OF = {
    Action.HOLD: "numbers",
    Action.TAKE_OVER: "numbers",
    Action.END_HOLDING: "numbers",
    Action.ASSIGN: "staff",
    Action.END_STAFF: "staff",
}


def propose(
    session: Session,
    scope: Scope,
    *,
    action: Action,
    party_id: int,
    change: Mapping[str, str | int | None],
    reason: str,
    actor_id: int,
) -> RegisterProposal:
    """Propose a change to the register of *party_id*, which must be in the proposer's *scope*.

    *change* holds JSON values: ``digits``, ``at`` (ISO moment), ``end_at``, ``holder_id``; for staff
    ``carrier_code``, ``staff_number``, ``alias``, ``placed_at_id``, ``on`` (ISO day), ``end_on``, ``staff_id``.

    Raises:
        NotFoundError: if the party, or the row to end, is not the proposer's.
        PhoneError: if the number is none.
        ProposalError: if something is missing.
    """
    scope.check(None, party_id)
    stored = {"action": action.value, **{name: value for name, value in change.items() if value is not None}}
    if "digits" in stored:
        stored["digits"] = normalise(str(stored["digits"]))
    _check_complete(action, stored)
    _check_own_row(session, action, stored, party_id)
    proposal = RegisterProposal(
        register=_REGISTER_OF[action],
        change=stored,
        party_id=party_id,
        reason=reason,
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(proposal)
    session.flush()
    _record(session, proposal, "register_proposal.made", actor_id)
    return proposal


def accept(session: Session, proposal_id: int, *, version: int, note: str | None, actor_id: int) -> RegisterProposal:
    """Do what was proposed; all or nothing.

    Raises:
        AlreadyDecidedError, SamePersonError: if it is closed, or the proposer's own.
        RefusalError: as the decision on the register refuses it (an overlap, a terminated party).
    """
    proposal = _open_for(session, proposal_id, version, actor_id)
    _APPLY[Action(proposal.change["action"])](session, proposal, actor_id)
    return _decide(session, proposal, ProposalState.ACCEPTED, note, actor_id)


def reject(session: Session, proposal_id: int, *, version: int, note: str, actor_id: int) -> RegisterProposal:
    """Leave the register as it is and say why.

    Raises:
        AlreadyDecidedError, SamePersonError: if it is closed, or the proposer's own.
    """
    proposal = _open_for(session, proposal_id, version, actor_id)
    return _decide(session, proposal, ProposalState.REJECTED, note, actor_id)


def withdraw(session: Session, proposal_id: int, *, version: int, actor_id: int) -> RegisterProposal:
    """Take an own proposal back.

    Raises:
        NotFoundError: if it is somebody else's.
        AlreadyDecidedError: if it is closed.
    """
    proposal = load_version(session, RegisterProposal, proposal_id, version)
    if proposal.proposed_by != actor_id:
        raise NotFoundError
    if proposal.state is not ProposalState.OPEN:
        raise AlreadyDecidedError
    proposal.state = ProposalState.WITHDRAWN
    _record(session, proposal, "register_proposal.withdrawn", actor_id)
    return proposal


def _open_for(session: Session, proposal_id: int, version: int, actor_id: int) -> RegisterProposal:
    proposal = load_version(session, RegisterProposal, proposal_id, version)
    if proposal.state is not ProposalState.OPEN:
        raise AlreadyDecidedError
    # The database refuses the same: ck_register_proposal_two_people.
    if proposal.proposed_by == actor_id:
        raise SamePersonError
    return proposal


def _decide(
    session: Session, proposal: RegisterProposal, state: ProposalState, note: str | None, actor_id: int
) -> RegisterProposal:
    proposal.state, proposal.decided_by, proposal.decided_at = state, actor_id, clock.now()
    proposal.decision_note = note
    session.flush()
    _record(session, proposal, f"register_proposal.{state.value}", actor_id)
    return proposal


_NEEDED = {
    Action.HOLD: ("digits", "at"),
    Action.TAKE_OVER: ("digits", "at"),
    Action.END_HOLDING: ("holder_id", "at"),
    Action.ASSIGN: ("carrier_code", "staff_number", "on"),
    Action.END_STAFF: ("staff_id", "on"),
}


def _check_complete(action: Action, change: Mapping[str, Any]) -> None:
    missing = [name for name in _NEEDED[action] if change.get(name) in (None, "")]
    if missing:
        raise ProposalError(fields=", ".join(missing))


def _check_own_row(session: Session, action: Action, change: Mapping[str, Any], party_id: int) -> None:
    """Refuse to end a row that is not the party's, as if there were none."""
    owner_id: int | None = party_id
    if action is Action.END_HOLDING:
        owner_id = session.scalar(select(NumberHolder.party_id).where(NumberHolder.id == change["holder_id"]))
    elif action is Action.END_STAFF:
        owner_id = session.scalar(select(StaffNumber.employer_id).where(StaffNumber.id == change["staff_id"]))
    if owner_id != party_id:
        raise NotFoundError


def _source(proposal: RegisterProposal) -> str:
    return _("Proposal %(id)d of the party", id=proposal.id)


def _moment(change: Mapping[str, Any], name: str) -> dt.datetime | None:
    return dt.datetime.fromisoformat(change[name]) if change.get(name) else None


def _day(change: Mapping[str, Any], name: str) -> dt.date | None:
    return dt.date.fromisoformat(change[name]) if change.get(name) else None


def _number_id(session: Session, digits: str, actor_id: int) -> int:
    known = session.scalar(select(PhoneNumber.id).where(PhoneNumber.digits == digits))
    return known or enter_number(session, text=digits, actor_id=actor_id).id


def _apply_hold(session: Session, proposal: RegisterProposal, actor_id: int) -> None:
    change = proposal.change
    hold(
        session,
        number_id=_number_id(session, change["digits"], actor_id),
        party_id=proposal.party_id,
        held_from=dt.datetime.fromisoformat(change["at"]),
        held_to=_moment(change, "end_at"),
        source=_source(proposal),
        actor_id=actor_id,
    )


def _apply_take_over(session: Session, proposal: RegisterProposal, actor_id: int) -> None:
    hand_over(
        session,
        number_id=_number_id(session, proposal.change["digits"], actor_id),
        party_id=proposal.party_id,
        at=dt.datetime.fromisoformat(proposal.change["at"]),
        source=_source(proposal),
        actor_id=actor_id,
    )


def _apply_end_holding(session: Session, proposal: RegisterProposal, actor_id: int) -> None:
    end_holding(
        session,
        proposal.change["holder_id"],
        at=dt.datetime.fromisoformat(proposal.change["at"]),
        reason=proposal.reason,
        actor_id=actor_id,
    )


def _apply_assign(session: Session, proposal: RegisterProposal, actor_id: int) -> None:
    change = proposal.change
    assign_staff_number(
        session,
        carrier_code=change["carrier_code"],
        staff_number=change["staff_number"],
        alias=change.get("alias"),
        employer_id=proposal.party_id,
        placed_at_id=change.get("placed_at_id"),
        valid_from=dt.date.fromisoformat(change["on"]),
        valid_to=_day(change, "end_on"),
        actor_id=actor_id,
    )


def _apply_end_staff(session: Session, proposal: RegisterProposal, actor_id: int) -> None:
    end_staff_number(
        session,
        proposal.change["staff_id"],
        on=dt.date.fromisoformat(proposal.change["on"]),
        reason=proposal.reason,
        actor_id=actor_id,
    )


_APPLY: Mapping[Action, Callable[[Session, RegisterProposal, int], None]] = {
    Action.HOLD: _apply_hold,
    Action.TAKE_OVER: _apply_take_over,
    Action.END_HOLDING: _apply_end_holding,
    Action.ASSIGN: _apply_assign,
    Action.END_STAFF: _apply_end_staff,
}


def _record(session: Session, proposal: RegisterProposal, action: str, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="register_proposal",
        subject_id=proposal.id,
        changes={"register": proposal.register, "action": proposal.change["action"], "party_id": proposal.party_id},
        reason=proposal.decision_note or proposal.reason,
    )
