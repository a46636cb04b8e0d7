"""Whether the manifest and the files agree: computed again, never repaired."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.evidence.models import RecordImport, RecordImportState, RecordPartition
from supervise.evidence.store import store_of
from supervise.evidence.warehouse import Warehouse
from supervise.labels import N_


class FileFault(NamedTuple):
    """A line of the manifest whose file is not what it was."""

    partition_id: int
    path: str
    #: A message id.
    words: str


def imports_against_partitions(session: Session) -> Sequence[int]:
    """Return the imports whose partitions do not hold as many rows as they brought."""
    rows = (
        select(RecordPartition.import_id, func.sum(RecordPartition.rows).label("rows"))
        .group_by(RecordPartition.import_id)
        .subquery()
    )
    query = (
        select(RecordImport.id)
        .outerjoin(rows, rows.c.import_id == RecordImport.id)
        .where(
            func.coalesce(rows.c.rows, 0) != RecordImport.rows_new,
            RecordImport.state == RecordImportState.COMMITTED,
        )
        .order_by(RecordImport.id)
    )
    return session.scalars(query).all()


def partitions_against_files(session: Session) -> Sequence[int]:
    """Return the partitions whose file is missing or has another size; ``fault_of`` reads it whole."""
    kept = partitions_with_files(session)
    sizes = Warehouse(store_of(session)).sizes() if kept else {}
    return [row.id for row in kept if row.path not in sizes or sizes[row.path][0] != row.size_bytes]


def fault_of(warehouse: Warehouse, partition: RecordPartition) -> FileFault | None:
    """Read the file of *partition* again; None if it is as it was written."""
    path = partition.path or ""
    digest = warehouse.digest(path)
    if digest == partition.sha256:
        return None
    return FileFault(partition.id, path, N_("the file is missing") if digest is None else N_("the file was changed"))


def partitions_with_files(session: Session) -> Sequence[RecordPartition]:
    """Return the lines of the manifest whose file must be there, superseded ones too."""
    query = select(RecordPartition).where(RecordPartition.path.is_not(None), RecordPartition.dropped_at.is_(None))
    return session.scalars(query.order_by(RecordPartition.id)).all()
