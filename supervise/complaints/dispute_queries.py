"""Tickets that are not at rest: objected to, objected to again, in mediation; and what became of each."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise.complaints.dispute_models import (
    Mediation,
    MediationEvent,
    MediationState,
    TicketObjection,
    TicketObjectionState,
)


class Dispute(Enum):
    """Which unrest a view of the queue shows."""

    OBJECTED = "objected"
    AGAIN = "again"
    MEDIATION = "mediation"


class MediationLine(NamedTuple):
    """A mediation and what happened in it, the oldest first."""

    mediation: Mediation
    events: tuple[MediationEvent, ...]


def tickets_in(dispute: Dispute) -> Select[int]:
    """Return the ids of the tickets that are in *dispute* now."""
    if dispute is Dispute.MEDIATION:
        return select(Mediation.ticket_id).where(Mediation.state == MediationState.OPEN)
    objected = select(TicketObjection.ticket_id).where(TicketObjection.state == TicketObjectionState.OPEN)
    return objected.where(TicketObjection.number > 1) if dispute is Dispute.AGAIN else objected


def objections_to(session: Session, ticket_id: int) -> Sequence[TicketObjection]:
    """Return the objections to a ticket, the oldest first."""
    query = select(TicketObjection).where(TicketObjection.ticket_id == ticket_id)
    return session.scalars(query.order_by(TicketObjection.number)).all()


def mediations_of(session: Session, ticket_id: int) -> tuple[MediationLine, ...]:
    """Return the mediations of a ticket with their events, the oldest first."""
    mediations = session.scalars(select(Mediation).where(Mediation.ticket_id == ticket_id).order_by(Mediation.id)).all()
    if not mediations:
        return ()
    query = select(MediationEvent).where(MediationEvent.mediation_id.in_([one.id for one in mediations]))
    events = session.scalars(query.order_by(MediationEvent.on_day, MediationEvent.id)).all()
    return tuple(
        MediationLine(one, tuple(event for event in events if event.mediation_id == one.id)) for one in mediations
    )
