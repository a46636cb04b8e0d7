"""Pushes: who gets what, who may fetch and acknowledge it, and from when a party counts as told."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.cipher import Keyring
from supervise.donotcall.held import Asked
from supervise.donotcall.models import PermissionScope
from supervise.donotcall.push import (
    AcknowledgedError,
    DownloadReasonMissingError,
    GraceError,
    PushedNumber,
    acknowledge_push,
    fetch_numbers,
    push_refusals,
    remind_silent,
)
from supervise.donotcall.push_models import PushDelivery, PushEntry
from supervise.donotcall.push_queries import told_before
from supervise.errors import NotFoundError
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.penalties.merge_parties import merge_parties
from tests.factories.access import make_user
from tests.factories.complaints import CALLED_AT, make_number
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.parties import give_scope, make_party, make_unit, unit_party

CALLS = PermissionScope.MARKETING_CALLS
#: A Tuesday at ten, in China; one working day of grace ends with the Wednesday.
PUSHED_AT = dt.datetime(2026, 10, 20, 2, tzinfo=dt.UTC)
DEEMED_AT = dt.datetime(2026, 10, 21, 16, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
INSTANT = dt.timedelta(microseconds=1)


def push(session: Session, at: dt.datetime = PUSHED_AT) -> int | None:
    with clock.pretending(at):
        return push_refusals(session, grace_days=1, actor_id=7).push_id


def delivery_to(session: Session, party: Party) -> PushDelivery:
    return session.scalars(sa.select(PushDelivery).where(PushDelivery.party_id == party.id)).one()


def acknowledge(session: Session, party: Party, at: dt.datetime) -> None:
    with clock.pretending(at):
        acknowledge_push(session, delivery_to(session, party).id, Scope.everything(), told="外呼系统", actor_id=7)


def test_what_entered_the_register_goes_once_to_every_branch_and_partner(session: Session) -> None:
    no, partner, branch = make_refusal(session), make_party(session), unit_party(session, make_unit(session))

    first, second = push(session), push(session, PUSHED_AT + HOUR)

    assert session.execute(sa.select(PushEntry.event_id, PushEntry.push_id)).all() == [(no.id, first)]
    assert second is None
    for party in (partner, branch):
        assert (delivery_to(session, party).sent_at, delivery_to(session, party).deemed_at) == (PUSHED_AT, DEEMED_AT)


def test_a_no_to_one_party_or_one_taken_back_is_not_pushed(session: Session) -> None:
    party, number = make_party(session), make_number(session)
    make_refusal(session, party=party)
    make_refusal(session, number=number)
    make_consent(session, number=number, said_at=CALLED_AT + HOUR)

    assert push(session) is None


def test_who_joins_later_gets_what_was_pushed_before(session: Session) -> None:
    make_refusal(session)
    made = push(session)
    late = make_party(session)

    push(session, PUSHED_AT + HOUR)

    assert delivery_to(session, late).push_id == made
    assert delivery_to(session, late).sent_at == PUSHED_AT + HOUR


@pytest.mark.parametrize("days", [0, 31])
def test_a_grace_that_is_none_is_refused(session: Session, days: int) -> None:
    with pytest.raises(GraceError):
        push_refusals(session, grace_days=days, actor_id=7)


def test_a_party_counts_as_told_from_its_acknowledgement_on(session: Session) -> None:
    number, party, other = make_number(session), make_party(session), make_party(session)
    make_refusal(session, number=number)
    made = push(session)
    acknowledge(session, party, PUSHED_AT + HOUR)

    moments = (PUSHED_AT + HOUR - INSTANT, PUSHED_AT + HOUR)
    early, after = told_before(session, [Asked(number.id, CALLS, party.id, at) for at in moments])
    [stranger] = told_before(session, [Asked(number.id, CALLS, other.id, PUSHED_AT + HOUR)])

    assert (early, stranger) == (None, None)
    assert after == (made, party.id, PUSHED_AT + HOUR, True)


def test_silence_or_a_late_acknowledgement_counts_from_the_end_of_the_grace(session: Session) -> None:
    number, silent, late = make_number(session), make_party(session), make_party(session)
    make_refusal(session, number=number)
    made = push(session)
    acknowledge(session, late, DEEMED_AT + HOUR)

    asked = [Asked(number.id, CALLS, one.id, at) for one in (silent, late) for at in (DEEMED_AT - INSTANT, DEEMED_AT)]

    assert told_before(session, asked) == [
        None,
        (made, silent.id, DEEMED_AT, False),
        None,
        (made, late.id, DEEMED_AT, False),
    ]


def test_a_later_consent_ends_what_was_pushed(session: Session) -> None:
    number, party = make_number(session), make_party(session)
    make_refusal(session, number=number)
    push(session)
    make_consent(session, number=number, party=party, said_at=DEEMED_AT + HOUR)

    asked = [Asked(number.id, CALLS, party.id, DEEMED_AT + hours * HOUR) for hours in (1, 2)]

    # What is said as the call comes does not hold for that call.
    assert [told is not None for told in told_before(session, asked)] == [True, False]


def test_a_push_to_a_party_is_one_to_the_party_it_was_merged_into(session: Session) -> None:
    number, old = make_number(session), make_party(session)
    make_refusal(session, number=number)
    push(session)
    into = make_party(session)
    merge_parties(session, old.id, into_id=into.id, reason="同一家公司", actor_id=7)

    [told] = told_before(session, [Asked(number.id, CALLS, into.id, DEEMED_AT)])

    assert told is not None
    assert told.party_id == old.id


def test_the_recipient_fetches_full_numbers_and_nobody_else(session: Session, keyring: Keyring) -> None:
    number, party, other = make_number(session, digits="13800138000"), make_party(session), make_party(session)
    make_refusal(session, number=number)
    push(session)
    contact = make_user(session, role=Role.PARTNER_CONTACT)
    give_scope(session, user_id=contact.id, party=party)
    scope = Scope.of(session, contact)
    own, foreign = delivery_to(session, party), delivery_to(session, other)

    fetched = fetch_numbers(session, keyring, own.id, scope, reason="装入外呼系统", actor_id=contact.id)

    assert fetched == [PushedNumber("13800138000", CALLS)]
    assert own.downloaded_by == contact.id
    with pytest.raises(NotFoundError):
        fetch_numbers(session, keyring, foreign.id, scope, reason="装入外呼系统", actor_id=contact.id)
    with pytest.raises(NotFoundError):
        acknowledge_push(session, foreign.id, scope, told="外呼系统", actor_id=contact.id)
    with pytest.raises(DownloadReasonMissingError):
        fetch_numbers(session, keyring, own.id, scope, reason=" ", actor_id=contact.id)


def test_a_push_is_acknowledged_once(session: Session) -> None:
    make_refusal(session)
    party = make_party(session)
    push(session)
    acknowledge(session, party, PUSHED_AT + HOUR)

    with pytest.raises(AcknowledgedError):
        acknowledge(session, party, PUSHED_AT + 2 * HOUR)


def test_the_database_keeps_an_acknowledgement_as_it_is(session: Session) -> None:
    make_refusal(session)
    party = make_party(session)
    push(session)
    acknowledge(session, party, PUSHED_AT + HOUR)

    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(sa.update(PushDelivery).values(acknowledged_at=PUSHED_AT))


def test_the_silent_are_reminded_once_a_day_until_the_grace_has_passed(session: Session) -> None:
    make_refusal(session)
    party, prompt = make_party(session), make_party(session)
    push(session)
    acknowledge(session, prompt, PUSHED_AT + HOUR)

    for at in (PUSHED_AT + 24 * HOUR, PUSHED_AT + 25 * HOUR, DEEMED_AT):
        with clock.pretending(at):
            remind_silent(session, clock.today())

    session.expire_all()
    assert (delivery_to(session, party).reminders, delivery_to(session, prompt).reminders) == (1, 0)
