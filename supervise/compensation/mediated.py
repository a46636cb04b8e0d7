"""What was agreed in a mediation becomes an undertaking: drafted here, agreed to by a second person (domain F85)."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.models import CallUnit, CreditNature, Undertaking
from supervise.compensation.promises import Terms, draft_undertaking
from supervise.complaints.dispute_models import Mediation
from supervise.complaints.subscribers import holders_at
from supervise.complaints.ticket_objections import locked_ticket
from supervise.errors import ConflictError
from supervise.labels import N_

#: A lump sum is due once; the promise of it need not bind the number for longer.
_PERIOD = dt.timedelta(days=1)


class NothingAgreedError(ConflictError):
    """There is no amount, or it was promised already."""

    message = N_("No mediation of this ticket ended with an amount that is still to be promised")


class NobodyHoldsError(ConflictError):
    """A credit needs somebody who gets it."""

    message = N_("Nobody is registered as the holder of the ticket's number; register the subscriber first")


def promise_agreed_amount(session: Session, ticket_id: int, *, version: int, actor_id: int) -> Undertaking:
    """Draft the undertaking of what a mediation of the ticket agreed, once; its lump sum is proposed as any other.

    Source: docs/rules.md, O-3.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        NothingAgreedError: if nothing is to be promised.
        NobodyHoldsError: if nobody holds the number now.
        OverlappingUndertakingError: if another one is in force: end it first, or promise more in its place.
    """
    ticket = locked_ticket(session, ticket_id, version)
    mediation = session.scalar(
        select(Mediation)
        .where(Mediation.ticket_id == ticket_id, Mediation.agreed_fen > 0, Mediation.undertaking_id.is_(None))
        .order_by(Mediation.id)
        .limit(1)
    )
    if mediation is None or mediation.agreed_fen is None:
        raise NothingAgreedError
    number_id, now = ticket.number_id, clock.now()
    holders = holders_at(session, [(number_id, now)]) if number_id is not None else {}
    if not holders:
        raise NobodyHoldsError
    [subscriber] = holders.values()
    undertaking = draft_undertaking(
        session,
        subscriber.id,
        Terms(now, now + _PERIOD, 0, CallUnit.ATTEMPTED, None, CreditNature.COMPENSATION),
        lump_fen=mediation.agreed_fen,
        text=mediation.outcome,
        ticket_id=ticket_id,
        actor_id=actor_id,
    )
    mediation.undertaking_id = undertaking.id
    ticket.version += 1
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="mediation.promised",
        subject="ticket",
        subject_id=ticket_id,
        changes={"undertaking_id": undertaking.id, "amount_fen": mediation.agreed_fen},
    )
    return undertaking
