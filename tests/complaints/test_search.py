import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.complaints.models import Channel, Ticket, TicketSearch
from supervise.complaints.receive import receive_tickets
from supervise.complaints.search import Searchable, grams, reindex_ticket, tickets_with
from tests.factories.complaints import reported_call, reported_ticket


@pytest.fixture
def ticket(session: Session, keyring: Keyring) -> Ticket:
    report = reported_ticket(
        reported_call(caller_number="02081234567"),
        channel=Channel.MAYOR_12345,
        external_ref="SZ-2026-77",
        content="总是推销ＦＲＥＥ套餐，号码13912345678",
    )
    [received] = receive_tickets(session, keyring, [report], actor_id=7)
    return session.get_one(Ticket, received.ticket_id)


def found(session: Session, text: str) -> list[int]:
    query = tickets_with(session, text)
    assert query is not None
    return list(session.scalars(sa.select(Ticket.id).where(Ticket.id.in_(query))))


@pytest.mark.parametrize(
    "text", ["套餐", "推销", "free 套餐", "SZ-2026-77", "02081234567", "餐", "总是推销free套餐", "5678"]
)
def test_a_ticket_is_found_by_two_characters_words_references_and_callers(
    session: Session, ticket: Ticket, text: str
) -> None:
    assert found(session, text) == [ticket.id]


def test_a_ticket_is_found_by_its_own_reference(session: Session, ticket: Ticket) -> None:
    assert found(session, ticket.reference) == [ticket.id]


@pytest.mark.parametrize("text", ["餐套", "套餐 流量", "13912345678", "SZ-2026-78", "%", "free%"])
def test_what_the_ticket_does_not_say_does_not_find_it(session: Session, ticket: Ticket, text: str) -> None:
    query = tickets_with(session, text)

    hits = [] if query is None else session.scalars(query).all()
    assert list(hits) == ([ticket.id] if text == "free%" else [])


def test_operators_and_quotes_of_the_engines_are_plain_words(session: Session, ticket: Ticket) -> None:
    for text in ['" OR "', "套餐' --", "NEAR(套餐)", "a AND", "{}", "*"]:
        query = tickets_with(session, text)
        if query is not None:
            session.scalars(query).all()


def test_nothing_to_search_is_no_query(session: Session) -> None:
    assert tickets_with(session, " ，。% ") is None


def test_a_changed_text_is_found_by_its_new_words_only(session: Session, ticket: Ticket) -> None:
    reindex_ticket(session, Searchable(ticket.id, ["流量包"]))

    assert found(session, "流量") == [ticket.id]
    assert found(session, "套餐") == []


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_the_word_index_agrees_with_what_it_indexes(session: Session, ticket: Ticket) -> None:
    reindex_ticket(session, Searchable(ticket.id, ["流量包"]))

    session.execute(sa.text("INSERT INTO ticket_words (ticket_words, rank) VALUES ('integrity-check', 1)"))


def test_terms_are_pairs_of_characters_and_whole_words() -> None:
    assert grams("升级5G套餐 Ｆree") == ["升级", "5g", "套餐", "free"]
    assert grams("升级包") == ["升级", "级包"]
    assert grams("我 x") == ["我", "x"]


def test_no_subscriber_number_is_searchable(session: Session, ticket: Ticket) -> None:
    stored = session.get_one(TicketSearch, ticket.id).grams

    assert "13912345678" not in stored
    assert "13900002222" not in stored
