"""Finance's day by its pages: send, export, answers by hand and by file, voids, cancellations."""

import csv
import hashlib
import io
from collections.abc import Iterator

import openpyxl
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from supervise import db
from supervise.audit.queries import events_of
from supervise.compensation.models import Credit, CreditBatch, CreditBatchState, CreditState, LineResult
from supervise.complaints.subscribers import full_numbers
from supervise.files.exports import exports_folder
from supervise.jobs import sending
from supervise.jobs.queue import JobQueue
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.sealing import read_anchors
from tests.views.finance_pages import Made, Office, make_office, office_of
from tests.worlds import Clone, Worlds

HEADER = ("批次号", "赔偿单号", "结果", "失败码", "入账金额", "入账时间", "账务流水号")


@pytest.fixture
def clone(worlds: Worlds) -> Iterator[Clone[Made]]:
    with worlds.clone(make_office) as clone:
        yield clone


@pytest.fixture
def office(app: Flask, clone: Clone[Made]) -> Office:
    return office_of(app, clone.made)


def return_file(office: Office, batch_id: int, *rows: tuple[int, str, str, str]) -> dict[str, object]:
    """The form with billing's file: rows are (credit id, result, failure code, amount)."""
    number = office.row(CreditBatch, batch_id).number
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for credit_id, result, code, amount in rows:
        writer.writerow([number, office.row(Credit, credit_id).reference, result, code, amount, "", ""])
    return {"file": (io.BytesIO(text.getvalue().encode("utf-8-sig")), "return.csv")}


def balance(office: Office, account: AccountCode) -> int:
    with office.app.app_context(), db.reading() as session:
        return balance_fen(session, account)


def address_of(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_all_that_waits_is_sent_sealed_and_anchored(office: Office) -> None:
    client = office.browser("finance")
    assert client.get("/credits/to-send").status_code == 200

    page = client.get(address_of(client.post("/credits/to-send", data={"action": "all"})))

    batch = office.row(CreditBatch, 1)
    assert (batch.lines_total, batch.total_fen, batch.locale) == (3, 150_00, "en")
    assert batch.rows_sha256 in page.text
    anchors = read_anchors(office.app.extensions["supervise.settings"].anchor_file)
    assert batch.anchor == str(anchors[-1])
    assert {office.row(Credit, credit_id).state for credit_id in office.credit_ids} == {CreditState.BATCHED}


def test_only_the_chosen_are_sent(office: Office) -> None:
    client = office.browser("finance")

    client.post("/credits/to-send", data={"action": "chosen", "picked": office.credit_ids[1]})

    states = [office.row(Credit, credit_id).state for credit_id in office.credit_ids]
    assert states == [CreditState.APPROVED, CreditState.BATCHED, CreditState.APPROVED]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"action": "chosen"}, 422),
        ({"action": "chosen", "picked": "x"}, 422),
        ({}, 422),
        ({"action": "everything"}, 422),
    ],
)
def test_sending_nothing_or_nonsense_is_refused(office: Office, form: dict[str, str], status: int) -> None:
    assert office.browser("finance").post("/credits/to-send", data=form).status_code == status


def test_a_credit_cannot_be_sent_twice(office: Office) -> None:
    client = office.browser("finance")
    client.post("/credits/to-send", data={"action": "chosen", "picked": office.credit_ids[0]})

    again = client.post("/credits/to-send", data={"action": "chosen", "picked": office.credit_ids[0]})

    assert again.status_code == 409
    assert balance(office, AccountCode.BILLING_CLEARING) == -50_00


def test_filters_narrow_what_all_means(office: Office) -> None:
    client = office.browser("finance")

    none = client.post("/credits/to-send?promise=CN-OTHER", data={"action": "all"})

    assert none.status_code == 422
    assert {office.row(Credit, credit_id).state for credit_id in office.credit_ids} == {CreditState.APPROVED}


