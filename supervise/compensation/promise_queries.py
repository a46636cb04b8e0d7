"""Named reads on promises: undertakings, the general policy, and the subscribers they can be made to."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.compensation.models import CompensationPolicy, Credit, CreditState, PromiseState, Undertaking
from supervise.complaints.models import Subscriber, SubscriberNumber, Ticket
from supervise.complaints.subscribers import find_number_id
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.models import OrgUnit

PAGE = 50
_FOUND_MAX = 20
_LIVE = tuple(state for state in CreditState if state not in (CreditState.RETURNED, CreditState.CANCELLED))


class NoSuchTicketError(InvalidInputError):
    """The reference names no ticket."""

    message = N_("There is no ticket %(reference)s")


class UndertakingFilters(NamedTuple):
    """What the list is narrowed by; the empty one takes all."""

    #: Part of the reference, or a whole account.
    text: str = ""
    state: PromiseState | None = None


class UndertakingRow(NamedTuple):
    """An undertaking, to whom, and what it has cost so far."""

    undertaking: Undertaking
    account_ref: str
    number_mask: str
    unit: str | None
    credits: int
    credits_fen: int


class FoundSubscriber(NamedTuple):
    """A holder of a number, past or present."""

    subscriber: Subscriber
    number_mask: str
    unit: str | None


def undertakings_newest(
    session: Session, filters: UndertakingFilters, *, before_id: int | None = None, limit: int = PAGE
) -> Sequence[UndertakingRow]:
    """Return up to *limit* undertakings older than *before_id*, the newest first."""
    live = Credit.state.in_(_LIVE) & (Credit.undertaking_id == Undertaking.id)
    count = select(func.count(Credit.id)).where(live).scalar_subquery()
    total = select(func.coalesce(func.sum(Credit.amount_fen), 0)).where(live).scalar_subquery()
    query = (
        select(Undertaking, Subscriber.account_ref, SubscriberNumber.number_mask, OrgUnit.name, count, total)
        .join(Subscriber, Subscriber.id == Undertaking.subscriber_id)
        .join(SubscriberNumber, SubscriberNumber.id == Undertaking.number_id)
        .join(OrgUnit, OrgUnit.id == Subscriber.unit_id, isouter=True)
        .order_by(Undertaking.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(Undertaking.id < before_id)
    if filters.state is not None:
        query = query.where(Undertaking.state == filters.state)
        if filters.state is PromiseState.DRAFT:
            query = query.where(Undertaking.given_up_at.is_(None))
    if filters.text:
        words = filters.text.strip()
        query = query.where(
            or_(Undertaking.reference.contains(words.upper(), autoescape=True), Subscriber.account_ref == words)
        )
    return [UndertakingRow._make((*row[:5], int(row[5]))) for row in session.execute(query)]


def undertaking_by_id(session: Session, undertaking_id: int) -> Undertaking:
    """Return one undertaking.

    Raises:
        NotFoundError: if there is none.
    """
    undertaking = session.get(Undertaking, undertaking_id)
    if undertaking is None:
        raise NotFoundError
    return undertaking


def credits_of_undertaking(session: Session, undertaking_id: int, *, limit: int = 200) -> Sequence[Credit]:
    """Return the credits under an undertaking, returned and cancelled ones too, the newest first."""
    query = select(Credit).where(Credit.undertaking_id == undertaking_id).order_by(Credit.id.desc())
    return session.scalars(query.limit(limit)).all()


def all_policies(session: Session) -> Sequence[CompensationPolicy]:
    """Return every general policy, drafts too, the newest first; a handful of rows."""
    return session.scalars(
        select(CompensationPolicy).order_by(CompensationPolicy.starts_at.desc(), CompensationPolicy.id.desc())
    ).all()


def undertakings_by_id(session: Session, undertaking_ids: Collection[int]) -> dict[int, Undertaking]:
    """Return these undertakings, given-up drafts too, by id."""
    if not undertaking_ids:
        return {}
    rows = session.scalars(select(Undertaking).where(Undertaking.id.in_(undertaking_ids)))
    return {row.id: row for row in rows}


def policy_by_id(session: Session, policy_id: int) -> CompensationPolicy:
    """Return one general policy.

    Raises:
        NotFoundError: if there is none.
    """
    policy = session.get(CompensationPolicy, policy_id)
    if policy is None:
        raise NotFoundError
    return policy


def subscriber_with_mask(session: Session, subscriber_id: int) -> FoundSubscriber:
    """Return one subscriber with the masked number.

    Raises:
        NotFoundError: if there is none.
    """
    rows = _found(session, Subscriber.id == subscriber_id)
    if not rows:
        raise NotFoundError
    return rows[0]


def find_subscribers(
    session: Session, keyring: Keyring, *, number: str | None, account_ref: str
) -> Sequence[FoundSubscriber]:
    """Return the holders of a full *number* (normalised digits), or of an account, the present one first.

    The number is looked up by its blind index; it stands nowhere in plain.
    """
    if number is None:
        return _found(session, Subscriber.account_ref == account_ref)
    number_id = find_number_id(session, keyring, number)
    return [] if number_id is None else _found(session, Subscriber.number_id == number_id)


def _found(session: Session, condition: object) -> list[FoundSubscriber]:
    query = (
        select(Subscriber, SubscriberNumber.number_mask, OrgUnit.name)
        .join(SubscriberNumber, SubscriberNumber.id == Subscriber.number_id)
        .join(OrgUnit, OrgUnit.id == Subscriber.unit_id, isouter=True)
        .where(condition)  # type: ignore[arg-type]
        .order_by(Subscriber.held_from.desc(), Subscriber.id.desc())
        .limit(_FOUND_MAX)
    )
    return [FoundSubscriber._make(row) for row in session.execute(query)]


def ticket_id_of(session: Session, reference: str) -> int:
    """Return the id of the ticket with our *reference*.

    Raises:
        NoSuchTicketError: if there is none.
    """
    ticket_id = session.scalar(select(Ticket.id).where(Ticket.reference == reference.strip().upper()))
    if ticket_id is None:
        raise NoSuchTicketError(reference=reference)
    return ticket_id
