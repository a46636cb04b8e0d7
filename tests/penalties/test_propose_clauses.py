"""Proposals by clauses that need more than the call: figures of the month, earlier words, other calls of the month."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.complaints.models import Incident
from supervise.donotcall.push import push_refusals
from supervise.errors import InvalidInputError
from supervise.labels import use_locale
from supervise.parties.models import PartyKind, RelationRole
from supervise.penalties.approve import AmountChangedError
from supervise.penalties.explain import explain_in_words
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.monthly_figures import FigureFacts, figures_of, record_figure
from supervise.penalties.pricing import FigureKind, FigureUnknownError, SparedError
from supervise.penalties.propose import propose_penalties
from supervise.penalties.recompute import recompute
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import make_number
from tests.factories.contracts import make_contract, make_rule
from tests.factories.donotcall import make_refusal
from tests.factories.parties import make_party, make_relation
from tests.factories.penalties import (
    MAKER,
    Charged,
    approve_all,
    live_penalties,
    make_charged_branch,
    make_charged_partner,
    propose,
)

SEPTEMBER = clock.start_of_day(dt.date(2026, 9, 1))
FLAT: dict[str, Any] = {"basis": "per_offence", "amount_fen": 20000}


def at(day: int, hour: int = 10) -> dt.datetime:
    return SEPTEMBER + dt.timedelta(days=day - 1, hours=hour)


def calls(session: Session, charged: Charged, count: int) -> list[Incident]:
    return [make_proven_incident(session, party=charged.party, occurred_at=at(day)) for day in range(1, count + 1)]


def refusals(session: Session, *incidents: Incident) -> list[Any]:
    results = propose_penalties(session, [incident.id for incident in incidents], actor_id=MAKER)
    return [result.refusal for result in results]


def commission(charged: Charged, fen: int) -> FigureFacts:
    return FigureFacts(FigureKind.COMMISSION, "2026-09", fen, "酬金结算单 9 月", contract_id=charged.contract.id)


def orders(charged: Charged, count: int) -> FigureFacts:
    return FigureFacts(FigureKind.ORDERS, "2026-09", count, "订单统计", party_id=charged.party.id)


# Figures of the month


def test_a_cap_by_commission_waits_until_the_commission_is_recorded(session: Session) -> None:
    charged = make_charged_partner(session, parameters={**FLAT, "caps": [{"per": "month", "commission_bp": 3000}]})
    [incident] = calls(session, charged, 1)

    [refusal] = refusals(session, incident)
    assert isinstance(refusal, FigureUnknownError)
    figure = record_figure(session, commission(charged, 50000), actor_id=MAKER)
    [penalty] = propose(session, incident)

    assert (penalty.amount_fen, penalty.capped_fen) == (15000, 5000)
    assert penalty.explanation["caps"][0]["commission"] == {"bp": 3000, "of_fen": 50000, "figure_id": figure.id}


def test_a_corrected_figure_makes_what_waits_fall_out_and_leaves_what_was_approved(session: Session) -> None:
    charged = make_charged_partner(session, parameters={**FLAT, "caps": [{"per": "month", "commission_bp": 3000}]})
    first, second = calls(session, charged, 2)
    record_figure(session, commission(charged, 100000), actor_id=MAKER)
    [approved] = propose(session, first)
    approve_all(session, approved)
    [waiting] = propose(session, second)

    corrected = record_figure(session, commission(charged, 80000), actor_id=MAKER)
    [result] = approve_all(session, waiting)

    assert isinstance(result.refusal, AmountChangedError)
    assert (approved.amount_fen, waiting.amount_fen) == (20000, 10000)
    assert figures_of(session, [charged.party.id], "2026-09") == [corrected]


def test_the_same_figure_again_changes_nothing_and_a_recorded_one_is_never_edited(session: Session) -> None:
    charged = make_charged_partner(session)
    figure = record_figure(session, orders(charged, 200), actor_id=MAKER)

    assert record_figure(session, orders(charged, 200), actor_id=MAKER) is figure
    with pytest.raises(DBAPIError, match="never changed"), session.begin_nested():
        session.execute(sa.update(PartyMonthFigure).values(amount=1))


@pytest.mark.parametrize("change", [{"month": "2026-13"}, {"amount": -1}, {"source": " "}])
def test_a_figure_that_cannot_be_is_refused(session: Session, change: dict[str, Any]) -> None:
    charged = make_charged_partner(session)

    with pytest.raises(InvalidInputError):
        record_figure(session, FigureFacts(**{**vars(orders(charged, 5)), **change}), actor_id=MAKER)


def test_an_assessment_policy_earns_no_commission(session: Session) -> None:
    charged = make_charged_branch(session)

    with pytest.raises(InvalidInputError):
        record_figure(session, commission(charged, 5), actor_id=MAKER)


# What made the offence worse


def test_a_refusal_before_the_call_makes_it_dearer_with_its_proof(session: Session) -> None:
    twice = [{"code": "after_refusal", "multiplier_bp": 20000}]
    charged = make_charged_partner(session, parameters={**FLAT, "aggravations": twice})
    number = make_number(session)
    before, after = (
        make_proven_incident(session, party=charged.party, number=number, occurred_at=at(day)) for day in (1, 3)
    )
    said = make_refusal(session, number=number, said_at=at(2))

    first, second = propose(session, before, after)

    assert (first.amount_fen, second.amount_fen) == (20000, 40000)
    with use_locale("en"):
        words = explain_in_words(second.explanation)
    assert f"A refusal of 2026-09-02 10:00:00 is on record (entry {said.id})." in words


def test_a_call_after_the_number_was_pushed_to_the_party_is_dearer_and_says_by_which_push(session: Session) -> None:
    twice = [{"code": "after_push", "multiplier_bp": 20000}]
    charged = make_charged_partner(session, parameters={**FLAT, "aggravations": twice})
    number = make_number(session)
    make_refusal(session, number=number, said_at=at(1, 9))
    with clock.pretending(at(1)):
        push_id = push_refusals(session, grace_days=1, actor_id=MAKER).push_id
    before, after = (
        make_proven_incident(session, party=charged.party, number=number, occurred_at=moment)
        for moment in (at(2, 23), at(3, 0))
    )

    first, second = propose(session, before, after)

    assert (first.amount_fen, second.amount_fen) == (20000, 40000)
    with use_locale("en"):
        words = " ".join(explain_in_words(second.explanation))
    assert f"The number was in push {push_id}, which counts as delivered from 2026-09-03 00:00:00" in words
    assert not recompute(session).differences


def test_calls_outside_the_hours_that_were_in_force_are_dearer(session: Session) -> None:
    half = [{"code": "night", "multiplier_bp": 15000}]
    charged = make_charged_partner(session, parameters={**FLAT, "aggravations": half})
    session.execute(sa.delete(WatchThreshold).where(WatchThreshold.kind == WatchKind.CALL_HOURS))
    hours = {"from_minute": 8 * 60, "to_minute": 21 * 60, "legal_note": "—"}
    session.add(WatchThreshold(kind=WatchKind.CALL_HOURS, valid_from=dt.date(2026, 9, 2), **hours))
    session.flush()
    early, late, allowed = (
        make_proven_incident(session, party=charged.party, occurred_at=moment)
        for moment in (at(1, 23), at(2, 21), at(3, 20))
    )

    penalties = propose(session, early, late, allowed)

    assert [penalty.amount_fen for penalty in penalties] == [20000, 30000, 20000]


# Units of charge


def test_a_recipient_is_charged_once_a_day_for_a_number_and_the_second_call_says_by_which(session: Session) -> None:
    charged = make_charged_partner(session, parameters={"basis": "per_recipient", "amount_fen": 5000})
    number = make_number(session)
    first, second = (
        make_proven_incident(session, party=charged.party, number=number, occurred_at=at(1, hour)) for hour in (9, 15)
    )
    propose(session, first)

    [spared] = refusals(session, second)

    assert isinstance(spared, SparedError)
    assert spared.parameters["incident"] == first.id
    assert live_penalties(session, second) == []


# Thresholds


def test_the_month_is_proposed_together_once_it_is_above_the_threshold(session: Session) -> None:
    by_count = {"above_count": 2, "above_bp": 1000, "base": "orders", "excess_only": False}
    charged = make_charged_partner(session, parameters={**FLAT, "threshold": by_count})
    record_figure(session, orders(charged, 20), actor_id=MAKER)
    two = calls(session, charged, 2)
    below = refusals(session, *two)
    [third] = [make_proven_incident(session, party=charged.party, occurred_at=at(20))]

    [refusal] = refusals(session, third)

    assert [type(one) for one in below] == [SparedError, SparedError]
    assert refusal is None
    penalties = live_penalties(session, *two, third)
    assert [penalty.amount_fen for penalty in penalties] == [20000] * 3
    assert [result.refusal for result in approve_all(session, *penalties)] == [None] * 3


def test_only_the_excess_is_proposed_and_a_case_found_later_moves_who_is_above(session: Session) -> None:
    excess = {"above_count": 2, "above_bp": 0, "excess_only": True}
    charged = make_charged_partner(session, parameters={**FLAT, "threshold": excess})
    three = calls(session, charged, 3)
    first, second, third = refusals(session, *three)
    assert (type(first), type(second), third) == (SparedError, SparedError, None)

    older = make_proven_incident(session, party=charged.party, occurred_at=at(1, 8))
    [spared] = refusals(session, older)

    assert isinstance(spared, SparedError)
    assert [penalty.incident_id for penalty in live_penalties(session, *three)] == [three[2].id, three[1].id]


# Joint liability


def test_jointly_liable_parties_have_a_row_each_with_the_mode_in_its_explanation(session: Session) -> None:
    parts = [{"kind": "agent", "share_bp": 6000}, {"kind": "outsourcer", "share_bp": 4000}]
    charged = make_charged_partner(session)
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=charged.party, role=RelationRole.CONTRACTED_BY)
    contract = make_contract(session, party=outsourcer, unit=charged.unit)
    make_rule(session, contract=contract, parameters={**FLAT, "shares": {"mode": "joint", "parts": parts}})

    agent, own = propose(session, make_proven_incident(session, party=outsourcer, occurred_at=at(2)))

    assert [(one.party_id, one.amount_fen) for one in (agent, own)] == [
        (charged.party.id, 12000),
        (outsourcer.id, 8000),
    ]
    assert {one.explanation["share"]["mode"] for one in (agent, own)} == {"joint"}
    assert agent.finding_id == own.finding_id
