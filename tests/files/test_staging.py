import csv
import datetime as dt
import io
import json
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.db import Database
from supervise.errors import NotFoundError
from supervise.files.error_file import error_file, neutralised
from supervise.files.mapping import unescaped
from supervise.files.models import BatchState, ImportBatch, ImportKind, ImportRow, RowVerdict, Upload
from supervise.files.refusals import MissingColumnsError, QuotationError
from supervise.files.remarks import remark
from supervise.files.staging import (
    BatchStateError,
    StagedRow,
    discard_batch,
    finish_batch,
    link_subjects,
    move_batch,
    open_batch,
    purge_cells,
    refuse_batch,
    stage_rows,
    staged_rows,
)
from supervise.labels import use_locale


def make_batch(session: Session, state: BatchState = BatchState.READING) -> ImportBatch:
    upload = Upload(
        file_name="a.csv", sha256="0" * 64, size_bytes=1, stored_as="x", uploaded_by=1, uploaded_at=clock.now()
    )
    session.add(upload)
    session.flush()
    batch = open_batch(
        session, kind=ImportKind.COMPLAINTS, upload_id=upload.id, actor_id=1, options={"channel": "12321"}
    )
    if state is not BatchState.UPLOADED:
        move_batch(session, batch.id, BatchState.READING)
    if state not in {BatchState.UPLOADED, BatchState.READING}:
        stage_rows(session, batch.id, ROWS, KEYS, header=["号码"])
    return batch


KEYS = Keyring(data_keys={"t1": b"\x01" * 32}, current="t1", index_key=b"\x02" * 32, seal_key=b"\x03" * 32)
ROWS = [
    StagedRow(2, RowVerdict.NEW, {"number": "13800138000"}, row_key="k1"),
    StagedRow(
        3, RowVerdict.ERROR, {"number": "123"}, [remark("%(digits)s has no area code", digits="1234567", column="号码")]
    ),
    StagedRow(4, RowVerdict.KNOWN, {"number": "13800138001"}, subject_id=77),
]


def test_staged_rows_come_back_in_order_with_their_counts(session: Session) -> None:
    batch = make_batch(session)

    staged = stage_rows(session, batch.id, iter(ROWS), KEYS, header=["号码"])

    assert (staged.state, staged.rows_total, staged.rows_new, staged.rows_error, staged.rows_known) == (
        BatchState.PREVIEWED,
        3,
        1,
        1,
        1,
    )
    rows = list(staged_rows(session, batch.id, KEYS))
    assert [(row.row_number, row.verdict, row.cells, row.row_key, row.subject_id) for row in rows] == [
        (2, RowVerdict.NEW, {"number": "13800138000"}, "k1", None),
        (3, RowVerdict.ERROR, {"number": "123"}, None, None),
        (4, RowVerdict.KNOWN, {"number": "13800138001"}, None, 77),
    ]
    assert rows[1].remarks == [("%(digits)s has no area code", {"digits": "12****67", "column": "号码"})]


def test_rows_are_read_by_verdict_and_page(session: Session) -> None:
    batch = make_batch(session)
    rows = (StagedRow(number, RowVerdict.NEW if number % 2 else RowVerdict.ERROR, {}) for number in range(2, 5002))
    stage_rows(session, batch.id, rows, KEYS, header=[])

    page = list(staged_rows(session, batch.id, KEYS, verdicts=[RowVerdict.ERROR], after_row=100, limit=3))

    assert [row.row_number for row in page] == [102, 104, 106]
    assert sum(1 for _ in staged_rows(session, batch.id, KEYS)) == 5000


def test_cells_are_encrypted_and_tied_to_their_row(session: Session) -> None:
    batch = make_batch(session, BatchState.PREVIEWED)
    stored = session.scalars(sa.select(ImportRow).order_by(ImportRow.row_number)).all()
    assert all(b"1380013" not in (row.cells_cipher or b"") for row in stored)

    stored[0].cells_cipher, stored[2].cells_cipher = stored[2].cells_cipher, stored[0].cells_cipher
    session.flush()

    with pytest.raises(ValueError, match="changed or moved"):
        list(staged_rows(session, batch.id, KEYS))


def test_a_second_reading_replaces_the_rows_of_the_first(session: Session) -> None:
    batch = make_batch(session, BatchState.PREVIEWED)

    move_batch(session, batch.id, BatchState.READING)
    staged = stage_rows(session, batch.id, ROWS[:1], KEYS, header=["号码"])

    assert (staged.rows_total, staged.rows_error) == (1, 0)
    assert len(list(staged_rows(session, batch.id, KEYS))) == 1


def test_two_rows_of_one_number_are_refused_by_the_database(session: Session) -> None:
    batch = make_batch(session)

    with pytest.raises(IntegrityError):
        stage_rows(session, batch.id, [ROWS[0], ROWS[0]], KEYS, header=[])

    session.rollback()


