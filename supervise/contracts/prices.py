"""Who pays for a call, and by which rule: both as of the day of the call (design.md section 6)."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.complaints.models import IncidentKind
from supervise.contracts.models import Contract, ContractScope, ContractState, RuleState, RuleVersion
from supervise.errors import ConflictError, RefusalError
from supervise.labels import N_
from supervise.parties.chain import ChainLink, sponsoring_unit
from supervise.parties.models import OrgUnitPlacement

#: Which scopes of a contract cover a call or a message.
_SCOPES = {
    IncidentKind.CALL: (ContractScope.ALL, ContractScope.OUTBOUND, ContractScope.CHANNEL),
    IncidentKind.SMS: (ContractScope.ALL, ContractScope.SMS),
}


class NoPayerError(ConflictError):
    """Nobody of the chain can be charged: a gap in the registers or contracts that a person must close."""

    message = N_("On %(day)s no party of the chain was under contract, and no assessment policy covered its branch")


class NoRuleError(ConflictError):
    """The contract or policy says no price for this offence on that day."""

    message = N_("%(contract)s has no price for %(offence)s on %(day)s")


class TwoRulesError(ConflictError):
    """Two prices of the same rank compete; a person must say which one holds."""

    message = N_("%(first)s and %(second)s both price %(offence)s on %(day)s; give one of them a higher priority")


class Payer(NamedTuple):
    """Who pays, and the contracts or the policy that may price it."""

    party_id: int
    is_policy: bool
    #: Usually one; several if contracts of different scopes cover the call.
    contracts: tuple[Contract, ...]


class PriceQuery(NamedTuple):
    """The rule for an offence on a day among contracts."""

    contract_ids: tuple[int, ...]
    offence_code: str
    on: dt.date


class Payers:
    """Contracts of some chains, and the policies with the carrier's tree, read once for as many calls as come."""

    def __init__(self, session: Session, chains: Iterable[Sequence[ChainLink]]) -> None:
        ids = {link.party_id for chain in chains for link in chain}
        in_force = select(Contract).where(Contract.state != ContractState.DRAFT).order_by(Contract.id)
        self._of_party: dict[int, list[Contract]] = {}
        for contract in session.scalars(in_force.where(Contract.party_id.in_(ids))):
            self._of_party.setdefault(contract.party_id or 0, []).append(contract)
        self._of_unit: dict[int, list[Contract]] = {}
        for policy in session.scalars(in_force.where(Contract.party_id.is_(None))):
            self._of_unit.setdefault(policy.counterparty_unit_id, []).append(policy)
        self._placements: dict[int, list[OrgUnitPlacement]] = {}
        for placement in session.scalars(select(OrgUnitPlacement)):
            self._placements.setdefault(placement.unit_id, []).append(placement)

    def of(self, chain: Sequence[ChainLink], kind: IncidentKind, on: dt.date) -> Payer:
        """Return the nearest party of *chain* under contract on the day, else the branch under the nearest policy.

        An employee who called has no contract, so the unit they work for pays.

        Raises:
            NoPayerError: if there is neither.
        """
        for link in chain:
            contracts = self.contracts_of(link.party_id, kind, on)
            if contracts:
                return Payer(link.party_id, is_policy=False, contracts=contracts)
        unit_id = sponsoring_unit(chain)
        if unit_id is not None:
            for above_id in self._path(unit_id, on):
                policies = _covering(self._of_unit.get(above_id, ()), kind, on)
                if policies:
                    return Payer(chain[-1].party_id, is_policy=True, contracts=policies)
        raise NoPayerError(day=on.isoformat())

    def contracts_of(self, party_id: int, kind: IncidentKind, on: dt.date) -> tuple[Contract, ...]:
        """Return the contracts of a party of the chains that cover such a call on the day."""
        return _covering(self._of_party.get(party_id, ()), kind, on)

    def _path(self, unit_id: int, on: dt.date) -> list[int]:
        path: list[int] = []
        here: int | None = unit_id
        while here is not None and here not in path:
            path.append(here)
            here = next(
                (
                    placement.parent_id
                    for placement in self._placements.get(here, ())
                    if placement.valid_from <= on and (placement.valid_to is None or on < placement.valid_to)
                ),
                None,
            )
        return path


def _covering(contracts: Iterable[Contract], kind: IncidentKind, on: dt.date) -> tuple[Contract, ...]:
    return tuple(
        contract
        for contract in contracts
        if contract.scope in _SCOPES[kind]
        and contract.starts_on <= on
        and (contract.ends_on is None or on < contract.ends_on)
    )


def rules_at(
    session: Session, queries: Collection[PriceQuery], *, instead: RuleVersion | None = None
) -> dict[PriceQuery, RuleVersion | RefusalError]:
    """Return the rule in force for each query, or why there is none: a task for a person, never a guess.

    A rule for the offence type goes before one for any type; then the highest priority wins. A version that stands
    *instead* takes the place of all versions of its rule, whatever its days are: what a simulation asks.
    """
    contract_ids = {contract_id for query in queries for contract_id in query.contract_ids}
    named = select(Contract.id, Contract.number).where(Contract.id.in_(contract_ids))
    numbers = {row.id: row.number for row in session.execute(named)}
    by_contract: dict[int, list[RuleVersion]] = {}
    for rule in session.scalars(
        select(RuleVersion)
        .where(RuleVersion.contract_id.in_(contract_ids), RuleVersion.state != RuleState.DRAFT)
        .order_by(RuleVersion.id)
    ):
        if instead is None or rule.code != instead.code:
            by_contract.setdefault(rule.contract_id, []).append(rule)
    if instead is not None:
        by_contract.setdefault(instead.contract_id, []).append(instead)
    return {query: _rule(query, by_contract, numbers, instead) for query in set(queries)}


def _rule(
    query: PriceQuery,
    by_contract: dict[int, list[RuleVersion]],
    numbers: dict[int, str],
    instead: RuleVersion | None,
) -> RuleVersion | RefusalError:
    rules = [
        rule
        for contract_id in query.contract_ids
        for rule in by_contract.get(contract_id, ())
        if rule.offence_code in (query.offence_code, None)
        and (rule is instead or (rule.valid_from <= query.on and (rule.valid_to is None or query.on < rule.valid_to)))
    ]
    day = query.on.isoformat()
    if not rules:
        contract = " / ".join(numbers[contract_id] for contract_id in query.contract_ids)
        return NoRuleError(contract=contract, offence=query.offence_code, day=day)

    def rank(rule: RuleVersion) -> tuple[bool, int]:
        return rule.offence_code is not None, rule.priority

    best = max(map(rank, rules))
    first, *rivals = [rule for rule in rules if rank(rule) == best]
    if rivals:
        return TwoRulesError(
            first=f"{first.code} v{first.number}",
            second=f"{rivals[0].code} v{rivals[0].number}",
            offence=query.offence_code,
            day=day,
        )
    return first
