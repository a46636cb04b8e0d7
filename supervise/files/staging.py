"""The two steps of every import: rows are staged with a verdict, looked at, then taken over in one transaction.

What a row means is the business of the subject that hands in ``StagedRow``s; this module knows states,
counts, encryption and order. No function commits; a killed worker leaves a batch as it was.
"""

import datetime as dt
import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import insert_rows, update_column
from supervise.cipher import Keyring
from supervise.errors import ConflictError, NotFoundError
from supervise.files.models import BatchState, ImportBatch, ImportKind, ImportRow, RowVerdict
from supervise.files.refusals import FileRefusedError
from supervise.files.remarks import Remark
from supervise.labels import N_

#: Core statements: the unit of work would hold every row.
_ROWS = cast("sa.Table", ImportRow.__table__)
_SLICE_ROWS = 2_000
#: What is read back of a row, in the order that ``_stored`` takes it apart.
_STORED = [
    _ROWS.c[name] for name in ("id", "row_number", "verdict", "cells_cipher", "remarks", "row_key", "subject_id")
]
#: One encoder for all rows: ``json.dumps`` would make a new one for each.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_CONTEXT = "import_row.cells_cipher"

#: From where to where a batch may go; what is committed, discarded or refused stays so.
_STEPS = {
    BatchState.READING: {BatchState.UPLOADED, BatchState.READING, BatchState.PREVIEWED},
    BatchState.PREVIEWED: {BatchState.READING, BatchState.COMMITTING},
    BatchState.COMMITTING: {BatchState.PREVIEWED, BatchState.COMMITTING},
    BatchState.COMMITTED: {BatchState.PREVIEWED, BatchState.COMMITTING},
    BatchState.DISCARDED: {BatchState.UPLOADED, BatchState.READING, BatchState.PREVIEWED},
    BatchState.REFUSED: {BatchState.UPLOADED, BatchState.READING},
}


class BatchStateError(ConflictError):
    """The import is not where this step begins: someone was faster, or it is finished."""

    message = N_('This import is "%(state)s"; the step is not possible any more')


class StagedRow(NamedTuple):
    """What an interpreter says of one row of the file."""

    row_number: int
    verdict: RowVerdict
    #: By field, as the commit will want them; JSON values only. Stored encrypted.
    cells: Mapping[str, Any]
    remarks: Sequence[Remark] = ()
    row_key: str | None = None
    #: What the row was recognised as.
    subject_id: int | None = None


class StoredRow(NamedTuple):
    """A staged row as it is read back; ``cells`` is None once purged."""

    id: int
    row_number: int
    verdict: RowVerdict
    cells: dict[str, Any] | None
    remarks: list[Remark]
    row_key: str | None
    subject_id: int | None


