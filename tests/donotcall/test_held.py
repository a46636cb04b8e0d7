"""What held at a moment: the party's survivor, the number's holder, and the instant before a call."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise.donotcall.held import Asked, before, permissions_at, standing_of
from supervise.donotcall.models import PermissionScope, SaidBy
from supervise.labels import use_locale
from supervise.penalties.merge_parties import merge_parties
from tests.factories.complaints import CALLED_AT, EVER_SINCE, make_number, make_subscriber
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.parties import make_party

CALLS, SMS = PermissionScope
HOUR = dt.timedelta(hours=1)


def test_a_no_to_a_party_binds_the_one_it_was_merged_into(session: Session) -> None:
    number, old, into = make_number(session), make_party(session), make_party(session)
    no = make_refusal(session, number=number, party=old)
    merge_parties(session, old.id, into_id=into.id, reason="同一家公司", actor_id=7)

    asked = [Asked(number.id, CALLS, party_id, CALLED_AT) for party_id in (old.id, into.id, make_party(session).id)]

    assert permissions_at(session, asked) == [no, no, None]


def test_what_a_former_holder_said_holds_no_more_for_the_next(session: Session) -> None:
    number = make_number(session)
    make_subscriber(session, number=number, account_ref="A1", held_to=CALLED_AT + HOUR)
    make_subscriber(session, number=number, account_ref="A2", held_from=CALLED_AT + HOUR)
    yes = make_consent(session, number=number)

    assert permissions_at(session, [Asked(number.id, CALLS, None, before(CALLED_AT + HOUR))]) == [yes]
    assert permissions_at(session, [Asked(number.id, CALLS, None, CALLED_AT + HOUR)]) == [None]


@pytest.mark.parametrize("held_to", [CALLED_AT, CALLED_AT + HOUR / 2])
def test_where_one_holder_is_not_known_the_word_holds(session: Session, held_to: dt.datetime) -> None:
    number = make_number(session)
    make_subscriber(session, number=number, held_from=EVER_SINCE, held_to=held_to)
    no = make_refusal(session, number=number)

    assert permissions_at(session, [Asked(number.id, CALLS, None, CALLED_AT + HOUR)]) == [no]


def test_what_is_said_when_the_call_comes_does_not_hold_for_that_call(session: Session) -> None:
    number = make_number(session)
    make_refusal(session, number=number)

    assert permissions_at(session, [Asked(number.id, CALLS, None, before(CALLED_AT))]) == [None]


def test_what_holds_now_is_told_for_everyone_and_for_each_party_that_was_spoken_to(session: Session) -> None:
    number, party = make_number(session), make_party(session)
    no, yes = (
        make_refusal(session, number=number, party=party),
        make_consent(session, number=number, said_at=CALLED_AT - HOUR),
    )

    everyone, of_party = standing_of(session, number.id)

    assert (everyone.party_id, dict(everyone.words)) == (None, {CALLS: yes, SMS: None})
    assert (of_party.party_id, dict(of_party.words)) == (party.id, {CALLS: no, SMS: None})


def test_a_number_that_nobody_asked_has_no_consent(session: Session) -> None:
    [everyone] = standing_of(session, make_number(session).id)

    assert dict(everyone.words) == {CALLS: None, SMS: None}


def test_how_it_was_said_is_told_in_words_and_a_source_keeps_its_own() -> None:
    with use_locale("en"):
        assert SaidBy.words_for("12321") == "Through 12321 or the regulator"
        assert SaidBy.words_for("电话中当面拒绝") == "电话中当面拒绝"
