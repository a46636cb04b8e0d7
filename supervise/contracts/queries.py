"""Named reads on contracts and their rules; nothing here writes."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.models import AccountingLabel, Contract, ContractState, RuleState, RuleVersion
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit, Party, PartyKind, PartyStatus

PAGE = 50
_ONE_DAY = dt.timedelta(days=1)
#: What an export reads at once.
AT_ONCE = 2_000


class ContractFilters(NamedTuple):
    """What the list is narrowed by; the empty one takes all."""

    text: str = ""
    state: ContractState | None = None
    #: True: assessment policies alone; False: contracts alone.
    is_policy: bool | None = None
    #: In force, with a last day on or before this one.
    ends_by: dt.date | None = None


class ContractRow(NamedTuple):
    """A contract with the names of both sides, and how many rules it has in force and as drafts."""

    contract: Contract
    party: str | None
    party_code: str | None
    unit: str
    unit_code: str
    active_rules: int
    draft_rules: int


class Side(NamedTuple):
    """Somebody who can sign."""

    id: int
    code: str
    name: str


def contracts_by_number(
    session: Session, filters: ContractFilters, *, after: str = "", limit: int = PAGE
) -> Sequence[ContractRow]:
    """Return up to *limit* contracts and policies whose number comes after *after*, by number."""
    active, draft = (
        select(func.count(RuleVersion.id))
        .where(RuleVersion.contract_id == Contract.id, RuleVersion.state == state)
        .scalar_subquery()
        for state in (RuleState.ACTIVE, RuleState.DRAFT)
    )
    query = (
        select(Contract, Party.name, Party.code, OrgUnit.name, OrgUnit.code, active, draft)
        .join(OrgUnit, OrgUnit.id == Contract.counterparty_unit_id)
        .join(Party, Party.id == Contract.party_id, isouter=True)
        .order_by(Contract.number)
        .limit(limit)
    )
    if after:
        query = query.where(Contract.number > after)
    if filters.text:
        words = filters.text.strip()
        fields = (Contract.number, Contract.name, Party.name)
        query = query.where(or_(*(field.contains(words, autoescape=True) for field in fields)))
    if filters.state is not None:
        query = query.where(Contract.state == filters.state)
    if filters.is_policy is not None:
        query = query.where(Contract.party_id.is_(None) if filters.is_policy else Contract.party_id.is_not(None))
    if filters.ends_by is not None:
        query = query.where(
            Contract.state == ContractState.ACTIVE,
            Contract.ends_on > clock.today(),
            Contract.ends_on <= filters.ends_by + _ONE_DAY,
        )
    return [ContractRow._make(row) for row in session.execute(query)]


def contract_by_id(session: Session, contract_id: int) -> Contract:
    """Return one contract or policy.

    Raises:
        NotFoundError: if there is none.
    """
    contract = session.get(Contract, contract_id)
    if contract is None:
        raise NotFoundError
    return contract


def sides_of(session: Session, contract: Contract) -> tuple[Party | None, OrgUnit]:
    """Return the party of a contract (None: a policy), and the unit of the carrier."""
    party = session.get(Party, contract.party_id) if contract.party_id is not None else None
    return party, session.get_one(OrgUnit, contract.counterparty_unit_id)


def rules_of_contract(session: Session, contract_id: int) -> Sequence[RuleVersion]:
    """Return every version of every rule, by code, the newest version first."""
    query = select(RuleVersion).where(RuleVersion.contract_id == contract_id)
    return session.scalars(query.order_by(RuleVersion.code, RuleVersion.number.desc())).all()


def rule_by_id(session: Session, rule_id: int) -> RuleVersion:
    """Return one rule version.

    Raises:
        NotFoundError: if there is none.
    """
    rule = session.get(RuleVersion, rule_id)
    if rule is None:
        raise NotFoundError
    return rule


def version_before(session: Session, rule: RuleVersion) -> RuleVersion | None:
    """Return the version that *rule* follows; None: it is the first."""
    query = select(RuleVersion).where(RuleVersion.code == rule.code, RuleVersion.number < rule.number)
    return session.scalars(query.order_by(RuleVersion.number.desc()).limit(1)).first()


def parties_to_sign(session: Session) -> list[Side]:
    """Return the parties outside the carrier with which a contract can be made, by name."""
    query = select(Party.id, Party.code, Party.name).where(
        Party.kind.not_in((PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER)),
        Party.status.in_((PartyStatus.REGISTERED, PartyStatus.SUSPENDED)),
        Party.merged_into_id.is_(None),
    )
    return [Side(*row) for row in session.execute(query.order_by(Party.name, Party.id))]


def units_to_sign(session: Session) -> list[Side]:
    """Return the units of the carrier that exist, by code."""
    query = select(OrgUnit.id, OrgUnit.code, OrgUnit.name).where(OrgUnit.closed_on.is_(None))
    return [Side(*row) for row in session.execute(query.order_by(OrgUnit.code))]


def labels_by_nature(session: Session) -> Sequence[AccountingLabel]:
    """Return every accounting label, by nature and direction, the newest first."""
    return session.scalars(
        select(AccountingLabel).order_by(
            AccountingLabel.nature, AccountingLabel.direction, AccountingLabel.valid_from.desc()
        )
    ).all()
