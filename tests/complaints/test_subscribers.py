import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.complaints.models import Subscriber, SubscriberNumber
from supervise.complaints.subscribers import (
    HeldAt,
    OnlyInRecordsError,
    OverlapError,
    PeriodError,
    ReasonMissingError,
    add_subscriber,
    correct_subscriber,
    end_subscriber,
    find_number_id,
    full_numbers,
    holders_at,
    ids_of_indexes,
    number_ids,
    pseudonym,
    reveal_number,
)
from supervise.errors import ConflictError, NotFoundError
from tests.factories.complaints import make_number, make_subscriber

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOON = dt.datetime(2026, 6, 1, 4, 0, tzinfo=dt.UTC)


def test_a_number_is_stored_masked_and_encrypted_and_found_again(session: Session, keyring: Keyring) -> None:
    ids = number_ids(session, keyring, ["13912345678", "13912345678", "13912345679"])

    again = number_ids(session, keyring, ["13912345678"])
    row = session.get_one(SubscriberNumber, ids["13912345678"])
    assert again["13912345678"] == ids["13912345678"] != ids["13912345679"]
    assert row.number_mask == "139****5678"
    assert row.number_cipher is not None
    assert b"13912345678" not in row.number_cipher
    assert "13912345678" not in row.number_index
    assert find_number_id(session, keyring, "13912345678") == row.id
    assert find_number_id(session, keyring, "13900000000") is None


def test_a_full_number_is_revealed_with_a_reason_that_the_trail_keeps(session: Session, keyring: Keyring) -> None:
    number = make_number(session, digits="13912345678")

    digits = reveal_number(session, keyring, number.id, reason="call back", actor_id=7)

    assert digits == "13912345678"
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "subscriber_number.revealed")).one()
    assert (event.actor_id, event.reason, event.subject_id) == (7, "call back", str(number.id))
    assert "13912345678" not in str(event.changes)


def test_a_number_is_not_revealed_without_a_reason(session: Session, keyring: Keyring) -> None:
    number = make_number(session)

    with pytest.raises(ReasonMissingError):
        reveal_number(session, keyring, number.id, reason="  ", actor_id=7)


def test_an_unknown_number_is_not_revealed(session: Session, keyring: Keyring) -> None:
    with pytest.raises(NotFoundError):
        reveal_number(session, keyring, 999_999, reason="why", actor_id=7)


def test_the_holder_is_the_one_at_the_moment_of_the_call(session: Session) -> None:
    number = make_number(session)
    first = make_subscriber(session, number=number, held_from=NEW_YEAR, held_to=NOON)
    second = make_subscriber(session, number=number, held_from=NOON)

    just_before = HeldAt(number.id, NOON - dt.timedelta(microseconds=1))
    at_noon, too_early = HeldAt(number.id, NOON), HeldAt(number.id, NEW_YEAR - dt.timedelta(days=1))

    held = holders_at(session, [just_before, at_noon, too_early])

    assert held == {just_before: first, at_noon: second}


def test_many_holders_are_found_at_once(session: Session) -> None:
    held = [make_subscriber(session, held_from=NEW_YEAR) for _ in range(3)]
    stranger = make_number(session)

    found = holders_at(session, [(row.number_id, NOON) for row in held] + [(stranger.id, NOON)])

    assert [found[row.number_id, NOON] for row in held] == held  # type: ignore[index]
    assert len(found) == 3


def test_a_subscriber_is_registered_and_ended(session: Session, keyring: Keyring) -> None:
    row = add_subscriber(
        session,
        keyring,
        number="13912345678",
        account_ref="A1",
        unit_id=None,
        held_from=NEW_YEAR,
        source="billing",
        actor_id=7,
    )

    ended = end_subscriber(session, row.id, held_to=NOON, version=1, actor_id=7)

    assert (ended.held_to, ended.version) == (NOON, 2)
    with pytest.raises(ConflictError):
        end_subscriber(session, row.id, held_to=NOON, version=1, actor_id=7)


