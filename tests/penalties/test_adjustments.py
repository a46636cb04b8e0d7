"""What follows for other penalties when one is lifted (domain 7.4, 7.5): proposals, one click each."""

import datetime as dt
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.models import Incident
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.adjust import (
    NothingToAdjustError,
    adjustments_to_decide,
    dismiss_adjustment,
    take_adjustment,
)
from supervise.penalties.adjustment_models import Adjustment, AdjustmentKind, AdjustmentState
from supervise.penalties.approve import return_penalties
from supervise.penalties.models import ObjectionState, Penalty, PenaltyState, WaiverReason
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.recompute import recompute
from supervise.penalties.waivers import approve_waiver, propose_waiver
from tests.factories.attribution import make_proven_incident
from tests.factories.contracts import make_rule
from tests.factories.penalties import (
    Charged,
    approve_all,
    live_penalties,
    make_charged_partner,
    make_supervisor,
    propose,
)

CONTACT = 931
TIERED = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 200_00},
            {"from_count": 2, "amount_fen": 300_00},
            {"from_count": 4, "amount_fen": 500_00},
        ],
    },
}


@pytest.fixture(autouse=True)
def _october() -> object:
    with time_machine.travel(dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC), tick=True) as traveller:
        yield traveller


def charge(session: Session, charged: Charged, days: Sequence[dt.date]) -> list[Penalty]:
    """One approved penalty for a call on each day."""
    made = [
        make_proven_incident(session, party=charged.party, occurred_at=clock.start_of_day(day) + dt.timedelta(hours=10))
        for day in days
    ]
    penalties = propose(session, *made)
    assert [result.refusal for result in approve_all(session, *penalties)] == [None] * len(days)
    return penalties


def called_on(day: int) -> dt.datetime:
    return clock.start_of_day(dt.date(2026, 9, day)) + dt.timedelta(hours=10)


def overturn(session: Session, penalty: Penalty, *, lifted_fen: int | None = None) -> None:
    """Uphold an objection to *penalty*, or with *lifted_fen* take that much off."""
    objection = file_objection(session, penalty.id, "号码非本公司", Scope.everything(), actor_id=CONTACT)
    judge = make_supervisor(session, username="judge")
    outcome = ObjectionState.UPHELD if lifted_fen is None else ObjectionState.REDUCED
    decide_objection(session, objection.id, outcome, reduced_fen=lifted_fen, note="查实", actor_id=judge.id)


def test_7_5_example_3_the_first_of_four_overturned_takes_500_off_and_leaves_800(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERED)
    days = [dt.date(2026, 7, 1), dt.date(2026, 7, 20), dt.date(2026, 8, 10), dt.date(2026, 9, 15)]
    first, second, third, fourth = charge(session, charged, days)
    assert [one.amount_fen for one in (first, second, third, fourth)] == [200_00, 300_00, 300_00, 500_00]

    overturn(session, first)

    waiting = adjustments_to_decide(session)
    assert [(row.penalty.id, row.adjustment.amount_fen) for row in waiting] == [
        (second.id, 100_00),
        (fourth.id, 200_00),
    ]
    assert [(row.adjustment.nth_before, row.adjustment.nth_now) for row in waiting] == [(2, 1), (4, 3)]
    # Nothing is done by itself.
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 1_100_00
    for row in waiting:
        take_adjustment(session, row.adjustment.id, actor_id=make_supervisor(session).id)
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 800_00
    assert third.open_fen == 300_00
    assert discrepancies(session) == []


def test_a_proposal_is_decided_once_and_dismissed_only_with_a_reason(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERED)
    first, second = charge(session, charged, [dt.date(2026, 9, 1), dt.date(2026, 9, 2)])
    overturn(session, first)
    [row] = adjustments_to_decide(session)
    supervisor = make_supervisor(session)

    with pytest.raises(InvalidInputError):
        dismiss_adjustment(session, row.adjustment.id, " ", actor_id=supervisor.id)
    dismiss_adjustment(session, row.adjustment.id, "合同另有约定", actor_id=supervisor.id)

    with pytest.raises(AlreadyDecidedError):
        take_adjustment(session, row.adjustment.id, actor_id=supervisor.id)
    assert second.open_fen == 300_00


def test_an_offence_lifted_before_the_next_one_was_approved_never_counted_for_it(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERED)
    [first] = charge(session, charged, [dt.date(2026, 9, 1)])
    overturn(session, first)
    [second] = charge(session, charged, [dt.date(2026, 9, 2)])

    assert second.amount_fen == 200_00
    assert adjustments_to_decide(session) == []


