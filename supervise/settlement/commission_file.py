"""The commission system's statement as a file: one row for each contract and month."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.contracts.models import Contract
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_month, parse_text, parse_yuan
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.parties.imports.register_file import Judgement, error
from supervise.settlement.commissions import (
    CommissionFacts,
    SetOff,
    StatementRefusedError,
    check_statement,
    live_statements,
    record_commissions,
    set_off_by_contract,
)
from supervise.settlement.models import CommissionStatement


class CommissionRow(NamedTuple):
    """What a row says of a contract and month, in fen."""

    row_number: int
    contract: str
    month: str
    due_fen: int
    deducted_fen: int


class _Known(NamedTuple):
    """What the rows are compared with."""

    #: Contract id and whether a party earns by it, by number.
    contracts: Mapping[str, tuple[int, bool]]
    statements: Mapping[tuple[int, str], CommissionStatement]
    set_off: Mapping[tuple[int, str], SetOff]


class CommissionFile:
    """The file of what contracts earned their parties, and what was deducted from it (domain 4.6)."""

    kind = ImportKind.COMMISSIONS
    mapping = ColumnMapping(
        fields={
            "contract": ("合同号", "合同编号", "Contract"),
            "month": ("账期", "月份", "Month"),
            "due_fen": ("应付酬金", "应付酬金（元）", "Commission due (yuan)"),  # noqa: RUF001
            "deducted_fen": ("已扣罚金额", "已扣罚金额（元）", "Deducted (yuan)"),  # noqa: RUF001
            "net_fen": ("净额", "净额（元）", "Net (yuan)"),  # noqa: RUF001
        },
        required=frozenset({"contract", "month", "due_fen"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; a net amount that does not follow from the others is an error of the file."""
        contract, month = values.required("contract", parse_text), values.required("month", parse_month)
        due_fen, net_fen = values.required("due_fen", parse_yuan), values.optional("net_fen", parse_yuan)
        deducted_fen = values.optional("deducted_fen", parse_yuan) or 0
        if deducted_fen < 0:
            values.add("deducted_fen", N_("A deduction cannot be below zero"))
        if month is not None and month > clock.month_of(clock.today()):
            values.add("month", N_("The month has not begun"))
        if due_fen is not None and net_fen is not None and due_fen - deducted_fen != net_fen:
            values.add("net_fen", N_("Due less deducted is %(amount)s"), amount=format_yuan(due_fen - deducted_fen))
        if contract is None or month is None or due_fen is None:
            return None
        return CommissionRow(row_number, contract, month, due_fen, deducted_fen)

    def judge(self, session: Session, rows: Sequence[CommissionRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row: a few queries for all of them."""
        contracts = _contracts(session, rows)
        keys = {(contracts[row.contract][0], row.month) for row in rows if row.contract in contracts}
        months = {row.month for row in rows}
        known = _Known(contracts, live_statements(session, keys), set_off_by_contract(session, months))
        first_rows: dict[tuple[str, str], int] = {}
        return {row.row_number: _judge(row, known, first_rows) for row in rows}

    def write(
        self,
        session: Session,
        rows: Sequence[CommissionRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Record all statements in one go, and confirm what they newly deduct."""
        del judgements, batch_id
        contracts = _contracts(session, rows)
        facts = [CommissionFacts(contracts[row.contract][0], row.month, *row[3:]) for row in rows]
        written = record_commissions(session, facts, actor_id=actor_id)
        return {row.row_number: statement.id for row, statement in zip(rows, written, strict=True)}


def _contracts(session: Session, rows: Sequence[CommissionRow]) -> dict[str, tuple[int, bool]]:
    found: dict[str, tuple[int, bool]] = {}
    for some in slices({row.contract for row in rows}):
        query = select(Contract.number, Contract.id, Contract.party_id).where(Contract.number.in_(some))
        found.update((number, (row_id, party_id is not None)) for number, row_id, party_id in session.execute(query))
    return found


def _judge(row: CommissionRow, known: _Known, first_rows: dict[tuple[str, str], int]) -> Judgement:
    contract_id, earns = known.contracts.get(row.contract, (0, False))
    if not contract_id:
        return error(remark(N_("There is no contract %(code)s"), code=row.contract))
    if not earns:
        return error(remark(N_("An assessment policy earns no commission")))
    first = first_rows.setdefault((row.contract, row.month), row.row_number)
    if first != row.row_number:
        return error(remark(N_("Row %(row)d has this contract and month already"), row=first))
    facts = CommissionFacts(contract_id, row.month, row.due_fen, row.deducted_fen)
    before = known.statements.get(facts[:2])
    if before is not None and (before.due_fen, before.deducted_fen) == facts[2:]:
        return Judgement(RowVerdict.KNOWN, subject_id=before.id)
    try:
        check_statement(facts, before, known.set_off.get(facts[:2], SetOff(0, 0)))
    except StatementRefusedError as refusal:
        return error(remark(refusal.message_id, **refusal.parameters))
    if before is None:
        return Judgement(RowVerdict.NEW)
    changed = remark(N_("Recorded before: due %(due)s, deducted %(deducted)s"), **_in_yuan(before))
    return Judgement(RowVerdict.CHANGED, [changed], before.id)


def _in_yuan(statement: CommissionStatement) -> dict[str, str]:
    return {"due": format_yuan(statement.due_fen), "deducted": format_yuan(statement.deducted_fen)}