def test_the_workbook_is_the_same_bytes_twice_and_every_download_is_recorded(office: Office) -> None:
    batch_id = office.sent()
    client = office.browser("finance")

    first, second = (client.post(f"/credit-batches/{batch_id}/workbook") for _again in range(2))

    digest = hashlib.sha256(first.data).hexdigest()
    assert first.data == second.data
    assert first.headers["X-Content-SHA256"] == digest
    assert "PCPC" in first.headers["Content-Disposition"]
    assert openpyxl.load_workbook(io.BytesIO(first.data)).sheetnames == ["说明", "赔偿明细", "汇总", "控制"]
    with office.app.app_context(), db.reading() as session:
        told = [event for event in events_of(session, "credit_batch", batch_id) if event.action == "batch.exported"]
    assert [(event.actor_id, event.changes) for event in told] == [(office.users["finance"], {"sha256": digest})] * 2
    assert client.get(f"/credit-batches/{batch_id}").text.count(digest) == 2
    assert list(exports_folder(office.app.extensions["supervise.settings"].instance).iterdir()) == []


def test_a_large_batch_is_exported_in_the_background_for_who_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LINES_IN_REQUEST", 2)
    batch_id = office.sent()
    client = office.browser("finance")
    assert client.post(f"/credit-batches/{batch_id}/workbook/file").status_code == 410

    page = address_of(client.post(f"/credit-batches/{batch_id}/workbook"))
    job_id = int(page.rpartition("job=")[2])
    queue: JobQueue = office.app.extensions["supervise.jobs"]
    queue.run(job_id)

    assert client.get(page).status_code == 200
    assert client.get(f"/jobs/{job_id}").get_json()["finished"] is True
    fetched = client.post(f"/credit-batches/{batch_id}/workbook/file")
    with office.app.app_context():
        folder = exports_folder(office.app.extensions["supervise.settings"].instance)
        [stored] = folder.iterdir()
    assert stored.stat().st_mode & 0o777 == 0o600
    assert fetched.data[:2] == b"PK"
    assert fetched.data[:64] not in stored.read_bytes()
    monkeypatch.setattr(sending, "LINES_IN_REQUEST", 5_000)
    assert client.post(f"/credit-batches/{batch_id}/workbook").data == fetched.data


def test_another_users_export_is_not_handed_over(office: Office) -> None:
    batch_id = office.sent()
    settings = office.app.extensions["supervise.settings"]
    around = Surroundings(settings.instance, settings.keyring, settings.anchor_file)
    with office.app.app_context():
        sending.write_export(around, lambda _done, _total: None, office.users["supervisor"], batch_id=batch_id)

    assert office.browser("finance").post(f"/credit-batches/{batch_id}/workbook/file").status_code == 410


def test_lines_are_marked_by_hand(office: Office) -> None:
    batch_id = office.sent()
    first, second, third = office.lines(batch_id)
    client = office.browser("finance")
    lines = f"/credit-batches/{batch_id}/lines"

    client.post(lines, data={"action": "accepted", "picked": [first.id, second.id]})
    client.post(lines, data={"action": "rejected", "picked": third.id, "failure_code": "E02"})

    marked = office.lines(batch_id)
    assert [line.result for line in marked] == [LineResult.ACCEPTED, LineResult.ACCEPTED, LineResult.REJECTED]
    assert marked[2].failure_code == "E02"
    assert office.row(CreditBatch, batch_id).state is CreditBatchState.COMPLETED
    assert office.row(Credit, third.credit_id).state is CreditState.APPROVED
    assert balance(office, AccountCode.BILLING_CLEARING) == 0


@pytest.mark.parametrize(
    "form", [{"action": "rejected"}, {"action": "rejected", "failure_code": "x" * 61}, {"action": "maybe"}, {}]
)
def test_a_mark_without_sense_is_refused(office: Office, form: dict[str, str]) -> None:
    batch_id = office.sent()
    [first, *_others] = office.lines(batch_id)

    answer = office.browser("finance").post(f"/credit-batches/{batch_id}/lines", data={**form, "picked": first.id})

    assert answer.status_code == 422
    assert {line.result for line in office.lines(batch_id)} == {None}


