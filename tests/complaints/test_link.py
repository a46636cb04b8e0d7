import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.complaints.link import (
    AlreadyLinkedError,
    LastTicketError,
    OtherSubscriberError,
    VerifiedError,
    clear_duplicate_flag,
    duplicate_candidates,
    link_incident,
    living_ids,
    merge_incidents,
    merged_into,
    unlink_incident,
)
from supervise.complaints.models import Incident, IncidentFlag, IncidentState, LinkHow, TicketIncident
from supervise.errors import NotFoundError
from tests.factories.complaints import CALLED_AT, link_ticket, make_incident, make_number, make_ticket


def links(session: Session, incident: Incident) -> list[TicketIncident]:
    query = sa.select(TicketIncident).where(TicketIncident.incident_id == incident.id)
    return list(session.scalars(query.order_by(TicketIncident.ticket_id)))


def test_a_person_links_a_ticket_to_a_known_incident(session: Session) -> None:
    number = make_number(session)
    incident, ticket = make_incident(session, number=number), make_ticket(session, number=number)

    link_incident(session, ticket.id, incident.id, reason="same call, other clock", actor_id=7)

    link = links(session, incident)[-1]
    assert (link.ticket_id, link.how, link.linked_by) == (ticket.id, LinkHow.LINKED, 7)
    with pytest.raises(AlreadyLinkedError):
        link_incident(session, ticket.id, incident.id, reason="again", actor_id=7)


def test_tickets_of_another_subscriber_are_never_linked(session: Session) -> None:
    incident = make_incident(session, number=make_number(session))
    ticket, anonymous = make_ticket(session, number=make_number(session)), make_ticket(session)

    for stranger in (ticket, anonymous):
        with pytest.raises(OtherSubscriberError):
            link_incident(session, stranger.id, incident.id, reason="alike", actor_id=7)


def test_a_wrong_link_is_undone_but_not_the_last_one(session: Session) -> None:
    number = make_number(session)
    incident, ticket = make_incident(session, number=number), make_ticket(session, number=number)
    link_ticket(session, ticket=ticket, incident=incident)

    unlink_incident(session, ticket.id, incident.id, reason="another call", actor_id=7)

    [last] = links(session, incident)
    with pytest.raises(LastTicketError):
        unlink_incident(session, last.ticket_id, incident.id, reason="too", actor_id=7)
    with pytest.raises(NotFoundError):
        unlink_incident(session, ticket.id, incident.id, reason="twice", actor_id=7)


def test_merging_moves_every_ticket_to_the_one_incident(session: Session) -> None:
    number = make_number(session)
    into = make_incident(session, number=number)
    merged = make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=12))
    merged.flags = [IncidentFlag.PROBABLE_DUPLICATE.value]
    both = make_ticket(session, number=number)
    for incident in (into, merged):
        link_ticket(session, ticket=both, incident=incident)

    merge_incidents(session, merged.id, into.id, reason="same call", actor_id=7)

    assert (merged.state, merged.merged_into_id, merged.flags) == (IncidentState.MERGED, into.id, [])
    assert links(session, merged) == []
    assert len(links(session, into)) == 3


def test_a_call_that_is_merged_takes_along_what_was_merged_into_it(session: Session) -> None:
    number = make_number(session)
    lives, middle, first = (
        make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=late)) for late in (0, 5, 9)
    )

    merge_incidents(session, first.id, middle.id, reason="same call", actor_id=7)
    merge_incidents(session, middle.id, lives.id, reason="same call", actor_id=7)

    assert merged_into(session, [lives.id]) == {first.id: lives.id, middle.id: lives.id}
    assert living_ids(session, [first.id, middle.id, lives.id]) == {lives.id}


def test_what_was_verified_is_not_merged_away(session: Session) -> None:
    number = make_number(session)
    into = make_incident(session, number=number)
    later = CALLED_AT + dt.timedelta(minutes=5)
    merged = make_incident(session, number=number, occurred_at=later, state=IncidentState.CONFIRMED)

    with pytest.raises(VerifiedError):
        merge_incidents(session, merged.id, into.id, reason="same call", actor_id=7)


def test_incidents_of_two_subscribers_are_never_merged(session: Session) -> None:
    one, other = (make_incident(session, number=make_number(session)) for _ in range(2))
    anonymous = make_incident(session)

    for pair in ((one, other), (anonymous, one), (one, one)):
        with pytest.raises(OtherSubscriberError):
            merge_incidents(session, pair[0].id, pair[1].id, reason="alike", actor_id=7)


def test_a_merged_incident_is_gone_for_every_further_step(session: Session) -> None:
    number = make_number(session)
    into = make_incident(session, number=number)
    merged = make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=5))
    merge_incidents(session, merged.id, into.id, reason="same call", actor_id=7)

    with pytest.raises(NotFoundError):
        merge_incidents(session, merged.id, into.id, reason="again", actor_id=7)
    with pytest.raises(NotFoundError):
        link_incident(session, make_ticket(session, number=number).id, merged.id, reason="late", actor_id=7)


def test_the_candidates_of_a_probable_duplicate_are_shown_and_it_can_be_kept_apart(session: Session) -> None:
    number = make_number(session)
    first = make_incident(session, number=number)
    second = make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=8))
    doubtful = make_incident(session, number=number, occurred_at=CALLED_AT + dt.timedelta(minutes=4))
    doubtful.flags = [IncidentFlag.PROBABLE_DUPLICATE.value]

    candidates = duplicate_candidates(session, doubtful)
    clear_duplicate_flag(session, doubtful.id, reason="three calls indeed", actor_id=7)

    assert candidates == [first, second]
    assert doubtful.flags == []
    with pytest.raises(NotFoundError):
        clear_duplicate_flag(session, doubtful.id, reason="again", actor_id=7)
