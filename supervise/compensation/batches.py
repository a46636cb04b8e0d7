"""Credit batches for billing: freeze and send, mark what billing says, void before any acceptance.

A batch's rows are frozen as text, so that its workbook is the same bytes whenever it is built.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, insert, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.frozen import frozen_rows
from supervise.compensation.models import (
    CancellationState,
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditBatchState,
    CreditCancellation,
    CreditState,
    LineResult,
)
from supervise.db import reserve_ids, take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.post import post
from supervise.ledger.sets import in_set


class BatchStateError(ConflictError):
    """The batch is past the step that was asked for."""

    message = N_("Batch %(number)s is %(state)s: this step is no longer possible")


class LineOutcome(NamedTuple):
    """What billing said of one line; *failure_code* is None where it was accepted."""

    line_id: int
    failure_code: str | None
    billing_ref: str | None = None


def freeze_batch(
    session: Session,
    credit_ids: Sequence[int],
    *,
    locale: str,
    anchor: str,
    actor_id: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CreditBatch:
    """Freeze approved credits into a numbered batch and post them as sent to billing.

    *anchor* is the newest seal of the ledger; the caller seals first (design.md section 5). *progress* hears, in
    lines, how far the steps are that take about a third of the time each.

    Raises:
        InvalidInputError: if no credit is given.
        ConflictError: if one of them is not approved any more: nothing is frozen.
    """
    if not credit_ids:
        raise InvalidInputError(N_("Choose at least one approved credit"))
    take_turn(session, "credit_batch")
    chosen = _lock_approved(session, credit_ids)
    ids, lines = [credit.id for credit in chosen], len(chosen)
    batch = _numbered(session, chosen, locale=locale, anchor=anchor, actor_id=actor_id)
    frozen = frozen_rows(session, batch.number, ids, locale)
    batch.rows_sha256 = rows_sha256(frozen)
    session.add(batch)
    session.flush()  # the lines refer to it
    progress(lines // 3, lines)
    _insert_lines(session, batch.id, chosen, frozen)
    set_state(session, ids, CreditState.BATCHED)
    progress(lines * 2 // 3, lines)
    post(session, [_sent(batch.id, credit, actor_id) for credit in chosen])
    record_event(
        session,
        actor_id=actor_id,
        action="batch.sent",
        subject="credit_batch",
        subject_id=batch.id,
        changes={"number": batch.number, "lines": lines, "total_fen": batch.total_fen},
    )
    return batch


def _numbered(session: Session, chosen: Sequence[Credit], *, locale: str, anchor: str, actor_id: int) -> CreditBatch:
    """Return the batch of *chosen* under its number; its rows are still to be frozen."""
    [batch_id] = reserve_ids(session, CreditBatch.__table__, 1)
    now = clock.now()
    period = clock.month_of(clock.china_day(now))
    return CreditBatch(
        id=batch_id,
        number=_next_number(session, period),
        period=period,
        lines_total=len(chosen),
        total_fen=sum(credit.amount_fen for credit in chosen),
        anchor=anchor,
        locale=locale,
        frozen_by=actor_id,
        frozen_at=now,
    )


def sendable() -> ColumnElement[bool]:
    """Return the condition that a credit can be sent: approved, and nobody has asked to cancel it."""
    wish = select(CreditCancellation.id).where(
        CreditCancellation.credit_id == Credit.id, CreditCancellation.state == CancellationState.OPEN
    )
    return and_(Credit.state == CreditState.APPROVED, ~wish.exists())


def _lock_approved(session: Session, credit_ids: Sequence[int]) -> Sequence[Credit]:
    wanted = set(credit_ids)
    these = in_set(session.connection(), Credit.id, list(wanted))
    session.execute(select(Credit.id).where(these).order_by(Credit.id).with_for_update()).all()
    # Asked only now: a wish to cancel that was made while we waited for the locks is seen by a new statement alone.
    ready = select(Credit).where(these, sendable()).order_by(Credit.id)
    chosen = session.scalars(ready.execution_options(populate_existing=True)).all()
    if len(chosen) != len(wanted):
        raise ConflictError(
            N_("%(missing)d of the chosen credits are not waiting to be sent any more; choose again"),
            missing=len(wanted) - len(chosen),
        )
    return chosen


def _next_number(session: Session, period: str) -> str:
    used = session.scalar(select(func.count(CreditBatch.id)).where(CreditBatch.period == period)) or 0
    return f"PCPC{period.replace('-', '')}-{used + 1:04d}"


def rows_sha256(frozen: Sequence[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of the frozen rows as canonical CSV (UTF-8, LF, all cells quoted)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in frozen:
        writer.writerow([row[name] for name in sorted(row)])
    return hashlib.sha256(text.getvalue().encode()).hexdigest()


def _insert_lines(
    session: Session, batch_id: int, chosen: Sequence[Credit], frozen: Sequence[Mapping[str, Any]]
) -> None:
    ids = reserve_ids(session, CreditBatchLine.__table__, len(chosen))
    session.execute(
        insert(CreditBatchLine),
        [
            {
                "id": line_id,
                "batch_id": batch_id,
                "line": place,
                "credit_id": credit.id,
                "amount_fen": credit.amount_fen,
                "frozen": dict(row),
            }
            for place, (line_id, credit, row) in enumerate(zip(ids, chosen, frozen, strict=True), start=1)
        ],
    )


def set_state(session: Session, credit_ids: Sequence[int], state: CreditState, **values: object) -> None:
    """Bring credits to a state; the caller has locked them."""
    session.execute(
        update(Credit)
        .where(in_set(session.connection(), Credit.id, list(credit_ids)))
        .values(state=state, version=Credit.version + 1, **values)
        .execution_options(synchronize_session=False)
    )


def sent_key(batch_id: int, credit_id: int) -> str:
    """Return the key under which a credit was posted as sent."""
    return f"credit:sent:{batch_id}:{credit_id}"


def _sent(batch_id: int, credit: Credit, actor_id: int) -> EntryDraft:
    return EntryDraft(
        key=sent_key(batch_id, credit.id),
        event="credit.sent",
        effective_on=clock.today(),
        lines=[
            (AccountCode.COMPENSATION_PAYABLE, credit.subscriber_id, credit.amount_fen),
            (AccountCode.BILLING_CLEARING, batch_id, -credit.amount_fen),
        ],
        actor_id=actor_id,
        approver_id=None,
    )


def mark_lines(session: Session, batch_id: int, outcomes: Sequence[LineOutcome], *, actor_id: int) -> None:
    """Mark lines as billing answered them: accepted closes the clearing, rejected makes the credit payable again.

    Raises:
        BatchStateError: if the batch was voided or completed.
        AlreadyDecidedError: if a line was marked before (a second return file): nothing is marked.
        NotFoundError: if a line is not of this batch.
    """
    batch = lock_batch(session, batch_id)
    if batch.state is not CreditBatchState.SENT:
        raise BatchStateError(number=batch.number, state=batch.state.label)
    lines = _lock_lines(session, batch_id, [outcome.line_id for outcome in outcomes])
    if any(line.result is not None for line in lines.values()):
        raise AlreadyDecidedError(N_("A line of this batch was already marked; reload and look again"))
    accepted = [outcome for outcome in outcomes if outcome.failure_code is None]
    rejected = [outcome for outcome in outcomes if outcome.failure_code is not None]
    _write_results(session, outcomes, actor_id)
    set_state(session, [lines[outcome.line_id].credit_id for outcome in accepted], CreditState.ACCEPTED)
    set_state(
        session,
        [lines[outcome.line_id].credit_id for outcome in rejected],
        CreditState.APPROVED,
        rejections=Credit.rejections + 1,
    )
    subscribers = _subscribers(session, [line.credit_id for line in lines.values()])
    post(session, [_answered(batch_id, lines[o.line_id], o, subscribers, actor_id) for o in outcomes])
    _complete_if_answered(session, batch)
    record_event(
        session,
        actor_id=actor_id,
        action="batch.lines_marked",
        subject="credit_batch",
        subject_id=batch_id,
        changes={"accepted": len(accepted), "rejected": len(rejected)},
    )


def lock_batch(session: Session, batch_id: int) -> CreditBatch:
    """Return the batch, locked until the decision ends.

    Raises:
        NotFoundError: if there is none.
    """
    batch = session.get(CreditBatch, batch_id, with_for_update=True, populate_existing=True)
    if batch is None:
        raise NotFoundError
    return batch


def _lock_lines(session: Session, batch_id: int, line_ids: Sequence[int]) -> dict[int, CreditBatchLine]:
    rows = session.scalars(
        select(CreditBatchLine)
        .where(CreditBatchLine.batch_id == batch_id, in_set(session.connection(), CreditBatchLine.id, list(line_ids)))
        .order_by(CreditBatchLine.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    lines = {line.id: line for line in rows}
    if len(lines) != len(set(line_ids)) or len(line_ids) != len(set(line_ids)):
        raise NotFoundError
    return lines


def _write_results(session: Session, outcomes: Sequence[LineOutcome], actor_id: int) -> None:
    now = clock.now()
    session.execute(
        update(CreditBatchLine),
        [
            {
                "id": outcome.line_id,
                "result": LineResult.ACCEPTED if outcome.failure_code is None else LineResult.REJECTED,
                "failure_code": outcome.failure_code,
                "billing_ref": outcome.billing_ref,
                "returned_at": now,
                "returned_by": actor_id,
            }
            for outcome in outcomes
        ],
    )


def _subscribers(session: Session, credit_ids: Sequence[int]) -> dict[int, int]:
    of_lines = in_set(session.connection(), Credit.id, list(credit_ids))
    query = select(Credit.id, Credit.subscriber_id).where(of_lines)
    return {row.id: row.subscriber_id for row in session.execute(query)}


def _answered(
    batch_id: int, line: CreditBatchLine, outcome: LineOutcome, subscribers: Mapping[int, int], actor_id: int
) -> EntryDraft:
    is_accepted = outcome.failure_code is None
    other_side = (
        (AccountCode.BILLING_CONTROL, None, -line.amount_fen)
        if is_accepted
        else (AccountCode.COMPENSATION_PAYABLE, subscribers[line.credit_id], -line.amount_fen)
    )
    verb = "accepted" if is_accepted else "rejected"
    return EntryDraft(
        key=f"credit:{verb}:{line.id}",
        event=f"credit.{verb}",
        effective_on=clock.today(),
        lines=[(AccountCode.BILLING_CLEARING, batch_id, line.amount_fen), other_side],
        actor_id=actor_id,
        approver_id=None,
    )


def _complete_if_answered(session: Session, batch: CreditBatch) -> None:
    waiting = session.scalar(
        select(func.count(CreditBatchLine.id)).where(
            CreditBatchLine.batch_id == batch.id, CreditBatchLine.result.is_(None)
        )
    )
    if waiting == 0:
        batch.state = CreditBatchState.COMPLETED
    batch.version += 1