def open_batch(
    session: Session,
    *,
    kind: ImportKind,
    upload_id: int,
    actor_id: int,
    profile_id: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> ImportBatch:
    """Begin the import of an upload; *options* hold ids and codes only."""
    batch = ImportBatch(
        kind=kind,
        upload_id=upload_id,
        profile_id=profile_id,
        options=dict(options or {}),
        created_by=actor_id,
        created_at=clock.now(),
    )
    session.add(batch)
    session.flush()
    return batch


def move_batch(session: Session, batch_id: int, to: BatchState, **changes: Any) -> ImportBatch:
    """Bring a batch to state *to*, with *changes* to its other columns, if it is where that step begins.

    Compare and set: of two that try at once, one gets the error.

    Raises:
        BatchStateError: if it is elsewhere.
        NotFoundError: if there is no such batch.
    """
    moved = session.execute(
        sa.update(ImportBatch)
        .where(ImportBatch.id == batch_id, ImportBatch.state.in_(_STEPS[to]))
        .values(state=to, version=ImportBatch.version + 1, **changes)
        .returning(ImportBatch.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    batch = session.get(ImportBatch, batch_id, populate_existing=True)
    if batch is None:
        raise NotFoundError
    if moved is None:
        raise BatchStateError(state=batch.state.label)
    return batch


def stage_rows(
    session: Session, batch_id: int, rows: Iterable[StagedRow], keyring: Keyring, *, header: Sequence[str]
) -> ImportBatch:
    """Store the preview of a batch that is being read, and make it ready to check.

    Rows of an earlier attempt are replaced. *rows* may be lazy and may refuse the file in the middle: the
    caller's transaction then undoes everything, and ``refuse_batch`` says why. A retried decision must read the
    file again.

    Raises:
        BatchStateError: if the batch is not being read.
        FileRefusedError: as *rows* raise it.
    """
    session.execute(sa.delete(_ROWS).where(_ROWS.c.batch_id == batch_id))
    counts: Counter[RowVerdict] = Counter()
    for part in _sliced(rows):
        insert_rows(session, _ROWS, [_values(batch_id, row, keyring) for row in part])
        counts.update(row.verdict for row in part)
    return move_batch(session, batch_id, BatchState.PREVIEWED, header=list(header), **_row_counts(counts))


def _sliced(rows: Iterable[StagedRow]) -> Iterator[list[StagedRow]]:
    rows = iter(rows)
    while part := list(itertools.islice(rows, _SLICE_ROWS)):
        yield part


def _row_counts(counts: Mapping[RowVerdict, int]) -> dict[str, int]:
    by_verdict = {f"rows_{verdict.value}": counts.get(verdict, 0) for verdict in RowVerdict}
    return {"rows_total": sum(by_verdict.values()), **by_verdict}


def _values(batch_id: int, row: StagedRow, keyring: Keyring) -> dict[str, Any]:
    cells = _COMPACT.encode(dict(row.cells))
    return {
        "batch_id": batch_id,
        "row_number": row.row_number,
        "row_key": row.row_key,
        "verdict": row.verdict,
        "remarks": [[message_id, dict(parameters)] for message_id, parameters in row.remarks],
        "cells_cipher": keyring.encrypt(cells, _CONTEXT, _binding(batch_id, row.row_number)),
        "subject_id": row.subject_id,
    }


def _binding(batch_id: int, row_number: int) -> str:
    return f"{batch_id}:{row_number}"


def refuse_batch(session: Session, batch_id: int, error: FileRefusedError) -> ImportBatch:
    """Note that the file was refused, and why; in a transaction of its own, after the rollback.

    Raises:
        BatchStateError: if the batch has been previewed or ended meanwhile.
    """
    session.execute(sa.delete(_ROWS).where(_ROWS.c.batch_id == batch_id))
    return move_batch(
        session,
        batch_id,
        BatchState.REFUSED,
        refusal_message=error.message_id,
        refusal_parameters=dict(error.parameters),
        **_row_counts({}),
    )


def discard_batch(session: Session, batch_id: int) -> ImportBatch:
    """Give up an import that wrote nothing yet; its rows go, its counts stay.

    Raises:
        BatchStateError: if it is being taken over or has ended.
    """
    batch = move_batch(session, batch_id, BatchState.DISCARDED)
    session.execute(sa.delete(_ROWS).where(_ROWS.c.batch_id == batch_id))
    return batch


def finish_batch(session: Session, batch_id: int, *, actor_id: int) -> ImportBatch:
    """Mark a batch as taken over, in the same transaction that writes what its rows became.

    Call it first: it is the lock against a second commit.

    Raises:
        BatchStateError: if someone else took it over, or it was discarded.
    """
    return move_batch(session, batch_id, BatchState.COMMITTED, committed_by=actor_id, committed_at=clock.now())


def link_subjects(session: Session, subjects: Mapping[int, int]) -> None:
    """Note what each row became: ``{import_row.id: subject id}``."""
    update_column(session, ImportRow.subject_id, subjects)


def staged_rows(
    session: Session,
    batch_id: int,
    keyring: Keyring,
    *,
    verdicts: Collection[RowVerdict] = tuple(RowVerdict),
    after_row: int = 0,
    limit: int | None = None,
) -> Iterator[StoredRow]:
    """Yield the rows of a batch with one of *verdicts*, by row number above *after_row*, in constant memory."""
    left = limit
    while left is None or left > 0:
        size = _SLICE_ROWS if left is None else min(left, _SLICE_ROWS)
        query = (
            sa.select(*_STORED)
            .where(
                _ROWS.c.batch_id == batch_id,
                _ROWS.c.verdict.in_(verdicts),
                _ROWS.c.row_number > after_row,
            )
            .order_by(_ROWS.c.row_number)
            .limit(size)
        )
        found = session.execute(query).all()
        yield from (_stored(batch_id, row, keyring) for row in found)
        if len(found) < size:
            return
        after_row = found[-1].row_number
        left = None if left is None else left - size


def _stored(batch_id: int, row: Sequence[Any], keyring: Keyring) -> StoredRow:
    row_id, row_number, verdict, cipher, remarks, row_key, subject_id = row
    cells = None
    if cipher is not None:
        cells = json.loads(keyring.decrypt(cipher, _CONTEXT, _binding(batch_id, row_number)))
    stored_remarks = [(message_id, parameters) for message_id, parameters in remarks]
    return StoredRow(row_id, row_number, verdict, cells, stored_remarks, row_key, subject_id)


def purge_cells(session: Session, before: dt.datetime) -> int:
    """Empty the staged cells of ended imports that were opened before *before*; return how many rows.

    What stays is the row's place, its verdict, its remarks (whose numbers are masked) and what it became.
    """
    ended = sa.select(ImportBatch.id).where(
        ImportBatch.created_at < before,
        ImportBatch.state.in_((BatchState.COMMITTED, BatchState.DISCARDED, BatchState.REFUSED)),
    )
    result = session.connection().execute(
        sa.update(_ROWS).where(_ROWS.c.batch_id.in_(ended), _ROWS.c.cells_cipher.is_not(None)).values(cells_cipher=None)
    )
    return result.rowcount
