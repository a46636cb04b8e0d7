"""Who is owed what for which call."""

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.compensation.models import Credit, CreditKind, CreditNature, PromiseState
from supervise.compensation.pricing import NothingOwedError
from supervise.compensation.propose import LumpAlreadyGrantedError, propose_credits, propose_lump
from supervise.errors import ConflictError
from supervise.labels import use_locale
from tests.factories.compensation import (
    MAKER,
    make_call,
    make_policy,
    make_proven_call,
    make_undertaking,
    make_victim,
)
from tests.factories.complaints import CALLED_AT, link_ticket, make_subscriber, make_ticket


def amounts(session: Session) -> list[int]:
    return list(session.scalars(select(Credit.amount_fen).order_by(Credit.id)))


def words(refusal: Exception | None) -> str:
    with use_locale("en"):
        return str(refusal)


def test_a_proven_call_earns_what_the_undertaking_promised(session: Session) -> None:
    victim = make_victim(session)
    undertaking = make_undertaking(session, subscriber=victim, per_call_fen=50_00)
    incident = make_proven_call(session, subscriber=victim)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    credit = session.scalars(select(Credit)).one()
    assert result.refusal is None
    assert (credit.amount_fen, credit.undertaking_id, credit.subscriber_id) == (50_00, undertaking.id, victim.id)
    assert credit.explanation["promise"] == undertaking.reference
    assert credit.cost_centre == "CC-1"
    assert credit.period == "2026-09"


def test_without_an_undertaking_the_general_policy_pays(session: Session) -> None:
    victim = make_victim(session)
    policy = make_policy(session, per_call_fen=30_00)
    incident = make_proven_call(session, subscriber=victim)

    propose_credits(session, [incident.id], actor_id=MAKER)

    credit = session.scalars(select(Credit)).one()
    assert (credit.amount_fen, credit.policy_id) == (30_00, policy.id)


def test_the_undertaking_goes_before_the_policy(session: Session) -> None:
    victim = make_victim(session)
    make_policy(session, per_call_fen=30_00)
    make_undertaking(session, subscriber=victim, per_call_fen=80_00)
    incident = make_proven_call(session, subscriber=victim)

    propose_credits(session, [incident.id], actor_id=MAKER)

    assert amounts(session) == [80_00]


def test_a_draft_promises_nothing(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim, state=PromiseState.DRAFT)
    incident = make_proven_call(session, subscriber=victim)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    assert "No undertaking and no policy" in words(result.refusal)
    assert amounts(session) == []


