"""The statement of a party equals the ledger to the fen, and shows a branch its own calls alone."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.party_statement import build_party_statement_workbook, statement_totals
from supervise import clock
from supervise.access.roles import Role
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.models import OrgUnit, PartyRelation
from supervise.parties.scope import Scope
from supervise.penalties.statement import PartyStatement, StatementKind, party_statement
from tests.factories.access import make_user
from tests.factories.complaints import CALLED_AT
from tests.factories.parties import give_scope, make_party, make_relation, make_unit, unit_party
from tests.factories.penalties import (
    Charged,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
)
from tests.reports.statement_story import live_through, three_penalties


def this_month() -> str:
    return clock.month_of(clock.today())


def statement_of(session: Session, charged: Charged, scope: Scope | None = None) -> PartyStatement:
    return party_statement(
        session, scope or Scope.everything(), charged.party.id, first_month=this_month(), last_month=this_month()
    )


@pytest.mark.parametrize("make", [make_charged_partner, make_charged_branch])
def test_the_statement_equals_the_ledger_to_the_fen(session: Session, make: object) -> None:
    charged: Charged = make(session)  # type: ignore[operator]
    live_through(session, charged)

    statement = statement_of(session, charged)

    is_branch = charged.party.org_unit_id is not None
    accounts = (
        (AccountCode.ASSESSMENT_CONTESTABLE, AccountCode.ASSESSMENT_FINAL)
        if is_branch
        else (AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_RECEIVABLE)
    )
    dimension = charged.unit.id if is_branch else charged.party.id
    contestable, final = (balance_fen(session, account, dimension) for account in accounts)
    assert (statement.closing_contestable_fen, statement.closing_final_fen) == (contestable, final) == (0, 320_00)
    assert statement.closing_fen == statement.ledger_fen == 320_00
    assert {kind: fen for kind in StatementKind if (fen := statement.total_fen(kind))} == {
        StatementKind.APPROVED: 600_00,
        StatementKind.LIFTED: -250_00,
        StatementKind.REVERSED: -30_00,
    }
    assert statement.lines[-1].balance_fen == 320_00
    totals = statement_totals(statement)
    assert sum(total.amount_fen for total in totals[:-1]) == totals[-1].amount_fen


def test_the_workbook_says_what_the_statement_says(session: Session, tmp_path: Path) -> None:
    charged = make_charged_partner(session)
    live_through(session, charged)
    statement = statement_of(session, charged)

    with use_locale("en"):
        made = build_party_statement_workbook(statement, {}, tmp_path / "s.xlsx", clock.now())

    book = openpyxl.load_workbook(made.path)
    lines = list(book["Movements"].iter_rows(min_row=2, values_only=True))
    assert round(100 * sum(line[6] + line[7] for line in lines)) == statement.closing_fen
    assert dict(book["Totals"].iter_rows(min_row=2, values_only=True))["Closing"] == 320
    assert dict(book["About"].iter_rows(min_row=2, values_only=True))["Equal to the ledger"] == "yes"


def test_what_was_booked_before_is_the_opening(session: Session) -> None:
    charged = make_charged_partner(session)
    three_penalties(session, charged)

    later = clock.next_month(this_month())
    statement = party_statement(session, Scope.everything(), charged.party.id, first_month=later, last_month=later)

    assert statement.opening_fen == statement.closing_fen == 600_00
    assert statement.lines == ()


def test_a_branch_sees_of_a_partner_that_two_branches_sponsor_its_own_calls_alone(session: Session) -> None:
    charged = make_charged_partner(session)
    ours = make_approved_penalty(session, charged=charged)
    _hand_over(session, charged, to=make_unit(session, name="七里河分公司"))
    theirs = make_approved_penalty(session, charged=charged, occurred_at=CALLED_AT + dt.timedelta(days=9))
    manager = make_user(session, role=Role.BRANCH_MANAGER)
    give_scope(session, user_id=manager.id, unit=charged.unit)

    statement = statement_of(session, charged, Scope.of(session, manager))

    assert {line.reference for line in statement.lines} == {ours.reference}
    assert theirs.reference not in {line.reference for line in statement.lines}
    assert statement.closing_fen == 200_00
    assert statement.ledger_fen is None, "the whole account is not theirs to see"


def _hand_over(session: Session, charged: Charged, *, to: OrgUnit) -> None:
    """From the day after the first call on, another branch sponsors the partner."""
    day = clock.china_day(CALLED_AT) + dt.timedelta(days=1)
    relation = session.scalars(select(PartyRelation).where(PartyRelation.child_id == charged.party.id)).one()
    relation.valid_to = day
    session.flush()
    make_relation(session, child=charged.party, parent=unit_party(session, to), valid_from=day)


def test_a_stranger_finds_no_statement(session: Session) -> None:
    charged = make_charged_partner(session)
    make_approved_penalty(session, charged=charged)
    manager = make_user(session, role=Role.BRANCH_MANAGER)
    give_scope(session, user_id=manager.id, unit=make_unit(session, name="七里河分公司"))
    contact = make_user(session, role=Role.PARTNER_CONTACT)
    give_scope(session, user_id=contact.id, party=make_party(session, name="联达外呼"))

    for user in (manager, contact):
        with pytest.raises(NotFoundError):
            statement_of(session, charged, Scope.of(session, user))


def test_a_partner_has_no_statement_of_the_branch_that_sponsors_it(session: Session) -> None:
    charged = make_charged_partner(session)
    branch = unit_party(session, charged.unit)
    contact = make_user(session, role=Role.PARTNER_CONTACT)
    give_scope(session, user_id=contact.id, party=charged.party)

    with pytest.raises(NotFoundError):
        party_statement(
            session, Scope.of(session, contact), branch.id, first_month=this_month(), last_month=this_month()
        )


def test_months_that_are_upside_down_are_refused(session: Session) -> None:
    charged = make_charged_partner(session)

    with pytest.raises(InvalidInputError):
        party_statement(
            session,
            Scope.everything(),
            charged.party.id,
            first_month=clock.next_month(this_month()),
            last_month=this_month(),
        )
