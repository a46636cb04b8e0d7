"""What was agreed in a mediation becomes an undertaking: drafted here, agreed to by a second person (domain F85)."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.models import CallUnit, CreditNature, PromiseState, Undertaking
from supervise.compensation.promises import Terms, draft_undertaking
from supervise.complaints.dispute_models import Mediation
from supervise.complaints.models import Ticket
from supervise.complaints.subscribers import holders_at
from supervise.complaints.ticket_objections import locked_ticket
from supervise.errors import ConflictError, NotFoundError
from supervise.labels import N_

#: A lump sum is due once: the promise of it needs a period, but not one that anything else could begin in.
_PERIOD = dt.timedelta(seconds=1)


class NothingAgreedError(ConflictError):
    """There is no amount, or it was promised already."""

    message = N_("No mediation of this ticket ended with an amount that is still to be promised")


class StillPromisedError(ConflictError):
    """An amount is promised once."""

    message = N_("The amount is promised already: %(reference)s")


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
    """
    ticket = locked_ticket(session, ticket_id, version)
    mediation = session.scalar(
        select(Mediation)
        .where(Mediation.ticket_id == ticket_id, Mediation.agreed_fen > 0, Mediation.undertaking_id.is_(None))
        .order_by(Mediation.id)
        .limit(1)
    )
    if mediation is None:
        raise NothingAgreedError
    return _draft(session, ticket, mediation, "mediation.promised", actor_id)


def promise_anew(session: Session, ticket_id: int, mediation_id: int, *, version: int, actor_id: int) -> Undertaking:
    """Draft again what a mediation agreed, after the draft of it was turned down or taken back.

    Source: docs/rules.md, O-3.

    Raises:
        NotFoundError: if there is no such mediation of the ticket.
        ConflictError: if the ticket changed since *version*.
        NothingAgreedError: if no amount was agreed, or none was ever drafted.
        StillPromisedError: if the draft waits, or was agreed to.
        NobodyHoldsError: if nobody holds the number now.
    """
    ticket = locked_ticket(session, ticket_id, version)
    mediation = session.get(Mediation, mediation_id, populate_existing=True)
    if mediation is None or mediation.ticket_id != ticket_id:
        raise NotFoundError
    if mediation.undertaking_id is None:
        raise NothingAgreedError
    draft = session.get_one(Undertaking, mediation.undertaking_id, populate_existing=True)
    if draft.given_up_at is None:  # also the trigger of migration 0046
        raise StillPromisedError(reference=draft.reference)
    return _draft(session, ticket, mediation, "mediation.promised_anew", actor_id)


def _draft(session: Session, ticket: Ticket, mediation: Mediation, action: str, actor_id: int) -> Undertaking:
    if mediation.agreed_fen is None:
        raise NothingAgreedError
    number_id, now = ticket.number_id, clock.now()
    holders = holders_at(session, [(number_id, now)]) if number_id is not None else {}
    if not holders:
        raise NobodyHoldsError
    [subscriber] = holders.values()
    starts_at = _free_from(session, subscriber.number_id, now)
    undertaking = draft_undertaking(
        session,
        subscriber.id,
        Terms(starts_at, starts_at + _PERIOD, 0, CallUnit.ATTEMPTED, None, CreditNature.COMPENSATION),
        lump_fen=mediation.agreed_fen,
        text=mediation.outcome,
        ticket_id=ticket.id,
        actor_id=actor_id,
    )
    mediation.undertaking_id = undertaking.id
    ticket.version += 1
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="ticket",
        subject_id=ticket.id,
        changes={"undertaking_id": undertaking.id, "amount_fen": mediation.agreed_fen},
    )
    return undertaking


def _free_from(session: Session, number_id: int, now: dt.datetime) -> dt.datetime:
    """Return when the promise can begin: now, or just before what is promised for the number's calls already."""
    agreed = select(Undertaking.starts_at).where(
        Undertaking.number_id == number_id, Undertaking.state != PromiseState.DRAFT
    )
    starts_at = now
    while True:
        in_the_way = agreed.where(
            Undertaking.starts_at < starts_at + _PERIOD,
            Undertaking.ends_at.is_(None) | (Undertaking.ends_at > starts_at),
        )
        other = session.scalar(in_the_way.order_by(Undertaking.starts_at).limit(1))
        if other is None:
            return starts_at
        starts_at = other - _PERIOD
