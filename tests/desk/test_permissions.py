"""What the subscriber had said before a call, for whoever may answer for it."""

import datetime as dt

from sqlalchemy.orm import Session

from supervise.complaints.models import IncidentKind, Precision
from supervise.desk.calls import call_stories
from supervise.desk.permissions import HeldThen
from supervise.donotcall.models import PermissionScope
from supervise.parties.scope import Scope
from tests.factories.attribution import attribute
from tests.factories.complaints import CALLED_AT, make_incident, make_number, make_ticket
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.parties import make_holder, make_party

HOUR = dt.timedelta(hours=1)
CALLER = "02988880000"


def held(session: Session, incident_id: int) -> tuple[HeldThen, ...]:
    [story] = call_stories(session, Scope.everything(), [incident_id])
    return story.permissions


def test_a_refusal_before_the_call_is_told_for_the_party_that_answers(session: Session) -> None:
    number, party = make_number(session), make_party(session, name="华信代理")
    no = make_refusal(session, number=number, party=party, said_at=CALLED_AT - HOUR)
    incident = make_incident(session, number=number)

    attribute(session, incident=incident, party=party)

    assert held(session, incident.id) == (HeldThen("华信代理", no, "华信代理"),)


def test_a_refusal_said_in_the_call_itself_is_no_refusal_before_it(session: Session) -> None:
    number = make_number(session)
    make_refusal(session, number=number, said_at=CALLED_AT)
    incident = make_incident(session, number=number)

    assert held(session, incident.id) == (HeldThen(None, None, None),)


def test_a_refusal_to_another_party_says_nothing_of_the_one_that_answers(session: Session) -> None:
    number, party, other = make_number(session), make_party(session), make_party(session)
    make_refusal(session, number=number, party=other, said_at=CALLED_AT - HOUR)
    incident = make_incident(session, number=number)

    attribute(session, incident=incident, party=party)

    assert held(session, incident.id) == (HeldThen(party.name, None, None),)


def test_an_undecided_call_asks_for_each_party_that_the_register_suggests(session: Session) -> None:
    number, party = make_number(session), make_party(session, name="华信代理")
    make_holder(session, party=party, digits=CALLER)
    yes = make_consent(session, number=number, said_at=CALLED_AT - HOUR)
    incident = make_incident(session, number=number, caller_number=CALLER)

    assert held(session, incident.id) == (HeldThen("华信代理", yes, None),)


def test_a_message_goes_by_what_was_said_of_messages(session: Session) -> None:
    number = make_number(session)
    make_consent(session, number=number, said_at=CALLED_AT - HOUR)
    no = make_refusal(session, number=number, scope=PermissionScope.MARKETING_SMS, said_at=CALLED_AT - HOUR)
    incident = make_incident(session, number=number, kind=IncidentKind.SMS)

    assert held(session, incident.id) == (HeldThen(None, no, None),)


def test_a_call_of_which_only_the_day_is_known_goes_by_the_beginning_of_the_day(session: Session) -> None:
    number = make_number(session)
    day = CALLED_AT.replace(hour=16) - 24 * HOUR
    make_refusal(session, number=number, said_at=day + HOUR)
    incident = make_incident(session, number=number, occurred_at=day, precision=Precision.DAY)

    assert held(session, incident.id) == (HeldThen(None, None, None),)


def test_of_an_unknown_subscriber_nothing_can_be_told(session: Session) -> None:
    incident = make_incident(session, ticket=make_ticket(session))

    assert held(session, incident.id) == ()
