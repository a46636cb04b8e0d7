"""What a call earns: domain.md 7.2, with its numbers."""

import datetime as dt

import pytest

from supervise.clock import CHINA
from supervise.compensation.models import CallUnit
from supervise.compensation.pricing import Call, NothingOwedError, Promise, credit_for_call, explain_in_words
from supervise.complaints.models import IncidentKind, Precision
from supervise.labels import use_locale

START = dt.datetime(2026, 3, 1, 9, 0, tzinfo=CHINA)


def promise(
    *,
    ends_at: dt.datetime | None = None,
    per_call_fen: int = 5000,
    call_unit: CallUnit = CallUnit.ATTEMPTED,
    calls_per_day_max: int | None = None,
) -> Promise:
    return Promise("CN202603-00001", START, ends_at, per_call_fen, call_unit, calls_per_day_max)


def call(
    at: dt.datetime = START + dt.timedelta(days=1),
    *,
    kind: IncidentKind = IncidentKind.CALL,
    precision: Precision = Precision.SECOND,
    answered: bool | None = True,
) -> Call:
    return Call(kind, at, precision, answered)


def total_fen(calls: list[Call], terms: Promise) -> int:
    """Credit *calls* in turn, as a proposal does, counting those of each China day."""
    total, days = 0, dict[dt.date, int]()
    for one in calls:
        day = one.occurred_at.astimezone(CHINA).date()
        try:
            total += credit_for_call(one, terms, days.get(day, 0))["amount_fen"]
        except NothingOwedError:
            continue
        days[day] = days.get(day, 0) + 1
    return total


def test_example_7_2_1_four_answered_calls_after_the_start_earn_200_yuan() -> None:
    calls = [call(START + dt.timedelta(days=day)) for day in range(1, 5)]

    assert total_fen(calls, promise(call_unit=CallUnit.ANSWERED)) == 200_00


def test_example_7_2_2_only_answered_calls_after_the_start_earn_150_yuan() -> None:
    before = call(START - dt.timedelta(hours=1))
    answered = [call(START + dt.timedelta(hours=hour)) for hour in range(3)]
    missed = [call(START + dt.timedelta(days=2, hours=hour), answered=False) for hour in range(2)]

    calls = [before, *answered, *missed]

    assert total_fen(calls, promise(call_unit=CallUnit.ANSWERED)) == 150_00
    assert total_fen(calls, promise(call_unit=CallUnit.ATTEMPTED)) == 250_00


def test_example_7_2_3_two_calls_a_day_are_credited_at_most() -> None:
    calls = [
        call(START + dt.timedelta(days=day, minutes=minute))
        for day, count in enumerate((5, 1, 3), start=1)
        for minute in range(count)
    ]

    assert total_fen(calls, promise(calls_per_day_max=2)) == 250_00


def test_a_call_at_the_very_start_earns() -> None:
    assert credit_for_call(call(START), promise(), 0)["amount_fen"] == 5000


def test_a_call_a_second_before_the_start_earns_nothing_and_says_why() -> None:
    with use_locale("en"), pytest.raises(NothingOwedError, match="before CN202603-00001 began on 2026-03-01"):
        credit_for_call(call(START - dt.timedelta(seconds=1)), promise(), 0)


def test_a_call_at_the_end_earns_nothing() -> None:
    end = START + dt.timedelta(days=30)

    with use_locale("en"), pytest.raises(NothingOwedError, match="had ended"):
        credit_for_call(call(end), promise(ends_at=end), 0)


def test_a_call_known_by_its_day_only_is_refused_on_the_day_of_the_start() -> None:
    that_day = dt.datetime(2026, 3, 1, tzinfo=CHINA)

    with use_locale("en"), pytest.raises(NothingOwedError, match="whose time is not known"):
        credit_for_call(call(that_day, precision=Precision.DAY), promise(), 0)


def test_a_call_known_by_its_day_only_earns_on_the_day_after() -> None:
    next_day = dt.datetime(2026, 3, 2, tzinfo=CHINA)

    assert credit_for_call(call(next_day, precision=Precision.DAY), promise(), 0)["amount_fen"] == 5000


def test_a_message_earns_nothing() -> None:
    with use_locale("en"), pytest.raises(NothingOwedError, match="not messages"):
        credit_for_call(call(kind=IncidentKind.SMS), promise(), 0)


def test_a_call_of_which_nobody_knows_whether_it_was_answered_is_not_answered() -> None:
    with use_locale("en"), pytest.raises(NothingOwedError, match="it is not known"):
        credit_for_call(call(answered=None), promise(call_unit=CallUnit.ANSWERED), 0)


def test_a_promise_of_a_lump_sum_alone_earns_nothing_per_call() -> None:
    with use_locale("en"), pytest.raises(NothingOwedError, match="lump sum only"):
        credit_for_call(call(), promise(per_call_fen=0), 0)


def test_the_explanation_reads_as_sentences() -> None:
    explanation = credit_for_call(call(), promise(call_unit=CallUnit.ANSWERED, calls_per_day_max=2), 1)

    with use_locale("en"):
        words = explain_in_words(explanation)

    assert words == [
        "CN202603-00001, in force from 2026-03-01, promises 50.00 yuan for each call.",
        "Answered calls count; this one was answered.",
        "It is call 2 of that day; at most 2 are credited.",
    ]
