"""The demo's contracts, its assessment policy, its rules and promises: 200, 50 and 100 yuan stand here as data."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.models import CallUnit, CreditNature
from supervise.compensation.promises import Terms, agree_policy, agree_undertaking, draft_policy, draft_undertaking
from supervise.complaints.models import DayType
from supervise.contracts.agreements import ContractTerms, activate_contract, draft_contract
from supervise.contracts.checklist import ClauseCheck, check_clauses
from supervise.contracts.models import ContractDirection, ContractScope, SettlementOrder
from supervise.contracts.plans import PlanTerms, publish_plan
from supervise.contracts.rule_versions import RuleDraft, activate_rule, draft_rule, shown
from supervise.demo.registers import Registers
from supervise.parties.models import SalesChannelKind

#: Amounts in fen. Tiers count approved offences of the same type in 90 days (domain 7.5).
PER_OFFENCE: Mapping[str, Any] = {"basis": "per_offence", "amount_fen": 200_00}
AFTER_REFUSAL: Mapping[str, Any] = {"basis": "per_offence", "amount_fen": 500_00}
TIERED: Mapping[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 200_00},
            {"from_count": 2, "amount_fen": 300_00},
            {"from_count": 4, "amount_fen": 500_00},
        ],
    },
    "caps": [{"per": "month", "limit_fen": 2000_00}],
    "points": {"each": 4, "months": 12},
    # What its call cost in credits it gives back whole (domain 7.8).
    "recovery_bp": 10_000,
}
CAPPED: Mapping[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "caps": [{"per": "month", "limit_fen": 5000_00}],
}


class Deal(NamedTuple):
    """A contract, or without a party the assessment policy: who signed it, and its rules by offence type."""

    party: str | None
    unit: str
    number: str
    rules: tuple[tuple[str | None, Mapping[str, Any]], ...]


DEALS = (
    Deal(None, "YZ", "YZ-KH-2026", ((None, PER_OFFENCE), ("after_refusal", AFTER_REFUSAL))),
    Deal("HX", "YZ-CD", "YZ-DL-2026-001", ((None, PER_OFFENCE), ("after_refusal", AFTER_REFUSAL))),
    Deal("HT", "YZ-CX", "YZ-DL-2026-002", ((None, TIERED),)),
    Deal("YY", "YZ-BJ", "YZ-DL-2026-003", ((None, PER_OFFENCE),)),
    Deal("XH", "YZ-KF", "YZ-WB-2026-001", ((None, CAPPED), ("after_refusal", AFTER_REFUSAL))),
    Deal("RD", "YZ-GX", "YZ-YX-2026-001", ((None, PER_OFFENCE),)),
    Deal("XT", "YZ-GX", "YZ-DX-2026-001", ((None, PER_OFFENCE),)),
)


#: What the contracts say of money beside their rules; the others have no deposit and are settled in cash.
TERMS: Mapping[str, Mapping[str, Any]] = {
    "HX": {"deposit_required_fen": 30_000_00},
    "HT": {"deposit_required_fen": 2_000_00, "settlement_order": SettlementOrder.COMMISSION_DEPOSIT_CASH},
    "YY": {"deposit_required_fen": 10_000_00},
    "XH": {"deposit_required_fen": 20_000_00, "settlement_order": SettlementOrder.COMMISSION_DEPOSIT_CASH},
    "RD": {"deposit_required_fen": 5_000_00},
}

#: Where the paper of the first agent has each clause ("": it lacks it); two were not looked at yet.
CLAUSES: Mapping[str, str] = {
    "consent": "第三条第（一）项",
    "data_use": "第三条第（三）项",
    "call_frequency": "第五条",
    "recording": "第七条第（二）项",
    "supervision": "第九条",
    "training": "",
    "misuse_liability": "第十一条",
    "real_caller_number": "第四条",
}

#: Code, name, monthly price in fen, kinds of channel (none: every channel), days for which it was published.
PLANS = (
    ("CX59", "畅享套餐59元", 59_00, frozenset[SalesChannelKind](), None),
    ("CX99", "畅享套餐99元", 99_00, frozenset[SalesChannelKind](), None),
    ("RW19", "入网有福利19元", 19_00, frozenset({SalesChannelKind.AGENT_OUTLET}), None),
    ("ZX129", "尊享套餐129元", 129_00, frozenset({SalesChannelKind.HALL, SalesChannelKind.ONLINE}), None),
    ("YH39", "暑期优惠39元", 39_00, frozenset[SalesChannelKind](), 90),
)


def make_agreements(session: Session, registers: Registers, since: dt.date) -> None:
    """Sign, price, publish and promise everything as of *since*; the triager drafts, the supervisor activates."""
    for deal in DEALS:
        _sign(session, registers, deal, since)
    _publish_plans(session, registers, since)
    _promises(session, registers, since)


def _sign(session: Session, registers: Registers, deal: Deal, since: dt.date) -> None:
    triager, supervisor = registers.users["triager"], registers.users["supervisor"]
    contract = draft_contract(
        session,
        ContractTerms(
            number=deal.number,
            name="外呼营销合作合同" if deal.party else "营销骚扰投诉考核办法",
            party_id=registers.parties[deal.party] if deal.party else None,
            counterparty_unit_id=registers.units[deal.unit],
            scope=ContractScope.ALL,
            direction=ContractDirection.WE_BUY if deal.party else ContractDirection.INTERNAL,
            starts_on=since,
            ends_on=None,
            appeal_days=5,
            appeal_day_type=DayType.WORKING,
            deemed_days=3,
            **TERMS.get(deal.party or "", {}),
        ),
        actor_id=triager,
    )
    activate_contract(session, contract.id, contract.version, actor_id=supervisor)
    for place, (offence_code, parameters) in enumerate(deal.rules, start=1):
        rule = draft_rule(
            session,
            contract.id,
            RuleDraft(
                code=f"{deal.number}/K{place}",
                offence_code=offence_code,
                priority=10 if offence_code else 0,
                parameters=parameters,
                valid_from=since,
                valid_to=None,
            ),
            actor_id=triager,
        )
        activate_rule(session, rule.id, shown(rule), actor_id=supervisor)
    if deal.party == "HX":
        read = [ClauseCheck(code, bool(where), where) for code, where in CLAUSES.items()]
        check_clauses(session, contract.id, read, actor_id=triager)


def _publish_plans(session: Session, registers: Registers, since: dt.date) -> None:
    for code, name, price_fen, kinds, days in PLANS:
        terms = PlanTerms(
            name=name,
            monthly_price_fen=price_fen,
            published_from=since,
            published_to=since + dt.timedelta(days=days) if days is not None else None,
            kinds=kinds,
        )
        publish_plan(session, code, terms, actor_id=registers.users["admin"])


def _promises(session: Session, registers: Registers, since: dt.date) -> None:
    triager, supervisor = registers.users["triager"], registers.users["supervisor"]
    general = Terms(clock.start_of_day(since), None, 50_00, CallUnit.ANSWERED, 2, CreditNature.COMPENSATION)
    policy = draft_policy(session, "PC-2026", "营销骚扰电话统一赔偿办法", general, actor_id=triager)
    agree_policy(session, policy.id, policy.version, actor_id=supervisor)
    for place in (0, 7, 13):
        _number, subscriber_id, _unit_id = registers.subscribers[place]
        own = Terms(
            clock.start_of_day(since + dt.timedelta(days=200 + place)),
            None,
            50_00,
            CallUnit.ATTEMPTED,
            None,
            CreditNature.COMPENSATION,
        )
        undertaking = draft_undertaking(
            session,
            subscriber_id,
            own,
            lump_fen=100_00,
            text="由省公司经理级以上人员致歉；自承诺之日起每接到一次营销电话赔偿话费50元，历史一次性赔偿100元。",
            actor_id=triager,
        )
        agree_undertaking(session, undertaking.id, undertaking.version, actor_id=supervisor)
