"""Finding the party that a person means by what they type: a code, a name, another name it goes by."""

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.parties.models import Party, PartyAlias, PartyStatus

#: As many as a list of suggestions beside a field can bear.
_SUGGESTED = 300


class UnknownPartyError(InvalidInputError):
    """The text names no party, or several."""

    message = N_("No party has the code or name “%(text)s”")


def party_named(session: Session, text: str) -> Party:
    """Return the party with this code, else the only one with this name or alias; ``code name`` is its code.

    A merged party stands for the one it was merged into.

    Raises:
        UnknownPartyError: if there is none, or the name is not enough to tell.
    """
    words = text.strip()
    by_code = session.scalars(select(Party).where(Party.code == words.partition(" ")[0])).one_or_none()
    if by_code is not None:
        return _survivor(session, by_code)
    aliases = select(PartyAlias.party_id).where(PartyAlias.name == words)
    query = select(Party).where(or_(Party.name == words, Party.id.in_(aliases)))
    found = {_survivor(session, party).id: party for party in session.scalars(query.limit(10))}
    if len(found) > 1:
        codes = ", ".join(sorted(party.code for party in found.values()))
        raise UnknownPartyError(
            N_("Several parties are called “%(text)s”: give the code (%(codes)s)"), text=words, codes=codes
        )
    if not found:
        raise UnknownPartyError(text=words)
    return session.get_one(Party, next(iter(found)))


def _survivor(session: Session, party: Party) -> Party:
    return party if party.merged_into_id is None else session.get_one(Party, party.merged_into_id)


def parties_to_choose(session: Session) -> Sequence[tuple[str, str]]:
    """Return (code, name) of parties in business, by name, for the suggestions beside a field."""
    query = (
        select(Party.code, Party.name)
        .where(Party.merged_into_id.is_(None), Party.status != PartyStatus.TERMINATED)
        .order_by(Party.name, Party.code)
        .limit(_SUGGESTED)
    )
    return [(row.code, row.name) for row in session.execute(query)]


def codes_of(session: Session, party_ids: Collection[int]) -> dict[int, str]:
    """Return the code of each party, for a field that takes codes."""
    query = select(Party.id, Party.code).where(Party.id.in_(party_ids))
    return {row.id: row.code for row in session.execute(query)}


def names_of(session: Session, party_ids: Collection[int]) -> dict[int, str]:
    """Return the name of each party."""
    query = select(Party.id, Party.name).where(Party.id.in_(party_ids))
    return {row.id: row.name for row in session.execute(query)}