def test_a_line_of_another_batch_is_not_marked(office: Office) -> None:
    one, other = office.sent(office.credit_ids[:1]), office.sent(office.credit_ids[1:])
    [line, *_others] = office.lines(other)

    answer = office.browser("finance").post(
        f"/credit-batches/{one}/lines", data={"action": "accepted", "picked": line.id}
    )

    assert answer.status_code == 404
    assert {line.result for line in office.lines(other)} == {None}


def test_a_return_file_is_looked_at_and_taken_over(office: Office) -> None:
    batch_id = office.sent()
    first, second, third = office.credit_ids
    client = office.browser("finance")
    form = return_file(
        office, batch_id, (first, "成功", "", "50.00"), (second, "失败", "E02", ""), (third, "成功", "", "40.00")
    )

    page = address_of(client.post(f"/credit-batches/{batch_id}/returns", data=form))
    preview = client.get(page).text
    assert "Billing booked 40.00 yuan, the credit is 50.00 yuan" in preview
    assert {line.result for line in office.lines(batch_id)} == {None}
    address_of(client.post(f"{page}/take-over"))

    assert [line.result for line in office.lines(batch_id)] == [LineResult.ACCEPTED, LineResult.REJECTED, None]
    error_rows = list(csv.reader(io.StringIO(client.get(f"{page}/errors.csv").text.removeprefix("\ufeff"))))
    assert len(error_rows) == 2
    assert error_rows[1][0] == "4"
    assert client.post(f"{page}/take-over").status_code == 409
    assert client.get(f"/credit-batches/{batch_id}").status_code == 200


def test_a_discarded_return_file_marks_nothing(office: Office) -> None:
    batch_id = office.sent()
    client = office.browser("finance")
    form = return_file(office, batch_id, (office.credit_ids[0], "成功", "", "50.00"))
    page = address_of(client.post(f"/credit-batches/{batch_id}/returns", data=form))

    address_of(client.post(f"{page}/discard"))

    assert client.post(f"{page}/take-over").status_code == 409
    assert {line.result for line in office.lines(batch_id)} == {None}


def test_a_return_file_is_not_found_under_another_batch(office: Office) -> None:
    one, other = office.sent(office.credit_ids[:1]), office.sent(office.credit_ids[1:])
    client = office.browser("finance")
    form = return_file(office, one, (office.credit_ids[0], "成功", "", "50.00"))
    page = address_of(client.post(f"/credit-batches/{one}/returns", data=form))
    import_id = page.rpartition("/")[2]

    assert client.get(f"/credit-batches/{other}/returns/{import_id}").status_code == 404
    assert client.post(f"/credit-batches/{other}/returns/{import_id}/take-over").status_code == 404


def test_a_file_that_is_none_is_refused_in_words(office: Office) -> None:
    batch_id = office.sent()
    client = office.browser("finance")
    nothing = client.post(f"/credit-batches/{batch_id}/returns", data={})
    picture = {"file": (io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"\x00" * 64), "return.png")}

    page = address_of(client.post(f"/credit-batches/{batch_id}/returns", data=picture))

    assert nothing.status_code == 400
    assert "Choose the file that billing sent" in nothing.text
    assert 'class="alert alert-danger"' in client.get(page).text


def test_a_void_takes_two_people_and_gives_the_credits_back(office: Office) -> None:
    batch_id = office.sent()
    finance, supervisor = office.browser("finance"), office.browser("supervisor")
    assert finance.post(f"/credit-batches/{batch_id}/void", data={"reason": ""}).status_code == 400

    finance.post(f"/credit-batches/{batch_id}/void", data={"reason": "文件未送达计费"})
    assert "文件未送达计费" in supervisor.get(f"/credit-batches/{batch_id}").text
    supervisor.post(f"/approvals/voids/{batch_id}", data={"action": "approve"})

    assert office.row(CreditBatch, batch_id).state is CreditBatchState.VOIDED
    assert {office.row(Credit, credit_id).state for credit_id in office.credit_ids} == {CreditState.APPROVED}
    assert balance(office, AccountCode.BILLING_CLEARING) == 0
    assert finance.post(f"/credit-batches/{batch_id}/workbook").status_code == 409
    number = office.row(CreditBatch, batch_id).number
    assert office.row(CreditBatch, office.sent()).number != number


