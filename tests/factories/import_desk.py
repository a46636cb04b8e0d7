"""Files of registers in tests: looked at, taken over, sent back as they were exported."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from reports.registers import register_csv
from reports.workbook import Column
from supervise import clock
from supervise.cipher import Keyring
from supervise.files.models import ImportBatch, ImportKind, Upload
from supervise.files.remarks import remarks_text
from supervise.files.staging import StoredRow, open_batch, staged_rows
from supervise.labels import use_locale
from supervise.parties.imports.steps import (
    REGISTER_FILES,
    Files,
    prepare_register_file,
    read_register_file,
    stage_register_file,
    take_over_register_file,
)
from tests.factories.files import write_csv

T = TypeVar("T")


class Desk:
    """Previews and takes over the files of a test."""

    def __init__(self, session: Session, keyring: Keyring, folder: Path, files: Files = REGISTER_FILES) -> None:
        self.session, self.keyring, self.folder, self.files = session, keyring, folder, files

    def preview(self, kind: ImportKind, rows: Sequence[Sequence[str]]) -> ImportBatch:
        upload = Upload(file_name="f.csv", sha256="0" * 64, size_bytes=1, uploaded_by=1, uploaded_at=clock.now())
        self.session.add(upload)
        self.session.flush()
        batch = open_batch(self.session, kind=kind, upload_id=upload.id, actor_id=1)
        with write_csv(self.folder / f"{batch.id}.csv", rows).open("rb") as file:
            read = read_register_file(kind, file, self.files)
        return stage_register_file(self.session, batch.id, read, self.keyring, self.files)

    def rows(self, batch: ImportBatch) -> list[StoredRow]:
        return list(staged_rows(self.session, batch.id, self.keyring))

    def words(self, batch: ImportBatch) -> dict[int, str]:
        with use_locale("en"):
            return {row.row_number: remarks_text(row.remarks) for row in self.rows(batch) if row.remarks}

    def take_over(self, batch: ImportBatch) -> None:
        prepared = prepare_register_file(self.session, batch.id, self.keyring, self.files)
        take_over_register_file(self.session, batch.id, prepared, actor_id=1, files=self.files)

    def bring_in(self, kind: ImportKind, rows: Sequence[Sequence[str]]) -> ImportBatch:
        batch = self.preview(kind, rows)
        self.take_over(batch)
        return batch

    def send_back(self, columns: Sequence[Column[T]], lines: Iterable[T], kind: ImportKind, locale: str) -> ImportBatch:
        """Preview what an export in *locale* says."""
        with use_locale(locale):
            text = "".join(register_csv(columns, lines)).removeprefix("\ufeff")
        return self.preview(kind, list(csv.reader(text.splitlines())))
