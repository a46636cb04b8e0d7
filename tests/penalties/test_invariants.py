"""The invariants 1 to 5 of domain.md 6.3, over a life of many penalties with every kind of end."""

import datetime as dt
import random

import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.contracts.models import RuleVersion
from supervise.desk.consistency import discrepancies
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.approve import return_penalties
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import (
    LIVE_PENALTY_STATES,
    Objection,
    ObjectionState,
    Penalty,
    PenaltyFamily,
    PenaltyState,
)
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.queries import (
    PenaltyFilter,
    penalties_in_scope,
    penalty_totals,
)
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.penalties.waiting import approval_totals
from supervise.penalties.windows import acknowledge
from tests.factories.attribution import make_proven_incident
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
    propose,
)

EVERYTHING = Scope.everything()
MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)
PARAMETERS = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "across_types": "cumulative",
    "caps": [{"per": "day", "limit_fen": 70000}],
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 20000}, {"from_count": 3, "amount_fen": 30000}],
    },
}


def live_many(session: Session, charged: Charged, seed: int) -> list[Penalty]:
    """Take penalties of one party to every state that there is."""
    chance = random.Random(seed)  # noqa: S311 - the same lives in every run
    judge = make_supervisor(session, username="judge").id
    incidents = [
        make_proven_incident(
            session,
            party=charged.party,
            codes=("after_refusal", "night_hours")[: chance.randint(1, 2)],
            occurred_at=MONDAY - dt.timedelta(hours=chance.randint(1, 100), seconds=place),
        )
        for place in range(12)
    ]
    penalties = propose(session, *incidents)
    return_penalties(session, [penalties[-1].id], "证据不足", actor_id=judge)
    approve_all(session, *penalties[:-3])
    acknowledge(session, [penalty.id for penalty in penalties], EVERYTHING, actor_id=931)
    decisions = [ObjectionState.UPHELD, ObjectionState.REDUCED, ObjectionState.REJECTED]
    contestable = [one for one in penalties if one.state is PenaltyState.APPROVED and one.amount_fen > 1]
    for penalty, decision in zip(contestable, decisions * 2, strict=False):
        objection = file_objection(session, penalty.id, "不成立", EVERYTHING, actor_id=931)
        reduced = penalty.amount_fen // 3 if decision is ObjectionState.REDUCED else None
        decide_objection(session, objection.id, decision, note="复核", actor_id=judge, reduced_fen=reduced)
    with time_machine.travel(MONDAY + dt.timedelta(days=18), tick=False):
        finalise_due(session, clock.today())
        final = [penalty for penalty in penalties if penalty.state is PenaltyState.FINAL]
        for penalty, amount_fen in zip(final, [None, 100], strict=False):
            if penalty.amount_fen > penalty.lifted_fen:
                request = propose_reversal(session, penalty.id, amount_fen=amount_fen, reason="和解", actor_id=941)
                approve_reversal(session, request.id, actor_id=judge)
    session.expire_all()
    return penalties


def owed(session: Session, charged: Charged, state: PenaltyState) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(Penalty.amount_fen - Penalty.lifted_fen), 0))
    return int(session.scalars(query.where(Penalty.party_id == charged.party.id, Penalty.state == state)).one())


def test_the_receivables_of_a_party_are_the_sum_of_its_open_penalties(session: Session) -> None:
    with time_machine.travel(MONDAY, tick=False):
        partner = make_charged_partner(session, parameters=PARAMETERS)
        branch = make_charged_branch(session, parameters=PARAMETERS)
        for seed, charged in enumerate((partner, branch)):
            live_many(session, charged, seed)

    assert out_of_balance_fen(session) == 0
    assert discrepancies(session) == []
    contestable, final = PenaltyState.APPROVED, PenaltyState.FINAL
    party, unit = partner.party.id, branch.unit.id
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, party) == owed(session, partner, contestable)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, party) == owed(session, partner, final)
    assert balance_fen(session, AccountCode.PENALTY_INCOME, party) == -owed(session, partner, final)
    assert balance_fen(session, AccountCode.ASSESSMENT_CONTESTABLE, unit) == owed(session, branch, contestable)
    assert balance_fen(session, AccountCode.ASSESSMENT_FINAL, unit) == owed(session, branch, final)
    states = set(session.scalars(sa.select(Penalty.state)))
    assert states == {
        PenaltyState.PROPOSED,
        PenaltyState.RETURNED,
        PenaltyState.FINAL,
        PenaltyState.VOIDED,
        PenaltyState.REVERSED,
    }


def test_every_live_penalty_rests_on_a_finding_a_verdict_a_rule_and_two_people(session: Session) -> None:
    with time_machine.travel(MONDAY, tick=False):
        live_many(session, make_charged_partner(session, parameters=PARAMETERS), 3)

    rows = session.execute(
        sa.select(Penalty, Finding, IncidentVerdict, RuleVersion)
        .join(Finding, Finding.id == Penalty.finding_id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Penalty.incident_id)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .where(Penalty.state.in_(LIVE_PENALTY_STATES))
    ).all()
    assert rows
    seen = set()
    for penalty, finding, verdict, rule in rows:
        assert finding.state is FindingState.PROVEN
        assert finding.evidence_note
        assert verdict.verdict in CHARGEABLE_VERDICTS
        assert rule.valid_from <= penalty.occurred_on
        assert rule.valid_to is None or penalty.occurred_on < rule.valid_to
        assert penalty.maker_id != penalty.approver_id
        key = (penalty.incident_id, penalty.offence_code, penalty.party_id)
        assert key not in seen
        seen.add(key)
    for penalty, objection in session.execute(
        sa.select(Penalty, Objection).join(Objection, Objection.penalty_id == Penalty.id)
    ):
        assert objection.decided_by not in (penalty.approver_id, objection.filed_by)


def test_lists_and_totals_say_the_same_within_scope(session: Session) -> None:
    with time_machine.travel(MONDAY, tick=False):
        partner = make_charged_partner(session, parameters=PARAMETERS)
        penalties = live_many(session, partner, 5)
        other = make_charged_partner(session)
        [waiting] = propose(session, make_proven_incident(session, party=other.party))

    own = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({partner.party.id}))
    listed = penalties_in_scope(session, own, PenaltyFilter(listed_only=True), limit=200)
    totals = penalty_totals(session, own, first_period="2026-01", last_period="2026-12")
    assert {row.party_id for row in listed.rows} == {partner.party.id}
    assert sum(total.owed_fen for total in totals) == sum(row.owed_fen for row in listed.rows)
    assert sum(total.penalties for total in totals) == len(listed.rows) < len(penalties)
    [mine] = [total for total in approval_totals(session).rows if total.party_id == other.party.id]
    assert (mine.penalties, mine.amount_fen) == (1, waiting.amount_fen)
    assert penalties_in_scope(session, Scope.nothing(), PenaltyFilter()).rows == []


def test_pages_follow_each_other_without_gap_or_repeat(session: Session) -> None:
    charged = make_charged_partner(session)
    ids = [one.id for one in propose(session, *(make_proven_incident(session, party=charged.party) for _ in range(5)))]
    wanted = PenaltyFilter(state=PenaltyState.PROPOSED, family=PenaltyFamily.EXTERNAL, party_id=charged.party.id)

    seen: list[int] = []
    after_id: int | None = None
    while True:
        page = penalties_in_scope(session, EVERYTHING, wanted, after_id=after_id, limit=2)
        seen += [row.id for row in page.rows]
        after_id = page.next_after_id
        if after_id is None:
            break

    assert seen == ids[::-1]
