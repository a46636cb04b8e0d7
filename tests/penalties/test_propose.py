"""Proposals: priced by the rule in force at the call, explained, one for each call, type and share."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import decide_verdict
from supervise.attribution.models import Verdict
from supervise.compensation.models import CallUnit, CompensationPolicy, Credit, CreditKind, CreditNature, PromiseState
from supervise.contracts.models import Contract, ContractDirection, RuleVersion
from supervise.contracts.prices import NoPayerError, NoRuleError
from supervise.errors import AlreadyDecidedError, NotFoundError
from supervise.labels import use_locale
from supervise.parties.models import PartyKind, RelationRole
from supervise.parties.scope import Scope
from supervise.penalties.cases import NoBearerError, NothingProvenError
from supervise.penalties.explain import explain_in_words
from supervise.penalties.models import Penalty, PenaltyFamily, PenaltyState
from supervise.penalties.propose import AlreadyChargedError, propose_penalties
from supervise.penalties.queries import unpriced_incidents
from tests.factories.attribution import TRIAGER, attribute, find, make_proven_incident, verdict_in_force
from tests.factories.complaints import link_ticket, make_incident, make_subscriber, make_ticket
from tests.factories.contracts import make_contract, make_rule
from tests.factories.parties import make_party, make_relation, make_unit, unit_party
from tests.factories.penalties import MAKER, live_penalties, make_charged_branch, make_charged_partner, propose

SEPTEMBER = clock.start_of_day(dt.date(2026, 9, 1))


def at(day: int, hour: int = 10) -> dt.datetime:
    return SEPTEMBER + dt.timedelta(days=day - 1, hours=hour)


def refusal(session: Session, *incident_ids: int) -> Any:
    [result] = propose_penalties(session, incident_ids, actor_id=MAKER)
    return result.refusal


def test_a_partner_owes_contract_damages_with_everything_that_explains_them(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party, occurred_at=at(29))

    [penalty] = propose(session, incident)

    assert (penalty.amount_fen, penalty.gross_fen, penalty.capped_fen, penalty.loss_basis_fen) == (20000, 20000, 0, 0)
    assert (penalty.family, penalty.nature, penalty.direction) == (
        PenaltyFamily.EXTERNAL,
        "damages",
        ContractDirection.WE_BUY,
    )
    assert (penalty.gl_account_code, penalty.cost_centre) == ("6301.01", "CC-01")
    assert penalty.tax_label
    assert (penalty.party_id, penalty.unit_id) == (charged.party.id, charged.unit.id)
    assert (penalty.contract_id, penalty.rule_version_id) == (charged.contract.id, charged.rule.id)
    assert (penalty.occurred_on, penalty.period) == (dt.date(2026, 9, 29), "2026-09")
    assert penalty.explanation["rule"]["content_sha256"] == charged.rule.content_sha256
    assert (penalty.state, penalty.maker_id) == (PenaltyState.PROPOSED, MAKER)


def test_a_branch_is_assessed_internally_by_the_policy(session: Session) -> None:
    charged = make_charged_branch(session)

    [penalty] = propose(session, make_proven_incident(session, party=charged.party))

    assert (penalty.family, penalty.nature, penalty.direction) == (
        PenaltyFamily.INTERNAL,
        "assessment",
        ContractDirection.INTERNAL,
    )
    assert (penalty.party_id, penalty.unit_id) == (charged.party.id, charged.unit.id)


def test_five_tickets_on_three_calls_cost_three_amounts(session: Session) -> None:
    charged = make_charged_partner(session)
    incidents = [make_proven_incident(session, party=charged.party, occurred_at=at(day)) for day in (1, 2, 3)]
    for incident in incidents[:2]:
        link_ticket(session, ticket=make_ticket(session), incident=incident)

    penalties = propose(session, *incidents)

    assert [penalty.amount_fen for penalty in penalties] == [20000, 20000, 20000]


@pytest.mark.parametrize(("across", "amounts"), [("highest_only", [50000]), ("cumulative", [20000, 50000])])
def test_two_types_of_one_call_cost_what_the_contract_says(session: Session, across: str, amounts: list[int]) -> None:
    charged = make_charged_partner(
        session, parameters={"basis": "per_offence", "amount_fen": 20000, "across_types": across}
    )
    dearer = {"basis": "per_offence", "amount_fen": 50000, "across_types": across}
    make_rule(session, contract=charged.contract, offence_code="after_refusal", parameters=dearer)
    codes = ("unauthorised_number", "after_refusal")

    penalties = propose(session, make_proven_incident(session, party=charged.party, codes=codes))

    assert sorted(penalty.amount_fen for penalty in penalties) == amounts


def test_the_rule_in_force_at_the_call_prices_it(session: Session) -> None:
    charged = make_charged_partner(session)
    charged.rule.valid_to = dt.date(2026, 9, 15)
    session.flush()
    parameters = {"basis": "per_offence", "amount_fen": 30000}
    new = make_rule(session, contract=charged.contract, parameters=parameters, valid_from=dt.date(2026, 9, 15))
    before = make_proven_incident(session, party=charged.party, occurred_at=at(15) - dt.timedelta(hours=10, seconds=1))
    after = make_proven_incident(session, party=charged.party, occurred_at=at(15) - dt.timedelta(hours=10))

    penalties = propose(session, before, after)

    assert [(penalty.rule_version_id, penalty.amount_fen) for penalty in penalties] == [
        (charged.rule.id, 20000),
        (new.id, 30000),
    ]
    session.refresh(charged.rule)
    assert charged.rule.priced_on == dt.date(2026, 9, 14)


def test_a_call_after_the_contract_ended_is_assessed_on_the_sponsoring_branch(session: Session) -> None:
    charged = make_charged_partner(session, ends_on=dt.date(2026, 9, 10))
    policy = make_contract(session, party=None, unit=charged.unit)
    make_rule(session, contract=policy, parameters={"basis": "per_offence", "amount_fen": 10000})
    inside = make_proven_incident(session, party=charged.party, occurred_at=at(9))
    outside = make_proven_incident(session, party=charged.party, occurred_at=at(10))

    penalties = propose(session, inside, outside)

    assert [(penalty.family, penalty.party_id, penalty.amount_fen) for penalty in penalties] == [
        (PenaltyFamily.EXTERNAL, charged.party.id, 20000),
        (PenaltyFamily.INTERNAL, unit_party(session, charged.unit).id, 10000),
    ]


def test_repeats_are_priced_by_their_tier_also_when_proposed_one_by_one(session: Session) -> None:
    steps = [{"from_count": count, "amount_fen": fen} for count, fen in ((1, 20000), (2, 30000), (4, 50000))]
    tiers = {"window": "rolling_days", "days": 90, "steps": steps}
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "tiers": tiers})
    days = [dt.date(2026, 3, 1), dt.date(2026, 3, 20), dt.date(2026, 4, 10), dt.date(2026, 5, 15)]
    incidents = [
        make_proven_incident(session, party=charged.party, occurred_at=clock.start_of_day(day)) for day in days
    ]

    first = propose(session, incidents[0])
    others = propose(session, *incidents[1:])

    assert [penalty.amount_fen for penalty in [*first, *others]] == [20000, 30000, 30000, 50000]
    assert others[-1].explanation["tier"] == {"nth": 4, "window": "rolling_days", "days": 90}


def test_a_month_cap_is_filled_and_the_rest_is_kept_on_record(session: Session) -> None:
    caps = [{"per": "month", "limit_fen": 500000}]
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
    dear = {"basis": "per_offence", "amount_fen": 490000, "caps": caps}
    make_rule(session, contract=charged.contract, offence_code="night_hours", parameters=dear)
    used = make_proven_incident(session, party=charged.party, occurred_at=at(1), codes=("night_hours",))
    propose(session, used)

    penalties = propose(
        session, *(make_proven_incident(session, party=charged.party, occurred_at=at(d)) for d in (2, 3))
    )

    assert [(penalty.amount_fen, penalty.capped_fen) for penalty in penalties] == [(10000, 10000), (0, 20000)]
    october = make_proven_incident(session, party=charged.party, occurred_at=at(31))
    assert [penalty.amount_fen for penalty in propose(session, october)] == [20000]


def test_shares_charge_each_party_of_the_chain_its_part(session: Session) -> None:
    parts = [("org_unit", 2000), ("agent", 5000), ("outsourcer", 3000)]
    shares = {"mode": "percent", "parts": [{"kind": kind, "share_bp": bp} for kind, bp in parts]}
    charged = make_charged_partner(session)
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=charged.party, role=RelationRole.CONTRACTED_BY)
    contract = make_contract(session, party=outsourcer, unit=charged.unit)
    make_rule(session, contract=contract, parameters={"basis": "per_offence", "amount_fen": 50000, "shares": shares})

    penalties = propose(session, make_proven_incident(session, party=outsourcer))

    assert [(penalty.party_id, penalty.family, penalty.amount_fen) for penalty in penalties] == [
        (unit_party(session, charged.unit).id, PenaltyFamily.INTERNAL, 10000),
        (charged.party.id, PenaltyFamily.EXTERNAL, 25000),
        (outsourcer.id, PenaltyFamily.EXTERNAL, 15000),
    ]


def test_a_share_for_a_party_that_the_chain_lacks_is_a_task(session: Session) -> None:
    shares = {"mode": "equal", "parts": [{"kind": "agent"}, {"kind": "outsourcer"}]}
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "shares": shares})

    assert isinstance(refusal(session, make_proven_incident(session, party=charged.party).id), NoBearerError)


def test_the_loss_so_far_stands_beside_the_amount(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    make_credit(session, incident_id=incident.id, amount_fen=5000)

    [penalty] = propose(session, incident)

    assert penalty.loss_basis_fen == 5000
    assert penalty.explanation["loss_basis_fen"] == 5000


def make_credit(session: Session, *, incident_id: int, amount_fen: int) -> None:
    subscriber = make_subscriber(session)
    policy = CompensationPolicy(
        code="P",
        name="通用承诺",
        starts_at=at(1),
        per_call_fen=amount_fen,
        call_unit=CallUnit.ATTEMPTED,
        nature=CreditNature.COMPENSATION,
        state=PromiseState.ACTIVE,
        drafted_by=1,
        agreed_by=2,
    )
    session.add(policy)
    session.flush()
    session.add(
        Credit(
            reference="PC-1",
            kind=CreditKind.PER_CALL,
            nature=CreditNature.COMPENSATION,
            incident_id=incident_id,
            policy_id=policy.id,
            subscriber_id=subscriber.id,
            number_id=subscriber.number_id,
            amount_fen=amount_fen,
            explanation={},
            content_sha256="",
            tax_label="",
            gl_account_code="6711.01",
            occurred_on=dt.date(2026, 9, 29),
            period="2026-09",
            maker_id=MAKER,
            proposed_at=clock.now(),
        )
    )
    session.flush()


# What is refused, by name


def test_nothing_proven_nothing_charged(session: Session) -> None:
    charged = make_charged_partner(session)
    undecided = make_incident(session)
    unproven = make_incident(session)
    attribute(session, incident=unproven, party=charged.party)
    find(session, incident=unproven, proven=False)

    assert isinstance(refusal(session, undecided.id), NothingProvenError)
    assert isinstance(refusal(session, unproven.id), NothingProvenError)
    assert isinstance(refusal(session, 999_999), NotFoundError)


def test_without_a_rule_there_is_a_task_and_no_amount(session: Session) -> None:
    charged = make_charged_partner(session)
    charged.rule.valid_to = dt.date(2026, 1, 1)
    session.flush()
    incident = make_proven_incident(session, party=charged.party)

    assert isinstance(refusal(session, incident.id), NoRuleError)
    assert [row.incident_id for row in unpriced_incidents(session, Scope.everything())] == [incident.id]


def test_without_a_contract_and_a_policy_nobody_is_charged(session: Session) -> None:
    assert isinstance(
        refusal(session, make_proven_incident(session, party=make_party(session, sponsor=make_unit(session))).id),
        NoPayerError,
    )


def test_the_same_finding_is_proposed_once(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    propose(session, incident)

    assert isinstance(refusal(session, incident.id), AlreadyDecidedError)
    assert len(live_penalties(session, incident)) == 1


def test_a_second_type_of_a_charged_call_is_not_added_unless_the_contract_adds_up(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident)
    find(session, incident=incident, code="night_hours")

    found = refusal(session, incident.id)

    assert isinstance(found, AlreadyChargedError)
    assert found.parameters["reference"] == penalty.reference


def test_one_bad_row_does_not_hold_up_the_others(session: Session) -> None:
    charged = make_charged_partner(session)
    good, bad = make_proven_incident(session, party=charged.party), make_incident(session)

    results = propose_penalties(session, [bad.id, good.id], actor_id=MAKER)

    assert [type(result.refusal) for result in results] == [NothingProvenError, type(None)]
    assert len(live_penalties(session, good)) == 1


def test_a_proposal_whose_verdict_changed_is_returned_when_the_new_party_is_charged(session: Session) -> None:
    charged, other = make_charged_partner(session), make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [stale] = propose(session, incident)
    first = verdict_in_force(session, incident.id)
    assert first is not None
    decide_verdict(
        session, incident.id, Verdict.ATTRIBUTED, other.party.id, reason="更正", shown_id=first.id, actor_id=TRIAGER
    )
    find(session, incident=incident)

    [penalty] = propose(session, incident)

    session.refresh(stale)
    assert stale.state is PenaltyState.RETURNED
    assert penalty.party_id == other.party.id


# What the database itself refuses


def test_the_database_itself_keeps_one_live_penalty_per_call_type_and_party(session: Session) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))
    row = {column.name: getattr(penalty, column.name) for column in Penalty.__table__.columns if column.name != "id"}

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.insert(Penalty).values(**{**row, "reference": "KF-other"}))


@pytest.mark.parametrize(
    "change",
    [{"amount_fen": 1, "gross_fen": 1}, {"party_id": 1}, {"explanation": {}}, {"content_sha256": ""}, {"maker_id": 7}],
)
def test_the_database_itself_never_lets_an_amount_be_typed_over(session: Session, change: dict[str, Any]) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))

    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(Penalty).where(Penalty.id == penalty.id).values(**change))


def test_a_rule_that_has_priced_a_call_cannot_end_before_it(session: Session) -> None:
    charged = make_charged_partner(session)
    propose(session, make_proven_incident(session, party=charged.party, occurred_at=at(29)))

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(
            sa.update(RuleVersion).where(RuleVersion.id == charged.rule.id).values(valid_to=dt.date(2026, 9, 29))
        )
    assert session.get_one(Contract, charged.contract.id).ends_on is None


def test_the_explanation_is_said_in_words(session: Session) -> None:
    caps = [{"per": "month", "limit_fen": 30000}]
    steps = [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 40000}]
    tiers = {"window": "rolling_days", "days": 90, "steps": steps}
    charged = make_charged_partner(
        session,
        parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps, "tiers": tiers},
        number="HT-7",
    )
    incidents = [make_proven_incident(session, party=charged.party, occurred_at=at(day)) for day in (1, 2)]
    find(session, incident=incidents[1], code="night_hours")

    penalty = propose(session, *incidents)[-1]
    with use_locale("en"):
        words = explain_in_words(penalty.explanation, {"night_hours": "Call at rest hours"})

    assert words == [
        f"Rule {charged.rule.code} version 1, in force on 2026-09-02, sets 200.00 yuan for each offence.",
        "It is offence 2 of this kind within 90 days: 400.00 yuan.",
        "Of the offence types of one call only the highest is charged; not charged: Call at rest hours 200.00.",
        "The cap for one month is 300.00 yuan, of which 200.00 were used.",
        "300.00 yuan exceed it and are not charged.",
        "The nearest party of the chain under contract on that day pays, by HT-7 外呼业务合作协议.",
        "Credits granted to the subscriber for this call so far: 0.00 yuan.",
    ]
