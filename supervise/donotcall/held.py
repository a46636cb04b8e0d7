"""What held at a moment: might this party call or write to this number? No record means no consent."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.complaints.models import IncidentKind
from supervise.complaints.subscribers import HeldAt, holders_at
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.parties.models import Party

#: What a call or a message would have needed.
SCOPE_OF_KIND: Mapping[IncidentKind, PermissionScope] = {
    IncidentKind.CALL: PermissionScope.MARKETING_CALLS,
    IncidentKind.SMS: PermissionScope.MARKETING_SMS,
}
_INSTANT = dt.timedelta(microseconds=1)


class Asked(NamedTuple):
    """The question that ``permissions_at`` answers: might *party_id* contact the number at that moment?"""

    number_id: int
    scope: PermissionScope
    party_id: int | None
    at: dt.datetime


class Standing(NamedTuple):
    """What holds now for one party, or for everyone without a word of their own, by scope; None: never asked."""

    party_id: int | None
    words: Mapping[PermissionScope, PermissionEvent | None]


def before(at: dt.datetime) -> dt.datetime:
    """Return the last moment before *at*: what is said during a call does not hold for that call."""
    return at - _INSTANT


def permissions_at(session: Session, asked: Sequence[Asked]) -> list[PermissionEvent | None]:
    """Return the word that held for each question, in their order; None: never asked, so no consent.

    The latest word said at or before the moment holds, whether it was said to the party or to everyone: a no
    to everyone ends an older yes to one. Of two words of one moment the later recorded one holds. A word to a
    party that was merged is a word to the survivor. When the number has passed to another account, the words
    of its former holder hold no more; where the register does not know one of the two holders, they do.
    """
    return [heard[-1] if heard else None for heard in _heard(session, asked)]


def refusals_at(session: Session, asked: Sequence[Asked]) -> list[list[PermissionEvent]]:
    """Return for each question, in their order, the refusals said since the last consent; none where a yes holds."""
    found: list[list[PermissionEvent]] = []
    for heard in _heard(session, asked):
        consents = [place for place, event in enumerate(heard) if event.given]
        found.append(heard[consents[-1] + 1 :] if consents else heard)
    return found


def _heard(session: Session, asked: Sequence[Asked]) -> Iterator[list[PermissionEvent]]:
    """Yield what counts for each question, in the order in which it was said."""
    events = _events(session, {question.number_id for question in asked})
    same = _Same(session, asked, events)
    for question in asked:
        yield [
            event
            for event in events.get(question.number_id, ())
            if event.scope is question.scope
            and event.said_at <= question.at
            and same.party(event, question)
            and same.holder(event, question)
        ]


def standing_of(session: Session, number_id: int, at: dt.datetime | None = None) -> list[Standing]:
    """Return what holds (now, unless *at* says when) for everyone, then for each party that was ever spoken to."""
    at = at or clock.now()
    events = _events(session, [number_id]).get(number_id, [])
    survivors = survivors_of(session, {event.party_id for event in events if event.party_id is not None})
    parties: list[int | None] = [None, *sorted(set(survivors.values()))]
    asked = [Asked(number_id, scope, party_id, at) for party_id in parties for scope in PermissionScope]
    answers = dict(zip(asked, permissions_at(session, asked), strict=True))
    return [
        Standing(party_id, {one.scope: answer for one, answer in answers.items() if one.party_id == party_id})
        for party_id in parties
    ]


class _Same:
    """Whether a word was said to the party that is asked about, by the holder that is asked about."""

    def __init__(
        self, session: Session, asked: Sequence[Asked], events: Mapping[int, Sequence[PermissionEvent]]
    ) -> None:
        spoken = [event for of_number in events.values() for event in of_number]
        named = {question.party_id for question in asked} | {event.party_id for event in spoken}
        self.survivors = survivors_of(session, {party_id for party_id in named if party_id is not None})
        moments = {HeldAt(event.number_id, event.said_at) for event in spoken}
        moments |= {HeldAt(question.number_id, question.at) for question in asked if question.number_id in events}
        self.holders = holders_at(session, moments)

    def party(self, event: PermissionEvent, question: Asked) -> bool:
        """A word to everyone is a word to each."""
        if event.party_id is None:
            return True
        return question.party_id is not None and self.survivors[event.party_id] == self.survivors[question.party_id]

    def holder(self, event: PermissionEvent, question: Asked) -> bool:
        """An unknown holder is taken for the same one."""
        then = self.holders.get(HeldAt(event.number_id, event.said_at))
        later = self.holders.get(HeldAt(question.number_id, question.at))
        return then is None or later is None or then.account_ref == later.account_ref


def _events(session: Session, number_ids: Collection[int]) -> dict[int, list[PermissionEvent]]:
    query = sa.select(PermissionEvent).order_by(PermissionEvent.said_at, PermissionEvent.id)
    events: dict[int, list[PermissionEvent]] = {}
    for piece in slices(sorted(number_ids)):
        for event in session.scalars(query.where(PermissionEvent.number_id.in_(piece))):
            events.setdefault(event.number_id, []).append(event)
    return events


def survivors_of(session: Session, party_ids: Collection[int]) -> dict[int, int]:
    """Return for each party the one that it was merged into, else itself."""
    survivors = {party_id: party_id for party_id in party_ids}
    query = sa.select(Party.id, Party.merged_into_id).where(Party.merged_into_id.is_not(None))
    for piece in slices(sorted(party_ids)):
        survivors.update((row.id, row.merged_into_id) for row in session.execute(query.where(Party.id.in_(piece))))
    return survivors
