"""The queue: order, filters, pages by key, scope."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy.orm import Session

from supervise.complaints import search
from supervise.complaints.models import Channel, Ticket, TicketState
from supervise.complaints.search import Searchable, index_tickets
from supervise.desk import queue
from supervise.desk.queue import Lateness, QueueFilters, QueuePage, SoughtNumber, queue_page, ticket_ids
from supervise.parties.scope import Scope
from tests.factories.attribution import attribute, make_proven_incident
from tests.factories.complaints import CALLED_AT, link_ticket, make_incident, make_number, make_ticket
from tests.factories.parties import make_party, make_unit
from tests.factories.penalties import make_charged_partner, propose

TODAY = dt.date(2026, 10, 1)
EVERYTHING = Scope.everything()


def shown(session: Session, scope: Scope = EVERYTHING, **filters: Any) -> list[int]:
    return [row.id for row in queue_page(session, scope, QueueFilters(**filters), TODAY).rows]


def test_open_tickets_come_by_due_date_and_closed_ones_only_when_asked_for(session: Session) -> None:
    late = make_ticket(session, due_on=dt.date(2026, 9, 30))
    week = make_ticket(session, due_on=dt.date(2026, 10, 5))
    today = make_ticket(session, due_on=TODAY)
    refused = make_ticket(session, state=TicketState.REFUSED)

    assert shown(session) == [late.id, today.id, week.id]
    assert shown(session, states=(TicketState.REFUSED,)) == [refused.id]


@pytest.mark.parametrize(("lateness", "days"), [(Lateness.LATE, [-1]), (Lateness.TODAY, [0]), (Lateness.WEEK, [0, 6])])
def test_lateness_is_counted_by_days(session: Session, lateness: Lateness, days: list[int]) -> None:
    tickets = {day: make_ticket(session, due_on=TODAY + dt.timedelta(days=day)).id for day in (-1, 0, 6, 7)}

    assert shown(session, lateness=lateness) == [tickets[day] for day in days]


def test_filters_narrow_together(session: Session) -> None:
    unit, other = make_unit(session), make_unit(session)
    wanted = make_ticket(session, channel=Channel.MAYOR_12345, unit=unit)
    make_ticket(session, channel=Channel.HEIMAO, unit=unit)
    make_ticket(session, channel=Channel.MAYOR_12345, unit=other)

    found = shown(session, channels=(Channel.MAYOR_12345,), unit_ids=frozenset({unit.id}), states=(TicketState.NEW,))

    assert found == [wanted.id]


def test_received_days_are_half_open(session: Session) -> None:
    inside = make_ticket(session, received_at=CALLED_AT)
    make_ticket(session, received_at=CALLED_AT + dt.timedelta(days=1))

    found = shown(session, received_from=CALLED_AT, received_before=CALLED_AT + dt.timedelta(days=1))

    assert found == [inside.id]


def test_party_and_undecided_go_by_the_verdict_in_force(session: Session) -> None:
    party = make_party(session)
    decided, open_ = make_ticket(session), make_ticket(session)
    attribute(session, incident=make_incident(session, ticket=decided, caller_number=None), party=party)
    make_incident(session, ticket=open_, caller_number=None)

    assert shown(session, party_id=party.id) == [decided.id]
    assert shown(session, undecided=True) == [open_.id]


@pytest.mark.parametrize("many", [1, 1_000])
def test_a_number_finds_who_was_called_and_who_called(
    session: Session, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(search, "_MANY_HITS", many)
    number = make_number(session, digits="13900007777")
    called = make_ticket(session, number=number)
    calling, other = make_ticket(session, number=make_number(session)), make_ticket(session)
    index_tickets(
        session,
        [
            Searchable(called.id, ["推销套餐"]),
            Searchable(calling.id, ["推销套餐", "13900007777"]),
            Searchable(other.id, ["推销套餐 139****7777"]),
        ],
    )

    assert shown(session, numbers=(SoughtNumber("13900007777", number.id),)) == [called.id, calling.id]
    assert shown(session, numbers=(SoughtNumber("13900007777", None),)) == [calling.id]
    assert shown(session, numbers=(SoughtNumber("13900007777", number.id),), words="宽带") == []
    assert shown(session, numbers=(SoughtNumber("13611112222", None),)) == []


@pytest.mark.parametrize("many", [1, 1_000])
def test_rare_and_common_words_find_the_same(session: Session, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(search, "_MANY_HITS", many)
    found, other = make_ticket(session), make_ticket(session)
    index_tickets(session, [Searchable(found.id, ["推销流量套餐 W100"]), Searchable(other.id, ["宽带提速"])])

    assert shown(session, words="套餐") == [found.id]
    assert shown(session, words="w100 流量") == [found.id]
    assert shown(session, words="餐") == [found.id]
    assert shown(session, words="套餐 提速") == []
    assert shown(session, words="100%") == []


def test_pages_meet_without_gap_or_overlap_in_both_directions(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAGE_ROWS", 2)
    tickets = [make_ticket(session, due_on=TODAY).id for _ in range(5)]

    first = queue_page(session, EVERYTHING, QueueFilters(), TODAY)
    second = queue_page(session, EVERYTHING, QueueFilters(), TODAY, after=first.next_place)
    third = queue_page(session, EVERYTHING, QueueFilters(), TODAY, after=second.next_place)
    back = queue_page(session, EVERYTHING, QueueFilters(), TODAY, before=third.previous_place)

    assert [row.id for page in (first, second, third) for row in page.rows] == tickets
    assert (first.previous_place, third.next_place) == (None, None)
    assert [row.id for row in back.rows] == tickets[2:4]


def test_a_scope_sees_its_units_alone_and_none_sees_nothing(session: Session) -> None:
    unit = make_unit(session)
    own = make_ticket(session, unit=unit)
    make_ticket(session)
    scope = Scope(sees_everything=False, unit_ids=frozenset({unit.id}), party_ids=frozenset())

    assert shown(session, scope) == [own.id]
    assert shown(session, Scope.nothing()) == []
    assert ticket_ids(session, scope, QueueFilters(), TODAY, 10) == [own.id]


def test_a_row_tells_calls_parties_and_money_of_all_its_incidents(session: Session) -> None:
    charged = make_charged_partner(session)
    ticket = make_ticket(session, number=make_number(session))
    incident = make_proven_incident(session, party=charged.party, ticket=ticket, caller_number="02988880001")
    make_incident(session, ticket=ticket, caller_number="02988880002", occurred_at=CALLED_AT + dt.timedelta(minutes=30))
    [penalty] = propose(session, incident)
    penalty.lifted_fen = 5000

    [row] = page_of(session, ticket).rows

    assert row.callers == ("02988880001", "02988880002")
    assert (row.incidents, row.undecided, row.parties) == (2, 1, (charged.party.name,))
    assert (row.penalties_fen, row.credits_fen) == (15000, 0)
    assert {type(row.penalties_fen), type(row.credits_fen)} == {int}


def test_two_tickets_of_one_call_show_its_money_each(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    second = make_ticket(session)
    link_ticket(session, ticket=second, incident=incident)
    propose(session, incident)

    assert [row.penalties_fen for row in queue_page(session, EVERYTHING, QueueFilters(), TODAY).rows] == [20000, 20000]


def page_of(session: Session, ticket: Ticket) -> QueuePage:
    return queue_page(session, EVERYTHING, QueueFilters(states=(ticket.state,)), TODAY)
