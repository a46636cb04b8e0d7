"""The register within reach: whose numbers, whose tickets, whose own records; filters and pages."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.donotcall.models import PermissionScope
from supervise.donotcall.queries import (
    PermissionFilters,
    Reader,
    permission_lines,
    permissions_by_time,
    reached_number,
    words_of_number,
)
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit
from supervise.parties.scope import Scope
from supervise.penalties.merge_parties import merge_parties
from tests.factories.complaints import CALLED_AT, make_number, make_subscriber, make_ticket
from tests.factories.donotcall import RECORDER, make_consent, make_refusal
from tests.factories.parties import make_party, make_unit

ALL = Reader(Scope.everything(), user_id=99)
HOUR = dt.timedelta(hours=1)
NOTHING = PermissionFilters()


def clerk_of(unit: OrgUnit, user_id: int = 99) -> Reader:
    return Reader(Scope(sees_everything=False, unit_ids=frozenset({unit.id}), party_ids=frozenset()), user_id)


def test_the_register_goes_on_after_the_last_line_of_a_page(session: Session) -> None:
    # Two of one moment: the later recorded one comes first.
    events = [make_refusal(session, said_at=CALLED_AT + hours * HOUR) for hours in (0, 1, 1, 2)]

    first = permissions_by_time(session, ALL, NOTHING, limit=2)
    second = permissions_by_time(session, ALL, NOTHING, before=first[-1].event.id, limit=2)

    assert [line.event for line in (*first, *second)] == list(reversed(events))
    assert [line.event for line in permission_lines(session, ALL, NOTHING)] == list(reversed(events))


def test_a_clerk_sees_the_numbers_of_own_subscribers_and_tickets_and_own_records(session: Session) -> None:
    unit, other = make_unit(session), make_unit(session)
    of_subscriber, of_ticket, foreign = (make_number(session) for _ in range(3))
    make_subscriber(session, number=of_subscriber, unit=unit)
    make_ticket(session, number=of_ticket, unit=unit)
    make_subscriber(session, number=foreign, unit=other)
    make_ticket(session, number=foreign, unit=other)
    for number in (of_subscriber, of_ticket, foreign):
        make_refusal(session, number=number)
    make_refusal(session, number=foreign, said_at=CALLED_AT + HOUR, actor_id=99)

    lines = permissions_by_time(session, clerk_of(unit), NOTHING)

    assert {line.event.number_id for line in lines[1:]} == {of_subscriber.id, of_ticket.id}
    assert (lines[0].event.number_id, lines[0].event.recorded_by) == (foreign.id, 99)
    assert permissions_by_time(session, Reader(Scope.nothing(), RECORDER), NOTHING) == []


def test_of_a_foreign_number_a_clerk_reaches_the_own_records_alone(session: Session) -> None:
    unit = make_unit(session)
    number = make_number(session)
    make_consent(session, number=number)
    own = make_refusal(session, number=number, said_at=CALLED_AT + HOUR, actor_id=99)

    assert not reached_number(session, clerk_of(unit), number.id).is_whole
    assert [line.event for line in words_of_number(session, clerk_of(unit), number.id, limit=9)] == [own]
    with pytest.raises(NotFoundError):
        reached_number(session, clerk_of(unit, user_id=98), number.id)


def test_an_own_number_is_reached_whole_even_if_nothing_was_said(session: Session) -> None:
    unit, number = make_unit(session), make_number(session)
    make_subscriber(session, number=number, unit=unit)

    assert reached_number(session, clerk_of(unit), number.id) == (number, True)
    with pytest.raises(NotFoundError):
        reached_number(session, ALL, 987_654_321)


def test_a_ticket_of_another_branch_is_not_named(session: Session) -> None:
    unit, number = make_unit(session), make_number(session)
    own = make_ticket(session, number=number, unit=unit)
    foreign = make_ticket(session, number=number, unit=make_unit(session))
    for hours, ticket in enumerate((own, foreign)):
        make_refusal(session, number=number, ticket_id=ticket.id, said_at=CALLED_AT + hours * HOUR)

    of_foreign, of_own = words_of_number(session, clerk_of(unit), number.id, limit=9)

    assert (of_foreign.ticket, of_foreign.source) == (None, None)
    assert (of_own.ticket, of_own.source) == (own.reference, "12321-77")


def test_filters_narrow_by_word_scope_party_and_days(session: Session) -> None:
    party, merged = make_party(session), make_party(session)
    no = make_refusal(session, party=merged)
    merge_parties(session, merged.id, into_id=party.id, reason="同一家公司", actor_id=7)
    yes = make_consent(session, scope=PermissionScope.MARKETING_SMS, said_at=CALLED_AT + 24 * HOUR)
    day = clock.china_day(CALLED_AT)

    def found(filters: PermissionFilters) -> list[int]:
        return [line.event.id for line in permissions_by_time(session, ALL, filters)]

    assert found(PermissionFilters(given=True)) == [yes.id]
    assert found(PermissionFilters(given=False)) == [no.id]
    assert found(PermissionFilters(scope=PermissionScope.MARKETING_SMS)) == [yes.id]
    assert found(PermissionFilters(party_id=party.id)) == [no.id]
    assert found(PermissionFilters(first_on=day, last_on=day)) == [no.id]
    assert found(PermissionFilters(first_on=day + dt.timedelta(days=1))) == [yes.id]
