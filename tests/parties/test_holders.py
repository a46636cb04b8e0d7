"""Who held a number at a moment."""

import datetime as dt

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.holders import holders_at, neighbours
from supervise.parties.models import NumberHolder, PartyStatus
from supervise.parties.numbers import correct_period, end_holding, enter_number, hand_over, hold
from supervise.parties.periods import in_words
from supervise.parties.refusals import (
    HolderOverlapError,
    NotHeldError,
    NotPortError,
    NumberTakenError,
    PeriodOrderError,
    TerminatedPartyError,
)
from supervise.phone import NumberClass, NumberingPlan, PhoneError
from tests.factories.parties import make_holder, make_number, make_party

NOON = dt.datetime(2026, 3, 5, 12, 0, tzinfo=clock.CHINA).astimezone(dt.UTC)
SECOND = dt.timedelta(seconds=1)


def test_the_moment_of_a_hand_over_belongs_to_the_new_holder(session: Session) -> None:
    old, new = make_party(session, name="旧"), make_party(session, name="新")
    holder = make_holder(session, party=old, digits="02988880000")

    hand_over(session, number_id=holder.number_id, party_id=new.id, at=NOON, source="交接单", actor_id=1)

    found = holders_at(session, [("02988880000", NOON - SECOND), ("02988880000", NOON)])
    assert found["02988880000", NOON - SECOND].party_id == old.id
    assert found["02988880000", NOON].party_id == new.id


def test_a_number_that_nobody_holds_is_left_out(session: Session) -> None:
    make_holder(session, party=make_party(session), digits="02988880000", held_to=NOON)

    assert holders_at(session, [("02988880000", NOON), ("02988889999", NOON)]) == {}


def test_a_port_is_found_by_its_longest_prefix_that_somebody_held(session: Session) -> None:
    platform, client = make_party(session, name="平台"), make_party(session, name="客户")
    make_holder(session, party=platform, number=make_number(session, digits="10690000", is_prefix=True))
    sub_port = make_number(session, digits="1069000012", is_prefix=True)
    make_holder(session, party=client, number=sub_port, held_to=NOON)

    before, after = ("106900001234567890", NOON - SECOND), ("106900001234567890", NOON)
    found = holders_at(session, [before, after])

    assert (found[before].party_id, found[before].digits) == (client.id, "1069000012")
    assert (found[after].party_id, found[after].digits) == (platform.id, "10690000")


def test_a_port_that_is_no_prefix_holds_for_itself_alone(session: Session) -> None:
    make_holder(session, party=make_party(session), number=make_number(session, digits="10690000"))

    found = holders_at(session, [("10690000", NOON), ("106900001", NOON)])

    assert set(found) == {("10690000", NOON)}


def test_a_merged_party_is_named_by_the_one_it_lives_on_in(session: Session) -> None:
    old, new = make_party(session, name="拓见东莞"), make_party(session, name="拓见")
    make_holder(session, party=old)
    old.merged_into_id = new.id

    assert holders_at(session, [("02988880000", NOON)])["02988880000", NOON].party_id == new.id


def test_neighbours_are_the_last_before_and_the_first_after(session: Session) -> None:
    number = make_number(session)
    first, second, third = (make_party(session, name=name) for name in "甲乙丙")
    day = dt.timedelta(days=1)
    make_holder(session, party=first, number=number, held_to=NOON - 9 * day)
    make_holder(session, party=second, number=number, held_from=NOON - 9 * day, held_to=NOON - day)
    make_holder(session, party=third, number=number, held_from=NOON + day)

    found = neighbours(session, number.digits, NOON)

    assert found.before is not None
    assert found.after is not None
    assert (found.before.party_id, found.after.party_id) == (second.id, third.id)


def test_a_lookup_of_many_numbers_takes_few_queries(session: Session) -> None:
    party = make_party(session)
    numbers = [f"029{place:08d}" for place in range(6_000)]
    make_holder(session, party=party, digits=numbers[5_999])

    found = holders_at(session, [(digits, NOON) for digits in numbers])

    assert [digits for digits, _at in found] == [numbers[5_999]]


def test_two_holders_at_a_time_are_refused_in_words(session: Session) -> None:
    holder = make_holder(session, party=make_party(session, name="宏鼎"), held_to=NOON)

    with pytest.raises(HolderOverlapError) as refusal:
        hold(
            session,
            number_id=holder.number_id,
            party_id=make_party(session).id,
            held_from=NOON - SECOND,
            source="声明",
            actor_id=1,
        )

    assert refusal.value.parameters["name"] == "宏鼎"
    assert refusal.value.parameters["end"] == in_words(NOON)


def test_the_next_holder_may_begin_at_the_end_of_the_one_before(session: Session) -> None:
    holder = make_holder(session, party=make_party(session), held_to=NOON)

    following = hold(
        session,
        number_id=holder.number_id,
        party_id=make_party(session).id,
        held_from=NOON,
        source="声明",
        actor_id=1,
    )

    assert following.held_to is None


