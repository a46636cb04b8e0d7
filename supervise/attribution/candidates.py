"""Who may have made a call: the holder of the number at its moment, the official numbers, and why.

Suggestions only; a person decides (``decide``). Nothing here writes.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Method, Verdict
from supervise.bulk import slices
from supervise.complaints.models import Incident, Precision
from supervise.labels import N_
from supervise.parties.chain import ChainLink, chains_at, sponsoring_unit
from supervise.parties.holders import Holding, holders_at, neighbours
from supervise.parties.models import NumberHolder, OfficialNumber, OfficialUse, PartyKind, PhoneNumber
from supervise.parties.official_queries import carrier_names
from supervise.parties.officials import official_uses_at

#: ``[message id, {parameters}]``, as it is stored; translated where it is shown.
Reason = list[Any]

#: How long after ``occurred_at`` the call may really have been.
_BLUR = {
    Precision.SECOND: dt.timedelta(),
    Precision.MINUTE: dt.timedelta(minutes=1),
    Precision.DAY: dt.timedelta(days=1),
}


@dataclass(frozen=True)
class Candidate:
    """A party that may answer, with its chain as of the call."""

    party_id: int
    chain: tuple[ChainLink, ...]
    reasons: tuple[Reason, ...]

    @property
    def unit_id(self) -> int | None:
        """The sponsoring branch as of the call."""
        return sponsoring_unit(self.chain)


@dataclass(frozen=True)
class Suggestion:
    """What the registers say about an incident."""

    incident_id: int
    #: None: they say nothing that a verdict could rest on.
    verdict: Verdict | None
    method: Method
    candidates: tuple[Candidate, ...]
    #: What holds whichever candidate it was, or why there is none.
    reasons: tuple[Reason, ...]

    @property
    def unambiguous(self) -> Candidate | None:
        """The only candidate, if there is just one; two must both be asked."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    @property
    def why_not_one(self) -> Reason | None:
        """Why there is not just one candidate: the first reason says why none, the last why several."""
        if self.unambiguous is not None:
            return None
        return self.reasons[-1] if self.candidates else self.reasons[0]


class _Facts(NamedTuple):
    id: int
    caller_number: str | None
    occurred_at: dt.datetime
    occurred_on: dt.date
    precision: Precision


def suggestions(
    session: Session, incident_ids: Collection[int], *, with_neighbours: bool = False
) -> dict[int, Suggestion]:
    """Return what the registers say about each incident, in a few queries for all of them.

    *with_neighbours* adds who held the number before and after a moment at which nobody did: for a page of one
    incident, since it asks for each.
    """
    facts = _facts(session, incident_ids)
    held = _holdings(session, facts)
    officials = official_uses_at(session, {(one.caller_number, one.occurred_on) for one in facts if one.caller_number})
    carriers = carrier_names(session) if officials else {}
    chains = chains_at(
        session, {(holding.party_id, one.occurred_on) for one in facts for holding in held.get(one.id, ())}
    )
    found = {}
    for one in facts:
        official = officials.get((one.caller_number or "", one.occurred_on))
        candidates = tuple(
            _candidate(holding, chains[holding.party_id, one.occurred_on]) for holding in held.get(one.id, ())
        )
        reasons = _reasons(one, official, carriers, len(candidates))
        if with_neighbours and not candidates and one.caller_number is not None:
            reasons += _neighbour_reasons(session, one.caller_number, one.occurred_at)
        verdict = Verdict.OFFICIAL_NUMBER if official else Verdict.ATTRIBUTED if candidates else None
        method = Method.OFFICIAL_RULE if official else Method.NUMBER_HOLDER
        found[one.id] = Suggestion(one.id, verdict, method, candidates, tuple(reasons))
    return found


def _facts(session: Session, incident_ids: Collection[int]) -> list[_Facts]:
    facts = []
    for ids in slices(incident_ids):
        query = select(
            Incident.id, Incident.caller_number, Incident.occurred_at, Incident.occurred_on, Incident.precision
        ).where(Incident.id.in_(ids))
        facts += [_Facts(*row) for row in session.execute(query)]
    return facts


