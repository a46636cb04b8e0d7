"""What the page of a party says of money: what is open of it, of entries merged into it, and mergers that wait."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.access.identity import current_user
from supervise.access.roles import Permission
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.models import Party, PartyStatus
from supervise.parties.open_money import OpenMoney, open_money


class EntryMoney(NamedTuple):
    """An entry of the register, and what is open of it."""

    party: Party
    money: OpenMoney


class PartyMoney(NamedTuple):
    """What is open of the party, as who reads the ledger may see it."""

    own: OpenMoney
    #: Entries that were merged into it and have open amounts of their own.
    merged: Sequence[EntryMoney]
    #: A merger of it that waits for a second person.
    waiting: PartyMerge | None
    is_ended: bool

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.own.total_fen or self.merged)


def money_of(session: Session, party: Party) -> PartyMoney | None:
    """Return what is open of the party; None for who does not read the ledger."""
    if not current_user().can(Permission.READ_LEDGER):
        return None
    merged = session.scalars(select(Party).where(Party.merged_into_id == party.id).order_by(Party.code)).all()
    found = open_money(session, [party.id, *(one.id for one in merged)])
    return PartyMoney(
        found.get(party.id, OpenMoney()),
        [EntryMoney(one, found[one.id]) for one in merged if one.id in found],
        session.scalars(
            select(PartyMerge).where(PartyMerge.party_id == party.id, PartyMerge.state == MergeState.OPEN)
        ).one_or_none(),
        party.status is PartyStatus.TERMINATED or party.merged_into_id is not None,
    )
