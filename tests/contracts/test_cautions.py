"""What is said before a rule is put into force: days without a price, amounts that nobody means."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise.contracts.cautions import UntickedCautionError, activate_with_cautions, cautions_about, gaps_beside
from supervise.contracts.models import Contract, RuleState
from supervise.contracts.rule_versions import draft_rule, shown
from tests.factories.contracts import make_contract, make_rule, rule_draft
from tests.factories.parties import make_party, make_unit

STARTS, ENDS = dt.date(2026, 1, 1), dt.date(2027, 1, 1)
APRIL, MAY, JULY, OCTOBER = (dt.date(2026, month, 1) for month in (4, 5, 7, 10))


@pytest.fixture
def contract(session: Session) -> Contract:
    return make_contract(session, party=make_party(session), unit=make_unit(session), starts_on=STARTS, ends_on=ENDS)


def test_days_that_no_rule_would_price_are_named(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, code="A", offence_code="after_refusal", valid_from=STARTS, valid_to=APRIL)
    make_rule(session, contract=contract, code="N", offence_code="night_hours", valid_from=STARTS)
    rule = draft_rule(
        session, contract.id, rule_draft(offence_code="after_refusal", valid_from=MAY, valid_to=OCTOBER), actor_id=1
    )

    assert gaps_beside(session, rule) == [(APRIL, MAY), (OCTOBER, ENDS)]


def test_the_version_before_ends_where_the_new_one_begins(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, code="A", offence_code="after_refusal", valid_from=STARTS)
    draft = rule_draft(code="A", offence_code="after_refusal", valid_from=MAY, valid_to=OCTOBER)

    rule = draft_rule(session, contract.id, draft, actor_id=1)

    assert gaps_beside(session, rule) == [(OCTOBER, ENDS)]


def test_a_rule_for_any_offence_leaves_no_gap_beside_a_particular_one(session: Session, contract: Contract) -> None:
    make_rule(session, contract=contract, code="A", offence_code=None, valid_from=STARTS)

    rule = draft_rule(session, contract.id, rule_draft(offence_code="after_refusal", valid_from=MAY), actor_id=1)

    assert gaps_beside(session, rule) == []
    assert cautions_about(session, rule) == []


def test_a_million_is_a_price_and_a_fen_more_is_a_caution_that_must_be_ticked(
    session: Session, contract: Contract
) -> None:
    price = {"basis": "per_offence", "amount_fen": 100_000_000}
    plain = draft_rule(session, contract.id, rule_draft(valid_from=STARTS, parameters=price), actor_id=1)
    absurd = draft_rule(
        session,
        contract.id,
        rule_draft(offence_code="night_hours", valid_from=STARTS, parameters=price | {"amount_fen": 100_000_001}),
        actor_id=1,
    )

    assert cautions_about(session, plain) == []
    [caution] = cautions_about(session, absurd)
    with pytest.raises(UntickedCautionError):
        activate_with_cautions(session, absurd.id, shown(absurd), [], actor_id=2)
    activated = activate_with_cautions(session, absurd.id, shown(absurd), [caution.code], actor_id=2)
    assert activated.state is RuleState.ACTIVE
