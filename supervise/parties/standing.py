"""What a party's standing forbids: a branch is changed as an org unit, a merged party lives on in another."""

from sqlalchemy.orm import Session

from supervise.parties.locks import load
from supervise.parties.models import Party, PartyKind, PartyStatus
from supervise.parties.refusals import MergedError, TerminatedPartyError, UnitPartyError


def check_not_merged(session: Session, party: Party) -> None:
    """Refuse a party that lives on in another.

    Raises:
        MergedError: naming the other.
    """
    if party.merged_into_id is not None:
        raise MergedError(name=party.name, other=load(session, Party, party.merged_into_id).name)


def check_open(session: Session, party: Party) -> None:
    """Refuse a branch, which changes as an org unit, and a party that lives on in another.

    Raises:
        UnitPartyError, MergedError: for such a party.
    """
    if party.kind is PartyKind.ORG_UNIT:
        raise UnitPartyError(name=party.name)
    check_not_merged(session, party)


def check_takes_new(session: Session, party_id: int) -> None:
    """Refuse a party that takes no number and no worker any more.

    Raises:
        NoSuchRowError: if there is none.
        MergedError, TerminatedPartyError: for such a party.
    """
    party = load(session, Party, party_id)
    check_not_merged(session, party)
    if party.status is PartyStatus.TERMINATED:
        raise TerminatedPartyError(name=party.name)
