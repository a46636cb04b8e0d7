"""Dated proof, as of the call, that an offence was worse: what a rule's aggravations need (domain F49)."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.record_words import china_time
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import ThresholdRow, threshold_periods
from supervise.bulk import slices
from supervise.complaints.models import IncidentKind, Precision
from supervise.contracts.rules import AggravationCode
from supervise.donotcall.held import SCOPE_OF_KIND, Asked, before, permissions_at
from supervise.donotcall.push_queries import told_before
from supervise.labels import N_
from supervise.parties.models import OfficialNumber
from supervise.penalties.pricing import Ground

_ACKNOWLEDGED = N_("The number was in push %(push)s, which the party acknowledged on %(at)s.")
_DEEMED = N_(
    "The number was in push %(push)s, which counts as delivered from %(at)s: nobody had acknowledged it in time."
)


class CallFacts(NamedTuple):
    """What is known of a call that may have been worse; *caller_id* is the party that called."""

    incident_id: int
    kind: IncidentKind
    occurred_at: dt.datetime
    occurred_on: dt.date
    precision: Precision
    caller_number: str | None
    number_id: int | None
    caller_id: int


def grounds_of(session: Session, calls: Collection[CallFacts]) -> dict[int, tuple[Ground, ...]]:
    """Return the grounds of each incident, in a fixed number of queries for any number of calls."""
    found: dict[int, list[Ground]] = {call.incident_id: [] for call in calls}
    if not calls:
        return {}
    for incident_id, ground in (
        *_after_refusal(session, calls),
        *_after_push(session, calls),
        *_at_night(session, calls),
        *_from_official_number(session, calls),
    ):
        found[incident_id].append(ground)
    return {incident_id: tuple(grounds) for incident_id, grounds in found.items()}


def _ground(code: AggravationCode, says: str, **facts: Any) -> Ground:
    return Ground(code, {"says": says, "facts": facts})


def _after_refusal(session: Session, calls: Iterable[CallFacts]) -> Iterable[tuple[int, Ground]]:
    """The word that held just before the call was no, to the party or to everyone; of a day, before that day."""
    known = [call for call in calls if call.number_id is not None]
    asked = [
        Asked(call.number_id or 0, SCOPE_OF_KIND[call.kind], call.caller_id, before(call.occurred_at)) for call in known
    ]
    for call, word in zip(known, permissions_at(session, asked), strict=True):
        if word is not None and not word.given:
            says = N_("A refusal of %(at)s is on record (entry %(event)s).")
            yield (
                call.incident_id,
                _ground(AggravationCode.AFTER_REFUSAL, says, at=china_time(word.said_at), event=word.id),
            )


def _after_push(session: Session, calls: Iterable[CallFacts]) -> Iterable[tuple[int, Ground]]:
    """The number had been pushed to the party that called, and that had reached it; of a day, as the day began."""
    known = [call for call in calls if call.number_id is not None]
    asked = [Asked(call.number_id or 0, SCOPE_OF_KIND[call.kind], call.caller_id, call.occurred_at) for call in known]
    for call, told in zip(known, told_before(session, asked), strict=True):
        if told is not None:
            facts = {"push": told.push_id, "at": china_time(told.delivered_at)}
            says = _ACKNOWLEDGED if told.is_acknowledged else _DEEMED
            yield call.incident_id, _ground(AggravationCode.AFTER_PUSH, says, **facts)


def _at_night(session: Session, calls: Iterable[CallFacts]) -> Iterable[tuple[int, Ground]]:
    """Calls only, and only where the time is known; by the hours that were in force on the day."""
    timed = [call for call in calls if call.kind is IncidentKind.CALL and call.precision is not Precision.DAY]
    if not timed:
        return
    periods = [row for row in threshold_periods(session) if row.kind is WatchKind.CALL_HOURS]
    for call in timed:
        hours = _hours_on(periods, call.occurred_on)
        if hours is None or hours.from_minute is None or hours.to_minute is None:
            continue
        begun = call.occurred_at.astimezone(clock.CHINA)
        if not hours.from_minute <= begun.hour * 60 + begun.minute < hours.to_minute:
            says = N_("The call began at %(at)s; allowed were %(start)s to %(end)s (threshold %(threshold)s).")
            facts = {
                "at": china_time(call.occurred_at),
                "start": _of_day(hours.from_minute),
                "end": _of_day(hours.to_minute),
                "threshold": hours.id,
            }
            yield call.incident_id, _ground(AggravationCode.NIGHT, says, **facts)


def _hours_on(periods: Iterable[ThresholdRow], day: dt.date) -> ThresholdRow | None:
    return next(
        (row for row in periods if row.valid_from <= day and (row.valid_to is None or day < row.valid_to)), None
    )


def _of_day(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _from_official_number(session: Session, calls: Iterable[CallFacts]) -> Iterable[tuple[int, Ground]]:
    numbered = [call for call in calls if call.caller_number is not None]
    declared: dict[str, list[OfficialNumber]] = {}
    for some in slices(sorted({call.caller_number or "" for call in numbered})):
        query = select(OfficialNumber).where(OfficialNumber.digits.in_(some)).order_by(OfficialNumber.id)
        for row in session.scalars(query):
            declared.setdefault(row.digits, []).append(row)
    for call in numbered:
        official = _declared_on(declared, call)
        if official is not None:
            says = N_("%(number)s has been an official number since %(day)s (declaration %(declaration)s).")
            facts = {"number": official.digits, "day": official.valid_from.isoformat(), "declaration": official.id}
            yield call.incident_id, _ground(AggravationCode.OFFICIAL_NUMBER, says, **facts)


def _declared_on(declared: Mapping[str, list[OfficialNumber]], call: CallFacts) -> OfficialNumber | None:
    return next(
        (
            row
            for row in declared.get(call.caller_number or "", ())
            if row.valid_from <= call.occurred_on and (row.valid_to is None or call.occurred_on < row.valid_to)
        ),
        None,
    )
