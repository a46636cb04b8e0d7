"""The two steps of a register import: read and judge every row, then take over all that is right, or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.errors import ConflictError, NotFoundError
from supervise.files.mapping import Columns, MappedRow
from supervise.files.models import BatchState, ImportBatch, ImportKind, RowVerdict
from supervise.files.reader import read_table
from supervise.files.remarks import Remark, remarks_text
from supervise.files.row_values import RowValues
from supervise.files.staging import StagedRow, finish_batch, link_subjects, move_batch, stage_rows, staged_rows
from supervise.labels import N_
from supervise.parties.imports.capability_file import CapabilityFile
from supervise.parties.imports.number_file import NumberFile
from supervise.parties.imports.official_file import OfficialFile
from supervise.parties.imports.party_file import PartyFile
from supervise.parties.imports.register_file import RegisterFile
from supervise.parties.imports.relation_file import RelationFile
from supervise.parties.imports.sales_channel_file import SalesChannelFile
from supervise.parties.imports.staff_file import StaffFile
from supervise.parties.imports.unit_file import UnitFile

Files = Mapping[ImportKind, RegisterFile]

#: The register files of this subject; later subjects hand in their own as *files*.
REGISTER_FILES: Files = {
    file.kind: file
    for file in (
        NumberFile(),
        StaffFile(),
        PartyFile(),
        RelationFile(),
        UnitFile(),
        OfficialFile(),
        CapabilityFile(),
        SalesChannelFile(),
    )
}
_TAKEN_OVER = (RowVerdict.NEW, RowVerdict.CHANGED)


class RegisterChangedError(ConflictError):
    """A row that was right when the file was looked at is wrong now; nothing was taken over."""

    message = N_("The register has changed since: row %(row)d: %(reason)s. Nothing was taken over; read the file again")


class ReadRow(NamedTuple):
    """A row of the file: its cells as text, its values if it has any, and what is wrong with it alone."""

    number: int
    cells: dict[str, str]
    value: Any
    remarks: Sequence[Remark]


class ReadFile(NamedTuple):
    """A whole file in memory; the reader's limits keep it small."""

    header: list[str]
    rows: list[ReadRow]


class Prepared(NamedTuple):
    """What is to be taken over: the batch's version when it was read, and its rows by ``import_row.id``."""

    version: int
    rows: dict[int, ReadRow]


def read_register_file(kind: ImportKind, file: BinaryIO, files: Files = REGISTER_FILES) -> ReadFile:
    """Read and parse *file* in a child process, outside any transaction.

    Raises:
        FileRefusedError: with the reason, if it is no table of this kind.
    """
    register = files[kind]
    with read_table(file, register.mapping.required_headings) as table:
        columns = register.mapping.columns(table.header)
        rows = [_parse(register, columns.map_row(raw), columns) for raw in table.rows]
    return ReadFile(table.header, rows)


def _parse(register: RegisterFile, row: MappedRow, columns: Columns) -> ReadRow:
    values = RowValues(row, columns)
    value = register.parse(row.number, values) if row.cells else None
    return ReadRow(row.number, row.cells, None if values.remarks else value, values.remarks)


def stage_register_file(
    session: Session, batch_id: int, read: ReadFile, keyring: Keyring, files: Files = REGISTER_FILES
) -> ImportBatch:
    """Judge the rows against the register and keep the preview.

    Raises:
        NotFoundError: if there is no such batch.
        BatchStateError: if it is past that step.
    """
    batch = move_batch(session, batch_id, BatchState.READING)
    register = files[batch.kind]
    judged = register.judge(session, [row.value for row in read.rows if row.value is not None])

    def staged() -> Iterator[StagedRow]:
        for row in read.rows:
            if row.value is None:
                yield StagedRow(row.number, RowVerdict.ERROR, row.cells, row.remarks)
            else:
                judgement = judged[row.number]
                yield StagedRow(
                    row.number, judgement.verdict, row.cells, judgement.remarks, subject_id=judgement.subject_id
                )

    return stage_rows(session, batch_id, staged(), keyring, header=read.header)


def prepare_register_file(session: Session, batch_id: int, keyring: Keyring, files: Files = REGISTER_FILES) -> Prepared:
    """Read back what the preview found right, before the writing begins: nobody waits for that part.

    Raises:
        NotFoundError: if there is no such batch of a register.
    """
    batch = session.get(ImportBatch, batch_id)
    register = files.get(batch.kind) if batch is not None else None
    if batch is None or register is None:
        raise NotFoundError
    columns = Columns(mapping=register.mapping, header=(), places={})
    rows = {}
    for row in staged_rows(session, batch_id, keyring, verdicts=_TAKEN_OVER):
        rows[row.id] = _parse(register, MappedRow(row.row_number, dict(row.cells or {}), []), columns)
    return Prepared(batch.version, rows)


def take_over_register_file(
    session: Session, batch_id: int, prepared: Prepared, *, actor_id: int, files: Files = REGISTER_FILES
) -> ImportBatch:
    """Write all rows that are new or changed, in this one transaction; rows with errors stay in the error file.

    Raises:
        BatchStateError: if somebody else took it over or gave it up.
        ConflictError: if the file was read again since it was prepared.
        RegisterChangedError: naming the first row that has become wrong since the preview.
    """
    batch = finish_batch(session, batch_id, actor_id=actor_id)
    if batch.version != prepared.version + 1:
        raise ConflictError
    register = files[batch.kind]
    read = list(prepared.rows.values())
    judged = register.judge(session, [row.value for row in read if row.value is not None])
    for row in read:
        wrong = row.remarks if row.value is None else judged[row.number].remarks
        if row.value is None or judged[row.number].verdict is RowVerdict.ERROR:
            raise RegisterChangedError(row=row.number, reason=remarks_text(wrong))
    written = register.write(session, [row.value for row in read], judged, batch_id=batch_id, actor_id=actor_id)
    became = {row_id: written[row.number] for row_id, row in prepared.rows.items() if row.number in written}
    link_subjects(session, became)
    record_event(
        session,
        actor_id=actor_id,
        action="import.taken_over",
        subject="import_batch",
        subject_id=batch_id,
        changes={"kind": batch.kind, "rows": len(written)},
    )
    return batch
