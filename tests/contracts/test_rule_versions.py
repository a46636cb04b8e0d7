"""Rule versions: two people, never edited in force, never back-dated once used."""

import datetime as dt
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise.contracts.models import Contract, RuleState, RuleVersion
from supervise.contracts.rule_versions import (
    BackDatedRuleError,
    OverlappingRuleError,
    activate_rule,
    draft_rule,
    edit_rule_draft,
    mark_priced,
    retire_rule,
    shown,
)
from supervise.contracts.rules import RuleParametersError, UnsupportedRuleError
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, SamePersonError
from tests.factories.contracts import make_contract, make_rule, rule_draft
from tests.factories.parties import make_party, make_unit

PRICED_ON = dt.date(2026, 9, 29)


@pytest.fixture
def contract(session: Session) -> Contract:
    return make_contract(session, party=make_party(session), unit=make_unit(session))


def test_a_rule_is_in_force_once_a_second_person_activates_it(session: Session, contract: Contract) -> None:
    rule = draft_rule(session, contract.id, rule_draft(), actor_id=1)

    activate_rule(session, rule.id, shown(rule), actor_id=2)

    assert (rule.state, rule.number, rule.activated_by) == (RuleState.ACTIVE, 1, 2)


def test_who_drafted_a_rule_does_not_activate_it(session: Session, contract: Contract) -> None:
    rule = draft_rule(session, contract.id, rule_draft(), actor_id=1)

    with pytest.raises(SamePersonError):
        activate_rule(session, rule.id, shown(rule), actor_id=1)


def test_a_draft_that_changed_meanwhile_is_not_activated_unseen(session: Session, contract: Contract) -> None:
    draft = rule_draft(code="P1")
    rule = draft_rule(session, contract.id, draft, actor_id=1)
    seen = shown(rule)
    dearer = replace(draft, parameters={"basis": "per_offence", "amount_fen": 50000})
    edit_rule_draft(session, rule.id, seen, dearer, actor_id=1)

    with pytest.raises(AlreadyDecidedError):
        activate_rule(session, rule.id, seen, actor_id=2)


def test_a_rule_in_force_is_not_edited(session: Session, contract: Contract) -> None:
    rule = make_rule(session, contract=contract, code="P1")

    with pytest.raises(AlreadyDecidedError):
        edit_rule_draft(session, rule.id, shown(rule), rule_draft(code="P1"), actor_id=3)


@pytest.mark.parametrize("change", [{"parameters": {"amount_fen": 1}}, {"valid_from": dt.date(2019, 1, 1)}])
def test_the_database_itself_refuses_to_edit_a_rule_in_force(
    session: Session, contract: Contract, change: dict[str, object]
) -> None:
    rule = make_rule(session, contract=contract)

    with pytest.raises(DBAPIError, match="in force"), session.begin_nested():
        session.execute(sa.update(RuleVersion).where(RuleVersion.id == rule.id).values(**change))


def test_the_database_itself_refuses_to_delete_a_rule_in_force(session: Session, contract: Contract) -> None:
    rule = make_rule(session, contract=contract)

    with pytest.raises(DBAPIError, match="in force"), session.begin_nested():
        session.execute(sa.delete(RuleVersion).where(RuleVersion.id == rule.id))


def test_what_the_engine_cannot_compute_stays_a_draft(session: Session, contract: Contract) -> None:
    steps = [{"from_count": 1, "amount_fen": 20000}, {"from_count": 3, "amount_fen": 10000}]
    tiers = {"window": "calendar_month", "steps": steps}
    parameters = {"basis": "per_offence", "amount_fen": 20000, "tiers": tiers}
    rule = draft_rule(session, contract.id, rule_draft(parameters=parameters), actor_id=1)

    with pytest.raises(UnsupportedRuleError):
        activate_rule(session, rule.id, shown(rule), actor_id=2)

    assert rule.state is RuleState.DRAFT


def test_a_policy_shares_nothing(session: Session) -> None:
    policy = make_contract(session, party=None, unit=make_unit(session))
    shares = {"mode": "equal", "parts": [{"kind": "agent"}, {"kind": "org_unit"}]}
    draft = rule_draft(parameters={"basis": "per_offence", "amount_fen": 20000, "shares": shares})
    rule = draft_rule(session, policy.id, draft, actor_id=1)

    with pytest.raises(UnsupportedRuleError):
        activate_rule(session, rule.id, shown(rule), actor_id=2)


def test_a_new_version_ends_the_one_before(session: Session, contract: Contract) -> None:
    first = make_rule(session, contract=contract, code="P1")
    second = draft_rule(session, contract.id, rule_draft(code="P1", valid_from=dt.date(2026, 10, 1)), actor_id=1)

    activate_rule(session, second.id, shown(second), actor_id=2)

    assert second.number == 2
    assert (first.state, first.valid_to) == (RuleState.RETIRED, dt.date(2026, 10, 1))


