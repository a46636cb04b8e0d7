"""Two entries of the register that turn out to be one party."""

import datetime as dt

from sqlalchemy import update
from sqlalchemy.orm import Session

from supervise.db import take_turn
from supervise.parties.locks import TREE_OF_PARTIES, load
from supervise.parties.models import Party
from supervise.parties.open_money import open_money
from supervise.parties.refusals import CycleError, OpenMoneyError
from supervise.parties.register import add_alias
from supervise.parties.relations import first_day_above_itself, record_party
from supervise.parties.standing import check_open


def merge_party(
    session: Session,
    party_id: int,
    *,
    into_id: int,
    reason: str,
    actor_id: int,
    is_money_approved: bool = False,
) -> Party:
    """Declare *party_id* to be the same as *into_id*; the old id stays as an alias and leads to the other.

    Rows keep the id they were written with; look-ups of holders and chains name the surviving party. What is open
    of the old entry stays its own, and is collected as before, once a second person approved that.
    What is proposed and not posted yet is looked at above the registers: ``penalties.merge_parties``.

    Raises:
        NoSuchRowError, MergedError: if one of them is gone.
        UnitPartyError: for a branch.
        CycleError: if one stands above the other.
        OpenMoneyError: if an account of the party is not even, and nobody approved it.
    """
    party, into = lock_mergeable(session, party_id, into_id)
    if not is_money_approved and open_money(session, [party_id]):
        raise OpenMoneyError(name=party.name)
    party.merged_into_id = into_id
    party.version += 1
    # One step always leads to the survivor.
    session.execute(update(Party).where(Party.merged_into_id == party_id).values(merged_into_id=into_id))
    add_alias(session, into_id, name=party.name, source=party.code, actor_id=actor_id)
    record_party(
        session,
        subject_id=party_id,
        action="party.merged",
        actor_id=actor_id,
        changes={"merged_into_id": into_id},
        reason=reason,
    )
    return into


def lock_mergeable(session: Session, party_id: int, into_id: int) -> tuple[Party, Party]:
    """Return the two entries, locked, if one can live on in the other.

    Raises:
        NoSuchRowError, MergedError, UnitPartyError, CycleError: as ``merge_party``.
    """
    take_turn(session, TREE_OF_PARTIES)
    party, into = load(session, Party, party_id), load(session, Party, into_id)
    check_open(session, party)
    check_open(session, into)
    for lower, upper in ((party, into), (into, party)):
        day = first_day_above_itself(session, lower.id, upper.id, dt.date.min, None)
        if day is not None or lower.id == upper.id:
            raise CycleError(name=lower.name, day=f"{day}")
    return party, into