def test_a_withdrawn_void_leaves_the_batch(office: Office) -> None:
    batch_id = office.sent()
    client = office.browser("finance")
    client.post(f"/credit-batches/{batch_id}/void", data={"reason": "文件未送达计费"})

    client.post(f"/credit-batches/{batch_id}/void/withdrawal")

    assert office.row(CreditBatch, batch_id).void_proposed_by is None
    assert (
        office.browser("supervisor").post(f"/approvals/voids/{batch_id}", data={"action": "approve"}).status_code == 409
    )


def test_a_cancellation_takes_two_people(office: Office) -> None:
    credit_id = office.credit_ids[0]
    finance, supervisor = office.browser("finance"), office.browser("supervisor")
    assert finance.post(f"/credits/{credit_id}/cancellation", data={"reason": ""}).status_code == 400

    finance.post(f"/credits/{credit_id}/cancellation", data={"reason": "用户已销户,改退现金"})
    assert "用户已销户" in supervisor.get(f"/credits/{credit_id}").text
    assert f'href="/credits/{credit_id}"' not in finance.get("/credits/to-send").text
    supervisor.post(f"/credits/{credit_id}/cancellation/decision", data={"action": "approve"})

    assert office.row(Credit, credit_id).state is CreditState.CANCELLED
    assert balance(office, AccountCode.COMPENSATION_PAYABLE) == -100_00
    assert finance.post(f"/credits/{credit_id}/cancellation", data={"reason": "用户已销户"}).status_code == 409


def test_a_refused_cancellation_leaves_the_credit_to_be_sent(office: Office) -> None:
    credit_id = office.credit_ids[0]
    office.browser("finance").post(f"/credits/{credit_id}/cancellation", data={"reason": "用户已销户"})

    office.browser("supervisor").post(f"/credits/{credit_id}/cancellation/decision", data={"action": "return"})

    assert office.row(Credit, credit_id).state is CreditState.APPROVED
    office.sent([credit_id])


def test_credits_of_another_branch_are_neither_listed_counted_nor_shown(office: Office) -> None:
    clerk = office.browser("clerk")
    credit = office.row(Credit, office.credit_ids[0])

    page = clerk.get("/credits/").text

    assert credit.reference not in page
    assert "150.00" not in page
    assert clerk.get(f"/credits/{credit.id}").status_code == 404
    assert clerk.get(f"/credits/subscribers/{credit.subscriber_id}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("state=approved", 3),
        ("state=batched", 0),
        ("state=nonsense", 3),
        ("q=PC", 3),
        ("q=PC999", 0),
        ("q=%25", 0),
        ("promise=CN-T", 3),
        ("promise=CN-X", 0),
        ("attention=rejected_often", 0),
        ("period=2099-01", 3),
        ("unit=999999", 3),
        ("before=1", 0),
        ("before=x", 3),
    ],
)
def test_the_list_is_narrowed_by_its_address(office: Office, query: str, found: int) -> None:
    page = office.browser("finance").get(f"/credits/?{query}").text

    shown = [credit_id for credit_id in office.credit_ids if f'href="/credits/{credit_id}"' in page]
    assert len(shown) == found


def test_no_page_shows_a_full_number(office: Office, app: Flask) -> None:
    batch_id = office.sent(office.credit_ids[:2])
    credit = office.row(Credit, office.credit_ids[0])
    with app.app_context(), db.reading() as session:
        keyring = app.extensions["supervise.settings"].keyring
        [full] = full_numbers(session, keyring, [credit.number_id]).values()
    pages = [
        "/credits/",
        "/credits/to-send",
        f"/credits/{credit.id}",
        f"/credits/subscribers/{credit.subscriber_id}",
        f"/credit-batches/{batch_id}",
        "/ledger/accounts/2241.01",
        "/ledger/accounts/2241.01/balances",
    ]

    texts = {page: office.browser("finance").get(page) for page in pages}

    assert {page for page, answer in texts.items() if answer.status_code != 200} == set()
    assert {page for page, answer in texts.items() if full in answer.text} == set()
    assert all("****" in texts[page].text for page in pages)
