"""What the engine needs to know of an incident: its proven findings, who pays, by which contract and rule.

Read in a few queries for as many incidents as come; the same at proposal and again at approval.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from supervise.attribution.models import CHARGEABLE_VERDICTS, Attribution, Finding, FindingState, IncidentVerdict
from supervise.bulk import among
from supervise.compensation.models import Credit
from supervise.compensation.queries import LIVE_CREDIT_STATES
from supervise.complaints.models import Incident, IncidentKind, Precision
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.prices import Payer, Payers, PriceQuery, rules_at
from supervise.contracts.rules import parse_parameters
from supervise.errors import ConflictError, NotFoundError, RefusalError
from supervise.labels import N_
from supervise.parties.chain import ChainLink
from supervise.parties.models import OrgUnit, Party, PartyKind, RelationRole
from supervise.penalties.grounds import CallFacts, grounds_of
from supervise.penalties.pricing import Ground, Offence, Rule, Subject


class NothingProvenError(ConflictError):
    """No amount without a proven offence and a verdict that names who answers."""

    message = N_("No offence of this call is proven against a party")


class NoBearerError(ConflictError):
    """The rule shares the amount with a party that the chain does not have, or that has no contract."""

    message = N_("%(rule)s gives a share to a party of kind %(kind)s; the chain has none under contract on that day")


class Bearer(NamedTuple):
    """A party that bears a part, and the contract that makes it a debtor; None: a branch, assessed internally."""

    party_id: int
    contract: Contract | None


class PricedFinding(NamedTuple):
    """A proven finding with everything that prices it."""

    offence: Offence
    version: RuleVersion
    #: The contract or policy that the rule belongs to.
    contract: Contract
    bearers: tuple[Bearer, ...]


class Case(NamedTuple):
    """An incident ready to be priced."""

    incident_id: int
    unit_id: int | None
    cost_centre: str | None
    payer: Payer
    findings: tuple[PricedFinding, ...]
    #: Credits granted to the subscriber for this call so far.
    loss_fen: int


class _Proven(NamedTuple):
    """A proven finding against the party of the verdict in force."""

    id: int
    incident_id: int
    offence_code: str


class _Attributed(NamedTuple):
    incident_id: int
    kind: IncidentKind
    occurred_at: dt.datetime
    occurred_on: dt.date
    precision: Precision
    caller_number: str | None
    number_id: int | None
    unit_id: int | None
    cost_centre: str | None
    chain: tuple[ChainLink, ...]


def load_cases(
    session: Session, incident_ids: Collection[int], *, lock: bool = True, instead: RuleVersion | None = None
) -> dict[int, Case | RefusalError]:
    """Return each incident as the engine needs it, or why it cannot be priced.

    Takes the contracts' rows, in the order of ids, and keeps them to the end of the transaction: no rule of
    theirs is activated, and none of them ends, between pricing and commit. Without *lock* it only looks. A rule
    version that stands *instead* of its rule's others is for simulations.
    """
    attributed = _attributed(session, incident_ids)
    findings = _proven(session, incident_ids)
    payers = Payers(session, [one.chain for one in attributed.values()])
    if lock:
        _lock_contracts(session, _paying(payers, attributed).values())
    paying = _paying(payers, attributed)
    queries = _price_queries(attributed, findings, paying)
    rules = rules_at(session, set(queries.values()), instead=instead)
    aggravated = {finding.incident_id for finding in _aggravated(findings, rules, queries)}
    loaded = _Loaded(
        findings=findings,
        payers=payers,
        versions={finding_id: rules[query] for finding_id, query in queries.items()},
        parsed=_parsed(rules.values()),
        losses=_losses(session, incident_ids),
        grounds=_grounds(session, [attributed[incident_id] for incident_id in aggravated]),
    )
    return {
        incident_id: loaded.case(attributed.get(incident_id), paying.get(incident_id)) for incident_id in incident_ids
    }


def _price_queries(
    attributed: Mapping[int, _Attributed],
    findings: Mapping[int, Sequence[_Proven]],
    paying: Mapping[int, Payer | RefusalError],
) -> dict[int, PriceQuery]:
    """Return for each finding (by id) which rule is looked for, where somebody pays."""
    return {
        finding.id: PriceQuery(
            tuple(contract.id for contract in payer.contracts),
            finding.offence_code,
            attributed[finding.incident_id].occurred_on,
        )
        for found in findings.values()
        for finding in found
        if isinstance(payer := paying.get(finding.incident_id), Payer)
    }


@dataclass(frozen=True)
class _Loaded:
    """What was read for all incidents at once; findings and losses by incident, rule versions by finding."""

    findings: Mapping[int, Sequence[_Proven]]
    payers: Payers
    versions: Mapping[int, RuleVersion | RefusalError]
    parsed: Mapping[int, Rule]
    losses: Mapping[int, int]
    grounds: Mapping[int, tuple[Ground, ...]]

    def case(self, one: _Attributed | None, payer: Payer | RefusalError | None) -> Case | RefusalError:
        """Return an incident ready to be priced, or why it cannot be."""
        if one is None or not self.findings.get(one.incident_id):
            return NothingProvenError()
        if not isinstance(payer, Payer):
            return payer or NotFoundError()
        try:
            priced = tuple(self._priced(finding, one, payer) for finding in self.findings[one.incident_id])
        except RefusalError as refusal:
            return refusal
        loss_fen = self.losses.get(one.incident_id, 0)
        return Case(one.incident_id, one.unit_id, one.cost_centre, payer, priced, loss_fen)

    def _priced(self, finding: _Proven, one: _Attributed, payer: Payer) -> PricedFinding:
        version = self.versions[finding.id]
        if isinstance(version, RefusalError):
            raise version
        contract = next(contract for contract in payer.contracts if contract.id == version.contract_id)
        rule = self.parsed[version.id]
        offence = Offence(
            finding_id=finding.id,
            incident_id=one.incident_id,
            code=finding.offence_code,
            occurred_at=one.occurred_at,
            occurred_on=one.occurred_on,
            subject=subject_of(contract, payer.party_id),
            rule=rule,
            caller_number=one.caller_number,
            subscriber_id=one.number_id,
            grounds=self.grounds.get(one.incident_id, ()),
        )
        return PricedFinding(offence, version, contract, _bearers(rule, contract, payer, one, self.payers))


def _attributed(session: Session, incident_ids: Collection[int]) -> dict[int, _Attributed]:
    query = (
        select(
            Incident.id,
            Incident.kind,
            Incident.occurred_at,
            Incident.occurred_on,
            Incident.precision,
            Incident.caller_number,
            Incident.number_id,
            Attribution.unit_id,
            OrgUnit.cost_centre,
            # As it is stored: the calls of one chain are many, and it is read once.
            cast(Attribution.chain, Text),
        )
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .join(Attribution, Attribution.id == IncidentVerdict.attribution_id)
        .join(OrgUnit, OrgUnit.id == Attribution.unit_id, isouter=True)
        .where(among(session, Incident.id, list(incident_ids)), IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS))
    )
    rows = session.execute(query).all()
    chains = _chains(session, {row[-1] for row in rows})
    return {row[0]: _Attributed._make((*row[:-1], chains[row[-1]])) for row in rows}


def _chains(session: Session, stored: Collection[str]) -> dict[str, tuple[ChainLink, ...]]:
    """Return each stored chain with its parties."""
    pairs = {text: json.loads(text) for text in stored}
    parties = _parties(session, {party_id for chain in pairs.values() for party_id, _role in chain})
    return {text: tuple(_link(parties[party_id], role) for party_id, role in chain) for text, chain in pairs.items()}


def _parties(session: Session, party_ids: Collection[int]) -> dict[int, Party]:
    return {party.id: party for party in session.scalars(select(Party).where(Party.id.in_(party_ids)))}


def _link(party: Party, role: str | None) -> ChainLink:
    return ChainLink(party.id, party.kind, RelationRole(role) if role else None, party.name, party.org_unit_id)


def _proven(session: Session, incident_ids: Collection[int]) -> dict[int, list[_Proven]]:
    query = (
        select(Finding.id, Finding.incident_id, Finding.offence_code)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Finding.incident_id)
        .where(among(session, Finding.incident_id, list(incident_ids)), Finding.state == FindingState.PROVEN)
        # A finding counts against the party of the verdict in force only.
        .where(Finding.attribution_id == IncidentVerdict.attribution_id)
        .order_by(Finding.id)
    )
    found: dict[int, list[_Proven]] = {}
    for row in session.execute(query):
        found.setdefault(row.incident_id, []).append(_Proven._make(row))
    return found


def _paying(payers: Payers, attributed: Mapping[int, _Attributed]) -> dict[int, Payer | RefusalError]:
    """Return who pays for each incident; many calls of a day go by the same chain, and are looked up once."""
    known: dict[tuple[tuple[ChainLink, ...], IncidentKind, dt.date], Payer | RefusalError] = {}
    paying: dict[int, Payer | RefusalError] = {}
    for incident_id, one in attributed.items():
        key = (one.chain, one.kind, one.occurred_on)
        if key not in known:
            known[key] = _payer(payers, one)
        paying[incident_id] = known[key]
    return paying


def _payer(payers: Payers, one: _Attributed) -> Payer | RefusalError:
    try:
        return payers.of(one.chain, one.kind, one.occurred_on)
    except RefusalError as refusal:
        return refusal


def _parsed(found: Iterable[RuleVersion | RefusalError]) -> dict[int, Rule]:
    """Return each rule version once, however many days and offence types it prices."""
    versions = {version.id: version for version in found if isinstance(version, RuleVersion)}
    return {version_id: rule_of(version) for version_id, version in versions.items()}


def _lock_contracts(session: Session, payers: Iterable[Payer | RefusalError]) -> None:
    ids = {contract.id for payer in payers if isinstance(payer, Payer) for contract in payer.contracts}
    session.execute(
        select(Contract)
        .where(Contract.id.in_(ids))
        .order_by(Contract.id)
        .with_for_update(key_share=True)
        # What changed while we waited is seen through the same objects.
        .execution_options(populate_existing=True)
    ).all()


def _losses(session: Session, incident_ids: Collection[int]) -> dict[int, int]:
    query = (
        select(Credit.incident_id, func.sum(Credit.amount_fen))
        .where(among(session, Credit.incident_id, list(incident_ids)), Credit.state.in_(LIVE_CREDIT_STATES))
        .group_by(Credit.incident_id)
    )
    return {incident_id: int(total) for incident_id, total in session.execute(query) if incident_id is not None}


def _aggravated(
    findings: Mapping[int, Sequence[_Proven]],
    rules: Mapping[PriceQuery, RuleVersion | RefusalError],
    queries: Mapping[int, PriceQuery],
) -> Iterator[_Proven]:
    """Yield the findings whose rule asks what made the offence worse."""
    for finding in (finding for found in findings.values() for finding in found if finding.id in queries):
        rule = rules[queries[finding.id]]
        if isinstance(rule, RuleVersion) and rule.parameters.get("aggravations"):
            yield finding


def _grounds(session: Session, calls: Iterable[_Attributed]) -> dict[int, tuple[Ground, ...]]:
    return grounds_of(
        session,
        {
            CallFacts(
                incident_id=one.incident_id,
                kind=one.kind,
                occurred_at=one.occurred_at,
                occurred_on=one.occurred_on,
                precision=one.precision,
                caller_number=one.caller_number,
                number_id=one.number_id,
                caller_id=one.chain[0].party_id,
            )
            for one in calls
        },
    )


def rule_of(version: RuleVersion) -> Rule:
    """Return a stored rule version as the engine reads it."""
    return Rule(version.id, version.code, version.number, version.content_sha256, parse_parameters(version.parameters))


def subject_of(contract: Contract, party_id: int) -> Subject:
    """Return whose history counts: all that the contract charges, or under a policy the branch's own."""
    return Subject(contract.id, party_id if contract.party_id is None else None)


def _bearers(rule: Rule, contract: Contract, payer: Payer, one: _Attributed, payers: Payers) -> tuple[Bearer, ...]:
    shares = rule.parameters.shares
    if shares is None:
        return (Bearer(payer.party_id, None if payer.is_policy else contract),)
    return tuple(_bearer(part.kind, rule, contract, one, payers) for part in shares.parts)


def _bearer(kind: PartyKind, rule: Rule, contract: Contract, one: _Attributed, payers: Payers) -> Bearer:
    links: Sequence[ChainLink] = [link for link in one.chain if link.kind is kind]
    for link in links:
        if link.unit_id is not None:
            return Bearer(link.party_id, None)
        if link.party_id == contract.party_id:
            return Bearer(link.party_id, contract)
        own = payers.contracts_of(link.party_id, one.kind, one.occurred_on)
        if own:
            return Bearer(link.party_id, own[0])
    raise NoBearerError(rule=rule.code, kind=kind.label)