@pytest.mark.parametrize(("valid_from", "refused"), [(PRICED_ON, True), (PRICED_ON + dt.timedelta(days=1), False)])
def test_a_new_version_begins_after_the_last_call_that_was_priced(
    session: Session, contract: Contract, valid_from: dt.date, *, refused: bool
) -> None:
    make_rule(session, contract=contract, code="P1").priced_on = PRICED_ON
    second = draft_rule(session, contract.id, rule_draft(code="P1", valid_from=valid_from), actor_id=1)

    if refused:
        with pytest.raises(BackDatedRuleError, match="2026-09-29"):
            activate_rule(session, second.id, shown(second), actor_id=2)
    else:
        assert activate_rule(session, second.id, shown(second), actor_id=2).state is RuleState.ACTIVE


def test_a_particular_rule_is_not_slipped_under_calls_that_the_general_one_priced(
    session: Session, contract: Contract
) -> None:
    make_rule(session, contract=contract).priced_on = PRICED_ON
    draft = rule_draft(offence_code="after_refusal", valid_from=PRICED_ON)
    particular = draft_rule(session, contract.id, draft, actor_id=1)

    with pytest.raises(BackDatedRuleError):
        activate_rule(session, particular.id, shown(particular), actor_id=2)


def test_the_database_itself_refuses_to_end_a_rule_before_a_call_that_it_priced(
    session: Session, contract: Contract
) -> None:
    rule = make_rule(session, contract=contract)
    mark_priced(session, {rule.id: PRICED_ON})

    with pytest.raises(IntegrityError, match="not_back_dated"), session.begin_nested():
        session.execute(sa.update(RuleVersion).where(RuleVersion.id == rule.id).values(valid_to=PRICED_ON))


def test_the_mark_of_use_only_moves_forward(session: Session, contract: Contract) -> None:
    rule = make_rule(session, contract=contract)

    mark_priced(session, {rule.id: PRICED_ON})
    mark_priced(session, {rule.id: PRICED_ON - dt.timedelta(days=9)})
    session.refresh(rule)

    assert rule.priced_on == PRICED_ON


def test_another_rule_of_the_same_rank_is_an_overlap(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, code="P1")
    other = draft_rule(session, contract.id, rule_draft(code="P2"), actor_id=1)

    with pytest.raises(OverlappingRuleError):
        activate_rule(session, other.id, shown(other), actor_id=2)


def test_the_database_itself_refuses_two_prices_of_one_rank(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, offence_code="after_refusal")

    with pytest.raises(IntegrityError, match="overlap"), session.begin_nested():
        make_rule(session, contract=contract, offence_code="after_refusal")


def test_another_priority_is_no_overlap(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, code="P1")
    other = draft_rule(session, contract.id, rule_draft(code="P2", priority=1), actor_id=1)

    assert activate_rule(session, other.id, shown(other), actor_id=2).state is RuleState.ACTIVE


def test_a_rule_is_retired_after_its_last_call_with_a_reason(session: Session, contract: Contract) -> None:
    rule = make_rule(session, contract=contract)
    mark_priced(session, {rule.id: PRICED_ON})
    session.refresh(rule)

    with pytest.raises(BackDatedRuleError):
        retire_rule(session, rule.id, PRICED_ON, reason="不再使用", actor_id=3)
    with pytest.raises(InvalidInputError):
        retire_rule(session, rule.id, PRICED_ON + dt.timedelta(days=1), reason="", actor_id=3)
    retire_rule(session, rule.id, PRICED_ON + dt.timedelta(days=1), reason="不再使用", actor_id=3)

    assert rule.state is RuleState.RETIRED


def test_a_rule_that_is_none_is_not_even_drafted(session: Session, contract: Contract) -> None:
    with pytest.raises(RuleParametersError):
        draft_rule(session, contract.id, rule_draft(parameters={"basis": "per_offence"}), actor_id=1)
    with pytest.raises(InvalidInputError):
        draft_rule(session, contract.id, rule_draft(offence_code="no_such_type"), actor_id=1)
    with pytest.raises(InvalidInputError):
        draft_rule(session, contract.id, rule_draft(valid_from=dt.date(2019, 12, 31)), actor_id=1)


def test_a_code_names_a_rule_of_one_contract(session: Session, contract: Contract) -> None:
    other = make_contract(session, party=make_party(session), unit=make_unit(session))
    make_rule(session, contract=other, code="P1")

    with pytest.raises(ConflictError):
        draft_rule(session, contract.id, rule_draft(code="P1"), actor_id=1)
