import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.complaints.models import Subscriber
from supervise.complaints.subscriber_file import SubscriberFile
from supervise.files.models import ImportBatch, ImportKind, RowVerdict
from supervise.files.remarks import remarks_text
from supervise.files.staging import open_batch, staged_rows
from supervise.files.uploads import record_upload, store_file
from supervise.labels import use_locale
from supervise.parties.imports.steps import (
    prepare_register_file,
    read_register_file,
    stage_register_file,
    take_over_register_file,
)
from tests.factories.files import write_csv
from tests.factories.parties import make_unit

HEADER = ["手机号码", "账户号", "归属机构编码", "启用时间", "停用时间"]
ROW = ["13912345678", "A0001", "", "2024-01-01", ""]


class Register:
    """Takes subscriber files over, as the import job does."""

    def __init__(self, session: Session, keyring: Keyring, folder: Path) -> None:
        self.session, self.keyring, self.folder = session, keyring, folder
        self.files = {ImportKind.SUBSCRIBERS: SubscriberFile(keyring)}

    def preview(self, *rows: Sequence[str]) -> ImportBatch:
        path = write_csv(self.folder / "in.csv", [HEADER, *rows])
        with path.open("rb") as file:
            upload = record_upload(self.session, store_file(file, self.folder, self.keyring), path.name, actor_id=7)
            read = read_register_file(ImportKind.SUBSCRIBERS, file, self.files)
        batch = open_batch(self.session, kind=ImportKind.SUBSCRIBERS, upload_id=upload.id, actor_id=7)
        return stage_register_file(self.session, batch.id, read, self.keyring, self.files)

    def take_over(self, *rows: Sequence[str]) -> ImportBatch:
        batch = self.preview(*rows)
        prepared = prepare_register_file(self.session, batch.id, self.keyring, self.files)
        return take_over_register_file(self.session, batch.id, prepared, actor_id=7, files=self.files)

    def verdicts(self, batch: ImportBatch) -> list[RowVerdict]:
        return [row.verdict for row in staged_rows(self.session, batch.id, self.keyring)]

    def remark(self, batch: ImportBatch) -> str:
        with use_locale("en"):
            return " ".join(remarks_text(row.remarks) for row in staged_rows(self.session, batch.id, self.keyring))


@pytest.fixture
def register(session: Session, keyring: Keyring, tmp_path: Path) -> Register:
    return Register(session, keyring, tmp_path)


def test_a_file_registers_who_holds_which_number_where_since_when(register: Register, session: Session) -> None:
    unit = make_unit(session)

    register.take_over([*ROW[:2], unit.code, *ROW[3:]])

    row = session.scalars(sa.select(Subscriber)).one()
    assert (row.account_ref, row.unit_id, row.held_to) == ("A0001", unit.id, None)
    assert row.held_from == dt.datetime(2023, 12, 31, 16, 0, tzinfo=dt.UTC)
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "subscriber.created")).one()
    assert "13912345678" not in str(event.changes)


def test_the_same_file_adds_nothing_and_an_end_is_taken_over(register: Register, session: Session) -> None:
    register.take_over(ROW)

    again = register.take_over(ROW)
    ended = register.take_over([*ROW[:4], "2025-01-01"])

    assert register.verdicts(again) == [RowVerdict.KNOWN]
    assert register.verdicts(ended) == [RowVerdict.CHANGED]
    row = session.scalars(sa.select(Subscriber)).one()
    assert (row.held_to, row.version) == (dt.datetime(2024, 12, 31, 16, 0, tzinfo=dt.UTC), 2)


def test_a_number_passes_on_within_one_file(register: Register, session: Session) -> None:
    batch = register.take_over([*ROW[:4], "2025-01-01"], ["13912345678", "A0002", "", "2025-01-01", ""])

    assert register.verdicts(batch) == [RowVerdict.NEW, RowVerdict.NEW]
    assert session.scalar(sa.select(sa.func.count()).select_from(Subscriber)) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["13912345678", "A0002", "", "2024-06-01", ""], "In the register account A0001 holds this number"),
        (["13912345679", "A0002", "NOWHERE", "2024-06-01", ""], "There is no unit with the code NOWHERE"),
        (["13912345679", "A0002", "", "2024-06-01", "2024-06-01"], "The end must be after the start"),
        (["1391234", "A0002", "", "2024-06-01", ""], "手机号码: "),
        (["13912345679", "", "", "2024-06-01", ""], "账户号: This cell must not be empty"),
    ],
)
def test_a_row_that_cannot_be_is_an_error(register: Register, row: list[str], reason: str) -> None:
    register.take_over(ROW)

    batch = register.preview(row)

    assert register.verdicts(batch) == [RowVerdict.ERROR]
    assert reason in register.remark(batch)


def test_two_rows_that_overlap_name_each_other(register: Register) -> None:
    batch = register.preview(ROW, ["13912345678", "A0002", "", "2024-06-01", ""])

    assert register.verdicts(batch) == [RowVerdict.NEW, RowVerdict.ERROR]
    assert "Row 2 gives this number to account A0001" in register.remark(batch)