def test_two_holders_of_one_moment_are_refused_in_words(session: Session, keyring: Keyring) -> None:
    number = make_number(session, digits="13912345678")
    make_subscriber(session, number=number, account_ref="A1", held_from=NEW_YEAR)

    with pytest.raises(OverlapError) as refused:
        add_subscriber(
            session,
            keyring,
            number="13912345678",
            account_ref="A2",
            unit_id=None,
            held_from=NOON,
            source="billing",
            actor_id=7,
        )

    assert refused.value.parameters == {"number": "139****5678", "account": "A1"}


def test_two_holders_of_one_moment_are_refused_by_the_database(session: Session) -> None:
    number = make_number(session)
    make_subscriber(session, number=number, held_from=NEW_YEAR, held_to=NOON)

    with pytest.raises(IntegrityError), session.begin_nested():
        make_subscriber(session, number=number, held_from=NOON - dt.timedelta(seconds=1))
    later = make_subscriber(session, number=number, held_from=NOON)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.update(Subscriber).where(Subscriber.id == later.id).values(held_from=NEW_YEAR))


def test_an_empty_period_is_refused(session: Session, keyring: Keyring) -> None:
    with pytest.raises(PeriodError):
        add_subscriber(
            session,
            keyring,
            number="13912345678",
            account_ref="A1",
            unit_id=None,
            held_from=NOON,
            held_to=NOON,
            source="billing",
            actor_id=7,
        )


def correct(session: Session, row: Subscriber, *, held_from: dt.datetime = NEW_YEAR, version: int = 1) -> None:
    correct_subscriber(
        session,
        row.id,
        account_ref="A-2",
        unit_id=None,
        held_from=held_from,
        held_to=None,
        reason="账户录错",
        version=version,
        actor_id=1,
    )


def test_a_holding_is_corrected_and_the_trail_keeps_what_was(session: Session) -> None:
    row = make_subscriber(session, account_ref="A-1", held_from=NOON)

    correct(session, row)

    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "subscriber.corrected")).one()
    assert (row.account_ref, row.held_from, row.version) == ("A-2", NEW_YEAR, 2)
    assert event.reason == "账户录错"
    assert event.changes is not None
    assert event.changes["account_ref"] == ["A-1", "A-2"]


def test_a_corrected_holding_may_not_run_into_another_or_overwrite_a_colleagues(session: Session) -> None:
    number = make_number(session)
    make_subscriber(session, number=number, account_ref="A-9", held_from=NEW_YEAR, held_to=NOON)
    row = make_subscriber(session, number=number, account_ref="A-1", held_from=NOON)

    with pytest.raises(OverlapError):
        correct(session, row)
    with pytest.raises(ConflictError):
        correct(session, row, held_from=NOON, version=3)


def test_a_number_that_only_records_name_is_shown_to_nobody_until_somebody_reports_it(
    session: Session, keyring: Keyring
) -> None:
    index = keyring.blind_index("13912345678")
    [number_id] = ids_of_indexes(session, [index]).values()

    with pytest.raises(OnlyInRecordsError):
        reveal_number(session, keyring, number_id, reason="核对号码", actor_id=1)
    assert full_numbers(session, keyring, [number_id]) == {}
    assert session.get_one(SubscriberNumber, number_id).number_mask == pseudonym(index)

    assert number_ids(session, keyring, ["13912345678"]) == {"13912345678": number_id}

    assert reveal_number(session, keyring, number_id, reason="核对号码", actor_id=1) == "13912345678"
    assert session.get_one(SubscriberNumber, number_id).number_mask == "139****5678"


def test_an_index_that_is_known_already_keeps_its_number(session: Session, keyring: Keyring) -> None:
    known = number_ids(session, keyring, ["13912345678"])["13912345678"]

    assert ids_of_indexes(session, [keyring.blind_index("13912345678")]) == {keyring.blind_index("13912345678"): known}
    assert full_numbers(session, keyring, [known]) == {known: "13912345678"}
