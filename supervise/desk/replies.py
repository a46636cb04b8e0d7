"""Answering a ticket and closing it: with a text, a resolution code and a result for every incident."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.attribution.models import IncidentVerdict
from supervise.audit.record import record_event
from supervise.complaints.models import Ticket, TicketIncident, TicketState
from supervise.complaints.ticket_objections import answer_objection
from supervise.complaints.tickets import SOURCES, StepError, move_ticket
from supervise.desk.models import ReplyTemplate, ResolutionCode, TicketReply
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_

_REPLY_CHARS_MAX = 10_000


class NoResultError(ConflictError):
    """A ticket is not closed as "not ours": every incident has a verdict first (domain F38)."""

    message = N_("%(open)d of %(all)d incidents have no attribution result yet; decide on them first")


def reply_to_ticket(
    session: Session,
    ticket_id: int,
    body: str,
    resolution_code: str,
    *,
    version: int,
    actor_id: int,
    template_id: int | None = None,
) -> TicketReply:
    """Keep what was answered: it stops the reply clock, if it is the first, and answers an open objection.

    Each reply sets the resolution code. Numbers in the text are masked before it is stored.

    Raises:
        InvalidInputError: for an empty or far too long text, or a code that is not in use.
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*, or is closed.
    """
    words = _masked(body)
    _check_code(session, resolution_code)
    now = clock.now()
    _stop_clock(session, ticket_id, version, resolution_code, now, actor_id=actor_id)
    reply = TicketReply(
        ticket_id=ticket_id,
        template_id=template_id,
        body=words,
        resolution_code=resolution_code,
        replied_by=actor_id,
        replied_at=now,
    )
    session.add(reply)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action="ticket.answered",
        subject="ticket",
        subject_id=ticket_id,
        changes={"reply_id": reply.id, "resolution_code": resolution_code},
    )
    return reply


def _stop_clock(
    session: Session, ticket_id: int, version: int, resolution_code: str, now: dt.datetime, *, actor_id: int
) -> None:
    ticket = _locked(session, ticket_id)
    if ticket.version != version:
        raise ConflictError
    if ticket.state is TicketState.REPLIED:
        ticket.version += 1
    else:
        move_ticket(session, ticket_id, TicketState.REPLIED, actor_id=actor_id, at=now)
    ticket.first_replied_at = ticket.first_replied_at or now
    ticket.resolution_code = resolution_code
    answer_objection(session, ticket, actor_id=actor_id, at=now)


def _locked(session: Session, ticket_id: int) -> Ticket:
    ticket = session.get(Ticket, ticket_id, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFoundError
    return ticket


def _masked(body: str) -> str:
    words = phone.mask_in_text(body.strip())
    if not words or len(words) > _REPLY_CHARS_MAX:
        raise InvalidInputError(N_("A reply has 1 to %(limit)d characters"), limit=_REPLY_CHARS_MAX)
    return words


def _check_code(session: Session, code: str) -> None:
    row = session.get(ResolutionCode, code)
    if row is None or (row.retired_on is not None and row.retired_on <= clock.today()):
        raise InvalidInputError(N_("Choose how the ticket was resolved"))


def close_ticket(session: Session, ticket_id: int, *, version: int, actor_id: int) -> Ticket:
    """Close an answered ticket whose incidents all have a verdict.

    Raises:
        StepError: if it has not been answered.
        NoResultError: if an incident has no verdict, or the ticket has no incident at all.
        ConflictError: if the ticket changed since *version*.
    """
    ticket = _locked(session, ticket_id)
    if ticket.state not in SOURCES[TicketState.CLOSED]:
        raise StepError(state=ticket.state.label, to_state=TicketState.CLOSED.label)
    all_incidents, decided = session.execute(
        select(func.count(TicketIncident.id), func.count(IncidentVerdict.incident_id))
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == TicketIncident.incident_id)
        .where(TicketIncident.ticket_id == ticket_id)
    ).one()
    if all_incidents == 0:
        raise NoResultError(N_("Record the call or message that the ticket is about, and decide on it, before closing"))
    if decided < all_incidents:
        raise NoResultError(open=all_incidents - decided, all=all_incidents)
    # The CHECK on ticket wants the moment before the state.
    ticket.closed_at = clock.now()
    return move_ticket(session, ticket_id, TicketState.CLOSED, actor_id=actor_id, version=version)


def template_text(session: Session, template_id: int, ticket: Ticket) -> str:
    """Return the text of a template with its places filled: ``{reference}``, ``{received_on}``, ``{channel}``.

    Raises:
        NotFoundError: if there is no such template, or it is retired.
    """
    template = session.get(ReplyTemplate, template_id)
    if template is None or (template.retired_on is not None and template.retired_on <= clock.today()):
        raise NotFoundError
    places = {
        "{reference}": ticket.external_ref or ticket.reference,
        "{received_on}": clock.china_day(ticket.received_at).isoformat(),
        "{channel}": ticket.channel.label,
    }
    words = template.body
    for place, value in places.items():
        words = words.replace(place, value)
    return words
