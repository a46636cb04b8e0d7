"""Billing's return file: matching its rows to the lines of a batch, before anything is marked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.compensation.batches import LineOutcome, mark_lines
from supervise.compensation.models import Credit, CreditBatch, CreditBatchLine, CreditBatchState
from supervise.compensation.queries import batch_by_id
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.files.mapping import ColumnMapping, MappedRow
from supervise.files.models import BatchState, ImportBatch, ImportKind, RowVerdict
from supervise.files.reader import read_table
from supervise.files.remarks import remark
from supervise.files.staging import StagedRow, finish_batch, move_batch, stage_rows, staged_rows
from supervise.labels import N_
from supervise.money import format_yuan, parse_yuan

#: Our fields and the headers that billing writes (domain 9).
RETURN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "batch": ("批次号", "batch"),
    "credit": ("赔偿单号", "credit"),
    "result": ("结果", "result"),
    "failure_code": ("失败码", "failure code"),
    "amount": ("入账金额", "amount"),
    "booked_at": ("入账时间", "booked at"),
    "billing_ref": ("账务流水号", "billing reference"),
}
RETURN_MAPPING = ColumnMapping(fields=RETURN_COLUMNS, required=frozenset({"batch", "credit", "result"}))
_SUCCESS = frozenset({"成功", "success", "ok"})
_FAILURE = frozenset({"失败", "failure", "failed"})


class ReturnedLine(NamedTuple):
    """A line of a batch as the return file may answer it."""

    line_id: int
    amount_fen: int
    is_answered: bool
    is_open: bool


class ReturnRowError(InvalidInputError):
    """A row of the return file that cannot be taken over; the message says why."""


def returns_of_batch(session: Session, batch_id: int) -> Sequence[ImportBatch]:
    """Return the return files that were uploaded for a batch, the newest first."""
    query = select(ImportBatch).where(ImportBatch.kind == ImportKind.BILLING_RETURNS)
    of_batch = ImportBatch.options["credit_batch_id"].as_integer() == batch_id
    return session.scalars(query.where(of_batch).order_by(ImportBatch.id.desc())).all()


def return_import(session: Session, batch_id: int, import_id: int) -> ImportBatch:
    """Return a return file of a batch.

    Raises:
        NotFoundError: if there is no such file, or it is another batch's.
    """
    found = session.get(ImportBatch, import_id)
    if found is None or found.kind is not ImportKind.BILLING_RETURNS or found.options["credit_batch_id"] != batch_id:
        raise NotFoundError
    return found


def lines_of_batch(session: Session, batch_number: str) -> dict[str, ReturnedLine]:
    """Return the lines of a batch by credit reference (赔偿单号); empty if there is no such batch."""
    query = (
        select(
            Credit.reference,
            CreditBatchLine.id,
            CreditBatchLine.amount_fen,
            CreditBatchLine.result.is_not(None),
            CreditBatch.state == CreditBatchState.SENT,
        )
        .join(CreditBatch, CreditBatch.id == CreditBatchLine.batch_id)
        .join(Credit, Credit.id == CreditBatchLine.credit_id)
        .where(CreditBatch.number == batch_number)
    )
    return {row[0]: ReturnedLine(*row[1:]) for row in session.execute(query)}


def outcome_of(cells: Mapping[str, str], line: ReturnedLine) -> LineOutcome:
    """Return what a row of the return file says of its line.

    Raises:
        ReturnRowError: voided or completed, answered before, other amount, unknown result, failure without a code.
    """
    if not line.is_open:
        raise ReturnRowError(N_("The batch is voided or completed; nothing can be booked on it"))
    if line.is_answered:
        raise ReturnRowError(N_("This credit was answered before"))
    result = cells.get("result", "").casefold()
    reference = cells.get("billing_ref") or None
    if result in _SUCCESS:
        _check_amount(cells.get("amount", ""), line)
        return LineOutcome(line.line_id, None, reference)
    if result in _FAILURE:
        code = cells.get("failure_code", "")
        if not code:
            raise ReturnRowError(N_("A failed line needs its failure code"))
        return LineOutcome(line.line_id, code, reference)
    raise ReturnRowError(N_("The result must be 成功 or 失败, not %(result)s"), result=cells.get("result", "")[:40])


def _check_amount(text: str, line: ReturnedLine) -> None:
    try:
        booked_fen = parse_yuan(text)
    except ValueError as error:
        raise ReturnRowError(N_("The booked amount is missing or not an amount: %(text)s"), text=text[:40]) from error
    if booked_fen != line.amount_fen:
        raise ReturnRowError(
            N_("Billing booked %(booked)s yuan, the credit is %(wanted)s yuan"),
            booked=format_yuan(booked_fen),
            wanted=format_yuan(line.amount_fen),
        )


def stage_returns(session: Session, import_id: int, file: BinaryIO, keyring: Keyring) -> ImportBatch:
    """Read a return file and stage its rows; what is taken over later answers an open line of its credit batch.

    The credit batch is in the import's options as ``credit_batch_id``. A credit that stands in the file twice
    is an error in every one of its rows: nobody knows which to believe.

    Raises:
        FileRefusedError: if the file cannot be read as a return file.
        NotFoundError: if there is no such import or credit batch.
    """
    moved = move_batch(session, import_id, BatchState.READING)
    batch = batch_by_id(session, moved.options["credit_batch_id"])
    lines = lines_of_batch(session, batch.number)
    with read_table(file, RETURN_MAPPING.required_headings) as table:
        columns = RETURN_MAPPING.columns(table.header)
        # A batch has as many rows as finance put into it, all of which are in memory as lines anyway.
        rows = [columns.map_row(raw) for raw in table.rows]
        counts = Counter(row.cells.get("credit", "") for row in rows)
        staged = [_judge(row, batch.number, lines, counts) for row in rows]
        return stage_rows(session, import_id, staged, keyring, header=table.header)


def _judge(
    row: MappedRow, batch_number: str, lines: Mapping[str, ReturnedLine], counts: Mapping[str, int]
) -> StagedRow:
    try:
        line = _line_of(row.cells, batch_number, lines, counts)
        outcome_of(row.cells, line)
    except ReturnRowError as error:
        return StagedRow(row.number, RowVerdict.ERROR, row.cells, [remark(error.message_id, **error.parameters)])
    return StagedRow(row.number, RowVerdict.NEW, row.cells, subject_id=line.line_id)


def _line_of(
    cells: Mapping[str, str], batch_number: str, lines: Mapping[str, ReturnedLine], counts: Mapping[str, int]
) -> ReturnedLine:
    if cells.get("batch", "") != batch_number:
        raise ReturnRowError(N_("The row is of another batch"))
    reference = cells.get("credit", "")
    if reference not in lines:
        raise ReturnRowError(N_("The batch has no such credit"))
    if counts[reference] > 1:
        raise ReturnRowError(N_("This credit stands in the file more than once"))
    return lines[reference]


def take_over_returns(session: Session, import_id: int, keyring: Keyring, *, actor_id: int) -> ImportBatch:
    """Mark every line that the staged file answers, in one transaction; rows with errors stay in the error file.

    Raises:
        BatchStateError: if the file was taken over or discarded before.
        AlreadyDecidedError: if a line was marked since the preview: nothing is marked.
    """
    taken = finish_batch(session, import_id, actor_id=actor_id)
    batch = batch_by_id(session, taken.options["credit_batch_id"])
    lines = {line.line_id: line for line in lines_of_batch(session, batch.number).values()}
    outcomes = [
        _still(row.cells or {}, lines.get(row.subject_id or 0))
        for row in staged_rows(session, import_id, keyring, verdicts=(RowVerdict.NEW,))
    ]
    if outcomes:
        mark_lines(session, batch.id, outcomes, actor_id=actor_id)
    record_event(
        session,
        actor_id=actor_id,
        action="import.taken_over",
        subject="import_batch",
        subject_id=import_id,
        changes={"kind": taken.kind, "rows": len(outcomes)},
    )
    return taken


def _still(cells: Mapping[str, str], line: ReturnedLine | None) -> LineOutcome:
    if line is None:
        raise AlreadyDecidedError
    return outcome_of(cells, line)
