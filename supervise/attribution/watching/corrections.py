"""What was corrected in the registers behind a finding: such days are looked through again (domain F34, F46).

The audit trail tells of each change, in its own transaction, from which day to which it holds. A register that is kept
up to date, from today on, makes no past day due; a holder, worker or refusal that was entered late does.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Select, String, cast, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Subscriber
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.evidence.models import RecordKind

#: A change is told by a moment before its commit; a day that was looked through so soon after is done once more.
LATE_COMMIT = dt.timedelta(minutes=5)
_DAY = dt.timedelta(days=1)
_INSTANT = dt.timedelta(microseconds=1)


def _of(*records: RecordKind) -> frozenset[Irregularity]:
    return frozenset(kind for kind, basis in BASES.items() if basis.records in records)


_EVERY = frozenset(Irregularity)
_BY_NUMBER = _of(RecordKind.CALLS, RecordKind.MESSAGES)
_BY_STAFF = _of(RecordKind.CALLS, RecordKind.ORDERS)
_BY_CHANNEL = _of(RecordKind.ORDERS)
_BY_OFFICIAL = frozenset({Irregularity.NUMBER_BURST, Irregularity.NUMBER_ROTATION, Irregularity.UNOFFICIAL_NUMBER})
_BY_PLAN = frozenset({Irregularity.PLAN_UNPUBLISHED, Irregularity.PLAN_NOT_ON_CHANNEL, Irregularity.PLAN_UNKNOWN})
_BY_CAPABILITY = frozenset({Irregularity.NO_PERMISSION})
_BY_WORD = frozenset({Irregularity.AFTER_REFUSAL})

#: Which kinds read what the action changes; what is not here is behind no finding. Refusals and consents carry their
#: own moments: a ticket may bring many of them, and one event.
CONCERNED: Mapping[str, frozenset[Irregularity]] = {
    "phone_number.held": _BY_NUMBER,
    "phone_number.holding_ended": _BY_NUMBER,
    "phone_number.period_corrected": _BY_NUMBER,
    "official_number.declared": _BY_OFFICIAL,
    "official_number.ended": _BY_OFFICIAL,
    "official_number.corrected": _BY_OFFICIAL,
    "staff_number.assigned": _BY_STAFF,
    "staff_number.ended": _BY_STAFF,
    "staff_number.corrected": _BY_STAFF,
    "sales_channel.assigned": _BY_CHANNEL,
    "sales_channel.ended": _BY_CHANNEL,
    "sales_channel.corrected": _BY_CHANNEL,
    "plan.published": _BY_PLAN,
    "plan.ended": _BY_PLAN,
    "plan.corrected": _BY_PLAN,
    "party.capability_granted": _BY_CAPABILITY,
    "party.capability_ended": _BY_CAPABILITY,
    "party.capability_corrected": _BY_CAPABILITY,
    "subscriber.created": _BY_WORD,
    "subscriber.ended": _BY_WORD,
    "subscriber.corrected": _BY_WORD,
    # These lead to another party, or to the branch whose managers see the line.
    "party.related": _EVERY,
    "party.relation_ended": _EVERY,
    "party.relation_corrected": _EVERY,
    "party.merged": _EVERY,
    "org_unit.merged": _EVERY,
}
_STARTS = ("valid_from", "held_from", "merged_on")
_ENDS = ("valid_to", "held_to")
#: Other values of these make a row another one in its whole period, which a correction does not tell.
_DECISIVE: Mapping[str, frozenset[str]] = {
    "sales_channel.corrected": frozenset({"party_id", "channel_kind"}),
    "plan.corrected": frozenset({"channel_kinds", "channel_codes"}),
    "subscriber.corrected": frozenset({"account_ref"}),
    "party.merged": frozenset({"merged_into_id"}),
}


class Days(NamedTuple):
    """China days, half-open."""

    first: dt.date
    end: dt.date


class Corrected(NamedTuple):
    """Days for which a register says otherwise since a moment."""

    days: Days
    at: dt.datetime


_ALL_DAYS = Days(dt.date.min, dt.date.max)


class Corrections:
    """What was corrected, by kind of irregularity."""

    def __init__(self, corrected: Mapping[Irregularity, list[Corrected]]) -> None:
        self._corrected = corrected

    def concern(self, kind: Irregularity, days: Days, computed_at: dt.datetime) -> bool:
        """Say whether what a kind read of these days, and was computed then, may have come out otherwise since."""
        return any(
            one.days.first < days.end and days.first < one.days.end and one.at + LATE_COMMIT > computed_at
            for one in self._corrected.get(kind, ())
        )


def corrections_since(session: Session, since: dt.datetime) -> Corrections:
    """Return what was corrected since, as the audit trail tells; and what was said of numbers and recorded since."""
    by_kinds: dict[frozenset[Irregularity], list[Corrected]] = defaultdict(list)
    for action, changes, at in session.execute(_told_since(since - LATE_COMMIT)):
        days = _days_of(action, changes or {})
        if days is not None:
            by_kinds[CONCERNED[action]].append(Corrected(days, at))
    spoken = select(PermissionEvent.said_at, PermissionEvent.recorded_at).where(
        PermissionEvent.scope == PermissionScope.MARKETING_CALLS, PermissionEvent.recorded_at >= since - LATE_COMMIT
    )
    for said_at, recorded_at in session.execute(spoken):
        by_kinds[_BY_WORD].append(Corrected(Days(clock.china_day(said_at), dt.date.max), recorded_at))
    corrected: dict[Irregularity, list[Corrected]] = defaultdict(list)
    for kinds, found in by_kinds.items():
        together = list(_together(found))
        for kind in kinds:
            corrected[kind] += together
    return Corrections(corrected)


def _told_since(since: dt.datetime) -> Select[str, dict[str, Any] | None, dt.datetime]:
    # Whose number it was matters only where something was said of the number.
    spoken_of = select(cast(Subscriber.id, String)).where(
        Subscriber.number_id.in_(
            select(PermissionEvent.number_id).where(PermissionEvent.scope == PermissionScope.MARKETING_CALLS)
        )
    )
    return select(AuditEvent.action, AuditEvent.changes, AuditEvent.at).where(
        AuditEvent.at >= since,
        AuditEvent.action.in_(sorted(CONCERNED)),
        or_(AuditEvent.subject != "subscriber", AuditEvent.subject_id.in_(spoken_of)),
    )


def _days_of(action: str, changes: Mapping[str, Any]) -> Days | None:
    """Return the days for which a register says otherwise; None if it changed nothing that watching reads."""
    if _DECISIVE.get(action, frozenset()) & changes.keys():
        return _ALL_DAYS
    starts = [value for name in _STARTS for value in _told(changes, name)]
    ends = [value for name in _ENDS for value in _told(changes, name)]
    known = [value for value in starts + ends if value is not None]
    if not known:
        return None
    is_open = None in ends or not (ends or any(isinstance(changes.get(name), list) for name in _STARTS))
    # The words of whoever held a number bind every later day.
    if is_open or CONCERNED[action] == _BY_WORD:
        return Days(min(map(_day, known)), dt.date.max)
    return Days(min(map(_day, known)), max(map(_day_after, known)))


def _told(changes: Mapping[str, Any], name: str) -> list[str | None]:
    """Return a date or a moment, as it was and as it is where both are told."""
    if name not in changes:
        return []
    value = changes[name]
    return list(value) if isinstance(value, list) else [value]


def _day(text: str) -> dt.date:
    moment = dt.datetime.fromisoformat(text)
    return moment.date() if moment.tzinfo is None else clock.china_day(moment)


def _day_after(text: str) -> dt.date:
    """Return the first day that a period which ends then does not touch."""
    moment = dt.datetime.fromisoformat(text)
    return moment.date() if moment.tzinfo is None else clock.china_day(moment - _INSTANT) + _DAY


def _together(found: Iterable[Corrected]) -> Iterator[Corrected]:
    """Yield days that overlap, or follow each other, as one; what was told of them last is their moment."""
    last: Corrected | None = None
    for one in sorted(found):
        if last is None or one.days.first > last.days.end:
            if last is not None:
                yield last
            last = one
        else:
            last = Corrected(Days(last.days.first, max(last.days.end, one.days.end)), max(last.at, one.at))
    if last is not None:
        yield last
