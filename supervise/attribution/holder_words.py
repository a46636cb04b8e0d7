"""What the number register says about a moment, in words: who held the number, and who before and after."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.record_words import Reason, china_time
from supervise.bulk import slices
from supervise.complaints.models import Precision
from supervise.labels import N_
from supervise.parties.chain import chains_at
from supervise.parties.holders import Holding, holders_at, neighbours
from supervise.parties.models import NumberHolder, PhoneNumber

#: How long after ``occurred_at`` the call may really have been.
BLUR = {
    Precision.SECOND: dt.timedelta(microseconds=1),
    Precision.MINUTE: dt.timedelta(minutes=1),
    Precision.DAY: dt.timedelta(days=1),
}


class CallFacts(NamedTuple):
    """What a report says of a call."""

    id: int
    caller_number: str | None
    occurred_at: dt.datetime
    occurred_on: dt.date
    precision: Precision


def holdings(session: Session, facts: Sequence[CallFacts]) -> dict[int, list[Holding]]:
    """Return for each incident the holdings that its call may fall into, each party once, in time."""
    moments: dict[int, list[dt.datetime]] = {}
    changes = _changes(session, [one for one in facts if BLUR[one.precision]])
    for one in facts:
        end = one.occurred_at + BLUR[one.precision]
        within = [at for at in changes.get(one.caller_number or "", ()) if one.occurred_at < at < end]
        moments[one.id] = [one.occurred_at, *within]
    holders = holders_at(
        session, {(one.caller_number, at) for one in facts if one.caller_number for at in moments[one.id]}
    )
    held: dict[int, list[Holding]] = {}
    for one in facts:
        each = [holders.get((one.caller_number or "", at)) for at in moments[one.id]]
        by_party = {holding.party_id: holding for holding in each if holding is not None}
        held[one.id] = list(by_party.values())
    return held


def _changes(session: Session, facts: Sequence[CallFacts]) -> dict[str, list[dt.datetime]]:
    """Return when the holder of each calling number, or of a prefix of it, changed."""
    numbers = {one.caller_number for one in facts if one.caller_number}
    by_name: dict[str, set[str]] = {}
    for digits in numbers:
        for length in range(3, len(digits) + 1):
            by_name.setdefault(digits[:length], set()).add(digits)
    names = sorted(by_name)
    changes: dict[str, set[dt.datetime]] = {}
    for some in slices(names):
        query = (
            select(PhoneNumber.digits, NumberHolder.held_from, NumberHolder.held_to)
            .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
            .where(PhoneNumber.digits.in_(some))
        )
        for name, held_from, held_to in session.execute(query):
            for digits in by_name[name]:
                changes.setdefault(digits, set()).update(at for at in (held_from, held_to) if at is not None)
    return {digits: sorted(moments) for digits, moments in changes.items()}


def holding_in_words(holding: Holding) -> Reason:
    """Return what the register says of a holding."""
    facts = {"digits": holding.digits, "start": china_time(holding.held_from), "source": holding.source}
    if holding.held_to is None:
        return [N_("The register says that it has held %(digits)s since %(start)s (source: %(source)s)."), facts]
    return [
        N_("The register says that it held %(digits)s from %(start)s to %(end)s (source: %(source)s)."),
        {**facts, "end": china_time(holding.held_to)},
    ]


def neighbour_reasons(session: Session, digits: str, at: dt.datetime) -> list[Reason]:
    """Return who held a number before and after a moment at which nobody did."""
    around = neighbours(session, digits, at)
    chains = chains_at(session, {(holding.party_id, clock.china_day(at)) for holding in around if holding is not None})
    reasons: list[Reason] = []
    if around.before is not None and around.before.held_to is not None:
        name = chains[around.before.party_id, clock.china_day(at)][0].name
        reasons.append(
            [
                N_("Before that, %(party)s held it until %(at)s."),
                {"party": name, "at": china_time(around.before.held_to)},
            ]
        )
    if around.after is not None:
        name = chains[around.after.party_id, clock.china_day(at)][0].name
        reasons.append(
            [
                N_("After that, %(party)s held it from %(at)s."),
                {"party": name, "at": china_time(around.after.held_from)},
            ]
        )
    return reasons
