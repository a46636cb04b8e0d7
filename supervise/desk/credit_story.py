"""The page of one credit: whom it is owed to, by which promise, for which call, what billing said, what was posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise.access.queries import display_names
from supervise.audit.models import AuditEvent
from supervise.audit.queries import events_of
from supervise.compensation.lists import REJECTIONS_FOR_SUPERVISOR
from supervise.compensation.models import (
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditCancellation,
    Undertaking,
)
from supervise.complaints.models import Incident, Subscriber, SubscriberNumber, Ticket, TicketIncident
from supervise.errors import NotFoundError
from supervise.ledger.movements import EntryRow, entries_of_facts
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope


class BatchPlace(NamedTuple):
    """A line of a batch that the credit stood in."""

    line: CreditBatchLine
    batch: CreditBatch


@dataclass(frozen=True)
class CreditStory:
    """Everything the page of a credit shows."""

    credit: Credit
    subscriber: Subscriber
    number_mask: str
    unit: str | None
    party: str | None
    undertaking: Undertaking | None
    policy: CompensationPolicy | None
    ticket: str | None
    incident: Incident | None
    #: (id, reference) of the tickets that report the call.
    tickets: tuple[tuple[int, str], ...]
    places: tuple[BatchPlace, ...]
    entries: tuple[EntryRow, ...]
    cancellations: tuple[CreditCancellation, ...]
    #: What the trail tells of this credit alone, the newest first.
    events: tuple[AuditEvent, ...]
    names: dict[int, str]

    @property
    def is_supervisors_case(self) -> bool:
        """Say whether billing has rejected it so often that a supervisor must look (domain 4.9)."""
        return self.credit.rejections >= REJECTIONS_FOR_SUPERVISOR


def credit_story(session: Session, scope: Scope, credit_id: int) -> CreditStory:
    """Return the story of a credit.

    Raises:
        NotFoundError: if there is none, or it lies outside the scope.
    """
    row: Any = session.execute(scope.limit(_credit_with_names(credit_id), unit=Credit.unit_id)).one_or_none()
    if row is None:
        raise NotFoundError
    credit: Credit = row[0]
    cancellations = tuple(
        session.scalars(
            select(CreditCancellation).where(CreditCancellation.credit_id == credit_id).order_by(CreditCancellation.id)
        )
    )
    places = batch_places(session, credit_id)
    events = tuple(events_of(session, "credit", credit_id))
    people = {credit.maker_id, credit.approver_id} | {event.actor_id for event in events}
    people |= {person for wish in cancellations for person in (wish.proposed_by, wish.decided_by)}
    people |= {place.line.returned_by for place in places} | {place.batch.frozen_by for place in places}
    facts: tuple[Any, ...] = (
        *row,
        _tickets(session, credit.incident_id),
        places,
        entries_of_credit(session, credit_id, places),
        cancellations,
        events,
        display_names(session, people),
    )
    return CreditStory(*facts)


def _credit_with_names(credit_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Credit,
            Subscriber,
            SubscriberNumber.number_mask,
            OrgUnit.name,
            Party.name,
            Undertaking,
            CompensationPolicy,
            Ticket.reference,
            Incident,
        )
        .join(Subscriber, Subscriber.id == Credit.subscriber_id)
        .join(SubscriberNumber, SubscriberNumber.id == Credit.number_id)
        .outerjoin(OrgUnit, OrgUnit.id == Credit.unit_id)
        .outerjoin(Party, Party.id == Credit.party_id)
        .outerjoin(Undertaking, Undertaking.id == Credit.undertaking_id)
        .outerjoin(CompensationPolicy, CompensationPolicy.id == Credit.policy_id)
        .outerjoin(Ticket, Ticket.id == Credit.ticket_id)
        .outerjoin(Incident, Incident.id == Credit.incident_id)
        .where(Credit.id == credit_id)
    )


def batch_places(session: Session, credit_id: int) -> tuple[BatchPlace, ...]:
    """Return where the credit stands or stood, the oldest batch first."""
    query = (
        select(CreditBatchLine, CreditBatch)
        .join(CreditBatch, CreditBatch.id == CreditBatchLine.batch_id)
        .where(CreditBatchLine.credit_id == credit_id)
        .order_by(CreditBatchLine.id)
    )
    return tuple(BatchPlace._make(row) for row in session.execute(query))


def entries_of_credit(session: Session, credit_id: int, places: Sequence[BatchPlace]) -> tuple[EntryRow, ...]:
    """Return what was posted for the credit, in the order of posting: approval, sending, answers, reversals."""
    keys = [f"credit:approved:{credit_id}"]
    for place in places:
        keys += [
            f"credit:sent:{place.batch.id}:{credit_id}",
            f"credit:accepted:{place.line.id}",
            f"credit:rejected:{place.line.id}",
        ]
    return tuple(entries_of_facts(session, keys))


def _tickets(session: Session, incident_id: int | None) -> tuple[tuple[int, str], ...]:
    if incident_id is None:
        return ()
    query = (
        select(Ticket.id, Ticket.reference)
        .join(TicketIncident, TicketIncident.ticket_id == Ticket.id)
        .where(TicketIncident.incident_id == incident_id)
        .order_by(Ticket.id)
    )
    return tuple((row.id, row.reference) for row in session.execute(query))


class AccountHead(NamedTuple):
    """Whose credits a statement lists."""

    subscriber: Subscriber
    number_mask: str
    unit: str | None


def account_head(session: Session, scope: Scope, subscriber_id: int) -> AccountHead:
    """Return the head of a subscriber's statement.

    Raises:
        NotFoundError: if there is no such subscriber, or the account's branch lies outside the scope.
    """
    query = (
        select(Subscriber, SubscriberNumber.number_mask, OrgUnit.name)
        .join(SubscriberNumber, SubscriberNumber.id == Subscriber.number_id)
        .outerjoin(OrgUnit, OrgUnit.id == Subscriber.unit_id)
        .where(Subscriber.id == subscriber_id)
    )
    row: Any = session.execute(scope.limit(query, unit=Subscriber.unit_id)).one_or_none()
    if row is None:
        raise NotFoundError
    return AccountHead._make(row)
