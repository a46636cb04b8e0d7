"""Two entries of the register that turn out to be one party."""

import datetime as dt

from sqlalchemy import update
from sqlalchemy.orm import Session

from supervise.db import take_turn
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balances_by_dimension
from supervise.parties.locks import TREE_OF_PARTIES, load
from supervise.parties.models import Party
from supervise.parties.refusals import CycleError, OpenMoneyError
from supervise.parties.register import add_alias
from supervise.parties.relations import first_day_above_itself, record_party
from supervise.parties.standing import check_open

#: What a party may owe, be owed or have left with us (domain 8).
_PARTY_ACCOUNTS = (
    AccountCode.PENALTY_CONTESTABLE,
    AccountCode.PENALTY_RECEIVABLE,
    AccountCode.COMPENSATION_RECOVERABLE,
    AccountCode.FINE_RECOVERABLE,
    AccountCode.COMMISSION_CLEARING,
    AccountCode.DEPOSITS_HELD,
    AccountCode.REFUND_DUE,
    AccountCode.PENALTY_DEFERRED,
)


def merge_party(session: Session, party_id: int, *, into_id: int, reason: str, actor_id: int) -> Party:
    """Declare *party_id* to be the same as *into_id*; the old id stays as an alias and leads to the other.

    Rows keep the id they were written with; look-ups of holders and chains name the surviving party.
    What is proposed and not posted yet is looked at above the registers: ``penalties.merge_parties``.

    Raises:
        NoSuchRowError, MergedError: if one of them is gone.
        UnitPartyError: for a branch.
        CycleError: if one stands above the other.
        OpenMoneyError: if an account of the party is not even.
    """
    take_turn(session, TREE_OF_PARTIES)
    party, into = load(session, Party, party_id), load(session, Party, into_id)
    check_open(session, party)
    check_open(session, into)
    for lower, upper in ((party, into), (into, party)):
        day = first_day_above_itself(session, lower.id, upper.id, dt.date.min, None)
        if day is not None or lower.id == upper.id:
            raise CycleError(name=lower.name, day=f"{day}")
    if any(balances_by_dimension(session, account, [party_id]) for account in _PARTY_ACCOUNTS):
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
