"""What joins with the records of a day: registers as of that day, as Arrow tables.

Everything is cut to the days asked about, so that an equality and at most one period lead from a record to one party.
"""

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.registers import table_of
from supervise.attribution.watch_thresholds import ThresholdRow
from supervise.complaints.models import Subscriber, SubscriberNumber
from supervise.contracts.plan_queries import PlanPeriod, plan_periods
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.evidence.codes import recorder
from supervise.evidence.models import RecordSource
from supervise.evidence.record_types import MOMENT
from supervise.parties.capability_queries import capability_periods
from supervise.parties.holders import held_between, holdings_of
from supervise.parties.models import (
    Capability,
    OfficialNumber,
    OfficialUse,
    Party,
    PartyKind,
    StaffNumber,
)
from supervise.parties.periods import holds_at, overlaps
from supervise.parties.sales_channel_queries import sales_channel_periods
from supervise.parties.sanctions import suspended_on

#: Whose worker a platform's staff number was.
DESKS = pa.schema(
    [
        ("platform", pa.string()),
        ("staff_number", pa.string()),
        ("party_id", pa.int64()),
        ("from_day", pa.date32()),
        ("to_day", pa.date32()),
    ]
)
#: Who held a calling number or a port in ``[from_at, to_at)``, and under which registered number; never two at a time.
LINES = pa.schema(
    [
        ("sender", pa.string()),
        ("registered", pa.string()),
        ("party_id", pa.int64()),
        ("from_at", MOMENT),
        ("to_at", MOMENT),
    ]
)
OFFICIALS = pa.schema([("platform", pa.string()), ("digits", pa.string())])
CHANNELS = pa.schema([("channel_code", pa.string()), ("channel_kind", pa.string()), ("party_id", pa.int64())])
#: Parties that may call for the carrier: by a capability, or because they are branches of it.
PERMITTED = pa.schema([("party_id", pa.int64())])
#: Plan codes that the catalogue has, whether they are published that day, and whether any channel may sell them.
PLANS = pa.schema([("plan", pa.string()), ("is_published", pa.bool_()), ("is_free", pa.bool_())])
#: Where a plan of that day may be sold: by code or by kind of channel.
PLAN_CHANNELS = pa.schema([("plan", pa.string()), ("channel", pa.string())])
#: What subscribers said on marketing calls, in the order in which it was said; ``account_ref``: who held the number.
WORDS = pa.schema(
    [
        ("subscriber_index", pa.string()),
        ("word_party_id", pa.int64()),
        ("given", pa.bool_()),
        ("said_at", MOMENT),
        ("said_order", pa.int64()),
        ("account_ref", pa.string()),
    ]
)
#: Who held the numbers of which something was said.
ACCOUNTS = pa.schema(
    [("subscriber_index", pa.string()), ("account_ref", pa.string()), ("held_from", MOMENT), ("held_to", MOMENT)]
)
#: The figures of the kind that is looked for; a single row.
FIGURES = pa.schema([("value", pa.int64()), ("from_minute", pa.int32()), ("to_minute", pa.int32())])

_LAST_DAY = dt.date(2200, 1, 1)
_LAST_MOMENT = clock.start_of_day(_LAST_DAY)


class Days(NamedTuple):
    """The China days that a question reads: from *first* to the one that is watched, which is the last."""

    first: dt.date
    on: dt.date

    @property
    def stop(self) -> dt.date:
        """The day after."""
        return self.on + dt.timedelta(days=1)


def figures_of(row: ThresholdRow | None) -> pa.Table:
    """Return the figures of a threshold as a table of one row (``FIGURES``)."""
    return table_of([(row.value, row.from_minute, row.to_minute) if row else (None, None, None)], FIGURES)


def desks(session: Session, days: Days) -> pa.Table:
    """Return who employed each staff number (``DESKS``)."""
    query = (
        select(
            RecordSource.code,
            StaffNumber.staff_number,
            func.coalesce(Party.merged_into_id, Party.id),
            StaffNumber.valid_from,
            func.coalesce(StaffNumber.valid_to, _LAST_DAY),
        )
        .join(RecordSource, RecordSource.carrier_code == StaffNumber.carrier_code)
        .join(Party, Party.id == StaffNumber.employer_id)
        .where(overlaps(StaffNumber.valid_from, StaffNumber.valid_to, days.first, days.stop))
    )
    recorded = recorder(session)
    return table_of(((platform, recorded(code), *rest) for platform, code, *rest in session.execute(query)), DESKS)


