"""What a rule version would have charged: the same as was charged for the version in force; and nothing is written."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident
from supervise.contracts.models import RuleVersion
from supervise.contracts.rule_versions import draft_rule
from supervise.errors import InvalidInputError, NotFoundError
from supervise.ledger.models import JournalEntry
from supervise.parties.models import PartyKind, RelationRole
from supervise.parties.scope import Scope
from supervise.penalties import simulation
from supervise.penalties.models import ObjectionState, Penalty
from supervise.penalties.monthly_figures import FigureFacts, record_figure
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.pricing import FigureKind
from supervise.penalties.simulation import Simulation, TooManyCallsError, simulate
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import make_number
from tests.factories.contracts import DRAFTER, make_contract, make_rule, rule_draft
from tests.factories.donotcall import make_refusal
from tests.factories.parties import make_party, make_relation
from tests.factories.penalties import (
    MAKER,
    Charged,
    approve_all,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
)

SEPTEMBER = clock.start_of_day(dt.date(2026, 9, 1))
TIERED: dict[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 30000}],
    },
    "aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}],
    "caps": [{"per": "month", "commission_bp": 5000}, {"per": "subscriber", "limit_fen": 60000}],
}
FLAT = {"basis": "per_offence", "amount_fen": 10000}


def calls(session: Session, charged: Charged, *days: int) -> list[Incident]:
    """Calls to one subscriber, so many days after the last of August."""
    number = make_number(session)
    make_refusal(session, number=number, said_at=SEPTEMBER + dt.timedelta(days=2))
    moments = [SEPTEMBER + dt.timedelta(days=day - 1, hours=10) for day in days]
    return [make_proven_incident(session, party=charged.party, number=number, occurred_at=at) for at in moments]


def charge(session: Session, incidents: list[Incident]) -> list[Penalty]:
    penalties = propose(session, *incidents)
    assert all(result.refusal is None for result in approve_all(session, *penalties))
    return penalties


def draft(session: Session, charged: Charged, parameters: dict[str, Any]) -> RuleVersion:
    """The next version of the partner's rule, for days that have not come."""
    tomorrow = clock.today() + dt.timedelta(days=1)
    said = rule_draft(code=charged.rule.code, parameters=parameters, valid_from=tomorrow)
    return draft_rule(session, charged.contract.id, said, actor_id=DRAFTER)


def commission(session: Session, charged: Charged, month: str, amount_fen: int) -> None:
    facts = FigureFacts(FigureKind.COMMISSION, month, amount_fen, "结算单", contract_id=charged.contract.id)
    record_figure(session, facts, actor_id=MAKER)


def of(session: Session, version: RuleVersion, *, first: str = "2026-09", last: str = "2026-09") -> Simulation:
    return simulate(session, version.id, first_month=first, last_month=last)


def test_the_version_in_force_comes_to_what_was_charged(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERED)
    commission(session, charged, "2026-09", 180_000)
    commission(session, charged, "2026-10", 999_000)
    penalties = charge(session, calls(session, charged, 1, 2, 5, 9, 33))

    found = of(session, charged.rule, last="2026-10")

    assert [line.simulated_fen for line in found.lines] == [penalty.amount_fen for penalty in penalties]
    assert sum(penalty.capped_fen for penalty in penalties) == found.total().capped_fen > 0
    assert found.differing() == []


def test_shares_come_to_what_each_party_was_charged(session: Session) -> None:
    parts = [{"kind": "agent", "share_bp": 6000}, {"kind": "outsourcer", "share_bp": 4000}]
    charged = make_charged_partner(session)
    worker = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=worker, parent=charged.party, role=RelationRole.CONTRACTED_BY)
    contract = make_contract(session, party=worker, unit=charged.unit)
    rule = make_rule(session, contract=contract, parameters=FLAT | {"shares": {"mode": "percent", "parts": parts}})
    charge(session, calls(session, Charged(worker, charged.unit, contract, rule), 4))

    found = of(session, rule)

    assert sorted(line.simulated_fen for line in found.lines) == [4000, 6000]
    assert found.differing() == []


