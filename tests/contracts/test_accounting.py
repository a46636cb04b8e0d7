"""Accounting labels: dated, never changed under amounts that carry them."""

import datetime as dt

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.accounting import AmountNature, BackDatedLabelError, accounting_label, add_label
from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.errors import InvalidInputError

FINANCE = 961


@pytest.fixture(autouse=True)
def _only_ours(session: Session) -> None:
    session.execute(delete(AccountingLabel))


def next_week() -> dt.date:
    return clock.today() + dt.timedelta(days=7)


def label_from(session: Session, day: dt.date, code: str = "6301.01") -> AccountingLabel:
    return add_label(
        session,
        AmountNature.DAMAGES,
        ContractDirection.WE_BUY,
        gl_account_code=code,
        tax_label="不开增值税发票",
        valid_from=day,
        actor_id=FINANCE,
    )


def code_on(session: Session, day: dt.date) -> str:
    return accounting_label(session, AmountNature.DAMAGES, ContractDirection.WE_BUY, day).gl_account_code


def test_a_label_of_a_coming_day_ends_the_one_before(session: Session) -> None:
    label_from(session, dt.date(2020, 1, 1), "6301.01")

    label_from(session, next_week(), "6301.09")

    assert code_on(session, next_week() - dt.timedelta(days=1)) == "6301.01"
    assert code_on(session, next_week()) == "6301.09"


def test_a_day_that_a_label_covers_cannot_be_labelled_anew(session: Session) -> None:
    label_from(session, dt.date(2020, 1, 1))

    for day in (dt.date(2026, 1, 1), clock.today()):
        with pytest.raises(BackDatedLabelError):
            label_from(session, day, "6301.09")
        assert code_on(session, day) == "6301.01"


def test_a_gap_in_the_past_is_filled_up_to_the_next_label(session: Session) -> None:
    label_from(session, dt.date(2026, 6, 1), "6301.01")

    label_from(session, dt.date(2026, 1, 1), "6301.00")

    assert code_on(session, dt.date(2026, 5, 31)) == "6301.00"
    assert code_on(session, dt.date(2026, 6, 1)) == "6301.01"


def test_a_label_that_has_not_begun_is_replaced(session: Session) -> None:
    label_from(session, next_week(), "6301.typo")

    label_from(session, next_week(), "6301.09")

    assert code_on(session, next_week()) == "6301.09"
    assert len(session.scalars(select(AccountingLabel)).all()) == 1


def test_an_assessment_is_never_labelled_as_a_sale(session: Session) -> None:
    with pytest.raises(InvalidInputError):
        add_label(
            session,
            AmountNature.ASSESSMENT,
            ContractDirection.WE_SELL,
            gl_account_code="1",
            tax_label="x",
            valid_from=next_week(),
            actor_id=FINANCE,
        )
