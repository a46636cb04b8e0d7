"""Who may have made a call, with the evidence for it: records, orders, registers, answers, and why.

Suggestions only; a person decides (``decide``). Nothing here writes.
"""

import dataclasses
import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.grades import NAMING, Grade, GroundKind
from supervise.attribution.holder_words import CallFacts, holding_in_words, holdings, neighbour_reasons
from supervise.attribution.models import Method, Verdict
from supervise.attribution.record_words import SAID_WORDS, FoundRecords, Reason, china_time
from supervise.attribution.weighing import weigh
from supervise.bulk import slices
from supervise.complaints.models import Incident, Precision
from supervise.evidence.coverage import Coverage, coverage_on
from supervise.evidence.models import RecordKind
from supervise.labels import N_
from supervise.parties.chain import ChainLink, chains_at, sponsoring_unit
from supervise.parties.models import OfficialNumber, OfficialUse, PartyKind
from supervise.parties.official_queries import carrier_names
from supervise.parties.officials import official_uses_at


class Ground(NamedTuple):
    """One thing that speaks for a party."""

    kind: GroundKind
    grade: Grade
    reason: Reason
    #: What a verdict keeps of it: kind, grade, and the record if it rests on one.
    stored: dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A party that may answer, with its chain as of the call and what speaks for it, the strongest first."""

    party_id: int
    chain: tuple[ChainLink, ...]
    grounds: tuple[Ground, ...]
    #: What the chain says besides: a gap, an employee.
    remarks: tuple[Reason, ...] = ()

    @property
    def unit_id(self) -> int | None:
        """The sponsoring branch as of the call."""
        return sponsoring_unit(self.chain)

    @property
    def grade(self) -> Grade:
        """The grade of the strongest ground."""
        return self.grounds[0].grade

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Everything that is said of it, in words."""
        return (*(ground.reason for ground in self.grounds), *self.remarks)


@dataclass(frozen=True)
class Suggestion:
    """What records and registers say about an incident."""

    incident_id: int
    #: None: they say nothing that a verdict could rest on.
    verdict: Verdict | None
    method: Method
    #: The strongest first.
    candidates: tuple[Candidate, ...]
    #: What holds whichever candidate it was, or why there is none.
    reasons: tuple[Reason, ...]
    #: What speaks against the first candidate, never averaged away: a person sees both sides and decides.
    contradictions: tuple[Reason, ...] = ()
    #: The party that the strongest grounds name alone.
    party_id: int | None = None

    @property
    def leading(self) -> Candidate | None:
        """The candidate whom the strongest grounds name alone, whatever speaks against it."""
        return next((one for one in self.candidates if one.party_id == self.party_id), None)

    @property
    def unambiguous(self) -> Candidate | None:
        """The leading candidate, if nothing speaks against it."""
        return None if self.contradictions else self.leading

    @property
    def automatic(self) -> Candidate | None:
        """The candidate that may be accepted in bulk: a record proves it, and nothing contradicts."""
        candidate = self.unambiguous
        return candidate if candidate is not None and candidate.grade is Grade.A else None

    @property
    def why_not_automatic(self) -> Reason | None:
        """Why the suggestion cannot be accepted in bulk."""
        if self.automatic is not None:
            return None
        if self.contradictions:
            return self.contradictions[0]
        if self.unambiguous is not None:
            return [N_("Only the number register names it, no record of the call: decide it on its own page"), {}]
        if self.reasons:
            return self.reasons[0]
        return [N_("Nothing but claims, answers or patterns: decide it on its own page"), {}]


def suggestions(
    session: Session, incident_ids: Collection[int], *, with_neighbours: bool = False
) -> dict[int, Suggestion]:
    """Return what records and registers say about each incident, in a few questions for all of them.

    *with_neighbours* adds who held the number before and after a moment at which nobody did: for a page of one
    incident, since it asks for each.
    """
    facts = _facts(session, incident_ids)
    if not facts:
        return {}
    builder = _Builder(session, facts)
    found = {}
    for one in facts:
        suggestion = builder.suggestion(one)
        # An official number is dialled by many and held by nobody.
        is_official = suggestion.method is Method.OFFICIAL_RULE
        if with_neighbours and not (suggestion.candidates or is_official) and one.caller_number is not None:
            around = neighbour_reasons(session, one.caller_number, one.occurred_at)
            suggestion = dataclasses.replace(suggestion, reasons=(*suggestion.reasons, *around))
        found[one.id] = suggestion
    return found


