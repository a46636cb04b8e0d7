"""What a rule version would have charged in some past months, beside what was charged; it only reads.

The version stands in the place of its rule's others. What was charged before the first month counts for tiers as it
stands; within the months the simulation's own charges count. Months are whole, so that caps, thresholds and units are.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import String, cast, exists, func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import CHARGEABLE_VERDICTS, Attribution, Finding, FindingState, IncidentVerdict
from supervise.bulk import slices, uncollected
from supervise.complaints.models import Incident
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.queries import contract_by_id, rule_by_id
from supervise.errors import ConflictError, InvalidInputError, RefusalError
from supervise.labels import N_, translate
from supervise.parties.models import Party
from supervise.penalties.cases import Case, PricedFinding, load_cases
from supervise.penalties.history import load_offences
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty, PenaltyState
from supervise.penalties.monthly_figures import known_figures
from supervise.penalties.pricing import Charge, History, Portion, Spared, price_calls, require_known, share_out
from supervise.penalties.spare_queries import spared_among

MONTHS_MAX = 24
#: Calls that are priced while somebody waits: a few seconds.
CALLS_MAX = 20_000
_AT_ONCE = 5_000
#: What was charged, or waits for approval; a returned proposal was never owed.
_CHARGED = tuple(state for state in PenaltyState if state is not PenaltyState.RETURNED)


class TooManyCallsError(ConflictError):
    """More calls than can be priced while somebody waits."""

    message = N_("%(calls)s calls are in these months, at most %(most)s are simulated at once: choose fewer months")


class SimulatedLine(NamedTuple):
    """One offence and who bears it: charged, simulated, or both; amounts in fen."""

    incident_id: int
    offence_code: str
    occurred_on: dt.date
    party_id: int
    #: The latest penalty for it, and what all of them charged and lifted again.
    penalty_id: int | None
    charged_fen: int
    lifted_fen: int
    simulated_fen: int
    #: Of the simulated gross, what a cap took away.
    capped_fen: int
    #: How the simulated amount came about; None: it would not be charged.
    explanation: dict[str, Any] | None
    #: Why it would not be charged, in words.
    spared: str | None

    @property
    def left_fen(self) -> int:
        """What is left of the charge."""
        return self.charged_fen - self.lifted_fen

    @property
    def difference_fen(self) -> int:
        """How much more the simulation comes to than what is left."""
        return self.simulated_fen - self.left_fen


class SimulatedSum(NamedTuple):
    """Lines together, of a party and month, a month, or all; amounts in fen."""

    party_id: int | None
    party: str
    month: str
    charged: int
    charged_fen: int
    lifted_fen: int
    simulated: int
    simulated_fen: int
    capped_fen: int

    @property
    def left_fen(self) -> int:
        """What is left of the charges."""
        return self.charged_fen - self.lifted_fen

    @property
    def difference_fen(self) -> int:
        """How much more the simulation comes to."""
        return self.simulated_fen - self.left_fen


class Unpriced(NamedTuple):
    """Why calls could not be simulated, in words; how many, and the first of them."""

    words: str
    calls: int
    incident_id: int


@dataclass(frozen=True)
class Simulation:
    """What came out, by day of the call."""

    version: RuleVersion
    contract: Contract
    first_month: str
    last_month: str
    #: Proven calls that the contract prices.
    calls: int
    lines: Sequence[SimulatedLine]
    unpriced: Sequence[Unpriced]
    parties: Mapping[int, str] = field(default_factory=dict)

    def total(self) -> SimulatedSum:
        """Return everything together."""
        return _sum(self.lines)

    def by_month(self) -> list[SimulatedSum]:
        """Return each month of the period, in order; one without calls has nothing."""
        by_month = _grouped(self.lines, lambda line: clock.month_of(line.occurred_on))
        return [
            _sum(by_month.get(month, ()), month=month) for month in months_between(self.first_month, self.last_month)
        ]

    def by_party(self) -> list[SimulatedSum]:
        """Return each party and month with a line, by party's name and month."""
        groups = _grouped(self.lines, lambda line: (line.party_id, clock.month_of(line.occurred_on)))
        sums = [
            _sum(lines, month=month, party_id=party_id, party=self.parties[party_id])
            for (party_id, month), lines in groups.items()
        ]
        return sorted(sums, key=lambda one: (one.party, one.party_id or 0, one.month))

    def differing(self) -> list[SimulatedLine]:
        """Return the lines that come out otherwise, the largest difference first."""
        found = [line for line in self.lines if line.difference_fen]
        return sorted(found, key=lambda line: (-abs(line.difference_fen), line.occurred_on, line.incident_id))


