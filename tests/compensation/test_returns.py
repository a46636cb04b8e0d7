"""Billing's return file: rows that answer a line, and hostile rows that must not."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.compensation.batches import freeze_batch
from supervise.compensation.lists import (
    CreditFilters,
    LineRow,
    credits_to_send,
    ids_to_send,
    lines_of_page,
)
from supervise.compensation.models import Credit, CreditBatch, CreditBatchState, LineResult
from supervise.compensation.returns import (
    ReturnRowError,
    return_import,
    returns_of_batch,
    stage_returns,
    take_over_returns,
)
from supervise.compensation.voids import confirm_void, propose_void
from supervise.errors import NotFoundError
from supervise.files.models import ImportBatch, ImportKind, RowVerdict
from supervise.files.refusals import FileRefusedError
from supervise.files.staging import StoredRow, open_batch, staged_rows
from supervise.files.uploads import record_upload, store_file, uploads_folder
from supervise.labels import translate, use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT
from tests.factories.files import write_xlsx
from tests.factories.ledger import out_of_balance_fen

FINANCE, SUPERVISOR = 21, 22
HEADER = ("批次号", "赔偿单号", "结果", "失败码", "入账金额", "入账时间", "账务流水号")
Upload = Callable[[Sequence[Sequence[str]]], int]


@pytest.fixture
def sent(session: Session) -> tuple[CreditBatch, list[Credit]]:
    """A batch of three credits of 50 yuan."""
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    granted = [
        make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT.replace(minute=minute))
        for minute in range(3)
    ]
    batch = freeze_batch(session, [credit.id for credit in granted], locale="zh_Hans", anchor="", actor_id=FINANCE)
    return batch, granted


@pytest.fixture
def upload(session: Session, sent: tuple[CreditBatch, list[Credit]], keyring: Keyring, tmp_path: Path) -> Upload:
    """Upload and preview a CSV file of these rows for the batch; give the import's id."""

    def preview(rows: Sequence[Sequence[str]]) -> int:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([HEADER, *rows])
        content = text.getvalue().encode("gb18030")
        return preview_bytes(session, sent[0].id, content, keyring, tmp_path)

    return preview


def preview_bytes(session: Session, batch_id: int, content: bytes, keyring: Keyring, folder: Path) -> int:
    stored = store_file(io.BytesIO(content), uploads_folder(folder), keyring)
    named = record_upload(session, stored, "return.csv", actor_id=FINANCE)
    options = {"credit_batch_id": batch_id}
    opened = open_batch(session, kind=ImportKind.BILLING_RETURNS, upload_id=named.id, actor_id=FINANCE, options=options)
    path = folder / "plain"
    path.write_bytes(content)
    with path.open("rb") as file:
        stage_returns(session, opened.id, file, keyring)
    return opened.id


def ok(batch: CreditBatch, credit: Credit, *, amount: str = "50.00", number: str | None = None) -> tuple[str, ...]:
    return (number or batch.number, credit.reference, "成功", "", amount, "2026-11-20", f"ZW{credit.id}")


def failed(batch: CreditBatch, credit: Credit, *, code: str = "E02") -> tuple[str, ...]:
    return (batch.number, credit.reference, "失败", code, "", "2026-11-20", "")


def errors(session: Session, import_id: int, keyring: Keyring) -> list[StoredRow]:
    return list(staged_rows(session, import_id, keyring, verdicts=(RowVerdict.ERROR,)))


def reasons(session: Session, import_id: int, keyring: Keyring) -> list[str]:
    with use_locale("en"):
        return [
            translate(message, parameters)
            for row in errors(session, import_id, keyring)
            for message, parameters in row.remarks
        ]


def results(session: Session, batch: CreditBatch) -> list[LineResult | None]:
    session.expire_all()
    rows: Sequence[LineRow] = lines_of_page(session, batch.id)
    return [row.line.result for row in rows]


def test_a_whole_answer_closes_the_batch_and_its_clearing(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload, keyring: Keyring
) -> None:
    batch, (first, second, third) = sent

    import_id = upload([ok(batch, first), failed(batch, second), ok(batch, third)])
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    assert results(session, batch) == [LineResult.ACCEPTED, LineResult.REJECTED, LineResult.ACCEPTED]
    assert batch.state is CreditBatchState.COMPLETED
    assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == 0
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == -100_00
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == -50_00
    assert out_of_balance_fen(session) == 0