def test_a_file_that_is_refused_in_the_middle_keeps_no_row_and_says_why(database: Database) -> None:
    with database.session(writes=True) as session:
        batch_id = make_batch(session).id

    def rows() -> Iterator[StagedRow]:
        yield ROWS[0]
        raise QuotationError(row=3)

    with pytest.raises(QuotationError) as caught, database.session(writes=True) as session:
        stage_rows(session, batch_id, rows(), KEYS, header=[])
    with database.session(writes=True) as session:
        refuse_batch(session, batch_id, caught.value)

    with database.session(writes=False) as session:
        batch = session.get_one(ImportBatch, batch_id)
        assert batch.state is BatchState.REFUSED
        assert (batch.refusal_message, batch.refusal_parameters) == (QuotationError.message, {"row": 3})
        assert list(staged_rows(session, batch_id, KEYS)) == []


@pytest.mark.parametrize("state", [BatchState.COMMITTED, BatchState.DISCARDED, BatchState.REFUSED])
def test_an_ended_batch_goes_nowhere(session: Session, state: BatchState) -> None:
    batch = make_batch(session, BatchState.READING if state is BatchState.REFUSED else BatchState.PREVIEWED)
    if state is BatchState.REFUSED:
        refuse_batch(session, batch.id, MissingColumnsError(columns="号码"))
    elif state is BatchState.DISCARDED:
        discard_batch(session, batch.id)
    else:
        finish_batch(session, batch.id, actor_id=1)

    for to in BatchState:
        if to is not BatchState.UPLOADED:
            with pytest.raises(BatchStateError):
                move_batch(session, batch.id, to, refusal_message="x", committed_at=clock.now())

    session.refresh(batch)
    assert batch.state is state


def test_an_unchecked_batch_cannot_be_taken_over(session: Session) -> None:
    batch = make_batch(session, BatchState.UPLOADED)

    with pytest.raises(BatchStateError):
        finish_batch(session, batch.id, actor_id=1)
    with pytest.raises(NotFoundError):
        finish_batch(session, 999_999, actor_id=1)


def test_of_two_who_take_over_at_once_one_does(database: Database) -> None:
    with database.session(writes=True) as session:
        batch_id = make_batch(session, BatchState.PREVIEWED).id
    barrier, outcomes = threading.Barrier(4), []

    def take_over(actor_id: int) -> None:
        barrier.wait()
        try:
            with database.session(writes=True) as session:
                finish_batch(session, batch_id, actor_id=actor_id)
            outcomes.append("done")
        except BatchStateError:
            outcomes.append("refused")

    threads = [threading.Thread(target=take_over, args=(actor,)) for actor in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["done", "refused", "refused", "refused"]


def test_rows_remember_what_they_became(session: Session) -> None:
    batch = make_batch(session, BatchState.PREVIEWED)
    first = next(staged_rows(session, batch.id, KEYS))

    link_subjects(session, {first.id: 41})

    assert next(staged_rows(session, batch.id, KEYS)).subject_id == 41


def test_a_purge_empties_the_cells_of_ended_imports_only(session: Session) -> None:
    ended, waiting = make_batch(session, BatchState.PREVIEWED), make_batch(session, BatchState.PREVIEWED)
    finish_batch(session, ended.id, actor_id=1)

    purged = purge_cells(session, clock.now() + dt.timedelta(seconds=1))

    assert purged == 3
    assert [row.cells for row in staged_rows(session, ended.id, KEYS)] == [None, None, None]
    assert [row.remarks for row in staged_rows(session, ended.id, KEYS)][1] != []
    assert all(row.cells for row in staged_rows(session, waiting.id, KEYS))


# The error file


def test_the_error_file_holds_the_wrong_rows_with_their_reason_for_excel(session: Session) -> None:
    batch = make_batch(session)
    wrong = {"number": "+8613800138000", "text": "=HYPERLINK(1)", "amount": "-50", "more": None}
    rows = [ROWS[0], StagedRow(9, RowVerdict.ERROR, wrong, [remark("The file is empty", column="=1+1")])]
    stage_rows(session, batch.id, rows, KEYS, header=[])

    with use_locale("en"):
        content = b"".join(
            error_file(session, batch.id, KEYS, {"number": "号码", "text": "内容", "amount": "金额", "more": "无"})
        )

    assert content.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [
        ["Row", "Reason", "号码", "内容", "金额", "无"],
        ["9", "'=1+1: The file is empty", "+8613800138000", "'=HYPERLINK(1)", "-50", ""],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-1+2", "@SUM(A1)", "\t=1", "＝1+1", "\r=1"])
def test_formula_like_text_is_neutralised_and_comes_back_as_it_was(text: str) -> None:
    assert neutralised(text) == f"'{text}"
    assert unescaped(neutralised(text)) == text


@pytest.mark.parametrize("text", ["-50", "-1,234.50", "+86 138-0013-8000", "0012", "", "多次推销", "'quoted'", "12321"])
def test_numbers_and_plain_text_are_left_alone(text: str) -> None:
    assert neutralised(text) == text
    assert unescaped(text) == text


def test_remarks_and_options_are_plain_json(session: Session) -> None:
    batch = make_batch(session, BatchState.PREVIEWED)

    stored = session.execute(
        sa.text("SELECT remarks FROM import_row WHERE batch_id = :id AND row_number = 3"), {"id": batch.id}
    )

    remarks = stored.scalar_one()
    assert (json.loads(remarks) if isinstance(remarks, str) else remarks)[0][0] == "%(digits)s has no area code"
