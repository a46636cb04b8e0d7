"""Who pays and by which rule, as of the day of the call; and how finance books it."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise.complaints.models import IncidentKind
from supervise.contracts.accounting import NoAccountingLabelError, accounting_label
from supervise.contracts.models import ContractDirection, ContractScope, RuleVersion
from supervise.contracts.prices import NoPayerError, NoRuleError, Payer, Payers, PriceQuery, TwoRulesError, rules_at
from supervise.parties.chain import chain_at
from supervise.parties.models import Party, PartyKind, RelationRole
from tests.factories.contracts import make_contract, make_rule
from tests.factories.parties import make_party, make_relation, make_unit, unit_party

DAY = dt.date(2026, 9, 29)


def payer(session: Session, caller: Party, *, kind: IncidentKind = IncidentKind.CALL, on: dt.date = DAY) -> Payer:
    chain = chain_at(session, caller.id, on)
    return Payers(session, [chain]).of(chain, kind, on)


def test_the_nearest_party_under_contract_pays(session: Session) -> None:
    unit = make_unit(session)
    agent = make_party(session, sponsor=unit)
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    contract = make_contract(session, party=agent, unit=unit)

    assert payer(session, outsourcer) == Payer(agent.id, is_policy=False, contracts=(contract,))
    nearer = make_contract(session, party=outsourcer, unit=unit)
    assert payer(session, outsourcer) == Payer(outsourcer.id, is_policy=False, contracts=(nearer,))


def test_without_a_contract_the_sponsoring_branch_pays_by_the_nearest_policy(session: Session) -> None:
    province = make_unit(session, name="省公司")
    city = make_unit(session, name="市分公司", parent=province)
    agent = make_party(session, sponsor=city)
    policy = make_contract(session, party=None, unit=province)

    assert payer(session, agent) == Payer(unit_party(session, city).id, is_policy=True, contracts=(policy,))
    own = make_contract(session, party=None, unit=city)
    assert payer(session, agent).contracts == (own,)


def test_an_employee_who_called_counts_as_the_unit(session: Session) -> None:
    unit = make_unit(session)
    employee = make_party(session, kind=PartyKind.EMPLOYEE_CALLER, sponsor=unit, is_person=True)
    make_contract(session, party=None, unit=unit)

    assert payer(session, employee).party_id == unit_party(session, unit).id


@pytest.mark.parametrize(
    ("on", "under_contract"),
    [
        (dt.date(2025, 12, 31), False),
        (dt.date(2026, 1, 1), True),
        (dt.date(2026, 9, 30), True),
        (dt.date(2026, 10, 1), False),
    ],
)
def test_the_contract_must_hold_on_the_day_of_the_call(session: Session, on: dt.date, *, under_contract: bool) -> None:
    unit = make_unit(session)
    agent = make_party(session, sponsor=unit)
    make_contract(session, party=None, unit=unit)
    make_contract(session, party=agent, unit=unit, starts_on=dt.date(2026, 1, 1), ends_on=dt.date(2026, 10, 1))

    assert payer(session, agent, on=on).is_policy is not under_contract


def test_a_contract_for_calls_does_not_cover_messages(session: Session) -> None:
    unit = make_unit(session)
    agent = make_party(session, sponsor=unit)
    make_contract(session, party=agent, unit=unit, scope=ContractScope.OUTBOUND)

    assert payer(session, agent).party_id == agent.id
    with pytest.raises(NoPayerError):
        payer(session, agent, kind=IncidentKind.SMS)


def test_without_contract_and_policy_nobody_can_be_charged(session: Session) -> None:
    with pytest.raises(NoPayerError, match="2026-09-29"):
        payer(session, make_party(session))


def found(session: Session, *rules: RuleVersion, code: str = "after_refusal", on: dt.date = DAY) -> object:
    query = PriceQuery(tuple(dict.fromkeys(rule.contract_id for rule in rules)), code, on)
    return rules_at(session, [query])[query]


def test_the_rule_for_the_offence_goes_before_the_rule_for_any(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))
    general = make_rule(session, contract=contract, priority=9)
    particular = make_rule(session, contract=contract, offence_code="after_refusal")

    assert found(session, general, particular) is particular
    assert found(session, general, particular, code="night_hours") is general


def test_the_higher_priority_wins(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))
    low, high = make_rule(session, contract=contract), make_rule(session, contract=contract, priority=1)

    assert found(session, low, high) is high


def test_the_version_in_force_on_the_day_of_the_call_prices_it(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))
    old = make_rule(session, contract=contract, code="P1", valid_to=dt.date(2026, 10, 1))
    new = make_rule(session, contract=contract, code="P1", number=2, valid_from=dt.date(2026, 10, 1))

    assert found(session, old, on=dt.date(2026, 9, 30)) is old
    assert found(session, old, on=dt.date(2026, 10, 1)) is new


def test_no_rule_is_a_task_not_an_amount(session: Session) -> None:
    contract = make_contract(session, party=make_party(session), unit=make_unit(session))
    rule = make_rule(session, contract=contract, offence_code="night_hours")

    assert isinstance(found(session, rule), NoRuleError)


def test_two_rules_of_the_same_rank_are_a_task_not_an_amount(session: Session) -> None:
    party, unit = make_party(session), make_unit(session)
    calls = make_contract(session, party=party, unit=unit, scope=ContractScope.OUTBOUND)
    everything = make_contract(session, party=party, unit=unit)
    rules = [make_rule(session, contract=contract) for contract in (calls, everything)]

    assert isinstance(found(session, *rules), TwoRulesError)


def test_the_label_of_the_day_is_found(session: Session) -> None:
    bought = accounting_label(session, "damages", ContractDirection.WE_BUY, DAY)
    sold_then = accounting_label(session, "damages", ContractDirection.WE_SELL, dt.date(2025, 12, 31))
    sold_now = accounting_label(session, "damages", ContractDirection.WE_SELL, dt.date(2026, 1, 1))

    assert bought.gl_account_code == "6301.01"
    assert sold_then.tax_label != sold_now.tax_label


def test_an_amount_that_finance_has_not_labelled_is_refused(session: Session) -> None:
    with pytest.raises(NoAccountingLabelError):
        accounting_label(session, "damages", ContractDirection.INTERNAL, DAY)