def test_the_preview_marks_nothing(session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload) -> None:
    batch, granted = sent

    import_id = upload([ok(batch, credit) for credit in granted])

    assert session.get_one(ImportBatch, import_id).rows_new == 3
    assert results(session, batch) == [None, None, None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("{batch}", "PC209901-000001", "成功", "", "50.00", "", ""), "The batch has no such credit"),
        (("PCPC209901-0001", "{credit}", "成功", "", "50.00", "", ""), "The row is of another batch"),
        (("{batch}", "{credit}", "成功", "", "40.00", "", ""), "Billing booked 40.00 yuan, the credit is 50.00 yuan"),
        (("{batch}", "{credit}", "成功", "", "-50.00", "", ""), "Billing booked -50.00 yuan"),
        (("{batch}", "{credit}", "成功", "", "", "", ""), "The booked amount is missing or not an amount"),
        (("{batch}", "{credit}", "成功", "", "５０", "", ""), "The booked amount is missing or not an amount"),
        (("{batch}", "{credit}", "失败", "", "", "", ""), "A failed line needs its failure code"),
        (("{batch}", "{credit}", "处理中", "", "50.00", "", ""), "The result must be 成功 or 失败"),
        (("{batch}", "", "成功", "", "50.00", "", ""), "The batch has no such credit"),
        (("{batch}", "' OR 1=1 --", "成功", "", "50.00", "", ""), "The batch has no such credit"),
        (("{batch}", '=HYPERLINK("http://x")', "成功", "", "50.00", "", ""), "The batch has no such credit"),
    ],
)
def test_a_row_that_answers_no_line_is_an_error_with_its_reason(  # noqa: PLR0917 - fixtures
    session: Session,
    sent: tuple[CreditBatch, list[Credit]],
    upload: Upload,
    keyring: Keyring,
    row: tuple[str, ...],
    reason: str,
) -> None:
    batch, (first, second, _third) = sent
    hostile = [cell.format(batch=batch.number, credit=first.reference) for cell in row]

    import_id = upload([hostile, ok(batch, second)])
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    [said] = reasons(session, import_id, keyring)
    assert said.startswith(reason)
    assert results(session, batch) == [None, LineResult.ACCEPTED, None]
    assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == -100_00


def test_a_credit_that_stands_in_the_file_twice_is_answered_by_neither_row(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload, keyring: Keyring
) -> None:
    batch, (first, second, _third) = sent

    import_id = upload([ok(batch, first), failed(batch, first), ok(batch, second)])
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    assert [row.row_number for row in errors(session, import_id, keyring)] == [2, 3]
    assert results(session, batch) == [None, LineResult.ACCEPTED, None]


def test_a_second_file_cannot_answer_a_line_again(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload, keyring: Keyring
) -> None:
    batch, (first, second, _third) = sent
    take_over_returns(session, upload([ok(batch, first)]), keyring, actor_id=FINANCE)

    import_id = upload([failed(batch, first), ok(batch, second)])
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    assert reasons(session, import_id, keyring) == ["This credit was answered before"]
    assert results(session, batch) == [LineResult.ACCEPTED, LineResult.ACCEPTED, None]
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == -100_00


def test_of_two_files_previewed_at_once_the_second_marks_nothing(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload, keyring: Keyring
) -> None:
    batch, (first, second, _third) = sent
    one, other = upload([ok(batch, first)]), upload([failed(batch, first), ok(batch, second)])
    take_over_returns(session, one, keyring, actor_id=FINANCE)

    with pytest.raises(ReturnRowError), session.begin_nested():
        take_over_returns(session, other, keyring, actor_id=FINANCE)

    assert results(session, batch) == [LineResult.ACCEPTED, None, None]


def test_a_file_for_a_voided_batch_answers_nothing(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload, keyring: Keyring
) -> None:
    batch, granted = sent
    propose_void(session, batch.id, "文件未送达", actor_id=FINANCE)
    confirm_void(session, batch.id, actor_id=SUPERVISOR)

    import_id = upload([ok(batch, credit) for credit in granted])
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    assert set(reasons(session, import_id, keyring)) == {
        "The batch is voided or completed; nothing can be booked on it"
    }
    assert results(session, batch) == [LineResult.VOIDED] * 3
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == 0


def test_the_third_rejection_makes_a_credit_a_supervisors_case(
    session: Session, sent: tuple[CreditBatch, list[Credit]], keyring: Keyring, tmp_path: Path
) -> None:
    batch, [credit, *others] = sent
    answers = [failed(batch, credit), *(ok(batch, other) for other in others)]
    for again in range(3):
        if again:
            batch = freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=FINANCE)
            answers = [failed(batch, credit)]
        content = "\n".join(",".join(row) for row in [HEADER, *answers]).encode()
        take_over_returns(
            session, preview_bytes(session, batch.id, content, keyring, tmp_path), keyring, actor_id=FINANCE
        )

    session.expire_all()
    assert credit.rejections == 3
    assert ids_to_send(session, CreditFilters(), 10) == []
    [row] = credits_to_send(session, CreditFilters()).rows
    assert row.rejected_often


def test_a_workbook_is_read_as_well(
    session: Session, sent: tuple[CreditBatch, list[Credit]], keyring: Keyring, tmp_path: Path
) -> None:
    batch, granted = sent
    path = write_xlsx(tmp_path / "r.xlsx", [HEADER, *(ok(batch, credit) for credit in granted)])

    import_id = preview_bytes(session, batch.id, path.read_bytes(), keyring, tmp_path)
    take_over_returns(session, import_id, keyring, actor_id=FINANCE)

    assert results(session, batch) == [LineResult.ACCEPTED] * 3


def test_a_file_without_the_columns_is_refused_whole(
    session: Session, sent: tuple[CreditBatch, list[Credit]], keyring: Keyring, tmp_path: Path
) -> None:
    with pytest.raises(FileRefusedError):
        preview_bytes(session, sent[0].id, "批次号,金额\n1,2\n".encode(), keyring, tmp_path)


def test_a_return_file_is_found_by_its_own_batch_only(
    session: Session, sent: tuple[CreditBatch, list[Credit]], upload: Upload
) -> None:
    batch, granted = sent
    import_id = upload([ok(batch, granted[0])])

    assert [one.id for one in returns_of_batch(session, batch.id)] == [import_id]
    assert return_import(session, batch.id, import_id).id == import_id
    assert returns_of_batch(session, batch.id + 1) == []
    with pytest.raises(NotFoundError):
        return_import(session, batch.id + 1, import_id)
