"""Contracts, the assessment policy and rules in force, with dull legal defaults."""

import datetime as dt
from collections.abc import Mapping
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.models import DayType
from supervise.contracts.agreements import ContractTerms
from supervise.contracts.models import (
    Contract,
    ContractAmendment,
    ContractDirection,
    ContractScope,
    ContractState,
    Plan,
    RuleState,
    RuleVersion,
)
from supervise.contracts.paper_models import ContractPaper, PaperKind
from supervise.contracts.papers import add_paper
from supervise.contracts.plans import PlanTerms, publish_plan
from supervise.contracts.rule_versions import RuleDraft
from supervise.contracts.rules import content_sha256
from supervise.files.models import MediaType
from supervise.files.vault import NewFile, StoredFile
from supervise.parties.models import OrgUnit, Party

EVER_SINCE = dt.date(2020, 1, 1)
DRAFTER, ACTIVATOR = 901, 902
_serial = count(1)


def contract_terms(
    *,
    party: Party | None,
    unit: OrgUnit,
    number: str | None = None,
    scope: ContractScope = ContractScope.ALL,
    direction: ContractDirection | None = None,
    starts_on: dt.date = EVER_SINCE,
    ends_on: dt.date | None = None,
    appeal_days: int = 5,
    appeal_day_type: DayType = DayType.WORKING,
    deemed_days: int = 3,
    **more: Any,
) -> ContractTerms:
    """What a person would draft; without a party, an assessment policy below *unit*."""
    return ContractTerms(
        number=number or f"HT-{next(_serial):05d}",
        name="外呼业务合作协议" if party else "服务质量考核办法",
        party_id=party.id if party else None,
        counterparty_unit_id=unit.id,
        scope=scope,
        direction=direction or (ContractDirection.WE_BUY if party else ContractDirection.INTERNAL),
        starts_on=starts_on,
        ends_on=ends_on,
        appeal_days=appeal_days,
        appeal_day_type=appeal_day_type,
        deemed_days=deemed_days,
        **more,
    )


def make_contract(session: Session, *, party: Party | None, unit: OrgUnit, **terms: Any) -> Contract:
    """A contract in force; without a party, an assessment policy in force."""
    contract = Contract(
        **vars(contract_terms(party=party, unit=unit, **terms)),
        state=ContractState.ACTIVE,
        drafted_by=DRAFTER,
        activated_by=ACTIVATOR,
    )
    session.add(contract)
    session.flush()
    return contract


def make_amendment(session: Session, *, contract: Contract, **terms: Any) -> ContractAmendment:
    """A drafted amendment: ten days to object from today on."""
    facts: dict[str, Any] = {"appeal_days": 10, "signed_on": clock.today(), "effective_from": clock.today()}
    amendment = ContractAmendment(
        contract_id=contract.id,
        number=f"BC-{next(_serial):05d}",
        reason="双方会谈纪要",
        drafted_by=DRAFTER,
        drafted_at=clock.now(),
        **facts | terms,
    )
    session.add(amendment)
    session.flush()
    return amendment


def make_paper(session: Session, *, contract: Contract) -> ContractPaper:
    """A scan of the signed contract; no bytes lie in the vault."""
    stored = StoredFile(f"{next(_serial):064x}", "0" * 64, 1_000)
    file = NewFile(stored, "合同扫描件.pdf", MediaType.PDF)
    return add_paper(session, contract.id, PaperKind.CONTRACT, file, actor_id=DRAFTER)


def rule_draft(
    *,
    code: str | None = None,
    offence_code: str | None = None,
    priority: int = 0,
    parameters: Mapping[str, Any] | None = None,
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> RuleDraft:
    """What a person would draft: 200 yuan for each offence."""
    return RuleDraft(
        code=code or f"R-{next(_serial):05d}",
        offence_code=offence_code,
        priority=priority,
        parameters=parameters or {"basis": "per_offence", "amount_fen": 20000},
        valid_from=valid_from,
        valid_to=valid_to,
    )


def make_rule(session: Session, *, contract: Contract, number: int = 1, **draft: Any) -> RuleVersion:
    """A rule in force."""
    said = rule_draft(**draft)
    rule = RuleVersion(
        **{**vars(said), "parameters": dict(said.parameters)},
        number=number,
        contract_id=contract.id,
        content_sha256=content_sha256(said.parameters),
        state=RuleState.ACTIVE,
        drafted_by=DRAFTER,
        activated_by=ACTIVATOR,
        activated_at=clock.now(),
    )
    session.add(rule)
    session.flush()
    return rule


def make_plan(session: Session, *, code: str = "CX59", **terms: Any) -> Plan:
    """A plan that was published long ago and may be sold everywhere."""
    facts: dict[str, Any] = {"name": "畅享套餐", "monthly_price_fen": 59_00, "published_from": EVER_SINCE}
    return publish_plan(session, code, PlanTerms(**facts | terms), actor_id=DRAFTER)
