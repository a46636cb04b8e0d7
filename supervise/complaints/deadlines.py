"""When a reply is due: by channel, region and day of receipt; the earlier of the rule and the stated limit."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import OPEN_TICKET_STATES, Channel, DeadlineRule, Ticket
from supervise.complaints.workdays import Calendar, load_calendar
from supervise.errors import ConflictError
from supervise.labels import N_
from supervise.parties.models import OrgUnitPlacement


class NoDeadlineRuleError(ConflictError):
    """Neither the channel nor the country has a rule for that day: the administrator must enter one."""

    message = N_("No deadline rule covers %(day)s; the administrator must enter one")


class Due(NamedTuple):
    """When the reply is due, by which rule, and whether the calendar of that year is still to come."""

    on: dt.date
    rule_id: int
    provisional: bool


class Deadlines:
    """The deadline rules, the calendar and the tree of units, read once for as many tickets as come.

    The nearest unit up the tree decides before the country; within a unit the channel's own rule before
    the rule for all channels. Source: domain R1-R19, docs/rules.md.
    """

    def __init__(
        self, rules: Sequence[DeadlineRule], calendar: Calendar, placements: Sequence[OrgUnitPlacement]
    ) -> None:
        self._rules = rules
        self._calendar = calendar
        self._placements: dict[int, list[OrgUnitPlacement]] = {}
        for placement in placements:
            self._placements.setdefault(placement.unit_id, []).append(placement)
        # A file brings thousands of tickets of few days and regions.
        self._due: dict[tuple[Channel, int | None, dt.date], Due] = {}

    @classmethod
    def load(cls, session: Session) -> "Deadlines":
        """Read everything; the tree only if a rule belongs to a unit."""
        rules = session.scalars(sa.select(DeadlineRule).order_by(DeadlineRule.id)).all()
        has_units = any(rule.unit_id is not None for rule in rules)
        placements = session.scalars(sa.select(OrgUnitPlacement)).all() if has_units else []
        return cls(rules, load_calendar(session), placements)

    def due(
        self, channel: Channel, unit_id: int | None, received_at: dt.datetime, stated_due_on: dt.date | None = None
    ) -> Due:
        """Return when the reply to a ticket is due; a stated limit counts if it is the earlier one.

        Raises:
            NoDeadlineRuleError: if no rule covers the day of receipt.
        """
        by_rule = self._due_by_rule(channel, unit_id, clock.china_day(received_at))
        if stated_due_on is not None and stated_due_on <= by_rule.on:
            return Due(stated_due_on, by_rule.rule_id, provisional=False)
        return by_rule

    def _due_by_rule(self, channel: Channel, unit_id: int | None, received_on: dt.date) -> Due:
        key = (channel, unit_id, received_on)
        if key not in self._due:
            rule = self.rule(*key)
            reached = self._calendar.add_days(received_on, rule.days, rule.day_type)
            self._due[key] = Due(reached.day, rule.id, reached.provisional)
        return self._due[key]

    def rule(self, channel: Channel, unit_id: int | None, day: dt.date) -> DeadlineRule:
        """Return the rule for a ticket of *channel* from *unit_id* received on *day*.

        Raises:
            NoDeadlineRuleError: if there is none.
        """
        valid = [rule for rule in self._rules if _covers(rule.valid_from, rule.valid_to, day)]
        for unit in (*self._upwards(unit_id, day), None):
            for wanted in (channel, None):
                for rule in valid:
                    if rule.unit_id == unit and rule.channel == wanted:
                        return rule
        raise NoDeadlineRuleError(day=day.isoformat())

    def _upwards(self, unit_id: int | None, day: dt.date) -> Iterable[int]:
        seen: set[int] = set()
        while unit_id is not None and unit_id not in seen:
            seen.add(unit_id)
            yield unit_id
            above = [p for p in self._placements.get(unit_id, ()) if _covers(p.valid_from, p.valid_to, day)]
            unit_id = above[0].parent_id if above else None


def recompute_open_tickets(session: Session, *, actor_id: int) -> int:
    """Set the due date of every open ticket anew, as after a calendar year was loaded; return how many changed.

    The due date of a ticket that was answered or is closed stays what it was.
    """
    deadlines = Deadlines.load(session)
    query = sa.select(
        Ticket.id,
        Ticket.channel,
        Ticket.unit_id,
        Ticket.received_at,
        Ticket.stated_due_on,
        Ticket.due_on,
        Ticket.due_rule_id,
        Ticket.due_provisional,
    ).where(Ticket.state.in_(OPEN_TICKET_STATES), Ticket.first_replied_at.is_(None))
    changes = []
    for row in session.execute(query):
        due = deadlines.due(row.channel, row.unit_id, row.received_at, row.stated_due_on)
        if due != (row.due_on, row.due_rule_id, row.due_provisional):
            changes.append(
                {"id": row.id, "due_on": due.on, "due_rule_id": due.rule_id, "due_provisional": due.provisional}
            )
    if changes:
        session.execute(sa.update(Ticket), changes)
    record_event(
        session,
        actor_id=actor_id,
        action="deadlines.recomputed",
        subject="deadlines",
        subject_id=None,
        changes={"tickets": len(changes)},
    )
    return len(changes)


def provisional_years(session: Session) -> list[int]:
    """Return the years in which open tickets are due provisionally, for the banner that says so."""
    year = sa.extract("year", Ticket.due_on)
    query = (
        sa.select(year)
        .where(Ticket.due_provisional, Ticket.state.in_(OPEN_TICKET_STATES))
        .group_by(year)
        .order_by(year)
    )
    return [int(found) for found in session.scalars(query)]


def _covers(first: dt.date, end: dt.date | None, day: dt.date) -> bool:
    return first <= day and (end is None or day < end)