def lines(session: Session, senders: Collection[str], days: Days) -> pa.Table:
    """Return who held each of *senders* (``LINES``); of the beginnings of a 106 port the longest that was held."""
    held = holdings_of(session, set(senders))
    first, stop = clock.start_of_day(days.first), clock.start_of_day(days.stop)
    rows = (
        (sender, one.digits, one.party_id, start, end)
        for sender in sorted(senders)
        for one, start, end in held_between(sender, held, first, stop)
    )
    return table_of(rows, LINES)


def officials(session: Session, days: Days) -> pa.Table:
    """Return the official outbound numbers that bind each platform on the day (``OFFICIALS``)."""
    query = (
        select(RecordSource.code, OfficialNumber.digits)
        .join(RecordSource, RecordSource.carrier_code == OfficialNumber.carrier_code)
        .where(
            OfficialNumber.use == OfficialUse.OUTBOUND,
            holds_at(OfficialNumber.valid_from, OfficialNumber.valid_to, days.on),
        )
        .distinct()
    )
    return table_of(session.execute(query), OFFICIALS)


def channels(session: Session, days: Days) -> pa.Table:
    """Return to whom each channel code led on the day (``CHANNELS``)."""
    recorded = recorder(session)
    rows = (
        (recorded(one.channel_code), one.kind.value, one.party_id)
        for one in sales_channel_periods(session)
        if _holds(one.valid_from, one.valid_to, days.on)
    )
    return table_of(rows, CHANNELS)


def permitted(session: Session, days: Days) -> pa.Table:
    """Return who might call on the day (``PERMITTED``), in whatever area: a record does not say where it called.

    Whoever was suspended that day might not, whatever the register of capabilities says.
    """
    ids = {
        one.party_id
        for one in capability_periods(session)
        if one.capability is Capability.OUTBOUND_CALL and _holds(one.valid_from, one.valid_to, days.on)
    }
    ids.update(session.scalars(select(Party.id).where(Party.kind == PartyKind.ORG_UNIT)))
    return table_of(((party_id,) for party_id in sorted(ids - suspended_on(session, days.on))), PERMITTED)


def plans(session: Session, days: Days) -> tuple[pa.Table, pa.Table]:
    """Return what the catalogue says of each plan code on the day (``PLANS``), and where it allows it."""
    recorded = recorder(session)
    by_code: dict[str, PlanPeriod | None] = {}
    for one in plan_periods(session):
        present = _holds(one.published_from, one.published_to, days.on)
        code = recorded(one.code)
        by_code[code] = one if present else by_code.get(code)
    present_ones = {code: one for code, one in by_code.items() if one is not None}
    allowed = [(code, f"kind:{kind.value}") for code, one in present_ones.items() for kind in one.kinds]
    allowed += [(code, f"code:{recorded(name)}") for code, one in present_ones.items() for name in one.channel_codes]
    rows = (
        (code, one is not None, one is not None and not (one.kinds or one.channel_codes))
        for code, one in by_code.items()
    )
    return table_of(rows, PLANS), table_of(allowed, PLAN_CHANNELS)


def words(session: Session, days: Days) -> tuple[pa.Table, pa.Table]:
    """Return what was said before the day's end (``WORDS``), and who held those numbers when (``ACCOUNTS``)."""
    then = (
        select(Subscriber.account_ref)
        .where(
            Subscriber.number_id == PermissionEvent.number_id,
            Subscriber.held_from <= PermissionEvent.said_at,
            or_(Subscriber.held_to.is_(None), Subscriber.held_to > PermissionEvent.said_at),
        )
        .limit(1)
        .scalar_subquery()
    )
    before = (
        PermissionEvent.scope == PermissionScope.MARKETING_CALLS,
        PermissionEvent.said_at < clock.start_of_day(days.stop),
    )
    said = (
        select(
            SubscriberNumber.number_index,
            func.coalesce(Party.merged_into_id, Party.id),
            PermissionEvent.given,
            PermissionEvent.said_at,
            func.row_number().over(order_by=(PermissionEvent.said_at, PermissionEvent.id)),
            then,
        )
        .join(SubscriberNumber, SubscriberNumber.id == PermissionEvent.number_id)
        .outerjoin(Party, Party.id == PermissionEvent.party_id)
        .where(*before)
    )
    spoken = select(PermissionEvent.number_id).where(*before)
    held = (
        select(SubscriberNumber.number_index, Subscriber.account_ref, Subscriber.held_from, Subscriber.held_to)
        .join(SubscriberNumber, SubscriberNumber.id == Subscriber.number_id)
        .where(Subscriber.number_id.in_(spoken))
    )
    accounts = ((*row[:3], row[3] or _LAST_MOMENT) for row in session.execute(held))
    return table_of(session.execute(said), WORDS), table_of(accounts, ACCOUNTS)


def _holds(first: dt.date, end: dt.date | None, on: dt.date) -> bool:
    return first <= on and (end is None or on < end)
