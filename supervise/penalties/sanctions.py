"""Sanctions as people decide them: proposed with a reason, approved by a second person, extended, lifted (domain F48).

Source: docs/rules.md, rules S-5 and S-6. A sanction binds from the day after its approval at the earliest: nobody is
measured by what they could not know.
"""

import datetime as dt
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    SamePersonError,
)
from supervise.labels import N_
from supervise.parties.locks import load
from supervise.parties.models import NumberHolder, Party, PhoneNumber
from supervise.parties.periods import check_order, holds_at
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.parties.standing import check_not_merged
from supervise.penalties.belonging import ChargedUnits
from supervise.penalties.ladder import SANCTIONS

#: How long a bar lasts where nobody says otherwise (domain P4).
BAR_MONTHS = 24
_ONE_DAY = dt.timedelta(days=1)


class TooSoonError(InvalidInputError):
    """A sanction that would bind before anybody could know of it."""

    message = N_("A sanction begins on %(day)s at the earliest: nobody is bound before they can know")


class WaitingAlreadyError(ConflictError):
    """The same is proposed already."""

    message = N_("The same sanction is proposed already and waits for a decision")


class NotInForceError(ConflictError):
    """Only what has effect, or will have, is lifted or extended."""

    message = N_("This sanction is over, or was never approved")


class OwnPartyError(NotPermittedError):
    """The user belongs to the sanctioned party."""

    message = N_("This sanction is against your own unit or party; somebody else must decide")