def test_a_draft_stands_in_the_place_of_the_version_in_force(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, charged, 4, 6))

    found = of(session, draft(session, charged, {"basis": "per_offence", "amount_fen": 25000}))

    [month] = found.by_month()
    assert (month.charged_fen, month.simulated_fen, month.difference_fen) == (20000, 50000, 30000)
    assert [row.party for row in found.by_party()] == [charged.party.name]


def test_tiers_count_what_was_charged_before_the_first_month(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, charged, 29, 33))
    tiered = {key: TIERED[key] for key in ("basis", "amount_fen", "tiers")}

    found = of(session, draft(session, charged, tiered), first="2026-10", last="2026-10")

    assert [(line.simulated_fen, line.explanation["tier"]["nth"]) for line in found.lines if line.explanation] == [
        (30000, 2)
    ]


def test_a_threshold_spares_what_was_charged_and_says_why(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, charged, 4, 6))

    found = of(
        session, draft(session, charged, FLAT | {"threshold": {"above_count": 5, "above_bp": 0, "excess_only": False}})
    )

    assert [(line.charged_fen, line.simulated_fen, line.spared is not None) for line in found.lines] == [
        (10000, 0, True),
        (10000, 0, True),
    ]


def test_what_was_lifted_again_is_no_difference(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    [penalty] = charge(session, calls(session, charged, 4))
    contact = make_contact(session, charged)
    objection = file_objection(session, penalty.id, "不是我们的号码", Scope.of(session, contact), actor_id=contact.id)
    other = make_supervisor(session, username="another")
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="查实", actor_id=other.id)

    found = of(session, charged.rule)

    assert [(line.charged_fen, line.lifted_fen, line.simulated_fen) for line in found.lines] == [(10000, 10000, 0)]
    assert found.differing() == []


def test_a_call_whose_figure_is_unknown_is_named_and_the_others_are_priced(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, charged, 4, 33))
    commission(session, charged, "2026-09", 180_000)

    capped = FLAT | {"caps": [{"per": "month", "commission_bp": 5000}]}
    found = of(session, draft(session, charged, capped), last="2026-10")

    assert [line.simulated_fen for line in found.lines] == [10000, 0]
    assert [(one.calls, "2026-10" in one.words) for one in found.unpriced] == [(1, True)]


def test_another_contracts_calls_are_left_out(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    other = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, other, 4))

    found = of(session, charged.rule)

    assert (found.calls, found.lines, found.unpriced) == (0, [], [])


def test_it_writes_nothing(session: Session) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    charge(session, calls(session, charged, 4, 6))
    version = draft(session, charged, TIERED)
    kept = (Penalty, JournalEntry, AuditEvent)
    before = [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in kept]

    of(session, version)

    assert not session.dirty
    assert not session.new
    assert [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in kept] == before
    assert version.priced_on is None


@pytest.mark.parametrize(("first", "last"), [("2026-09", "2026-08"), ("2024-01", "2026-09"), ("2026-09", "2999-01")])
def test_months_that_make_no_past_period_are_refused(session: Session, first: str, last: str) -> None:
    charged = make_charged_partner(session)

    with pytest.raises(InvalidInputError):
        of(session, charged.rule, first=first, last=last)


def test_an_unknown_version_is_refused(session: Session) -> None:
    with pytest.raises(NotFoundError):
        simulate(session, 999_999, first_month="2026-09", last_month="2026-09")


def test_more_calls_than_can_be_priced_while_waiting_are_refused(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged = make_charged_partner(session, parameters=FLAT)
    calls(session, charged, 4, 6)
    monkeypatch.setattr(simulation, "CALLS_MAX", 1)

    with pytest.raises(TooManyCallsError, match="2"):
        of(session, charged.rule)
