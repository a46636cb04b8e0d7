"""What other confirmed incidents suggest: the same number again, the same subscriber again (domain A16, A24, F30).

Grounds of grade C. The figures are dated thresholds; what is counted is confirmed, and never the incident itself.
"""

import bisect
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.grades import GroundKind
from supervise.attribution.models import IncidentVerdict
from supervise.attribution.said import Said
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentKind, IncidentState
from supervise.parties.officials import official_uses_at


class Within(NamedTuple):
    """How many, within how many days before and after."""

    figure: int
    days: dt.timedelta


class Figures(NamedTuple):
    """What makes a pattern on a China day; None: nothing does."""

    #: Confirmed incidents of one number.
    number: Within | None
    #: Numbers of one party that called one subscriber, this one counted.
    rotation: Within | None
    #: Confirmed incidents of one party with one subscriber on the day.
    per_day: Mapping[IncidentKind, int]


class Case(NamedTuple):
    """An incident that is asked about."""

    id: int
    kind: IncidentKind
    caller: str | None
    day: dt.date


class _Confirmed(NamedTuple):
    """An incident of the same subscriber that is proven."""

    id: int
    kind: IncidentKind
    caller: str | None
    day: dt.date


def of_numbers(session: Session, cases: Sequence[Case], on: Mapping[dt.date, Figures]) -> Iterator[Said]:
    """Yield the party of enough other confirmed incidents of the same number in the days before and after."""
    confirmed = _by_number(session, {one.caller for one in cases if one.caller is not None})
    for one in cases:
        pattern = on[one.day].number
        if one.caller is None or pattern is None:
            continue
        for party_id, days in confirmed.get(one.caller, {}).items():
            around = (
                bisect.bisect_left(days, (one.day - pattern.days, 0)),
                bisect.bisect_left(days, (one.day + pattern.days + dt.timedelta(days=1), 0)),
            )
            others = around[1] - around[0] - ((one.day, one.id) in days[slice(*around)])
            if others >= pattern.figure:
                yield Said(one.id, GroundKind.PATTERN, party_id)


def of_subscribers(session: Session, cases: Sequence[Case], on: Mapping[dt.date, Figures]) -> Iterator[Said]:
    """Yield the parties whose confirmed incidents with the same subscriber changed numbers, or came in a burst."""
    subscribers = _subscribers(session, [one.id for one in cases])
    confirmed = _by_subscriber(session, set(subscribers.values()))
    for one in cases:
        figures = on[one.day]
        for party_id, every in confirmed.get(subscribers.get(one.id, 0), {}).items():
            others = [other for other in every if other.id != one.id]
            if figures.rotation is not None and _changes_numbers(one, others, figures.rotation):
                yield Said(one.id, GroundKind.ROTATION, party_id)
            that_day = sum(other.kind is one.kind and other.day == one.day for other in others)
            if one.kind in figures.per_day and that_day >= figures.per_day[one.kind]:
                yield Said(one.id, GroundKind.BURST, party_id)


def _changes_numbers(one: Case, others: Sequence[_Confirmed], pattern: Within) -> bool:
    numbers = {other.caller for other in others if abs(other.day - one.day) <= pattern.days}
    return one.caller is not None and len(numbers | {one.caller}) >= max(pattern.figure, 2)


def _by_number(session: Session, callers: Collection[str]) -> Mapping[str, Mapping[int, list[tuple[dt.date, int]]]]:
    """Return (day, id) of the confirmed incidents of each number, by party, in time."""
    query = (
        select(Incident.caller_number, IncidentVerdict.party_id, Incident.occurred_on, Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(
            Incident.state == IncidentState.CONFIRMED,
            IncidentVerdict.party_id.is_not(None),
            among(session, Incident.caller_number, callers),
        )
        .order_by(Incident.occurred_on, Incident.id)
    )
    found: dict[str, dict[int, list[tuple[dt.date, int]]]] = defaultdict(lambda: defaultdict(list))
    for caller, party_id, day, incident_id in session.execute(query):
        if caller is not None and party_id is not None:  # as the conditions above say
            found[caller][party_id].append((day, incident_id))
    return found


def _subscribers(session: Session, incident_ids: Collection[int]) -> dict[int, int]:
    """Return whose number each incident is about; those of nobody known are left out."""
    query = select(Incident.id, Incident.number_id).where(among(session, Incident.id, incident_ids))
    return {incident_id: number_id for incident_id, number_id in session.execute(query) if number_id is not None}


def _by_subscriber(session: Session, number_ids: Collection[int]) -> Mapping[int, Mapping[int, list[_Confirmed]]]:
    """Return the confirmed incidents of each subscriber, by party; official numbers are nobody's own."""
    query = (
        select(
            Incident.number_id,
            IncidentVerdict.party_id,
            Incident.id,
            Incident.kind,
            Incident.caller_number,
            Incident.occurred_on,
        )
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(
            Incident.state == IncidentState.CONFIRMED,
            IncidentVerdict.party_id.is_not(None),
            Incident.caller_number.is_not(None),
            among(session, Incident.number_id, number_ids),
        )
        .order_by(Incident.id)
    )
    rows = session.execute(query).all()
    officials = official_uses_at(session, {(caller, day) for *_others, caller, day in rows if caller is not None})
    found: dict[int, dict[int, list[_Confirmed]]] = defaultdict(lambda: defaultdict(list))
    for number_id, party_id, incident_id, kind, caller, day in rows:
        if number_id is not None and party_id is not None and (caller, day) not in officials:
            found[number_id][party_id].append(_Confirmed(incident_id, kind, caller, day))
    return found