class _Builder:
    """Turns what was weighed into words, for all incidents at once."""

    def __init__(self, session: Session, facts: Sequence[CallFacts]) -> None:
        weighed = weigh(session, [one.id for one in facts])
        self.records = FoundRecords(weighed.found)
        rows = weighed.grounds.to_pylist()
        self.grounds = {
            incident_id: list(group)
            for incident_id, group in itertools.groupby(rows, operator.itemgetter("incident_id"))
        }
        self.outcomes = {row["incident_id"]: row for row in weighed.outcomes.to_pylist()}
        self.holdings = holdings(session, facts)
        pairs = {(one.caller_number, one.occurred_on) for one in facts if one.caller_number}
        self.officials = official_uses_at(session, pairs)
        self.carriers = carrier_names(session) if self.officials else {}
        days = {one.id: one.occurred_on for one in facts}
        self.denied = set(weighed.denied)
        self.chains = chains_at(session, {(row["party_id"], days[row["incident_id"]]) for row in rows})
        open_days = {day for _digits, day in self.officials}
        self.coverage = coverage_on(session, RecordKind.CALLS, open_days) if open_days else {}

    def suggestion(self, one: CallFacts) -> Suggestion:
        """Return what is known of one of the incidents."""
        outcome = self.outcomes[one.id]
        official = self.officials.get((one.caller_number or "", one.occurred_on))
        candidates = self._candidates(one)
        holders = sum(any(ground.kind is GroundKind.HOLDER for ground in each.grounds) for each in candidates)
        verdict, method = _conclusion(outcome, candidates, is_official=official is not None)
        if official is not None:
            reasons = _official_reasons(official, self.carriers, verdict)
        else:
            reasons = _reasons(one, holders)
        if outcome["is_official"] and not outcome["is_recorded"]:
            # First: it is also why the call cannot be accepted in bulk.
            reasons.insert(0, _why_unrecorded(self.coverage[one.occurred_on], could_tell=outcome["is_covered"]))
        against = tuple(self._contradictions(outcome, candidates))
        return Suggestion(one.id, verdict, method, candidates, tuple(reasons), against, outcome["party_id"])

    def _candidates(self, one: CallFacts) -> tuple[Candidate, ...]:
        by_party: dict[int, list[Ground]] = {}
        for row in self.grounds.get(one.id, ()):
            by_party.setdefault(row["party_id"], []).append(self._ground(one, row))
        chosen = self.outcomes[one.id]["party_id"]
        # The chosen one first, else as the grounds came: by grade.
        order = sorted(by_party, key=lambda party_id: party_id != chosen)
        return tuple(
            Candidate(party_id, tuple(chain), tuple(by_party[party_id]), _chain_remarks(chain))
            for party_id in order
            if (chain := self.chains[party_id, one.occurred_on])
        )

    def _ground(self, one: CallFacts, row: Mapping[str, Any]) -> Ground:
        kind, grade = GroundKind(row["ground"]), Grade(row["grade"])
        stored = {"kind": kind.value, "grade": grade.value}
        if grade is Grade.A:
            key = (one.id, row["platform"], row["record_id"])
            return Ground(kind, grade, self.records.sentence(kind, key), {**stored, **self.records.stored(kind, key)})
        if kind is GroundKind.HOLDER:
            held = next(held for held in self.holdings[one.id] if held.party_id == row["party_id"])
            return Ground(kind, grade, holding_in_words(held), {**stored, "holder_id": held.holder_id})
        return Ground(kind, grade, [SAID_WORDS[kind], {}], stored)

    def _contradictions(self, outcome: Mapping[str, Any], candidates: Sequence[Candidate]) -> Iterator[Reason]:
        """Yield what speaks against the candidate that the strongest grounds name, or that they name several."""
        if not outcome["is_contradicted"]:
            return
        if outcome["party_id"] is None:
            if outcome["grade"] == Grade.A:
                names = "、".join(one.chain[0].name for one in candidates if one.grade is Grade.A)
                yield [
                    N_("Records name parties that have nothing to do with each other: %(parties)s."),
                    {"parties": names},
                ]
            return
        chosen = next(one for one in candidates if one.party_id == outcome["party_id"])
        for other in candidates:
            if not _related(chosen, other):
                for kind in sorted({ground.kind for ground in other.grounds} & set(NAMING)):
                    yield [_CONTRADICTS[kind], {"party": other.chain[0].name}]
        if (outcome["incident_id"], chosen.party_id) in self.denied:
            yield [N_("%(party)s denies that it was its own doing."), {"party": chosen.chain[0].name}]