def test_the_database_refuses_a_second_holder_whoever_writes(session: Session) -> None:
    holder = make_holder(session, party=make_party(session), held_to=NOON)
    second = NumberHolder(
        number_id=holder.number_id,
        party_id=holder.party_id,
        held_from=NOON - SECOND,
        source="绕过界面",
        recorded_at=NOON,
    )

    session.add(second)
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_the_database_refuses_to_stretch_a_period_into_the_next(session: Session) -> None:
    holder = make_holder(session, party=make_party(session), held_to=NOON)
    following = NumberHolder(
        number_id=holder.number_id, party_id=holder.party_id, held_from=NOON, source="交接单", recorded_at=NOON
    )
    session.add(following)
    session.flush()

    stretch = update(NumberHolder).where(NumberHolder.id == holder.id).values(held_to=NOON + SECOND)
    with pytest.raises(IntegrityError):
        session.execute(stretch)
    session.rollback()


def test_a_hand_over_keeps_the_end_that_was_agreed(session: Session) -> None:
    end = NOON + dt.timedelta(days=30)
    holder = make_holder(session, party=make_party(session), held_to=end)

    new = hand_over(
        session, number_id=holder.number_id, party_id=make_party(session).id, at=NOON, source="交接单", actor_id=1
    )

    assert (holder.held_to, new.held_to) == (NOON, end)


def test_a_number_that_nobody_holds_is_not_handed_over(session: Session) -> None:
    number = make_number(session)

    with pytest.raises(NotHeldError):
        hand_over(session, number_id=number.id, party_id=make_party(session).id, at=NOON, source="x", actor_id=1)


def test_a_corrected_period_leaves_the_old_one_in_the_trail(session: Session) -> None:
    holder = make_holder(session, party=make_party(session), held_from=NOON)

    correct_period(
        session,
        holder.id,
        held_from=NOON - SECOND,
        held_to=NOON + SECOND,
        reason="合同日期录错",
        version=1,
        actor_id=1,
    )

    event = session.execute(text("SELECT action, reason, changes FROM audit_event ORDER BY id DESC LIMIT 1")).one()
    assert (event.action, event.reason) == ("phone_number.period_corrected", "合同日期录错")
    assert str(NOON) in str(event.changes)
    assert str(NOON - SECOND) in str(event.changes)
    assert (holder.held_from, holder.held_to, holder.version) == (NOON - SECOND, NOON + SECOND, 2)


def test_a_correction_into_the_next_holder_is_refused(session: Session) -> None:
    number = make_number(session)
    holder = make_holder(session, party=make_party(session), number=number, held_to=NOON)
    make_holder(session, party=make_party(session), number=number, held_from=NOON)

    with pytest.raises(HolderOverlapError):
        correct_period(session, holder.id, held_from=holder.held_from, held_to=None, reason="x", version=1, actor_id=1)


def test_a_period_never_ends_before_it_begins(session: Session) -> None:
    holder = make_holder(session, party=make_party(session), held_from=NOON)

    with pytest.raises(PeriodOrderError):
        end_holding(session, holder.id, at=NOON, reason=None, actor_id=1)


def test_a_terminated_party_takes_no_number(session: Session) -> None:
    party = make_party(session, status=PartyStatus.TERMINATED)

    with pytest.raises(TerminatedPartyError):
        hold(session, number_id=make_number(session).id, party_id=party.id, held_from=NOON, source="x", actor_id=1)


@pytest.mark.parametrize(
    ("text_", "number_class"),
    [
        ("029-8888 0000", NumberClass.LANDLINE),
        ("+86 138-0013-8000", NumberClass.MOBILE),
        ("10690000", NumberClass.PORT_106),
        ("95588", NumberClass.SERVICE_95),
        ("170 0013 8000", NumberClass.VIRTUAL),
    ],
)
def test_the_class_of_a_number_follows_from_its_digits(session: Session, text_: str, number_class: NumberClass) -> None:
    assert enter_number(session, text=text_, actor_id=1).number_class is number_class


def test_a_foreign_number_is_entered_as_given(session: Session) -> None:
    number = enter_number(session, text="2025550143", plan=NumberingPlan.OTHER, actor_id=1)

    assert (number.digits, number.number_class) == ("2025550143", NumberClass.OTHER)


def test_a_number_is_entered_once(session: Session) -> None:
    make_number(session, digits="02988880000")

    with pytest.raises(NumberTakenError):
        enter_number(session, text="029 8888 0000", actor_id=1)


def test_only_a_106_port_stands_for_longer_numbers(session: Session) -> None:
    with pytest.raises(NotPortError):
        enter_number(session, text="95588", is_prefix=True, actor_id=1)


def test_a_landline_that_lost_its_zero_is_refused(session: Session) -> None:
    with pytest.raises(PhoneError):
        enter_number(session, text="2988880000", actor_id=1)