def _holdings(session: Session, facts: Sequence[_Facts]) -> dict[int, list[Holding]]:
    """Return for each incident the holdings that its call may fall into, each party once, in time."""
    moments: dict[int, list[dt.datetime]] = {}
    changes = _changes(session, [one for one in facts if _BLUR[one.precision]])
    for one in facts:
        end = one.occurred_at + _BLUR[one.precision]
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


def _changes(session: Session, facts: Sequence[_Facts]) -> dict[str, list[dt.datetime]]:
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


def _candidate(holding: Holding, chain: Sequence[ChainLink]) -> Candidate:
    facts = {"digits": holding.digits, "start": _china(holding.held_from), "source": holding.source}
    held = (
        [N_("The register says that it has held %(digits)s since %(start)s (source: %(source)s)."), facts]
        if holding.held_to is None
        else [
            N_("The register says that it held %(digits)s from %(start)s to %(end)s (source: %(source)s)."),
            {**facts, "end": _china(holding.held_to)},
        ]
    )
    reasons: list[Reason] = [
        held,
        [N_("Chain on that day: %(chain)s."), {"chain": " → ".join(link.name for link in chain)}],
    ]
    if sponsoring_unit(chain) is None:
        reasons.append([N_("No branch sponsored it on that day: the register has a gap."), {}])
    if chain[0].kind is PartyKind.EMPLOYEE_CALLER:
        reasons.append([N_("An employee called: the unit answers."), {}])
    return Candidate(chain[0].party_id, tuple(chain), tuple(reasons))


def _reasons(one: _Facts, official: OfficialNumber | None, carriers: Mapping[str, str], count: int) -> list[Reason]:
    if one.caller_number is None:
        return [[N_("The report names no calling number."), {}]]
    reasons: list[Reason] = []
    if official is not None:
        use = (
            N_("%(digits)s was an official outbound number of carrier %(carrier)s on that day.")
            if official.use is OfficialUse.OUTBOUND
            else N_("%(digits)s was a service hotline of carrier %(carrier)s on that day.")
        )
        reasons.append([use, {"digits": official.digits, "carrier": carriers[official.carrier_code]}])
        reasons.append([N_("It is no unauthorised number; staff number and time show who called."), {}])
    if count == 0:
        reasons.append(
            [N_("Nobody held %(digits)s at %(at)s."), {"digits": one.caller_number, "at": _china(one.occurred_at)}]
        )
    elif count > 1 and one.precision is Precision.DAY:
        reasons.append([N_("The number changed hands on that day and the time is not known: ask both."), {}])
    elif count > 1:
        reasons.append([N_("The number changed hands within that minute: ask both."), {}])
    return reasons


def _neighbour_reasons(session: Session, digits: str, at: dt.datetime) -> list[Reason]:
    around = neighbours(session, digits, at)
    chains = chains_at(session, {(holding.party_id, clock.china_day(at)) for holding in around if holding is not None})
    reasons: list[Reason] = []
    if around.before is not None and around.before.held_to is not None:
        name = chains[around.before.party_id, clock.china_day(at)][0].name
        reasons.append(
            [N_("Before that, %(party)s held it until %(at)s."), {"party": name, "at": _china(around.before.held_to)}]
        )
    if around.after is not None:
        name = chains[around.after.party_id, clock.china_day(at)][0].name
        reasons.append(
            [N_("After that, %(party)s held it from %(at)s."), {"party": name, "at": _china(around.after.held_from)}]
        )
    return reasons


def _china(at: dt.datetime) -> str:
    return f"{at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"


def stored_chain(chain: Iterable[ChainLink]) -> list[Any]:
    """Return *chain* as ``attribution.chain`` keeps it."""
    return [[link.party_id, link.role.value if link.role else None] for link in chain]
