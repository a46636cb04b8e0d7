"""Files of records for tests, a way to import them, and the rows that can then be seen."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from supervise import db
from supervise.cipher import Keyring
from supervise.errors import RefusalError
from supervise.evidence.importing import run_import
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordImport, RecordKind, RefusedRecord
from supervise.evidence.store import current_files
from supervise.files.remarks import remarks_text
from supervise.labels import use_locale

CALLS_HEADER = ("话单号", "平台", "主叫号码", "被叫号码", "开始时间", "结束时间", "振铃时长", "通话时长", "活动")
GOOD_CALL = (
    "C1",
    "crm",
    "02566040001",
    "13912345678",
    "2026-11-03 14:05:09",
    "2026-11-03 14:06:09",
    "9",
    "51",
    "5G升级",
)


def call(record_id: str = "C1", **changed: str) -> list[str]:
    """A row of calls: the good one with cells *changed* by heading."""
    row = dict(zip(CALLS_HEADER, GOOD_CALL, strict=True)) | {"话单号": record_id} | changed
    return list(row.values())


def csv_text(rows: Sequence[Sequence[str]], header: Sequence[str] = CALLS_HEADER) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


class Importer:
    """Imports files into the store and looks at what can be seen of it."""

    def __init__(self, keyring: Keyring, folder: Path) -> None:
        self.keyring = keyring
        self.folder = folder

    def take(self, content: str | bytes, kind: RecordKind = RecordKind.CALLS, **options: Any) -> RecordImport:
        """Import *content*; the import's row as it is then. A refusal is raised."""
        path = self.folder / "records.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        import_id = self.open(path, kind, **options)
        with path.open("rb") as file:
            run_import(self.keyring, import_id, file, lambda _done, _total: None)
        return self.row(import_id)

    def refuse(self, content: str | bytes, kind: RecordKind = RecordKind.CALLS, **options: Any) -> RefusalError:
        """Import *content* and return why it was refused."""
        with pytest.raises(RefusalError) as caught:
            self.take(content, kind, **options)
        return caught.value

    @staticmethod
    def open(path: Path, kind: RecordKind, **options: Any) -> int:
        size = path.stat().st_size
        with db.writing() as session:
            return open_import(session, kind, file_name=path.name, size_bytes=size, actor_id=1, **options).id

    @staticmethod
    def row(import_id: int) -> RecordImport:
        with db.reading() as session:
            return session.get_one(RecordImport, import_id)

    @staticmethod
    def newest() -> RecordImport:
        with db.reading() as session:
            return session.scalars(select(RecordImport).order_by(RecordImport.id.desc())).first() or pytest.fail("none")

    @staticmethod
    def newest_id() -> int:
        """The newest import's id; 0 before the first."""
        with db.reading() as session:
            return session.scalar(select(func.max(RecordImport.id))) or 0

    @staticmethod
    def in_english(refusal: RefusalError) -> str:
        with use_locale("en"):
            return str(refusal)

    @staticmethod
    def reasons(import_id: int) -> dict[int, str]:
        """What is said of each refused row, in English."""
        with db.reading() as session, use_locale("en"):
            rows = session.scalars(select(RefusedRecord).where(RefusedRecord.import_id == import_id))
            return {row.row_number: remarks_text(tuple(one) for one in row.remarks) for row in rows}

    @staticmethod
    def files(kind: RecordKind = RecordKind.CALLS) -> list[Path]:
        with db.reading() as session:
            return [Path(path) for path in current_files(session, kind).paths]

    def seen(self, kind: RecordKind = RecordKind.CALLS) -> list[Mapping[str, Any]]:
        """Every record that can be seen, by its id."""
        rows = [row for path in self.files(kind) for row in pq.read_table(path, partitioning=None).to_pylist()]
        return sorted(rows, key=lambda row: row["record_id"])
