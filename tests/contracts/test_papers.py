"""What a contract says on paper: clauses checked against what the law asks, scans kept beyond the time of evidence."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.checklist import ClauseCheck, check_clauses, checklist_of, missing_clauses
from supervise.contracts.models import Contract
from supervise.contracts.paper_models import ClauseType, ContractClause
from supervise.contracts.papers import papers_of, withdraw_paper
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.files.vault import purge_attachments
from tests.factories.contracts import make_contract, make_paper
from tests.factories.parties import make_party, make_unit


@pytest.fixture
def contract(session: Session) -> Contract:
    return make_contract(session, party=make_party(session), unit=make_unit(session))


def states(session: Session, contract: Contract) -> dict[str, bool | None]:
    lines = checklist_of(session, contract)
    return {line.clause.code: None if line.found is None else line.found.is_present for line in lines}


def test_a_clause_is_unread_then_there_or_missing(session: Session, contract: Contract) -> None:
    unread = set(states(session, contract).values())

    read = [
        ClauseCheck("consent", is_present=True, reference="§3(1)"),
        ClauseCheck("training", is_present=False, reference=""),
    ]
    check_clauses(session, contract.id, read, actor_id=1)

    found = states(session, contract)
    assert unread == {None}
    assert len(found) == 10
    assert (found["consent"], found["training"], found["recording"]) == (True, False, None)
    assert missing_clauses(session, [contract.id]) == {contract.id: 1}


def test_an_amended_paper_is_checked_again_and_the_last_reading_counts(session: Session, contract: Contract) -> None:
    check_clauses(session, contract.id, [ClauseCheck("training", is_present=False, reference="")], actor_id=1)

    check_clauses(
        session, contract.id, [ClauseCheck("training", is_present=True, reference="补充协议一 §2")], actor_id=2
    )

    row = session.scalars(sa.select(ContractClause)).one()
    assert (row.is_present, row.reference, row.checked_by) == (True, "补充协议一 §2", 2)
    assert missing_clauses(session, [contract.id]) == {}


def test_a_reading_that_was_wrong_is_taken_back(session: Session, contract: Contract) -> None:
    check_clauses(session, contract.id, [ClauseCheck("training", is_present=True, reference="§9")], actor_id=1)

    check_clauses(session, contract.id, [ClauseCheck("training", is_present=None, reference="")], actor_id=1)

    assert set(states(session, contract).values()) == {None}


def test_a_clause_that_is_there_says_where(session: Session, contract: Contract) -> None:
    with pytest.raises(InvalidInputError):
        check_clauses(session, contract.id, [ClauseCheck("consent", is_present=True, reference=" ")], actor_id=1)


def test_neither_an_unknown_clause_nor_a_policy_is_checked(session: Session, contract: Contract) -> None:
    policy = make_contract(session, party=None, unit=make_unit(session, name="七里河分公司"))

    for contract_id, code in ((contract.id, "no_such_clause"), (policy.id, "consent")):
        with pytest.raises(NotFoundError):
            check_clauses(session, contract_id, [ClauseCheck(code, is_present=False, reference="")], actor_id=1)


def test_a_contract_is_held_against_the_clauses_of_its_last_day(session: Session) -> None:
    ended = make_contract(
        session, party=make_party(session), unit=make_unit(session), ends_on=clock.today() - dt.timedelta(days=30)
    )
    asked_since_yesterday = {"code": "audit", "name_zh": "审计", "name_en": "Audit", "legal_basis": "—"}
    session.add(ClauseType(**asked_since_yesterday, valid_from=clock.today() - dt.timedelta(days=1)))
    session.flush()
    live = make_contract(session, party=make_party(session), unit=make_unit(session))

    assert "audit" not in states(session, ended)
    assert "audit" in states(session, live)


def test_a_paper_outlives_the_purge_of_evidence(session: Session, contract: Contract) -> None:
    make_paper(session, contract=contract)

    purged = purge_attachments(session, clock.now() + dt.timedelta(days=1))

    [paper] = papers_of(session, contract.id)
    assert purged == []
    assert paper.attachment.stored_as is not None


def test_a_wrong_paper_is_withdrawn_once_and_stays(session: Session, contract: Contract) -> None:
    paper = make_paper(session, contract=contract)

    withdraw_paper(session, paper.id, "属于另一份合同", actor_id=2)

    with pytest.raises(AlreadyDecidedError):
        withdraw_paper(session, paper.id, "属于另一份合同", actor_id=2)
    [kept] = papers_of(session, contract.id)
    assert (kept.row.withdrawn_by, kept.row.withdrawal_reason) == (2, "属于另一份合同")
