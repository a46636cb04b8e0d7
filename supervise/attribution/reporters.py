"""Thresholds of reporters: how many different subscribers make a number or a party *suspected* (domain F46, B12).

Suspected is a mark for people. Nothing here finds an offence or charges anybody.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import CHARGEABLE_VERDICTS, IncidentVerdict
from supervise.attribution.proof_models import CountedPer, ReporterThreshold
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentState
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.officials import official_uses_at


class Suspicion(NamedTuple):
    """So many different subscribers had a confirmed incident within the days of the threshold."""

    subscribers: int
    threshold: ReporterThreshold


def reporter_thresholds(session: Session) -> Sequence[ReporterThreshold]:
    """Return all thresholds, per number before per party, the newest first."""
    query = select(ReporterThreshold).order_by(ReporterThreshold.counted_per, ReporterThreshold.valid_from.desc())
    return session.scalars(query).all()


def threshold_on(session: Session, counted_per: CountedPer, on: dt.date) -> ReporterThreshold | None:
    """Return the threshold in force on a day."""
    query = select(ReporterThreshold).where(
        ReporterThreshold.counted_per == counted_per,
        ReporterThreshold.valid_from <= on,
        or_(ReporterThreshold.valid_to.is_(None), ReporterThreshold.valid_to > on),
    )
    return session.scalars(query.order_by(ReporterThreshold.valid_from.desc())).first()


def suspected_numbers(session: Session, numbers: Collection[str], on: dt.date) -> dict[str, Suspicion]:
    """Return which of these calling numbers are suspected on a day, by number.

    Counted are different subscribers with a confirmed incident: not reports, not tickets, not incidents. An official
    number is no suspect: many dial from it, anybody may show it, and the record of each call says who it was.
    """
    threshold = threshold_on(session, CountedPer.NUMBER, on)
    officials = official_uses_at(session, {(number, on) for number in numbers})
    suspects = {number for number in numbers if (number, on) not in officials}
    if threshold is None or not suspects:
        return {}
    query = (
        select(Incident.caller_number, func.count(Incident.number_id.distinct()))
        .where(Incident.caller_number.in_(suspects), *_counted(threshold, on))
        .group_by(Incident.caller_number)
    )
    rows = session.execute(query).all()
    return {
        number: Suspicion(subscribers, threshold)
        for number, subscribers in rows
        if number is not None and subscribers >= threshold.subscribers
    }


def suspected_parties(session: Session, party_ids: Collection[int], on: dt.date) -> dict[int, Suspicion]:
    """Return which of these parties are suspected on a day, by id: of the incidents that they answer for."""
    threshold = threshold_on(session, CountedPer.PARTY, on)
    if threshold is None or not party_ids:
        return {}
    query = (
        select(IncidentVerdict.party_id, func.count(Incident.number_id.distinct()))
        .join(Incident, Incident.id == IncidentVerdict.incident_id)
        .where(
            IncidentVerdict.party_id.in_(party_ids),
            IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS),
            *_counted(threshold, on),
        )
        .group_by(IncidentVerdict.party_id)
    )
    rows = session.execute(query).all()
    return {
        party_id: Suspicion(subscribers, threshold)
        for party_id, subscribers in rows
        if party_id is not None and subscribers >= threshold.subscribers
    }


def _counted(threshold: ReporterThreshold, on: dt.date) -> tuple[ColumnElement[bool], ...]:
    return (
        Incident.state == IncidentState.CONFIRMED,
        Incident.occurred_on > on - dt.timedelta(days=threshold.within_days),
        Incident.occurred_on <= on,
    )


def set_reporter_threshold(
    session: Session,
    *,
    counted_per: CountedPer,
    subscribers: int,
    within_days: int,
    legal_note: str,
    valid_from: dt.date,
    actor_id: int,
) -> ReporterThreshold:
    """Set the threshold from *valid_from* on; the one before it ends there.

    Raises:
        InvalidInputError: if a figure is not above zero, or the note is empty.
        BackDatedError: if *valid_from* lies before today, or a threshold begins at or after it.
    """
    if subscribers <= 0 or within_days <= 0:  # also CHECKs of the table
        raise InvalidInputError(N_("A threshold is above zero: at least one subscriber within at least one day"))
    if not legal_note.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say by which rule or whose decision the threshold holds"))
    take_turn(session, "reporter thresholds")
    query = select(ReporterThreshold).where(
        ReporterThreshold.counted_per == counted_per,
        or_(ReporterThreshold.valid_to.is_(None), ReporterThreshold.valid_to > valid_from),
    )
    earlier = session.scalars(query).all()
    if valid_from < clock.today() or any(row.valid_from >= valid_from for row in earlier):
        raise BackDatedError
    for row in earlier:
        row.valid_to = valid_from
    made = ReporterThreshold(
        counted_per=counted_per,
        subscribers=subscribers,
        within_days=within_days,
        legal_note=legal_note.strip(),
        valid_from=valid_from,
    )
    session.add(made)
    session.flush()
    facts: dict[str, object] = {"counted_per": counted_per, "subscribers": subscribers, "within_days": within_days}
    _record(session, "reporter_threshold.set", made.id, facts | {"valid_from": valid_from}, actor_id)
    return made


def end_reporter_threshold(session: Session, threshold_id: int, *, valid_to: dt.date, actor_id: int) -> None:
    """Suspect nobody by this threshold from *valid_to* on.

    Raises:
        NotFoundError: if there is no such threshold, or it has an end.
        BackDatedError: if *valid_to* lies before today, or not after the beginning.
    """
    row = session.get(ReporterThreshold, threshold_id, with_for_update=True)
    if row is None or row.valid_to is not None:
        raise NotFoundError
    if valid_to < clock.today() or valid_to <= row.valid_from:
        raise BackDatedError
    row.valid_to = valid_to
    session.flush()
    facts = {"counted_per": row.counted_per, "valid_to": valid_to}
    _record(session, "reporter_threshold.ended", row.id, facts, actor_id)


def reporter_threshold_by_id(session: Session, threshold_id: int) -> ReporterThreshold:
    """Return one threshold.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(ReporterThreshold, threshold_id)
    if row is None:
        raise NotFoundError
    return row


def _record(session: Session, action: str, threshold_id: int, changes: Mapping[str, object], actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="reporter_threshold",
        subject_id=threshold_id,
        changes=changes,
    )
