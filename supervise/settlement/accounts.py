"""What a party has with us: its deposit, refunds due to it; always from the ledger, under a lock of the party's row.

Order of locks in this package: runs, settlements, parties, then penalties (``penalties.locks``), each by id.
"""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import among, slices
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balances_by_dimension
from supervise.parties.models import Party, PartyKind

#: The carrier's own units and employees hold no deposit, earn no commission and pay nothing in.
_OURSELVES = (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER)


class OurselvesError(InvalidInputError):
    """Between the carrier and its own units no money moves."""

    message = N_("%(name)s belongs to the carrier itself: its assessments are settled inside")


def lock_parties(session: Session, party_ids: Collection[int]) -> None:
    """Lock the parties' rows in the order of ids; the trigger of migration 0035 takes the same lock."""
    session.execute(
        select(Party.id)
        .where(among(session, Party.id, sorted(party_ids)))
        .order_by(Party.id)
        .with_for_update(key_share=True)
    ).all()


def lock_outside_party(session: Session, party_id: int) -> Party:
    """Return one party outside the carrier, its row locked.

    Raises:
        NotFoundError: if there is none.
        OurselvesError: if it is one of the carrier's own.
    """
    lock_parties(session, [party_id])
    party = session.get(Party, party_id, populate_existing=True)
    if party is None:
        raise NotFoundError
    if party.kind in _OURSELVES:
        raise OurselvesError(name=party.name)
    return party


def deposits_held(session: Session, party_ids: Collection[int] | None = None) -> dict[int, int]:
    """Return the deposit of each party that has one, in fen (ledger 2241.02)."""
    return _owed_by_us(session, AccountCode.DEPOSITS_HELD, party_ids)


def refunds_due(session: Session, party_ids: Collection[int] | None = None) -> dict[int, int]:
    """Return what is owed back to each party, in fen (ledger 2241.03)."""
    return _owed_by_us(session, AccountCode.REFUND_DUE, party_ids)


def _owed_by_us(session: Session, account: AccountCode, party_ids: Collection[int] | None) -> dict[int, int]:
    if party_ids is None:
        return _credits(session, account, None)
    found: dict[int, int] = {}
    for ids in slices(sorted(party_ids)):
        found |= _credits(session, account, ids)
    return found


def _credits(session: Session, account: AccountCode, ids: Collection[int] | None) -> dict[int, int]:
    rows = balances_by_dimension(session, account, None if ids is None else list(ids))
    return {row.dimension_id: -row.balance_fen for row in rows if row.dimension_id is not None}
