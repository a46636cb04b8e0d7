"""Merging two entries of one party, at once or, while money is open, by a second person (domain F27).

Source: docs/rules.md, "Two entries of one party".
"""

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.parties.merge import lock_mergeable, merge_party
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.models import Party
from supervise.parties.open_money import open_money
from supervise.parties.refusals import OpenMoneyError
from supervise.penalties.belonging import ChargedUnits, OwnUnitError
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.recovery_models import Recovery, RecoveryState

#: Not in the ledger yet, and approved as it stands: against the entry it names.
_ON_THEIR_WAY = (PenaltyState.PROPOSED, PenaltyState.RETURNED)


class ProposedMoneyError(ConflictError):
    """What is proposed names the entry that would go."""

    message = N_("Penalties, recoveries or claims against %(name)s wait for approval; decide on them first")


class MergeWaitsError(ConflictError):
    """One merger of an entry at a time."""

    message = N_("A merger of %(name)s waits for a second person already")


class NoOpenMoneyError(ConflictError):
    """Nothing is open that a second person had to approve."""

    message = N_("%(name)s has no open amounts; merge it at once")


def merge_parties(session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int) -> Party:
    """Merge as ``parties.merge.merge_party``, unless something is proposed against the entry that goes.

    Raises:
        ProposedMoneyError: if there is one.
        OpenMoneyError: if an account is not even: ``propose_merge``.
        RefusalError: as ``merge_party``.
    """
    party, _into = lock_mergeable(session, party_id, into_id)
    _refuse_proposed(session, party)
    return merge_party(session, party_id, into_id=into_id, reason=reason, actor_id=actor_id)


def propose_merge(session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int) -> PartyMerge:
    """Propose to merge an entry of which money is open; a second person sees how much.

    Raises:
        ProposedMoneyError: if something is proposed against it.
        NoOpenMoneyError: if nothing is open.
        MergeWaitsError: if a merger of it waits already.
        InvalidInputError: without a reason.
        RefusalError: as ``merge_party``.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    party, _into = lock_mergeable(session, party_id, into_id)
    _refuse_proposed(session, party)
    is_open = open_money(session, [party_id]).get(party_id)
    if is_open is None:
        raise NoOpenMoneyError(name=party.name)
    waiting = select(PartyMerge.id).where(PartyMerge.party_id == party_id, PartyMerge.state == MergeState.OPEN)
    if session.scalar(waiting) is not None:  # also a unique index
        raise MergeWaitsError(name=party.name)
    merge = PartyMerge(
        party_id=party_id,
        into_id=into_id,
        open_fen=is_open.total_fen,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(merge)
    session.flush()
    _record(session, merge, "party.merge_proposed", actor_id, reason=reason)
    return merge


def merge_or_propose(
    session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int
) -> Party | PartyMerge:
    """Merge at once where nothing is open, else propose it.

    Raises:
        RefusalError: as ``merge_parties`` and ``propose_merge``.
    """
    try:
        return merge_parties(session, party_id, into_id=into_id, reason=reason, actor_id=actor_id)
    except OpenMoneyError:
        return propose_merge(session, party_id, into_id=into_id, reason=reason, actor_id=actor_id)


def approve_merge(session: Session, merge_id: int, *, actor_id: int) -> Party:
    """Merge as the second person: what is open stays with the old entry, and is collected there as before.

    Raises:
        AlreadyDecidedError, SamePersonError: if it does not wait, or is the user's own.
        OwnUnitError: if the user belongs to one of the entries.
        NotPermittedError: if what is open now is beyond the user's authority.
        ProposedMoneyError: if something was proposed meanwhile.
        RefusalError: as ``merge_party``.
    """
    merge = _waiting(session, merge_id, actor_id)
    party, into = lock_mergeable(session, merge.party_id, merge.into_id)
    charged = ChargedUnits(session, actor_id)
    for entry in (party, into):
        if charged.include_party(entry):
            raise OwnUnitError(reference=entry.name)
    _refuse_proposed(session, party)
    is_open = open_money(session, [party.id]).get(party.id)
    require_authority(session, user_id=actor_id, amount_fen=is_open.total_fen if is_open else 0)
    _close(session, merge, MergeState.APPROVED, None, actor_id)
    return merge_party(
        session, party.id, into_id=into.id, reason=merge.reason, actor_id=actor_id, is_money_approved=True
    )


def reject_merge(session: Session, merge_id: int, *, note: str, actor_id: int) -> PartyMerge:
    """Leave the two entries as they are, and say why.

    Raises:
        AlreadyDecidedError, SamePersonError: if it does not wait, or is the user's own.
        InvalidInputError: without a reason.
    """
    if not note.strip():
        raise InvalidInputError(N_("Give a reason"))
    return _close(session, _waiting(session, merge_id, actor_id), MergeState.REJECTED, note.strip(), actor_id)


def withdraw_merge(session: Session, merge_id: int, *, actor_id: int) -> PartyMerge:
    """Take an own proposal back.

    Raises:
        NotFoundError: if it is somebody else's.
        AlreadyDecidedError: if it does not wait.
    """
    merge = _locked(session, merge_id)
    if merge.proposed_by != actor_id:
        raise NotFoundError
    return _close(session, merge, MergeState.WITHDRAWN, None, actor_id)


def _refuse_proposed(session: Session, party: Party) -> None:
    waiting = union_all(
        select(Penalty.id).where(Penalty.party_id == party.id, Penalty.state.in_(_ON_THEIR_WAY)),
        select(Recovery.id).where(Recovery.party_id == party.id, Recovery.state == RecoveryState.PROPOSED),
        select(FineRecourse.id).where(FineRecourse.party_id == party.id, FineRecourse.state == RecourseState.PROPOSED),
    )
    if session.execute(waiting.limit(1)).first() is not None:
        raise ProposedMoneyError(name=party.name)


def _locked(session: Session, merge_id: int) -> PartyMerge:
    merge = session.get(PartyMerge, merge_id, with_for_update=True, populate_existing=True)
    if merge is None:
        raise NotFoundError
    if merge.state is not MergeState.OPEN:
        raise AlreadyDecidedError
    return merge


def _waiting(session: Session, merge_id: int, actor_id: int) -> PartyMerge:
    merge = _locked(session, merge_id)
    if merge.proposed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    return merge


def _close(session: Session, merge: PartyMerge, state: MergeState, note: str | None, actor_id: int) -> PartyMerge:
    merge.state, merge.decision_note = state, note
    merge.decided_by, merge.decided_at = actor_id, clock.now()
    session.flush()
    _record(session, merge, f"party.merge_{state.value}", actor_id, reason=note)
    return merge


def _record(session: Session, merge: PartyMerge, action: str, actor_id: int, *, reason: str | None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="party",
        subject_id=merge.party_id,
        changes={"merged_into_id": merge.into_id, "open_fen": merge.open_fen},
        reason=reason,
    )
