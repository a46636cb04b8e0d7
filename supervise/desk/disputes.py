"""What the timeline of a ticket tells of objections to its replies and of mediations."""

import datetime as dt
from collections.abc import Iterator, Sequence

from supervise import clock
from supervise.complaints.dispute_models import MediationState, TicketObjection, TicketObjectionState
from supervise.complaints.dispute_queries import MediationLine
from supervise.desk.timeline import Happening
from supervise.labels import N_
from supervise.money import format_yuan


def happenings_of_disputes(
    objections: Sequence[TicketObjection], mediations: Sequence[MediationLine]
) -> Iterator[Happening]:
    """Yield what happened in them, in no order."""
    for objection in objections:
        parameters = {"number": objection.number, "channel": objection.channel, "day": objection.due_on.isoformat()}
        message = N_("Objection %(number)d of the subscriber (%(channel)s), to be answered by %(day)s")
        yield Happening(objection.received_at, None, message, parameters, objection.reason, "danger")
        if objection.state is TicketObjectionState.WITHDRAWN and objection.ended_at is not None:
            message = N_("Objection %(number)d was taken back")
            yield Happening(objection.ended_at, objection.ended_by, message, parameters, objection.end_reason)
    for line in mediations:
        yield from _mediation(line)


def _mediation(line: MediationLine) -> Iterator[Happening]:
    one = line.mediation
    parameters = {"mediator": one.mediator, "case_number": one.case_number, "day": one.due_on.isoformat()}
    message = N_("%(mediator)s mediates, case %(case_number)s, until %(day)s")
    yield Happening(_noon(one.opened_on), one.recorded_by, message, parameters, tone="warning")
    for event in line.events:
        yield Happening(_noon(event.on_day), event.made_by, N_("Mediation %(case_number)s"), parameters, event.words)
    if one.ended_on is None:
        return
    ended = {**parameters, "state": one.state, "amount": format_yuan(one.agreed_fen or 0)}
    message = N_("Mediation %(case_number)s: %(state)s")
    if one.agreed_fen:
        message = N_("Mediation %(case_number)s: %(state)s, %(amount)s yuan")
    tone = "success" if one.state is MediationState.AGREED else "warning"
    yield Happening(_noon(one.ended_on), one.ended_by, message, ended, one.outcome, tone)


def _noon(day: dt.date) -> dt.datetime:
    """Return a moment of a day of which only the day is known."""
    return clock.start_of_day(day) + dt.timedelta(hours=12)
