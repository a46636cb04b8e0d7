"""Billing's return file: matching its rows to the lines of a batch, before anything is marked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.compensation.batches import LineOutcome
from supervise.compensation.models import Credit, CreditBatch, CreditBatchLine, CreditBatchState
from supervise.errors import InvalidInputError
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
REQUIRED_RETURN_COLUMNS = ("batch", "credit", "result")
_SUCCESS = frozenset({"成功", "success", "ok"})
_FAILURE = frozenset({"失败", "failure", "failed"})


class ReturnedLine(NamedTuple):
    """A line of a batch as the return file may answer it."""

    line_id: int
    batch_id: int
    credit_reference: str
    amount_fen: int
    is_answered: bool
    is_open: bool


class ReturnRowError(InvalidInputError):
    """A row of the return file that cannot be taken over; the message says why."""


def lines_of_batch(session: Session, batch_number: str) -> dict[str, ReturnedLine]:
    """Return the lines of a batch by credit reference (赔偿单号); empty if there is no such batch."""
    query = (
        select(
            CreditBatchLine.id,
            CreditBatch.id,
            Credit.reference,
            CreditBatchLine.amount_fen,
            CreditBatchLine.result.is_not(None),
            CreditBatch.state == CreditBatchState.SENT,
        )
        .join(CreditBatch, CreditBatch.id == CreditBatchLine.batch_id)
        .join(Credit, Credit.id == CreditBatchLine.credit_id)
        .where(CreditBatch.number == batch_number)
    )
    return {row[2]: ReturnedLine(*row) for row in session.execute(query)}


def outcome_of(cells: Mapping[str, str], lines: Mapping[str, ReturnedLine], batch_number: str) -> LineOutcome:
    """Return what a row of the return file says of its line.

    Raises:
        ReturnRowError: wrong batch, unknown credit, answered before, voided, other amount, unknown result.
    """
    if cells["batch"].strip() != batch_number:
        raise ReturnRowError(
            N_("The row is of batch %(found)s, not %(wanted)s"), found=cells["batch"], wanted=batch_number
        )
    line = lines.get(cells["credit"].strip())
    if line is None:
        raise ReturnRowError(N_("The batch has no credit %(credit)s"), credit=cells["credit"])
    if not line.is_open:
        raise ReturnRowError(N_("The batch is voided or completed; nothing can be booked on it"))
    if line.is_answered:
        raise ReturnRowError(N_("%(credit)s was answered before"), credit=line.credit_reference)
    result = cells["result"].strip().casefold()
    if result in _SUCCESS:
        _check_amount(cells.get("amount", ""), line)
        return LineOutcome(line.line_id, None, cells.get("billing_ref") or None)
    if result in _FAILURE:
        code = cells.get("failure_code", "").strip()
        if not code:
            raise ReturnRowError(N_("A failed line needs its failure code"))
        return LineOutcome(line.line_id, code, cells.get("billing_ref") or None)
    raise ReturnRowError(N_("The result must be 成功 or 失败, not %(result)s"), result=cells["result"])


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


def repeated_credits(rows: Sequence[Mapping[str, str]]) -> frozenset[str]:
    """Return the credit references that stand in the file more than once: none of their rows can be believed."""
    counts = Counter(row.get("credit", "").strip() for row in rows)
    return frozenset(reference for reference, count in counts.items() if count > 1)
