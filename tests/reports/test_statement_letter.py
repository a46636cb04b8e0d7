"""The statement as a letter: all that the party owes, equal to the ledger, and never of a part of an account."""

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from reports.statement_letter import (
    LetterTooLongError,
    NotTheLedgerError,
    PartOfAccountError,
    build_statement_letter,
    letter_of,
)
from supervise import clock
from supervise.labels import use_locale
from supervise.parties.scope import Scope
from supervise.penalties.recourse import ReceiptFacts, receive_recourse, reverse_recourse
from supervise.penalties.recoveries import void_recovery
from supervise.penalties.statement import PartyStatement, StatementKind, party_statement
from tests.factories.penalties import (
    Charged,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
)
from tests.factories.settlement import (
    FINANCE,
    draft_run,
    make_deposit,
    make_due_recourse,
    make_due_recovery,
    posted,
)

MADE_AT = dt.datetime(2026, 11, 23, 1, 2, tzinfo=dt.UTC)
NAMES = {"after_refusal": "用户拒绝后再次拨打"}


def statement_of(session: Session, charged: Charged, scope: Scope | None = None) -> PartyStatement:
    month = clock.month_of(clock.today())
    everything = scope or Scope.everything()
    return party_statement(session, everything, charged.party.id, first_month=month, last_month=month)


def test_recoveries_and_recourse_are_movements_and_the_closing_equals_the_ledger(session: Session) -> None:
    charged = make_charged_partner(session)
    recovery = make_due_recovery(session, charged=charged, paid_fen=50_00)
    taken_back = make_due_recovery(session, charged=charged, paid_fen=30_00)
    claim = make_due_recourse(session, charged=charged, amount_fen=600_00)
    reversed_claim = make_due_recourse(session, charged=charged, amount_fen=70_00)
    facts = ReceiptFacts(100_00, "ICBC-8", clock.today())
    receive_recourse(session, claim.id, facts, actor_id=FINANCE)
    void_recovery(session, taken_back.id, "重复", actor_id=FINANCE)
    reverse_recourse(session, reversed_claim.id, "撤销", actor_id=make_supervisor(session, username="judge").id)
    make_deposit(session, charged=charged, amount_fen=425_00)
    posted(session, draft_run(session))

    statement = statement_of(session, charged)

    changed = {kind: fen for kind in StatementKind if (fen := statement.total_fen(kind))}
    # The factory's penalties are final from the first.
    assert changed.pop(StatementKind.FINAL) == 400_00
    assert changed == {
        StatementKind.RECOVERED: 80_00,
        StatementKind.RECOVERY_VOIDED: -30_00,
        StatementKind.CLAIMED: 670_00,
        StatementKind.CLAIM_REVERSED: -70_00,
        StatementKind.PAID: -100_00,
        StatementKind.FROM_DEPOSIT: -425_00,
    }
    assert statement.closing_fen == statement.ledger_fen == 525_00
    by_kind = {line.kind: line.reference for line in statement.lines}
    assert by_kind[StatementKind.PAID] == claim.reference
    assert recovery.reference in {line.reference for line in statement.lines}


def test_a_branch_reads_its_part_of_a_fine_beside_its_assessments(session: Session) -> None:
    branch = make_charged_branch(session)
    make_approved_penalty(session, charged=branch)
    make_due_recourse(session, charged=branch, amount_fen=600_00)

    statement = statement_of(session, branch)

    assert (statement.closing_contestable_fen, statement.closing_final_fen) == (200_00, 600_00)
    assert statement.closing_fen == statement.ledger_fen


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_the_letter_is_the_same_file_and_says_the_closing_twice(session: Session) -> None:
    charged = make_charged_partner(session)
    make_due_recovery(session, charged=charged, paid_fen=50_00)
    statement = statement_of(session, charged)

    with use_locale("zh_Hans"):
        first, second = (build_statement_letter(statement, NAMES, MADE_AT) for _ in range(2))
        words = letter_of(statement, NAMES, MADE_AT)

    assert first == second
    assert first.startswith(b"%PDF-1.7")
    assert b"pdfaid" in first
    assert (words["closing"], words["capitals"], words["made_on"]) == ("250.00", "贰佰伍拾元整", "2026-11-23")
    assert [line["balance"] for line in words["lines"]] == ["200.00", "250.00"]


def test_no_letter_of_a_part_of_an_account_or_of_one_that_does_not_add_up(session: Session) -> None:
    statement = statement_of(session, make_charged_partner(session))

    with pytest.raises(PartOfAccountError):
        build_statement_letter(replace(statement, ledger_fen=None), NAMES, MADE_AT)
    with pytest.raises(NotTheLedgerError):
        build_statement_letter(replace(statement, ledger_fen=1), NAMES, MADE_AT)


def test_no_letter_that_nobody_could_read(session: Session) -> None:
    charged = make_charged_partner(session)
    make_due_recovery(session, charged=charged)
    statement = statement_of(session, charged)
    [*_others, last] = statement.lines
    nothing = last._replace(contestable_fen=0, final_fen=0)

    with pytest.raises(LetterTooLongError):
        build_statement_letter(replace(statement, lines=statement.lines + (nothing,) * 3_000), NAMES, MADE_AT)