#: How a ground for another party contradicts.
_CONTRADICTS: Mapping[GroundKind, str] = {
    **dict.fromkeys(NAMING, N_("A record names %(party)s, which has nothing to do with it.")),
    GroundKind.HOLDER: N_("The register says that %(party)s held the number."),
    GroundKind.CLAIM: N_("The caller claimed to be %(party)s."),
    GroundKind.SIGNATURE: N_("The message is signed with the name of %(party)s."),
    GroundKind.ANSWER_OURS: N_("%(party)s says that it was its own call."),
    GroundKind.ANSWER_NAMED: N_("A party that was asked names %(party)s."),
}


def _related(one: Candidate, other: Candidate) -> bool:
    """Say whether one of the two stands in the chain of the other."""
    above_one = {link.party_id for link in one.chain}
    above_other = {link.party_id for link in other.chain}
    return one.party_id in above_other or other.party_id in above_one


def _conclusion(
    outcome: Mapping[str, Any], candidates: Sequence[Candidate], *, is_official: bool
) -> tuple[Verdict | None, Method]:
    """Return the verdict that the evidence comes to, and by which method."""
    if is_official:
        nobody_dialled = outcome["is_official"] and outcome["is_covered"] and not outcome["is_recorded"]
        return (Verdict.SPOOFED if nobody_dialled else Verdict.OFFICIAL_NUMBER), Method.OFFICIAL_RULE
    method = Method.RECORD if outcome["grade"] == Grade.A else Method.NUMBER_HOLDER
    return (Verdict.ATTRIBUTED if any(one.grade is not Grade.C for one in candidates) else None), method


def _why_unrecorded(coverage: Coverage, *, could_tell: bool) -> Reason:
    """Return what it means that there is no record of a call from an official number."""
    if could_tell:
        platforms = ", ".join(coverage.delivered)
        return [
            N_(
                "No platform dialled this call (records of that day: %(platforms)s): the number was probably spoofed. "
                "Trace it back; its apparent holder owes nothing."
            ),
            {"platforms": platforms},
        ]
    if coverage.missing:
        message = N_(
            "No call records for that day from: %(platforms)s. It cannot be said whether it was dialled there."
        )
        return [message, {"platforms": ", ".join(coverage.missing)}]
    if not coverage.delivered:
        return [N_("No call records for that day: it cannot be said whether a platform dialled the number."), {}]
    return [N_("The called number is not known: records cannot tell whether a platform dialled it."), {}]


def _chain_remarks(chain: Sequence[ChainLink]) -> tuple[Reason, ...]:
    remarks: list[Reason] = [[N_("Chain on that day: %(chain)s."), {"chain": " → ".join(link.name for link in chain)}]]
    if sponsoring_unit(chain) is None:
        remarks.append([N_("No branch sponsored it on that day: the register has a gap."), {}])
    if chain[0].kind is PartyKind.EMPLOYEE_CALLER:
        remarks.append([N_("An employee called: the unit answers."), {}])
    return tuple(remarks)


def _facts(session: Session, incident_ids: Collection[int]) -> list[CallFacts]:
    facts = []
    for ids in slices(incident_ids):
        query = select(
            Incident.id, Incident.caller_number, Incident.occurred_at, Incident.occurred_on, Incident.precision
        ).where(Incident.id.in_(ids))
        facts += [CallFacts(*row) for row in session.execute(query)]
    return facts


def _official_reasons(official: OfficialNumber, carriers: Mapping[str, str], verdict: Verdict | None) -> list[Reason]:
    use = (
        N_("%(digits)s was an official outbound number of carrier %(carrier)s on that day.")
        if official.use is OfficialUse.OUTBOUND
        else N_("%(digits)s was a service hotline of carrier %(carrier)s on that day.")
    )
    reasons: list[Reason] = [[use, {"digits": official.digits, "carrier": carriers[official.carrier_code]}]]
    if verdict is not Verdict.SPOOFED:
        reasons.append([N_("It is no unauthorised number; staff number and time show who called."), {}])
    return reasons


def _reasons(one: CallFacts, holders: int) -> list[Reason]:
    if one.caller_number is None:
        return [[N_("The report names no calling number."), {}]]
    if holders == 0:
        facts = {"digits": one.caller_number, "at": china_time(one.occurred_at)}
        return [[N_("Nobody held %(digits)s at %(at)s."), facts]]
    if holders > 1 and one.precision is Precision.DAY:
        return [[N_("The number changed hands on that day and the time is not known: ask both."), {}]]
    if holders > 1:
        return [[N_("The number changed hands within that minute: ask both."), {}]]
    return []


def stored_chain(chain: Iterable[ChainLink]) -> list[Any]:
    """Return *chain* as ``attribution.chain`` keeps it."""
    return [[link.party_id, link.role.value if link.role else None] for link in chain]
