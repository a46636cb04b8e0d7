"""The general ledger by its pages: balances, statements, stories, months, proofs."""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from flask import Flask

from supervise import clock, db
from supervise.audit.queries import AuditFilters, latest_events
from supervise.compensation.models import Credit
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import Period, PeriodState
from supervise.ledger.queries import entries_of_keys, trial_balance
from supervise.ledger.seal import newest_anchor
from supervise.sealing import read_anchors
from supervise.views.ledger import checking
from tests.views.finance_pages import Made, Office, make_office, office_of, this_month
from tests.worlds import Clone, Worlds


@pytest.fixture
def clone(worlds: Worlds) -> Iterator[Clone[Made]]:
    with worlds.clone(make_office) as clone:
        yield clone


@pytest.fixture
def office(app: Flask, clone: Clone[Made]) -> Office:
    return office_of(app, clone.made)


def entry_id(office: Office, key: str) -> int:
    with office.app.app_context(), db.reading() as session:
        return entries_of_keys(session, [key])[key]


def rows_of(html: str) -> list[list[str]]:
    """The cells of each table row, without markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def test_the_trial_balance_shows_every_account_and_sums_to_zero(office: Office) -> None:
    page = office.browser("auditor").get("/ledger/")

    rows = {row[0]: row for row in rows_of(page.text) if row}
    assert set(rows) >= set(AccountCode)
    assert rows["2241.01"][-1] == "-150.00"
    assert rows["6711.01"][-1] == "150.00"
    assert "All balances together: 0.00 yuan" in page.text


def test_the_trial_balance_of_a_day_before_is_that_days(office: Office) -> None:
    yesterday = clock.today() - dt.timedelta(days=1)

    page = office.browser("finance").get(f"/ledger/?at={yesterday}")

    rows = {row[0]: row for row in rows_of(page.text) if row}
    assert rows["2241.01"][-1] == "0.00"


@pytest.mark.parametrize("days", [1, 400])
def test_a_day_to_come_is_refused_beside_the_field(office: Office, days: int) -> None:
    page = office.browser("finance").get(f"/ledger/?at={clock.today() + dt.timedelta(days=days)}")

    assert page.status_code == 400
    assert "This day has not come yet" in page.text


def test_a_statement_runs_from_opening_to_closing_with_names(office: Office) -> None:
    batch_id = office.sent()
    credit = office.row(Credit, office.credit_ids[0])

    page = office.browser("finance").get("/ledger/accounts/2241.01").text

    rows = [row for row in rows_of(page) if len(row) == 8 and row[0].isdecimal()]
    assert [row[-1] for row in rows] == ["-50.00", "-100.00", "-150.00", "-100.00", "-50.00", "0.00"]
    assert all(credit.reference[:8] in row[3] for row in rows)
    assert all("****" in row[4] for row in rows)
    assert f'href="/credits/subscribers/{credit.subscriber_id}"' in page
    clearing = office.browser("finance").get(f"/ledger/accounts/1012.09?dimension={batch_id}").text
    assert [row[-1] for row in rows_of(clearing) if len(row) == 8 and row[0].isdecimal()][-1] == "-150.00"


@pytest.mark.parametrize(
    ("query", "status", "rows"),
    [
        ("", 200, 3),
        ("?of=nobody", 400, 3),
        ("?dimension=987654", 200, 0),
        ("?dimension=x", 200, 3),
        ("?first=2026-13", 400, 3),
        ("?last=2020-01", 200, 0),
        ("?first=2099-01", 200, 0),
        ("?after=99999999-1", 200, 0),
        ("?after=nonsense", 200, 3),
        ("?of=%27%20OR%201%3D1", 400, 3),
    ],
)
def test_a_statement_is_narrowed_by_its_address(office: Office, query: str, status: int, rows: int) -> None:
    page = office.browser("finance").get(f"/ledger/accounts/2241.01{query}")

    assert page.status_code == status
    assert len([row for row in rows_of(page.text) if len(row) == 8 and row[0].isdecimal()]) == rows


def test_an_account_that_is_none_is_not_found(office: Office) -> None:
    client = office.browser("finance")

    assert client.get("/ledger/accounts/9999").status_code == 404
    assert client.get("/ledger/accounts/9999/balances").status_code == 404


def test_an_entry_leads_back_to_the_credit_and_its_ticket(office: Office) -> None:
    batch_id = office.sent()
    credit = office.row(Credit, office.credit_ids[0])

    page = (
        office.browser("auditor").get(f"/ledger/entries/{entry_id(office, f'credit:sent:{batch_id}:{credit.id}')}").text
    )

    assert f'href="/credits/{credit.id}"' in page
    assert f'href="/credit-batches/{batch_id}"' in page
    assert f'href="/tickets/{credit.ticket_id}"' in page
    assert f'href="/incidents/{credit.incident_id}"' in page
    assert rows_of(page)[1][-2:] == ["50.00", ""]
    assert rows_of(page)[2][-2:] == ["", "50.00"]


def test_finance_sees_no_way_into_tickets(office: Office) -> None:
    credit = office.row(Credit, office.credit_ids[0])

    page = office.browser("finance").get(f"/ledger/entries/{entry_id(office, f'credit:approved:{credit.id}')}").text

    assert f"/tickets/{credit.ticket_id}" not in page
    assert f'href="/credits/{credit.id}"' in page


def test_a_reversal_names_what_it_reverses_and_the_original_what_reversed_it(office: Office) -> None:
    credit_id = office.credit_ids[0]
    office.browser("finance").post(f"/credits/{credit_id}/cancellation", data={"reason": "用户已销户"})
    office.browser("supervisor").post(f"/credits/{credit_id}/cancellation/decision", data={"action": "approve"})
    original, reversal = (entry_id(office, f"credit:{verb}:{credit_id}") for verb in ("approved", "cancelled"))
    client = office.browser("finance")

    assert f'href="/ledger/entries/{original}"' in client.get(f"/ledger/entries/{reversal}").text
    assert "用户已销户" in client.get(f"/ledger/entries/{reversal}").text
    assert f'href="/credits/{credit_id}"' in client.get(f"/ledger/entries/{reversal}").text
    assert f'href="/ledger/entries/{reversal}"' in client.get(f"/ledger/entries/{original}").text


def test_a_month_is_opened_looked_through_and_closed(office: Office) -> None:
    month = this_month()
    client = office.browser("finance")
    assert client.post("/ledger/periods", data={"month": "2026-13"}).status_code == 400
    assert client.post("/ledger/periods", data={"month": month}).status_code == 409
    assert client.post("/ledger/periods", data={"month": clock.next_month(month)}).status_code == 303
    assert client.post(f"/ledger/periods/{month}/close", data={"seen": "y"}).status_code == 409
    office.sent()

    with clock.pretending(clock.start_of_day(clock.month_bounds(month)[1]) + dt.timedelta(hours=1)):
        client = office.browser("finance")
        page = client.get(f"/ledger/periods/{month}/close").text
        unseen = client.post(f"/ledger/periods/{month}/close", data={})
        closed = client.post(f"/ledger/periods/{month}/close", data={"seen": "y"})

    assert "I have seen the open points" in page
    assert (unseen.status_code, closed.status_code) == (409, 303)
    assert office.row(Period, month).state is PeriodState.CLOSED
    assert client.post(f"/ledger/periods/{month}/close", data={"seen": "y"}).status_code == 409
    anchors = read_anchors(office.app.extensions["supervise.settings"].anchor_file)
    assert len(anchors) == 1
    assert client.get("/ledger/periods").status_code == 200


@pytest.fixture
def next_month(office: Office) -> Iterator[str]:
    """It is the second day of the coming month, which is open as this one is; the month that is over."""
    month = this_month()
    with clock.pretending(clock.start_of_day(clock.month_bounds(month)[1]) + dt.timedelta(days=1)):
        office.browser("finance").post("/ledger/periods", data={"month": clock.next_month(month)})
        yield month


def state_of(office: Office, month: str) -> str:
    return str(office.row(Period, month).state)


def close(office: Office, month: str) -> None:
    assert office.browser("finance").post(f"/ledger/periods/{month}/close", data={"seen": "y"}).status_code == 303


def test_a_month_is_held_and_let_go_by_one_person(office: Office, next_month: str) -> None:
    client = office.browser("finance")
    address = f"/ledger/periods/{next_month}"

    page = client.post(f"{address}/soft-close", follow_redirects=True).text
    again = client.post(f"{address}/soft-close")

    assert "The month takes no entries" in page
    assert (again.status_code, state_of(office, next_month)) == (409, "soft_closed")
    assert [row[1] for row in rows_of(client.get("/ledger/periods").text) if row[0] == next_month] == ["Soft close"]
    page = client.post(f"{address}/soft-close/end", follow_redirects=True).text
    assert "Hold the month" in page
    assert state_of(office, next_month) == "open"


def test_a_month_that_runs_is_not_held(office: Office) -> None:
    client = office.browser("finance")

    assert "Hold the month" not in client.get(f"/ledger/periods/{this_month()}/close").text
    assert client.post(f"/ledger/periods/{this_month()}/soft-close").status_code == 409


def test_a_closed_month_is_reopened_by_two_people_and_the_seal_is_anchored(office: Office, next_month: str) -> None:
    close(office, next_month)
    client, address = office.browser("finance"), f"/ledger/periods/{next_month}/reopening"
    assert client.post(address, data={"reason": ""}).status_code == 400

    asked = client.post(address, data={"reason": "漏记一笔退费"}, follow_redirects=True).text
    own = client.get("/ledger/periods").text
    refused = client.post("/ledger/reopenings/1", data={"action": "confirm"})
    supervisor = office.browser("supervisor")
    page = supervisor.get("/ledger/periods").text
    confirmed = supervisor.post("/ledger/reopenings/1", data={"action": "confirm"}, follow_redirects=True).text

    assert "Waits for a second person" in asked
    assert "Ask to reopen</button>" not in asked
    assert "You proposed this: a second person decides" in own
    assert refused.status_code == 409
    assert "漏记一笔退费" in page
    assert 'value="confirm"' in page
    assert f"{next_month} is open again" in confirmed
    assert state_of(office, next_month) == "open"
    with office.app.app_context(), db.reading() as session:
        [*_, anchored] = read_anchors(office.app.extensions["supervise.settings"].anchor_file)
        assert anchored == newest_anchor(session)
    assert "Confirmed" in client.get(address).text


def test_a_refused_month_stays_closed_and_says_why(office: Office, next_month: str) -> None:
    close(office, next_month)
    address = f"/ledger/periods/{next_month}/reopening"
    office.browser("finance").post(address, data={"reason": "漏记一笔退费"})
    supervisor = office.browser("supervisor")

    assert supervisor.post("/ledger/reopenings/1", data={"action": "refuse", "reason": ""}).status_code == 422
    assert supervisor.post("/ledger/reopenings/1", data={"action": "other"}).status_code == 422
    supervisor.post("/ledger/reopenings/1", data={"action": "refuse", "reason": "记入本月即可"})

    assert state_of(office, next_month) == "closed"
    assert "记入本月即可" in office.browser("auditor").get(address).text
    assert "Ask to reopen</button>" in office.browser("finance").get(address).text


def test_who_asked_takes_the_request_back_and_it_says_why(office: Office, next_month: str) -> None:
    close(office, next_month)
    client, address = office.browser("finance"), f"/ledger/periods/{next_month}/reopening"
    client.post(address, data={"reason": "漏记一笔退费"})
    own, others = client.get(address).text, office.browser("auditor").get(address).text

    assert "Withdraw the request</a>" in re.sub(r"<span.*?</span>", "", client.get("/ledger/periods").text)
    assert office.browser("supervisor").post("/ledger/reopenings/1/withdraw", data={"reason": "x"}).status_code == 403
    wordless = client.post("/ledger/reopenings/1/withdraw", data={"reason": ""})
    done = client.post("/ledger/reopenings/1/withdraw", data={"reason": "已记入本月"}, follow_redirects=True).text
    again = client.post("/ledger/reopenings/1/withdraw", data={"reason": "已记入本月"})

    assert "Withdraw the request</button>" in own
    assert "Withdraw the request" not in others
    assert wordless.status_code == 400
    assert "Say why the request is withdrawn" in wordless.text
    assert f"{next_month} stays closed" in done
    assert "Withdrawn: 已记入本月" in done
    assert "Ask to reopen</button>" in done
    assert again.status_code == 409
    assert state_of(office, next_month) == "closed"
    assert "Closed months to reopen" not in client.get("/ledger/periods").text


def test_the_whole_ledger_is_verified_at_once_and_the_result_is_kept(office: Office) -> None:
    client = office.browser("auditor")

    page = client.post("/ledger/verification")
    found = client.get(page.headers["Location"]).text

    assert "Every row holds: 3 journal entries, 0 seals, 0 anchors" in found
    assert "3 entries are not sealed yet." in found
    with office.app.app_context(), db.reading() as session:
        [event] = latest_events(session, AuditFilters(action="ledger.verified"))
    assert event.actor_id == office.users["auditor"]
    assert office.browser("finance").get(page.headers["Location"]).status_code == 404


def test_a_changed_row_is_named(office: Office) -> None:
    client = office.browser("finance")
    client.post("/credits/to-send", data={"action": "all"})
    settings = office.app.extensions["supervise.settings"]
    settings.anchor_file.write_text("1 " + "0" * 64 + " 2026-11-22T00:00:00.000000Z\n", encoding="ascii")

    page = client.post("/ledger/verification")
    found = client.get(page.headers["Location"]).text

    assert "The ledger does not hold: seal 1" in found
    assert "is not the one anchored outside: the book was cut or replaced" in found


def test_a_damaged_anchor_file_is_said(office: Office) -> None:
    office.app.extensions["supervise.settings"].anchor_file.write_text("nonsense\n", encoding="ascii")
    client = office.browser("finance")

    found = client.get(client.post("/ledger/verification").headers["Location"]).text

    assert "The file of anchors is damaged" in found


def test_a_large_ledger_is_left_to_the_worker(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_ENTRIES_IN_REQUEST", 1)
    client = office.browser("finance")

    page = client.post("/ledger/verification").headers["Location"]

    assert "data-progress" in client.get(page).text
    office.app.extensions["supervise.jobs"].run(int(page.rpartition("/")[2]))
    assert "Every row holds" in client.get(page).text


def test_the_book_is_handed_over_as_text_and_that_is_recorded(office: Office) -> None:
    answer = office.browser("auditor").post("/ledger/book.beancount")

    assert answer.status_code == 200
    assert answer.text.startswith('option "title" "supervise"\n')
    assert "credit:approved:" in answer.text
    with office.app.app_context(), db.reading() as session:
        assert len(latest_events(session, AuditFilters(action="ledger.exported"))) == 1
        assert sum(row.balance_fen for row in trial_balance(session, clock.today())) == 0
