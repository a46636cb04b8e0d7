"""Refusals and consents from a file: previewed, taken over, and the same file again adds nothing."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import phone
from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.donotcall.models import PermissionEvent, PermissionScope, SaidBy
from supervise.donotcall.permission_file import PermissionFile
from supervise.files.models import ImportBatch, ImportKind, RowVerdict
from supervise.files.remarks import remarks_text
from supervise.files.staging import open_batch, staged_rows
from supervise.files.uploads import record_upload, store_file
from supervise.labels import use_locale
from supervise.parties.imports.steps import (
    RegisterChangedError,
    prepare_register_file,
    read_register_file,
    stage_register_file,
    take_over_register_file,
)
from tests.databases import PROJECT
from tests.factories.files import write_csv, write_xlsx
from tests.factories.parties import make_party

HEADER = ["用户号码", "意愿", "适用范围", "表达时间", "表达方式", "来源", "责任方编码", "用途"]
NO = ["13912345678", "refusal", "营销电话", "2026-03-05 09:30", "12321", "12321-77", "", ""]
YES = ["13912345678", "同意", "marketing_sms", "2026-03-06", "app", "授权书 12", "", "5G 套餐升级"]


class Register:
    """Takes files of refusals and consents over, as the import job does."""

    def __init__(self, session: Session, keyring: Keyring, folder: Path) -> None:
        self.session, self.keyring, self.folder = session, keyring, folder
        self.files = {ImportKind.PERMISSIONS: PermissionFile(keyring)}

    def preview(self, *rows: Sequence[str], xlsx: bool = False) -> ImportBatch:
        write, name = (write_xlsx, "in.xlsx") if xlsx else (write_csv, "in.csv")
        path = write(self.folder / name, [HEADER, *rows])
        with path.open("rb") as file:
            upload = record_upload(self.session, store_file(file, self.folder, self.keyring), path.name, actor_id=7)
            read = read_register_file(ImportKind.PERMISSIONS, file, self.files)
        batch = open_batch(self.session, kind=ImportKind.PERMISSIONS, upload_id=upload.id, actor_id=7)
        return stage_register_file(self.session, batch.id, read, self.keyring, self.files)

    def take_over(self, *rows: Sequence[str], xlsx: bool = False) -> ImportBatch:
        return self.finish(self.preview(*rows, xlsx=xlsx))

    def finish(self, batch: ImportBatch) -> ImportBatch:
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


def events(session: Session) -> Sequence[PermissionEvent]:
    return session.scalars(sa.select(PermissionEvent).order_by(PermissionEvent.said_at, PermissionEvent.id)).all()


def test_one_file_brings_refusals_and_consents_each_with_its_audit_event(register: Register, session: Session) -> None:
    party = make_party(session)

    register.take_over([*NO[:6], party.code, "不保留"], YES)

    no, yes = events(session)
    assert (no.given, no.scope, no.party_id, no.purpose) == (False, PermissionScope.MARKETING_CALLS, party.id, None)
    assert (no.said_at, no.channel) == (dt.datetime(2026, 3, 5, 1, 30, tzinfo=dt.UTC), "12321")
    assert (yes.given, yes.scope, yes.party_id, yes.purpose) == (True, "marketing_sms", None, "5G 套餐升级")
    trail = session.scalars(sa.select(AuditEvent).where(AuditEvent.action.startswith("permission."))).all()
    assert {(event.action, event.subject_id) for event in trail} == {
        ("permission.refused", str(no.number_id)),
        ("permission.given", str(yes.number_id)),
    }
    assert "13912345678" not in str([event.changes for event in trail])


@pytest.mark.parametrize("xlsx", [False, True])
def test_the_same_file_adds_nothing(register: Register, session: Session, *, xlsx: bool) -> None:
    register.take_over(NO, YES)

    again = register.preview(NO, YES, xlsx=xlsx)

    assert register.verdicts(again) == [RowVerdict.KNOWN, RowVerdict.KNOWN]
    assert len(events(session)) == 2


def test_a_line_that_stands_twice_is_taken_once(register: Register, session: Session) -> None:
    batch = register.take_over(NO, NO)

    assert register.verdicts(batch) == [RowVerdict.NEW, RowVerdict.KNOWN]
    assert "Row 2 says the same" in register.remark(batch)
    assert len(events(session)) == 1


def test_a_number_in_the_source_is_masked_and_the_line_still_known(register: Register, session: Session) -> None:
    row = [*NO[:5], "来电登记 13912345678", "", ""]
    register.take_over(row)

    again = register.preview(row)

    assert [event.source for event in events(session)] == [f"来电登记 {phone.mask('13912345678')}"]
    assert register.verdicts(again) == [RowVerdict.KNOWN]


def test_the_same_file_read_twice_before_it_is_taken_over_is_taken_over_once(
    register: Register, session: Session
) -> None:
    first, second = register.preview(NO), register.preview(NO)
    register.finish(first)

    register.finish(second)

    assert len(events(session)) == 1


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (0, "1391234", "用户号码: "),
        (1, "也许", "意愿: This is none of the possible values"),
        (2, "全部短信", "适用范围: This is none of the possible values"),
        (3, "2099-01-01", "表达时间: The time lies in the future"),
        (4, "梦里", "表达方式: This is none of the possible values"),
        (5, "", "来源: This cell must not be empty"),
        (6, "NOBODY", "No party has the code NOBODY"),
        (7, "", "用途: Say what the consent is for"),
    ],
)
def test_a_row_that_cannot_be_is_an_error(register: Register, place: int, text: str, reason: str) -> None:
    row = list(YES)
    row[place] = text

    batch = register.preview(row)

    assert register.verdicts(batch) == [RowVerdict.ERROR]
    assert reason in register.remark(batch)


def test_the_manual_names_a_heading_of_each_column_and_a_value_for_each_way() -> None:
    manual = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = manual.partition("## Refusals and consents")[2].partition("\n## ")[0]

    for headings in PermissionFile.mapping.fields.values():
        assert any(heading in section for heading in headings), headings
    with use_locale("zh_Hans"):
        for way in SaidBy:
            assert way.value in section or way.label in section, way


def test_a_party_that_ended_meanwhile_stops_the_whole_file(register: Register, session: Session) -> None:
    party = make_party(session)
    batch = register.preview(NO, [*YES[:6], party.code, YES[7]])
    party.code = "RENAMED"
    session.flush()

    with pytest.raises(RegisterChangedError):
        register.finish(batch)
