"""Searching by a full number: it reaches the page, and no address, saved view, link or log line."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from werkzeug.test import TestResponse
from wtforms import StringField

from supervise.access.models import User
from supervise.access.roles import Role
from supervise.complaints.models import Ticket
from supervise.complaints.search import Searchable, index_tickets
from supervise.desk.models import SavedView
from supervise.views.contracts.rule_rows import RowForm as RuleRow
from supervise.views.forms import Form
from supervise.views.intake.forms import RowForm
from tests.factories.complaints import make_incident, make_number, make_subscriber, make_ticket
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.views.desk_pages import NUMBER, Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)

MASK = "139****8888"
#: Another subscriber's, who is called by ``NUMBER`` too.
OTHER = "13711112222"


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def search(client: FlaskClient, place: str = "/tickets/", **typed: str) -> str:
    """The address to which a search sends."""
    response = client.post("/search", query_string={"place": place}, data=typed)
    assert response.status_code == 303
    return response.location


def called_by(desk: Desk, caller: str) -> int:
    """A ticket of ``OTHER`` about a call from *caller*."""

    def add(session: Session) -> int:
        ticket = make_ticket(session, number=make_number(session, digits=OTHER), unit=desk.unit(session))
        make_incident(session, ticket=ticket, caller_number=caller)
        index_tickets(session, [Searchable(ticket.id, [ticket.reference, ticket.content, caller])])
        return ticket.id

    return desk.write(add)


def reference(desk: Desk, ticket_id: int) -> str:
    return str(desk.read(sa.select(Ticket.reference).where(Ticket.id == ticket_id))[0])


@pytest.mark.parametrize("typed", [NUMBER, "139 0000 8888", "+86 139-0000-8888", "１３９００００８８８８"])
def test_a_number_finds_who_was_called_and_who_called_and_stays_out_of_the_address(desk: Desk, typed: str) -> None:
    as_subscriber, as_caller, other = desk.ticket(), called_by(desk, NUMBER), called_by(desk, "02066667777")
    clerk = desk.as_(Role.CLERK)

    address = search(clerk, q=typed, state="new")
    page = clerk.get(address).text

    assert not re.search(r"\d{5}", address)
    assert parse_qs(urlsplit(address).query)["state"] == ["new"]
    assert all(reference(desk, ticket_id) in page for ticket_id in (as_subscriber, as_caller))
    assert reference(desk, other) not in page
    assert f'value="{MASK}"' in page
    assert OTHER not in page


def test_words_beside_a_number_narrow_further(desk: Desk) -> None:
    wanted, other = desk.ticket(content="推销流量套餐"), called_by(desk, NUMBER)
    clerk = desk.as_(Role.CLERK)

    page = clerk.get(search(clerk, q=f"{NUMBER}，流量")).text

    assert reference(desk, wanted) in page
    assert reference(desk, other) not in page


def test_words_without_a_number_stand_in_the_address_as_they_are(desk: Desk) -> None:
    address = search(desk.as_(Role.CLERK), q="套餐 TS20260929", due="late", party="", state="new")

    assert address == f"/tickets/?q={quote('套餐')}+TS20260929&due=late&state=new"


def test_a_pasted_address_with_a_number_leads_to_one_without_it(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    response = clerk.get(f"/tickets/?q={NUMBER}&due=late")

    assert response.status_code == 303
    assert NUMBER not in response.location
    assert "due=late" in response.location
    assert NUMBER not in clerk.get(response.location).text
    assert reference(desk, ticket_id) in clerk.get(f"/tickets/?q={NUMBER}", follow_redirects=True).text


def test_a_stranger_with_such_an_address_is_sent_to_log_in_without_the_number(app: Flask, client: FlaskClient) -> None:
    response = client.get(f"/tickets/?q={NUMBER}", follow_redirects=True)

    assert response.request.path == "/login"
    assert NUMBER not in response.request.query_string.decode() + response.text


@pytest.mark.parametrize("number", [NUMBER, "2025550123"])
def test_a_number_of_any_plan_that_is_all_that_is_searched_for_is_hidden(desk: Desk, number: str) -> None:
    clerk = desk.as_(Role.CLERK)

    address = search(clerk, q=number)

    assert number not in address
    assert number not in clerk.get(address).text


def test_the_same_search_with_another_filter_keeps_the_number(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)
    page = clerk.get(search(clerk, q=NUMBER)).text
    [kept] = re.findall(r'name="q-kept" value="([^"]+)"', page)

    address = search(clerk, q=f"{MASK} 推销", **{"q-kept": kept}, undecided="y")

    assert parse_qs(urlsplit(address).query) == {"q": [f"{kept} 推销"], "undecided": ["y"]}
    assert reference(desk, ticket_id) in clerk.get(address).text


def test_a_saved_view_keeps_no_number_and_still_finds(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    clerk.post("/tickets/views", data={"name": f"用户{NUMBER}", "query": f"q={NUMBER}&state=new", "shared": "y"})

    [view] = desk.read(sa.select(SavedView))
    assert NUMBER not in view.name + view.query
    assert MASK in view.name
    page = desk.as_(Role.AUDITOR).get(f"/tickets/?{view.query}").text
    assert reference(desk, ticket_id) in page
    assert NUMBER not in page


def test_the_whole_view_of_a_number_is_what_its_search_shows(desk: Desk) -> None:
    wanted, other = desk.ticket(), called_by(desk, "02066667777")
    clerk = desk.as_(Role.CLERK)
    query = urlsplit(search(clerk, q=NUMBER)).query

    clerk.post(f"/tickets/bulk?{query}", data={"action": "accept", "everything": "y"})

    assert [desk.state_of(ticket_id) for ticket_id in (wanted, other)] == ["accepted", "new"]


@pytest.mark.parametrize("harm", [lambda token: token.replace(token[20], "_" if token[20] != "_" else "a"), str.upper])
def test_an_address_that_was_tampered_with_is_refused_in_words(desk: Desk, harm: object) -> None:
    clerk = desk.as_(Role.CLERK)
    [token] = parse_qs(urlsplit(search(clerk, q=NUMBER)).query)["q"]
    assert callable(harm)

    response = clerk.get("/tickets/", query_string={"q": harm(token)})

    assert response.status_code == 422
    assert "cannot be read any more" in response.text


def test_a_number_hidden_for_one_field_is_read_by_no_other(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    [token] = parse_qs(urlsplit(search(clerk, q=NUMBER)).query)["q"]

    assert clerk.get("/tickets/", query_string={"party": token}).status_code == 422


def test_a_form_is_not_sent_to_an_address_with_a_number(desk: Desk) -> None:
    response = desk.as_(Role.CLERK).post(f"/tickets/bulk?q={NUMBER}", data={"action": "accept", "everything": "y"})

    assert response.status_code == 422
    assert "must not stand in an address" in response.text


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_a_search_leads_to_no_other_site(desk: Desk, place: str) -> None:
    assert search(desk.as_(Role.CLERK), place, q="套餐") == f"/?q={quote('套餐')}"


def test_the_next_page_of_numbers_begins_after_one_that_the_address_hides(desk: Desk) -> None:
    def add(session: Session) -> None:
        party = make_party(session, sponsor=desk.unit(session))
        for last in range(60):
            make_holder(session, party=party, digits=f"138000010{last:02d}")

    desk.write(add)
    triager = desk.as_(Role.TRIAGER)
    first = triager.get("/numbers/").text
    [address] = set(re.findall(r'href="(/numbers/\?[^"]*after=[^"]+)"', first))

    second = triager.get(address.replace("&amp;", "&")).text

    assert not re.search(r"\d{7}", address)
    assert "13800001059" in second
    assert "13800001001" not in second


def test_a_party_proposes_a_change_of_a_number_by_its_row(desk: Desk) -> None:
    def add(session: Session) -> int:
        unit = make_unit(session)
        party = make_party(session, sponsor=unit)
        partner = session.scalars(sa.select(User).where(User.role == Role.PARTNER_CONTACT)).one()
        give_scope(session, user_id=partner.id, party=party)
        return make_holder(session, party=party, digits="13800007777").number_id

    number_id = desk.write(add)
    partner = desk.as_(Role.PARTNER_CONTACT)

    assert f"/register-proposals/new?number={number_id}" in partner.get(f"/numbers/{number_id}").text
    assert 'value="13800007777"' in partner.get(f"/register-proposals/new?number={number_id}").text
    assert partner.get("/register-proposals/new?number=999").status_code == 404


def test_an_account_that_is_a_number_is_searched_for_without_showing_it(desk: Desk) -> None:
    desk.write(lambda session: make_subscriber(session, account_ref=NUMBER, unit=desk.unit(session)).id)
    clerk = desk.as_(Role.CLERK)

    response = clerk.post("/subscribers/", data={"account_ref": NUMBER})

    assert NUMBER not in response.location
    assert "/subscribers/1" in clerk.get(response.location).text


def test_the_log_names_the_page_and_nothing_that_was_typed(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)

    with capture_logs() as lines:
        clerk.get(search(clerk, q=NUMBER))
        clerk.get(f"/tickets/?q={NUMBER}")

    told = [line["endpoint"] for line in lines if line["event"] == "request"]
    assert told == ["searching.search", "tickets.queue", "tickets.queue"]
    assert NUMBER not in str(lines)


def test_the_addresses_of_a_page_hold_no_number(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    page: TestResponse = clerk.get(search(clerk, q=NUMBER))

    links = re.findall(r'(?:href|action|value)="([^"]*)"', page.text)
    assert f"/tickets/{ticket_id}" in links
    assert not [link for link in links if NUMBER in link]


def test_every_form_that_an_address_fills_in_reads_hidden_numbers(app: Flask) -> None:
    assert app.view_functions  # every page is loaded, and its forms with it
    plain = {
        f"{form.__name__}.{name}"
        for form in filter_forms(Form)
        for name, field in vars(form).items()
        if getattr(field, "field_class", None) is StringField
    }

    # Months, by a pattern that no number fits.
    assert {name for name in plain if not name.endswith((".first", ".last"))} == set()


def filter_forms(base: type[Form]) -> Iterator[type[Form]]:
    for form in base.__subclasses__():
        if (
            not form.Meta.csrf
            and not issubclass(form, RowForm | RuleRow)
            and form.__module__.startswith("supervise.views")
        ):
            yield form
        yield from filter_forms(form)
