"""Merging two entries of one party, where penalties, recoveries or claims may still be on their way."""

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from supervise.parties.locks import load
from supervise.parties.merge import merge_party
from supervise.parties.models import Party
from supervise.parties.refusals import OpenMoneyError
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.recovery_models import Recovery, RecoveryState

#: Not in the ledger yet, and approved as it stands: against the entry it names.
_ON_THEIR_WAY = (PenaltyState.PROPOSED, PenaltyState.RETURNED)


def merge_parties(session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int) -> Party:
    """Merge as ``parties.merge.merge_party``, unless something is proposed against the entry that goes.

    Raises:
        OpenMoneyError: if there is one, or an account is not even.
        RefusalError: as ``merge_party``.
    """
    party = load(session, Party, party_id)
    waiting = union_all(
        select(Penalty.id).where(Penalty.party_id == party_id, Penalty.state.in_(_ON_THEIR_WAY)),
        select(Recovery.id).where(Recovery.party_id == party_id, Recovery.state == RecoveryState.PROPOSED),
        select(FineRecourse.id).where(FineRecourse.party_id == party_id, FineRecourse.state == RecourseState.PROPOSED),
    )
    if session.execute(waiting.limit(1)).first() is not None:
        raise OpenMoneyError(name=party.name)
    return merge_party(session, party_id, into_id=into_id, reason=reason, actor_id=actor_id)
