"""Contracts and policies from a file: drafts that a second person still puts into force."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.contracts import CONTRACT_COLUMNS, contract_lines
from supervise.cipher import Keyring
from supervise.contracts.contract_file import ContractFile
from supervise.contracts.models import Contract, ContractDirection, ContractScope, ContractState, SettlementOrder
from supervise.contracts.queries import ContractFilters
from supervise.files.models import ImportKind
from tests.factories.contracts import make_contract
from tests.factories.import_desk import Desk
from tests.factories.parties import make_party, make_unit

HEADER = ("合同号", "名称", "责任方编码", "机构编码", "收付方向", "业务范围", "开始日期", "结束日期", "异议期")


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path, {ImportKind.CONTRACTS: ContractFile()})


def row(number: str, party: str = "A1", unit: str = "029", direction: str = "we_buy") -> tuple[str, ...]:
    return (number, "外呼业务合作协议", party, unit, direction, "outbound", "2026-01-01", "2026-12-31", "5")


def test_contracts_and_policies_come_in_as_drafts(session: Session, desk: Desk) -> None:
    unit, party = make_unit(session, code="029"), make_party(session, code="A1")

    batch = desk.bring_in(ImportKind.CONTRACTS, [HEADER, row("HT-1"), row("KH-1", party="", direction="internal")])

    assert batch.rows_new == 2, desk.words(batch)
    contract, policy = session.scalars(select(Contract).order_by(Contract.number)).all()
    assert (contract.party_id, contract.counterparty_unit_id) == (party.id, unit.id)
    assert (contract.direction, contract.scope) == (ContractDirection.WE_BUY, ContractScope.OUTBOUND)
    assert (f"{contract.starts_on}", f"{contract.ends_on}") == ("2026-01-01", "2027-01-01")
    assert (contract.appeal_days, contract.deemed_days) == (5, 3)
    assert policy.party_id is None
    assert {contract.state, policy.state} == {ContractState.DRAFT}


def test_a_file_may_name_deposit_and_order_of_settlement(session: Session, desk: Desk) -> None:
    make_unit(session, code="029")
    make_party(session, code="A1")
    header = (*HEADER, "保证金（元）", "扣收顺序")

    batch = desk.bring_in(
        ImportKind.CONTRACTS,
        [header, (*row("HT-1"), "50,000.00", "commission_cash"), (*row("HT-2"), "", "")],
    )
    wrong = desk.preview(ImportKind.CONTRACTS, [header, (*row("HT-3"), "-1", "barter")])

    assert batch.rows_new == 2, desk.words(batch)
    first, second = session.scalars(select(Contract).order_by(Contract.number)).all()
    assert (first.deposit_required_fen, first.settlement_order) == (50_000_00, SettlementOrder.COMMISSION_CASH)
    assert (second.deposit_required_fen, second.top_up_days) == (0, 10)
    assert "A deposit cannot be negative" in desk.words(wrong)[2]


def test_what_cannot_be_a_contract_is_named_row_by_row(session: Session, desk: Desk) -> None:
    make_unit(session, code="029")
    make_party(session, code="A1")

    batch = desk.preview(
        ImportKind.CONTRACTS,
        [
            HEADER,
            row("HT-1"),
            row("HT-1"),
            row("HT-2", party="A9"),
            row("HT-3", unit="099"),
            row("HT-4", party=""),
            row("HT-5", party="029"),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 5)
    assert "Row 2 has the same number" in words[3]
    assert "No party has the code A9" in words[4]
    assert "There is no unit with the code 099" in words[5]
    assert "Internal belongs to a policy" in words[6]
    assert "outside the carrier" in words[7]


def test_a_taken_number_is_an_error_and_the_same_contract_is_known(session: Session, desk: Desk) -> None:
    unit = make_unit(session, code="029")
    make_contract(session, party=make_party(session, code="A1"), unit=unit, number="HT-1")
    make_party(session, code="A2")
    lines = list(contract_lines(session, ContractFilters()))

    taken = desk.preview(ImportKind.CONTRACTS, [HEADER, row("HT-1", party="A2")])
    for locale in ("zh_Hans", "en"):
        sent = desk.send_back(CONTRACT_COLUMNS, lines, ImportKind.CONTRACTS, locale)
        assert (sent.rows_known, sent.rows_total) == (1, 1), desk.words(sent)

    assert desk.words(taken)[2] == "The number HT-1 is taken"
