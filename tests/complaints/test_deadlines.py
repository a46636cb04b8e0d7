import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.deadlines import (
    Deadlines,
    NoDeadlineRuleError,
    provisional_years,
    recompute_open_tickets,
)
from supervise.complaints.models import (
    CalendarDay,
    CalendarYear,
    Channel,
    DayType,
    DeadlineRule,
    TicketState,
)
from supervise.parties.models import OrgUnit, UnitKind
from tests.factories.complaints import deadline_rule, make_ticket
from tests.factories.parties import make_unit

EVE_OF_HOLIDAY = dt.datetime(2026, 9, 29, 2, 0, tzinfo=dt.UTC)


def add_rule(session: Session, *, channel: Channel | None, unit: OrgUnit | None, days: int) -> DeadlineRule:
    rule = DeadlineRule(
        channel=channel,
        unit_id=unit.id if unit else None,
        days=days,
        day_type=DayType.WORKING,
        source="河南省电信条例第三十八条",
        valid_from=dt.date(2020, 10, 1),
    )
    session.add(rule)
    session.flush()
    return rule


def test_a_ticket_of_12345_is_due_after_five_working_days(session: Session) -> None:
    due = Deadlines.load(session).due(Channel.MAYOR_12345, None, EVE_OF_HOLIDAY)

    assert due == (dt.date(2026, 10, 12), deadline_rule(session, Channel.MAYOR_12345).id, False)


def test_a_channel_without_a_rule_follows_the_national_fifteen_days(session: Session) -> None:
    due = Deadlines.load(session).due(Channel.WALK_IN, None, EVE_OF_HOLIDAY)

    assert due == (dt.date(2026, 10, 14), deadline_rule(session, None).id, False)


def test_the_day_of_receipt_is_the_day_in_china(session: Session) -> None:
    after_midnight = dt.datetime(2026, 9, 29, 16, 30, tzinfo=dt.UTC)

    due = Deadlines.load(session).due(Channel.WALK_IN, None, after_midnight)

    assert due.on == dt.date(2026, 10, 15)


@pytest.mark.parametrize(
    ("stated", "on"), [(dt.date(2026, 10, 8), dt.date(2026, 10, 8)), (dt.date(2026, 10, 20), dt.date(2026, 10, 12))]
)
def test_the_earlier_of_the_rule_and_the_stated_limit_counts(session: Session, stated: dt.date, on: dt.date) -> None:
    due = Deadlines.load(session).due(Channel.MAYOR_12345, None, EVE_OF_HOLIDAY, stated)

    assert due.on == on


def test_the_nearest_unit_up_the_tree_decides_before_the_country(session: Session) -> None:
    province = make_unit(session, kind=UnitKind.PROVINCE)
    city = make_unit(session, parent=province)
    county = make_unit(session, kind=UnitKind.COUNTY, parent=city)
    elsewhere = make_unit(session)
    of_province = add_rule(session, channel=None, unit=province, days=5)
    of_city = add_rule(session, channel=Channel.HOTLINE, unit=city, days=3)

    deadlines = Deadlines.load(session)

    day = dt.date(2026, 9, 29)
    assert deadlines.rule(Channel.HOTLINE, county.id, day) is of_city
    assert deadlines.rule(Channel.HEIMAO, county.id, day) is of_province
    assert deadlines.rule(Channel.HEIMAO, elsewhere.id, day) == deadline_rule(session, None)


def test_a_day_before_every_rule_has_no_due_date(session: Session) -> None:
    with pytest.raises(NoDeadlineRuleError):
        Deadlines.load(session).due(Channel.HOTLINE, None, dt.datetime(1999, 1, 1, tzinfo=dt.UTC))


def test_loading_a_year_makes_provisional_due_dates_definite(session: Session) -> None:
    received_at = dt.datetime(2026, 12, 30, 2, 0, tzinfo=dt.UTC)
    due = Deadlines.load(session).due(Channel.MAYOR_12345, None, received_at)
    ticket = make_ticket(session, channel=Channel.MAYOR_12345, received_at=received_at, due_on=due.on)
    ticket.due_rule_id, ticket.due_provisional = due.rule_id, due.provisional
    session.flush()
    assert provisional_years(session) == [2027]
    session.add(CalendarYear(year=2027, source="State Council", loaded_at=clock.now()))
    session.add(CalendarDay(day=dt.date(2027, 1, 1), is_working=False, note="New Year"))
    session.flush()

    changed = recompute_open_tickets(session, actor_id=7)

    session.refresh(ticket)
    assert changed == 1
    assert (due.on, ticket.due_on) == (dt.date(2027, 1, 6), dt.date(2027, 1, 7))
    assert not ticket.due_provisional
    assert provisional_years(session) == []


def test_a_ticket_that_was_answered_keeps_its_due_date(session: Session) -> None:
    ticket = make_ticket(session, channel=Channel.MAYOR_12345, state=TicketState.REPLIED, due_on=dt.date(2026, 1, 1))
    ticket.first_replied_at = ticket.received_at
    session.flush()

    recompute_open_tickets(session, actor_id=7)

    session.refresh(ticket)
    assert ticket.due_on == dt.date(2026, 1, 1)


def test_rules_say_where_they_come_from(session: Session) -> None:
    sources = session.scalars(sa.select(DeadlineRule.source)).all()

    assert len(sources) >= 8
    assert all(sources)
