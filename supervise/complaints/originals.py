"""What a complainant wrote and is called: kept encrypted, shown one at a time, to who says why, and recorded."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.complaints.models import Incident, LinkHow, Ticket, TicketIncident
from supervise.complaints.subscribers import ReasonMissingError
from supervise.errors import NotFoundError
from supervise.labels import N_, LabelledEnum

#: The action of the audit trail; its changes say ``what`` was shown.
ACTION = "original.revealed"


class Original(LabelledEnum):
    """What can be shown; pages carry a mask of it, or nothing."""

    COMPLAINANT = "complainant", N_("Complainant's name")
    #: The complaint before numbers in it were masked.
    WORDS = "words", N_("Original words")
    #: The text of an SMS before numbers in it were masked.
    MESSAGE = "message", N_("Original text of the message")


class NothingMaskedError(NotFoundError):
    """Nothing is hidden: what the page shows is all there is."""

    message = N_("There is no more than the page shows")


class UnreadableOriginalError(NotFoundError):
    """The call was taken off the ticket that reported it, with whose reference the text was encrypted."""

    message = N_("The original cannot be read any more: the ticket that reported it is no longer linked to this call")


def reveal_complainant(session: Session, keyring: Keyring, ticket_id: int, *, reason: str, actor_id: int) -> str:
    """Return the name of the complainant and record who looked and why.

    Raises:
        ReasonMissingError: without a reason.
        NothingMaskedError: if no name is known.
        NotFoundError: if there is no such ticket.
    """
    ticket = _ticket(session, ticket_id)
    return _reveal_of_ticket(
        session, keyring, ticket, ticket.complainant_cipher, Original.COMPLAINANT, reason=reason, actor_id=actor_id
    )


def reveal_words(session: Session, keyring: Keyring, ticket_id: int, *, reason: str, actor_id: int) -> str:
    """Return the complaint as it was written and record who looked and why.

    Raises:
        ReasonMissingError: without a reason.
        NothingMaskedError: if nothing in it was masked.
        NotFoundError: if there is no such ticket.
    """
    ticket = _ticket(session, ticket_id)
    return _reveal_of_ticket(
        session, keyring, ticket, ticket.content_cipher, Original.WORDS, reason=reason, actor_id=actor_id
    )


def reveal_message(session: Session, keyring: Keyring, incident_id: int, *, reason: str, actor_id: int) -> str:
    """Return the text of an SMS as it was reported and record who looked and why.

    Raises:
        ReasonMissingError: without a reason.
        NothingMaskedError: if nothing in it was masked.
        UnreadableOriginalError: if the ticket that reported it is not known any more.
        NotFoundError: if there is no such incident.
    """
    incident = session.get(Incident, incident_id)
    if incident is None:
        raise NotFoundError
    if incident.sms_cipher is None:
        raise NothingMaskedError
    _record(session, "incident", incident_id, Original.MESSAGE, reason=reason, actor_id=actor_id)
    for reference in _references(session, incident):
        try:
            return keyring.decrypt(incident.sms_cipher, "incident.sms_cipher", reference)
        except ValueError:
            # Bound to the ticket that reported it first; this one came later.
            continue
    raise UnreadableOriginalError


def _ticket(session: Session, ticket_id: int) -> Ticket:
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        raise NotFoundError
    return ticket


def _reveal_of_ticket(
    session: Session,
    keyring: Keyring,
    ticket: Ticket,
    cipher: bytes | None,
    what: Original,
    *,
    reason: str,
    actor_id: int,
) -> str:
    if cipher is None:
        raise NothingMaskedError
    _record(session, "ticket", ticket.id, what, reason=reason, actor_id=actor_id)
    column = {Original.COMPLAINANT: "complainant_cipher", Original.WORDS: "content_cipher"}[what]
    return keyring.decrypt(cipher, f"ticket.{column}", ticket.reference)


def _references(session: Session, incident: Incident) -> Iterator[str]:
    """Yield the references of the tickets that may have reported *incident*, the likeliest first."""
    links = (
        select(Ticket.reference)
        .join(TicketIncident, TicketIncident.ticket_id == Ticket.id)
        .where(TicketIncident.incident_id == (incident.merged_into_id or incident.id))
        .order_by(TicketIncident.how != LinkHow.REPORTED, Ticket.id)
    )
    yield from session.scalars(links)
    if incident.number_id is not None:
        yield from session.scalars(select(Ticket.reference).where(Ticket.number_id == incident.number_id))


def _record(session: Session, subject: str, subject_id: int, what: Original, *, reason: str, actor_id: int) -> None:
    if not reason.strip():
        raise ReasonMissingError
    record_event(
        session,
        actor_id=actor_id,
        action=ACTION,
        subject=subject,
        subject_id=subject_id,
        changes={"what": what.value},
        reason=reason.strip(),
    )