def _grouped(lines: Iterable[SimulatedLine], key: Any) -> dict[Any, list[SimulatedLine]]:
    groups: dict[Any, list[SimulatedLine]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return groups


def _sum(
    lines: Iterable[SimulatedLine], *, month: str = "", party_id: int | None = None, party: str = ""
) -> SimulatedSum:
    some = list(lines)
    return SimulatedSum(
        party_id,
        party,
        month,
        sum(line.penalty_id is not None for line in some),
        sum(line.charged_fen for line in some),
        sum(line.lifted_fen for line in some),
        sum(line.explanation is not None for line in some),
        sum(line.simulated_fen for line in some),
        sum(line.capped_fen for line in some),
    )


def months_between(first_month: str, last_month: str) -> list[str]:
    """Return the months from the first to the last, both included."""
    months = [first_month]
    while months[-1] < last_month:
        months.append(clock.next_month(months[-1]))
    return months


def simulate(session: Session, rule_id: int, *, first_month: str, last_month: str) -> Simulation:
    """Return what a rule version, draft or not, would have charged in whole months, both included.

    Every proven call is priced that the version's contract prices, also by its other rules: caps and "the highest
    only" reach across them. Source: docs/rules.md, P-10.

    Raises:
        NotFoundError: if there is no such version.
        InvalidInputError: if the months are upside down, more than ``MONTHS_MAX``, or not begun yet.
        TooManyCallsError: if they hold more than ``CALLS_MAX`` proven calls.
    """
    version = rule_by_id(session, rule_id)
    contract = contract_by_id(session, version.contract_id)
    first, next_day = _period(first_month, last_month)
    ids = _calls(session, contract, first, next_day)
    charged = _charged(session, contract.id, first_month, last_month)
    with uncollected():
        found, refused = _cases(session, ids, version, contract)
        outcomes, unknown = _priced(session, found, before=first)
    lines = sorted(
        _lines(found, outcomes, charged), key=lambda line: (line.occurred_on, line.incident_id, line.party_id)
    )
    return Simulation(
        version=version,
        contract=contract,
        first_month=first_month,
        last_month=last_month,
        calls=len({one.offence.incident_id for one in found.values()}),
        lines=lines,
        unpriced=_counted([*refused, *unknown]),
        parties=_names(session, {line.party_id for line in lines}),
    )


def _period(first_month: str, last_month: str) -> tuple[dt.date, dt.date]:
    first, _next = clock.month_bounds(first_month)
    last, next_day = clock.month_bounds(last_month)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if not 0 < months <= MONTHS_MAX:
        raise InvalidInputError(N_("Choose a period of 1 to %(most)d months"), most=MONTHS_MAX)
    if last > clock.today():
        raise InvalidInputError(N_("A month that has not begun has no calls to simulate"))
    return first, next_day


def _calls(session: Session, contract: Contract, first: dt.date, next_day: dt.date) -> list[int]:
    """Return the proven calls of the days in whose chain the contract's party stands; for a policy, all of them."""
    proven = exists().where(
        Finding.incident_id == IncidentVerdict.incident_id,
        Finding.attribution_id == IncidentVerdict.attribution_id,
        Finding.state == FindingState.PROVEN,
    )
    query = (
        select(Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .join(Attribution, Attribution.id == IncidentVerdict.attribution_id)
        .where(
            Incident.occurred_on >= first,
            Incident.occurred_on < next_day,
            IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS),
            proven,
        )
    )
    if contract.party_id is not None:
        # A chain is stored as [[party, role], ...]: a cheap sieve, the cases look again.
        query = query.where(cast(Attribution.chain, String).like(f"%[{contract.party_id},%"))
    calls = session.scalars(select(func.count()).select_from(query.subquery())).one()
    if calls > CALLS_MAX:
        raise TooManyCallsError(calls=calls, most=CALLS_MAX)
    return list(session.scalars(query.order_by(Incident.id)))


class _Charged(NamedTuple):
    """What was charged for one offence and party."""

    penalty_id: int
    occurred_on: dt.date
    charged_fen: int
    lifted_fen: int


_Key = tuple[int, str, int]


def _charged(session: Session, contract_id: int, first_month: str, last_month: str) -> dict[_Key, _Charged]:
    """Return what the contract charged for calls of the months, by incident, offence type and party."""
    latest = func.max(Penalty.id)
    query = (
        select(
            Penalty.incident_id,
            Penalty.offence_code,
            Penalty.party_id,
            latest,
            func.max(Penalty.occurred_on),
            func.sum(Penalty.amount_fen),
            func.sum(Penalty.lifted_fen),
        )
        .where(
            Penalty.contract_id == contract_id,
            Penalty.period.between(first_month, last_month),
            Penalty.state.in_(_CHARGED),
        )
        .group_by(Penalty.incident_id, Penalty.offence_code, Penalty.party_id)
    )
    return {
        (incident_id, code, party_id): _Charged(penalty_id, occurred_on, int(charged), int(lifted))
        for incident_id, code, party_id, penalty_id, occurred_on, charged, lifted in session.execute(query)
    }


_Refused = tuple[int, RefusalError]


def _cases(
    session: Session, ids: Sequence[int], version: RuleVersion, contract: Contract
) -> tuple[dict[int, PricedFinding], list[_Refused]]:
    """Return the findings (by id) that the contract prices, and the calls of its that cannot be priced."""
    found: dict[int, PricedFinding] = {}
    refused: list[_Refused] = []
    for some in slices(ids, _AT_ONCE):
        for incident_id, case in load_cases(session, some, lock=False, instead=version).items():
            if isinstance(case, Case):
                found |= {one.offence.finding_id: one for one in case.findings if one.contract.id == contract.id}
            elif _names_rule(case, version, contract):
                refused.append((incident_id, case))
    return found, refused


def _names_rule(refusal: RefusalError, version: RuleVersion, contract: Contract) -> bool:
    """Say whether a refusal is about this contract or rule: other calls are priced elsewhere."""
    said = " ".join(str(value) for value in refusal.parameters.values())
    return contract.number in said or version.code in said


def _priced(
    session: Session, found: Mapping[int, PricedFinding], *, before: dt.date
) -> tuple[list[Charge | Spared], list[_Refused]]:
    offences = [one.offence for one in found.values()]
    history = History(figures=known_figures(session, offences))
    # Charged or not: a case is a case.
    history.add_cases(offences)
    load_offences(session, history, offences, LIVE_PENALTY_STATES, before=before)
    unknown: dict[int, RefusalError] = {}
    for offence in offences:
        try:
            require_known(offence, history)
        except RefusalError as refusal:
            unknown[offence.incident_id] = refusal
    # What a person spared no rule charges.
    spared = spared_among(session, [offence.finding_id for offence in offences])
    known = [offence for offence in offences if offence.incident_id not in unknown and offence.finding_id not in spared]
    return price_calls(known, history), list(unknown.items())


def _lines(
    found: Mapping[int, PricedFinding], outcomes: Iterable[Charge | Spared], charged: Mapping[_Key, _Charged]
) -> Iterator[SimulatedLine]:
    left = dict(charged)
    spared: dict[tuple[int, str], str] = {}
    for outcome in outcomes:
        offence = outcome.offence
        if isinstance(outcome, Spared):
            spared[offence.incident_id, offence.code] = str(outcome.why)
            continue
        for portion in share_out(outcome, [bearer.party_id for bearer in found[offence.finding_id].bearers]):
            key = (offence.incident_id, offence.code, portion.party_id)
            yield _line(key, offence.occurred_on, left.pop(key, None), portion, None)
    for key, one in left.items():
        yield _line(key, one.occurred_on, one, None, spared.get(key[:2]))


def _line(
    key: _Key, occurred_on: dt.date, charged: _Charged | None, portion: Portion | None, spared: str | None
) -> SimulatedLine:
    incident_id, code, party_id = key
    return SimulatedLine(
        incident_id,
        code,
        occurred_on,
        party_id,
        charged.penalty_id if charged else None,
        charged.charged_fen if charged else 0,
        charged.lifted_fen if charged else 0,
        portion.gross_fen - portion.capped_fen if portion else 0,
        portion.capped_fen if portion else 0,
        portion.explanation if portion else None,
        spared,
    )


def _counted(refused: Iterable[_Refused]) -> list[Unpriced]:
    """Return why calls could not be priced, the most frequent reason first."""
    calls: dict[str, list[int]] = defaultdict(list)
    for incident_id, refusal in refused:
        calls[translate(refusal.message_id, dict(refusal.parameters))].append(incident_id)
    counted = [Unpriced(words, len(ids), min(ids)) for words, ids in calls.items()]
    return sorted(counted, key=lambda one: (-one.calls, one.words))


def _names(session: Session, party_ids: Iterable[int]) -> dict[int, str]:
    names: dict[int, str] = {}
    for ids in slices(sorted(party_ids)):
        for row in session.execute(select(Party.id, Party.name).where(Party.id.in_(ids))):
            names[row.id] = row.name
    return names
