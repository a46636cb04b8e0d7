"""Every penalty computed again from scratch equals what is stored; and what was changed behind our back is named."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.models import Incident
from supervise.labels import use_locale
from supervise.parties.models import PartyKind, RelationRole
from supervise.parties.scope import Scope
from supervise.penalties.adjust import adjustments_to_decide, take_adjustment
from supervise.penalties.adjustment_models import AdjustmentKind
from supervise.penalties.approve import return_penalties
from supervise.penalties.models import ObjectionState, Penalty
from supervise.penalties.monthly_figures import FigureFacts, record_figure
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.pricing import FigureKind
from supervise.penalties.propose import propose_penalties
from supervise.penalties.recompute import explained_otherwise, recompute
from supervise.penalties.score_models import PointsEntry, PointsReason
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import make_number
from tests.factories.contracts import make_contract, make_rule
from tests.factories.donotcall import make_refusal
from tests.factories.parties import make_party, make_relation
from tests.factories.penalties import MAKER, Charged, approve_all, make_charged_partner, make_supervisor, propose

SEPTEMBER = clock.start_of_day(dt.date(2026, 9, 1))
EVERYTHING: dict[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 30000}],
    },
    "aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}],
    "caps": [{"per": "month", "commission_bp": 5000}, {"per": "subscriber", "limit_fen": 60000}],
    "points": {"each": 5, "months": 12},
}


def calls(session: Session, charged: Charged, *days: int) -> list[Incident]:
    number = make_number(session)
    make_refusal(session, number=number, said_at=SEPTEMBER + dt.timedelta(days=2))
    return [
        make_proven_incident(
            session, party=charged.party, number=number, occurred_at=SEPTEMBER + dt.timedelta(days=day - 1, hours=10)
        )
        for day in days
    ]


def charged_by_everything(session: Session) -> Charged:
    charged = make_charged_partner(session, parameters=EVERYTHING)
    facts = FigureFacts(FigureKind.COMMISSION, "2026-09", 250000, "结算单", contract_id=charged.contract.id)
    record_figure(session, facts, actor_id=MAKER)
    return charged


def said(session: Session) -> list[str]:
    with use_locale("en"):
        return [str(difference) for difference in recompute(session).differences]


def test_what_was_proposed_returned_approved_and_proposed_again_comes_out_as_stored(session: Session) -> None:
    charged = charged_by_everything(session)
    incidents = calls(session, charged, 1, 5, 9, 12)
    first, second = propose(session, *incidents[:2])
    return_penalties(session, [first.id], "核对", actor_id=MAKER)
    [third] = propose(session, incidents[2])
    # The second was priced as a repeat of the first, which is gone: it falls out, the third stands.
    approve_all(session, third)
    propose(session, incidents[0], incidents[3])

    found = recompute(session)

    assert (found.penalties, found.differing, found.contracts) == (5, 0, 1)
    assert second.gross_fen == 45000  # the second of its kind, after the refusal
    assert list(explained_otherwise(session)) == []


def test_a_threshold_and_joint_parts_come_out_as_stored(session: Session) -> None:
    clause = {
        "threshold": {"above_count": 1, "above_bp": 0, "excess_only": True},
        "shares": {
            "mode": "joint",
            "parts": [{"kind": "agent", "share_bp": 6000}, {"kind": "outsourcer", "share_bp": 4000}],
        },
    }
    charged = make_charged_partner(session)
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=charged.party, role=RelationRole.CONTRACTED_BY)
    contract = make_contract(session, party=outsourcer, unit=charged.unit)
    rule = make_rule(session, contract=contract, parameters={"basis": "per_offence", "amount_fen": 20000, **clause})
    incidents = calls(session, Charged(outsourcer, charged.unit, contract, rule), 1, 2)
    propose_penalties(session, [incident.id for incident in incidents], actor_id=MAKER)

    found = recompute(session)

    assert (found.penalties, found.differing) == (2, 0)


@pytest.mark.parametrize("release", [True, False])
def test_what_was_lifted_and_charged_anew_comes_out_as_stored(session: Session, *, release: bool) -> None:
    parameters = EVERYTHING | {"caps": [{"per": "month", "limit_fen": 70000, "release": release}], "aggravations": None}
    charged = make_charged_partner(session, parameters=parameters)
    incidents = calls(session, charged, 1, 5, 9, 12)
    first, _second, _third = penalties = propose(session, *incidents[:3])
    approve_all(session, *penalties)
    objection = file_objection(session, first.id, "号码非本公司", Scope.everything(), actor_id=MAKER + 5)
    judge = make_supervisor(session, username="judge").id
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="查实", actor_id=judge)
    taken = [row.adjustment.id for row in adjustments_to_decide(session) if row.adjustment.kind is AdjustmentKind.CAP]
    for adjustment_id in taken:
        take_adjustment(session, adjustment_id, actor_id=judge)
    propose(session, incidents[3])

    assert len(taken) == release
    assert said(session) == []


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_an_amount_or_points_typed_over_are_named(session: Session) -> None:
    charged = charged_by_everything(session)
    [penalty] = propose(session, *calls(session, charged, 1))
    session.connection().exec_driver_sql("DROP TRIGGER penalty_no_edit")
    session.execute(sa.update(Penalty).where(Penalty.id == penalty.id).values(gross_fen=19900, amount_fen=19900))

    session.add(
        PointsEntry(
            party_id=charged.party.id,
            penalty_id=penalty.id,
            reason=PointsReason.TAKEN,
            points=6,
            on_day=dt.date(2026, 9, 1),
            expires_on=dt.date(2027, 9, 1),
            made_at=clock.now(),
        )
    )
    session.flush()

    assert said(session) == [
        f"{penalty.reference}: 199.00 yuan are stored, 200.00 come out",
        f"{penalty.reference}: 6 points were taken, its rule takes 5",
    ]
    assert list(explained_otherwise(session)) == [penalty.id]