def test_7_4_example_3_a_cap_that_releases_its_room_charges_the_last_anew(session: Session) -> None:
    capped = {
        "basis": "per_offence",
        "amount_fen": 200_00,
        "caps": [{"per": "month", "limit_fen": 1_000_00, "release": True}],
    }
    charged = make_charged_partner(session, parameters=capped)
    penalties = charge(session, charged, [dt.date(2026, 9, day) for day in range(1, 7)])
    assert [one.amount_fen for one in penalties] == [200_00] * 5 + [0]

    overturn(session, penalties[1])

    [row] = adjustments_to_decide(session)
    last = penalties[5]
    assert (row.penalty.id, row.adjustment.kind, row.adjustment.amount_fen) == (last.id, AdjustmentKind.CAP, 200_00)
    take_adjustment(session, row.adjustment.id, actor_id=make_supervisor(session).id)
    incident = session.get_one(Incident, last.incident_id)
    [again] = live_penalties(session, incident)
    assert (last.state, again.state, again.amount_fen) == (PenaltyState.VOIDED, PenaltyState.PROPOSED, 200_00)
    [result] = approve_all(session, again, actor_id=make_supervisor(session, username="second").id)
    assert result.refusal is None
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 1_000_00


def test_7_4_example_3_without_release_the_total_stays_800(session: Session) -> None:
    capped = {"basis": "per_offence", "amount_fen": 200_00, "caps": [{"per": "month", "limit_fen": 1_000_00}]}
    charged = make_charged_partner(session, parameters=capped)
    penalties = charge(session, charged, [dt.date(2026, 9, day) for day in range(1, 7)])

    overturn(session, penalties[1])

    assert adjustments_to_decide(session) == []
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 800_00


def test_what_does_not_hold_any_more_is_not_done(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERED)
    first, second = charge(session, charged, [dt.date(2026, 9, 1), dt.date(2026, 9, 2)])
    overturn(session, first)
    [row] = adjustments_to_decide(session)
    overturn(session, second)

    with pytest.raises(NothingToAdjustError):
        take_adjustment(session, row.adjustment.id, actor_id=make_supervisor(session).id)
    state = session.scalar(sa.select(Adjustment.state).where(Adjustment.id == row.adjustment.id))
    assert state is AdjustmentState.OPEN


def test_what_is_charged_anew_takes_its_room_in_the_other_caps_once(session: Session) -> None:
    caps = [{"per": "month", "limit_fen": 1_100_00, "release": True}, {"per": "day", "limit_fen": 250_00}]
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 200_00, "caps": caps})
    penalties = charge(session, charged, [dt.date(2026, 9, day) for day in range(1, 7)])
    assert [one.amount_fen for one in penalties] == [200_00] * 5 + [100_00]
    overturn(session, penalties[1])
    [row] = adjustments_to_decide(session)

    take_adjustment(session, row.adjustment.id, actor_id=make_supervisor(session).id)

    [again] = live_penalties(session, session.get_one(Incident, penalties[5].incident_id))
    # The day has 250: with the 100 that it stands for counted beside it, it would be cut to 150.
    assert again.amount_fen == 200_00
    [result] = approve_all(session, again, actor_id=make_supervisor(session, username="second").id)
    assert result.refusal is None
    [late] = charge(session, charged, [dt.date(2026, 9, 6)])
    assert late.amount_fen == 50_00
    assert recompute(session).differences == []
    assert discrepancies(session) == []


def test_what_was_reduced_on_objection_is_not_charged_anew(session: Session) -> None:
    capped = {
        "basis": "per_offence",
        "amount_fen": 200_00,
        "caps": [{"per": "month", "limit_fen": 500_00, "release": True}],
    }
    charged = make_charged_partner(session, parameters=capped)
    first, _second, third = charge(session, charged, [dt.date(2026, 9, day) for day in (1, 2, 3)])
    assert third.amount_fen == 100_00
    overturn(session, third, lifted_fen=50_00)

    overturn(session, first)

    assert adjustments_to_decide(session) == []


@pytest.mark.parametrize(("release", "expected"), [(False, [800_00, 800_00, 400_00]), (True, [800_00] * 3)])
def test_old_and_new_lines_share_a_cap_each_with_its_approved_amount_once(
    session: Session, *, release: bool, expected: list[int]
) -> None:
    cap = {"per": "month", "limit_fen": 5_000_00, "release": release}
    old = {"basis": "per_offence", "amount_fen": 1_000_00, "caps": [cap]}
    charged = make_charged_partner(session, parameters=old)
    first, second, _third = charge(session, charged, [dt.date(2026, 9, day) for day in (1, 2, 3)])
    overturn(session, first, lifted_fen=400_00)
    waiver = propose_waiver(
        session, second.id, amount_fen=None, because=WaiverReason.HARDSHIP, reason="经营困难", actor_id=CONTACT
    )
    approve_waiver(session, waiver.id, actor_id=make_supervisor(session).id)
    # What came back is not there any more.
    [returned] = propose(session, make_proven_incident(session, party=charged.party, occurred_at=called_on(4)))
    return_penalties(session, [returned.id], "核对", actor_id=make_supervisor(session).id)
    charged.rule.valid_to = dt.date(2026, 9, 5)
    make_rule(
        session,
        contract=charged.contract,
        code=charged.rule.code,
        number=2,
        valid_from=dt.date(2026, 9, 5),
        parameters=old | {"amount_fen": 800_00},
    )

    new = charge(session, charged, [dt.date(2026, 9, day) for day in (5, 6, 7)])

    assert [one.amount_fen for one in new] == expected
    assert recompute(session).differences == []