def test_one_call_reported_by_three_channels_is_credited_once(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    incident = make_proven_call(session, subscriber=victim)
    for _ in range(2):
        link_ticket(session, ticket=make_ticket(session), incident=incident)

    first = propose_credits(session, [incident.id, incident.id], actor_id=MAKER)
    second = propose_credits(session, [incident.id], actor_id=MAKER)

    assert [result.refusal for result in first] == [None]
    assert isinstance(second[0].refusal, ConflictError)
    assert "already credited by PC" in words(second[0].refusal)
    assert amounts(session) == [50_00]


def test_a_call_that_nobody_proved_earns_nothing(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    incident = make_call(session, subscriber=victim)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    assert words(result.refusal) == "No offence is proven for this incident yet"


def test_an_anonymous_report_credits_nobody_and_says_so(session: Session) -> None:
    incident = make_proven_call(session, subscriber=None)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    assert words(result.refusal) == "No subscriber is known for this incident: nobody can be credited"


def test_the_credit_follows_the_person_who_held_the_number_at_the_call(session: Session) -> None:
    handed_over = CALLED_AT + dt.timedelta(days=1)
    before = make_victim(session, held_to=handed_over)
    after = make_subscriber(session, held_from=handed_over)
    after.number_id = before.number_id
    make_undertaking(session, subscriber=before, ends_at=handed_over)
    incident = make_proven_call(session, subscriber=before)

    propose_credits(session, [incident.id], actor_id=MAKER)

    assert session.scalars(select(Credit.subscriber_id)).one() == before.id


def test_a_call_when_nobody_held_the_number_earns_nothing(session: Session) -> None:
    victim = make_victim(session, held_to=CALLED_AT)
    make_undertaking(session, subscriber=victim)
    incident = make_proven_call(session, subscriber=victim)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    assert "Nobody is registered as holder" in words(result.refusal)


def test_a_call_before_the_undertaking_earns_nothing_and_says_why(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim, starts_at=CALLED_AT + dt.timedelta(days=1), reference="CN-X")
    incident = make_proven_call(session, subscriber=victim)

    [result] = propose_credits(session, [incident.id], actor_id=MAKER)

    assert "before CN-X began on 2026-09-30; history is settled by the lump sum" in words(result.refusal)


def test_the_daily_limit_counts_what_was_credited_before(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim, calls_per_day_max=2)
    calls = [
        make_proven_call(session, subscriber=victim, occurred_at=CALLED_AT + dt.timedelta(hours=hour))
        for hour in range(3)
    ]

    first = propose_credits(session, [calls[0].id], actor_id=MAKER)
    rest = propose_credits(session, [calls[1].id, calls[2].id], actor_id=MAKER)

    assert first[0].refusal is None
    assert [result.refusal is None for result in rest] == [True, False]
    assert amounts(session) == [50_00, 50_00]


def test_a_bulk_proposal_gives_every_row_its_own_result(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    good = make_proven_call(session, subscriber=victim)
    bad = make_proven_call(session, subscriber=None)

    results = propose_credits(session, [bad.id, good.id, 999_999_999], actor_id=MAKER)

    assert [(result.subject_id, result.refusal is None) for result in results] == [
        (bad.id, False),
        (good.id, True),
        (999_999_999, False),
    ]


def test_example_7_3_1_the_lump_sum_is_what_was_promised_not_what_was_claimed(session: Session) -> None:
    victim = make_victim(session)
    undertaking = make_undertaking(session, subscriber=victim, lump_fen=100_00)

    propose_lump(session, undertaking.id, actor_id=MAKER)

    credit = session.scalars(select(Credit)).one()
    assert (credit.kind, credit.amount_fen, credit.nature) == (
        CreditKind.LUMP,
        100_00,
        CreditNature.COMPENSATION,
    )


def test_example_7_3_2_the_same_history_is_settled_once(session: Session) -> None:
    victim = make_victim(session)
    undertaking = make_undertaking(session, subscriber=victim, lump_fen=100_00)
    propose_lump(session, undertaking.id, actor_id=MAKER)

    with use_locale("en"), pytest.raises(LumpAlreadyGrantedError, match="already settled by PC"):
        propose_lump(session, undertaking.id, actor_id=MAKER)

    assert amounts(session) == [100_00]


def test_example_7_3_3_a_lump_and_three_later_calls_are_250_yuan(session: Session) -> None:
    start = CALLED_AT - dt.timedelta(days=1)
    victim = make_victim(session)
    undertaking = make_undertaking(session, subscriber=victim, starts_at=start, lump_fen=100_00)
    later = [
        make_proven_call(session, subscriber=victim, occurred_at=CALLED_AT + dt.timedelta(days=day)) for day in range(3)
    ]
    old = [
        make_proven_call(session, subscriber=victim, occurred_at=start - dt.timedelta(days=day)) for day in range(1, 9)
    ]

    propose_lump(session, undertaking.id, actor_id=MAKER)
    results = propose_credits(session, [incident.id for incident in (*old, *later)], actor_id=MAKER)

    assert [result.refusal is None for result in results] == [False] * 8 + [True] * 3
    assert sum(amounts(session)) == 250_00


def test_an_undertaking_without_a_lump_sum_grants_none(session: Session) -> None:
    undertaking = make_undertaking(session, subscriber=make_victim(session), lump_fen=0)

    with pytest.raises(NothingOwedError):
        propose_lump(session, undertaking.id, actor_id=MAKER)