def propose_sanction(
    session: Session,
    kind: SanctionKind,
    *,
    from_on: dt.date,
    until_on: dt.date | None,
    reason: str,
    actor_id: int,
    party_id: int | None = None,
    number_id: int | None = None,
) -> Sanction:
    """Propose a sanction against a party, or the shutdown of a number; it waits for a second person.

    Raises:
        InvalidInputError: without a reason, or for a shutdown without a number and the other way round.
        TooSoonError, PeriodOrderError: for a period that begins before tomorrow, or is empty.
        NoSuchRowError, MergedError: if there is no such party or number.
        WaitingAlreadyError: if the same waits already.
    """
    _check_proposal(kind, from_on, reason, party_id, number_id)
    take_turn(session, SANCTIONS)  # two who propose the same at once: the second sees the first
    if kind is SanctionKind.BAR and until_on is None:
        until_on = clock.months_after(from_on, BAR_MONTHS)
    check_order(from_on, until_on)
    if number_id is not None:
        load(session, PhoneNumber, number_id)
        party_id = _holder_now(session, number_id)
    elif party_id is not None:
        check_not_merged(session, load(session, Party, party_id))
    _check_not_waiting(session, kind, party_id, number_id)
    row = Sanction(
        party_id=party_id,
        number_id=number_id,
        kind=kind,
        from_on=from_on,
        until_on=until_on,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _record(session, "sanction.proposed", row, actor_id, row.reason)
    return row


def _check_proposal(
    kind: SanctionKind, from_on: dt.date, reason: str, party_id: int | None, number_id: int | None
) -> None:
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    if (kind is SanctionKind.NUMBER_SHUTDOWN) != (number_id is not None) or (number_id is None and party_id is None):
        raise InvalidInputError(N_("A shutdown names a number, every other sanction a party"))
    if from_on < _earliest():
        raise TooSoonError(day=f"{_earliest()}")


def approve_sanction(session: Session, sanction_id: int, *, note: str | None, actor_id: int) -> Sanction:
    """Put a proposed sanction into force.

    If its first day has come or gone meanwhile, it begins tomorrow and lasts as many days as were proposed.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it does not wait any more.
        SamePersonError, OwnPartyError: if the user proposed it, or belongs to the party.
        NotInForceError: if it extends one that was lifted meanwhile.
    """
    row = _decidable(session, sanction_id, actor_id)
    if row.extends_id is not None:
        before = _locked(session, row.extends_id)
        if before.state is not SanctionState.APPROVED:
            raise NotInForceError
        before.state = SanctionState.EXTENDED
        before.version += 1
    late = _earliest() - row.from_on
    if late > dt.timedelta(0):
        row.from_on += late
        row.until_on = None if row.until_on is None else row.until_on + late
    _close(session, row, SanctionState.APPROVED, note, actor_id)
    return row


def reject_sanction(session: Session, sanction_id: int, *, note: str, actor_id: int) -> Sanction:
    """Turn a proposed sanction down; by whoever may approve it.

    Raises:
        InvalidInputError: without a reason.
        NotFoundError, AlreadyDecidedError, SamePersonError, OwnPartyError: as ``approve_sanction``.
    """
    if not note.strip():
        raise InvalidInputError(N_("Give a reason"))
    row = _decidable(session, sanction_id, actor_id)
    _close(session, row, SanctionState.REJECTED, note, actor_id)
    return row


def lift_sanction(session: Session, sanction_id: int, *, reason: str, actor_id: int) -> Sanction:
    """Lift a sanction before its end, from today on, with what carries it on; a number works again (restore).

    Raises:
        InvalidInputError: without a reason.
        NotFoundError, NotInForceError: if there is none, or it has no effect any more.
        SamePersonError, OwnPartyError: if the user proposed it or what carries it on, or belongs to the party.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    row = _locked(session, sanction_id)
    _check_not_own(session, row, actor_id)
    chain = _with_extensions(session, row)
    if not any(_has_effect(one) for one in chain):
        raise NotInForceError
    if any(one.proposed_by == actor_id for one in chain):  # also a CHECK of the table
        raise SamePersonError(N_("A second person must lift this: you proposed it yourself"))
    for one in filter(_has_effect, chain):
        one.state = SanctionState.LIFTED
        one.lifted_on, one.lifted_by, one.lift_reason = clock.today(), actor_id, reason.strip()
        one.version += 1
        session.flush()
        _record(session, "sanction.lifted", one, actor_id, reason.strip())
    return row


def extend_sanction(
    session: Session, sanction_id: int, *, until_on: dt.date | None, reason: str, actor_id: int
) -> Sanction:
    """Propose that a sanction goes on after its last day, until *until_on* (None: until lifted).

    Raises:
        InvalidInputError: without a reason.
        NotFoundError, NotInForceError: if there is none, it has no effect any more, or no end.
        PeriodOrderError: if it would not end later.
        WaitingAlreadyError: if the same waits already.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    take_turn(session, SANCTIONS)
    before = _locked(session, sanction_id)
    if before.state is not SanctionState.APPROVED or before.until_on is None or before.until_on <= clock.today():
        raise NotInForceError
    check_order(before.until_on, until_on)
    _check_not_waiting(session, before.kind, before.party_id, before.number_id)
    row = Sanction(
        party_id=before.party_id,
        number_id=before.number_id,
        kind=before.kind,
        from_on=before.until_on,
        until_on=until_on,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
        extends_id=before.id,
    )
    session.add(row)
    session.flush()
    _record(session, "sanction.proposed", row, actor_id, row.reason)
    return row


def _earliest() -> dt.date:
    return clock.today() + _ONE_DAY


def _holder_now(session: Session, number_id: int) -> int | None:
    now = clock.now()
    query = select(NumberHolder.party_id).where(
        NumberHolder.number_id == number_id, holds_at(NumberHolder.held_from, NumberHolder.held_to, now)
    )
    return session.scalar(query.limit(1))


def _check_not_waiting(session: Session, kind: SanctionKind, party_id: int | None, number_id: int | None) -> None:
    # The database refuses the same: uq_sanction_waiting_party, uq_sanction_waiting_number.
    about = (
        Sanction.number_id == number_id
        if number_id is not None
        else (Sanction.party_id == party_id) & Sanction.number_id.is_(None)
    )
    same = select(Sanction.id).where(Sanction.state == SanctionState.PROPOSED, Sanction.kind == kind, about)
    if session.scalar(same.limit(1)) is not None:
        raise WaitingAlreadyError


def _locked(session: Session, sanction_id: int) -> Sanction:
    row = session.get(Sanction, sanction_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError
    return row


def _decidable(session: Session, sanction_id: int, actor_id: int) -> Sanction:
    row = _locked(session, sanction_id)
    if row.state is not SanctionState.PROPOSED:
        raise AlreadyDecidedError
    if row.proposed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    _check_not_own(session, row, actor_id)
    return row


def _check_not_own(session: Session, row: Sanction, actor_id: int) -> None:
    party = None if row.party_id is None else session.get_one(Party, row.party_id)
    if party is not None and ChargedUnits(session, actor_id).include_party(party):
        raise OwnPartyError


def _close(session: Session, row: Sanction, state: SanctionState, note: str | None, actor_id: int) -> None:
    row.state = state
    row.decided_by, row.decided_at = actor_id, clock.now()
    row.decision_note = (note or "").strip() or None
    row.version += 1
    session.flush()
    _record(session, f"sanction.{state.value}", row, actor_id, row.decision_note)


def _has_effect(row: Sanction) -> bool:
    in_effect = row.state in {SanctionState.APPROVED, SanctionState.EXTENDED}
    return in_effect and (row.until_on is None or row.until_on > clock.today())


def _with_extensions(session: Session, row: Sanction) -> list[Sanction]:
    chain = [row]
    while True:
        after = session.scalars(
            select(Sanction)
            .where(
                Sanction.extends_id == chain[-1].id,
                or_(Sanction.state == SanctionState.APPROVED, Sanction.state == SanctionState.EXTENDED),
            )
            .with_for_update()
        ).one_or_none()
        if after is None:
            return chain
        chain.append(after)


def _record(session: Session, action: str, row: Sanction, actor_id: int, reason: str | None) -> None:
    changes: dict[str, Any] = {
        "party_id": row.party_id,
        "sanction": row.kind,
        "valid_from": row.from_on,
        "valid_to": row.lifted_on or row.until_on,
    }
    if row.number_id is not None:
        changes["number_id"] = row.number_id
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="sanction",
        subject_id=row.id,
        changes=changes,
        reason=reason,
    )
