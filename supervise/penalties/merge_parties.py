"""Merging two entries of one party, where penalties may still be on their way."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.parties.locks import load
from supervise.parties.merge import merge_party
from supervise.parties.models import Party
from supervise.parties.refusals import OpenMoneyError
from supervise.penalties.models import Penalty, PenaltyState

#: Not in the ledger yet, and approved as it stands: against the entry it names.
_ON_THEIR_WAY = (PenaltyState.PROPOSED, PenaltyState.RETURNED)


def merge_parties(session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int) -> Party:
    """Merge as ``parties.merge.merge_party``, unless a penalty of the entry that goes is proposed or returned.

    Raises:
        OpenMoneyError: if there is one, or an account is not even.
        RefusalError: as ``merge_party``.
    """
    party = load(session, Party, party_id)
    waiting = select(Penalty.id).where(Penalty.party_id == party_id, Penalty.state.in_(_ON_THEIR_WAY)).limit(1)
    if session.scalar(waiting) is not None:
        raise OpenMoneyError(name=party.name)
    return merge_party(session, party_id, into_id=into_id, reason=reason, actor_id=actor_id)
