"""What tickets and incidents must agree on; read only, each check returns the ids that do not hold."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.complaints.models import Ticket, TicketStep


def tickets_against_steps(session: Session) -> Sequence[int]:
    """Return tickets whose state is not the one that their last step led to; a ticket without a step is new."""
    last = select(TicketStep.ticket_id, func.max(TicketStep.id).label("step_id")).group_by(TicketStep.ticket_id)
    newest = last.subquery()
    query = (
        select(Ticket.id)
        .join(newest, newest.c.ticket_id == Ticket.id)
        .join(TicketStep, TicketStep.id == newest.c.step_id)
        .where(TicketStep.to_state != Ticket.state)
    )
    return session.scalars(query.order_by(Ticket.id)).all()
