"""Several people at once, on real connections: whatever the order, money is posted once and nothing contradicts."""

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.findings import MoneyHangsOnItError, Proof, record_findings
from supervise.attribution.models import Finding, FindingState
from supervise.db import Database, is_retryable
from supervise.errors import AlreadyDecidedError, RefusalError, RowResult
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.acceptance import accept
from supervise.penalties.admission import admit_late
from supervise.penalties.approve import Shown, approve
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import (
    LIVE_PENALTY_STATES,
    Objection,
    ObjectionState,
    Penalty,
    PenaltyRefund,
    PenaltyState,
)
from supervise.penalties.notice_models import PenaltyAcceptance
from supervise.penalties.objections import ObjectionOpenError, decide_objection, file_objection
from supervise.penalties.propose import propose_penalties
from supervise.penalties.recoveries import approve_recoveries, propose_recoveries
from supervise.penalties.recovery_models import Recovery
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.penalties.windows import acknowledge
from tests.factories.attribution import TRIAGER, make_proven_incident
from tests.factories.complaints import CALLED_AT
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import (
    MAKER,
    make_approved_penalty,
    make_charged_partner,
    make_supervisor,
    propose,
    shown,
)
from tests.factories.recoveries import pay

Decision = Callable[[Session], Any]


def at_once(database: Database, *decisions: Decision) -> list[Any]:
    """Run each decision in a thread and a transaction of its own; a refusal counts as its result."""
    outcomes: list[Any] = [None] * len(decisions)
    gate = threading.Barrier(len(decisions))

    def run(place: int, decision: Decision) -> None:
        gate.wait()
        for _attempt in range(30):
            try:
                with database.session(writes=True) as session:
                    outcomes[place] = decision(session)
            except RefusalError as refusal:
                outcomes[place] = refusal
            except DBAPIError as error:
                if not is_retryable(error):
                    outcomes[place] = error
                    return
                time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - a pause, not a secret
                continue
            return

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(decisions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def otherwise(session: Session, *, incident_id: int) -> Any:
    """Find that the offence is not proven after all."""
    proofs = [Proof("after_refusal", proven=False, evidence_note="误听")]
    return record_findings(session, incident_id, proofs, actor_id=TRIAGER)


def count(session: Session, model: type[Any], *conditions: Any) -> int:
    return session.scalars(sa.select(sa.func.count()).select_from(model).where(*conditions)).one()


def test_four_approvers_of_the_same_lines_give_one_posting_each(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        incidents = [make_proven_incident(session, party=charged.party) for _ in range(20)]
        lines = shown(*propose(session, *incidents))
        approvers = [make_supervisor(session, username=f"supervisor{place}").id for place in range(4)]

    def approving(approver_id: int) -> Decision:
        mine = random.sample(lines, len(lines))
        return lambda session: approve(session, mine, actor_id=approver_id)

    outcomes = at_once(database, *(approving(approver_id) for approver_id in approvers))

    results: list[RowResult] = [result for outcome in outcomes for result in outcome]
    assert sum(result.refusal is None for result in results) == len(lines)
    assert all(result.refusal is None or isinstance(result.refusal, AlreadyDecidedError) for result in results)
    with database.session(writes=False) as session:
        assert count(session, JournalEntry) == len(lines)
        assert count(session, Penalty, Penalty.state == PenaltyState.APPROVED) == len(lines)
        assert out_of_balance_fen(session) == 0


def test_approval_and_a_finding_the_other_way_never_both_win(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        incidents = [make_proven_incident(session, party=charged.party) for _ in range(8)]
        lines = shown(*propose(session, *incidents))
        supervisor_id = make_supervisor(session).id

    for incident, line in zip(incidents, lines, strict=True):
        at_once(
            database,
            partial(approve, shown=[line], actor_id=supervisor_id),
            partial(otherwise, incident_id=incident.id),
        )

    with database.session(writes=False) as session:
        for penalty in session.scalars(sa.select(Penalty)):
            finding = session.get_one(Finding, penalty.finding_id)
            approved = penalty.state is PenaltyState.APPROVED
            assert finding.held is approved
            assert (finding.state is FindingState.PROVEN) is approved
            key = f"penalty:approved:{penalty.id}"
            assert count(session, JournalEntry, JournalEntry.idempotency_key == key) == int(approved)


def test_two_proposers_of_the_same_call_give_one_penalty(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        ids = [make_proven_incident(session, party=charged.party).id for _ in range(10)]

    outcomes = at_once(
        database,
        lambda session: propose_penalties(session, ids, actor_id=MAKER),
        lambda session: propose_penalties(session, ids[::-1], actor_id=MAKER + 1),
    )

    assert sum(result.refusal is None for outcome in outcomes for result in outcome) == len(ids)
    with database.session(writes=False) as session:
        assert count(session, Penalty, Penalty.state.in_(LIVE_PENALTY_STATES)) == len(ids)


def test_proposers_at_once_do_not_exceed_a_cap_together(database: Database) -> None:
    caps = [{"per": "month", "limit_fen": 100000}]
    with database.session(writes=True) as session:
        charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
        ids = [make_proven_incident(session, party=charged.party, occurred_at=CALLED_AT).id for _ in range(12)]

    def proposing(some: list[int]) -> Decision:
        return lambda session: propose_penalties(session, some, actor_id=MAKER)

    at_once(database, *(proposing(ids[start::4]) for start in range(4)))

    with database.session(writes=False) as session:
        amounts = list(session.scalars(sa.select(Penalty.amount_fen).order_by(Penalty.id)))
        assert sorted(amounts, reverse=True) == [20000] * 5 + [0] * 7


def test_capped_lines_that_were_proposed_at_once_are_approved_as_they_stand(database: Database) -> None:
    caps = [{"per": "month", "limit_fen": 50000}]
    with database.session(writes=True) as session:
        charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
        ids = [make_proven_incident(session, party=charged.party).id for _ in range(6)]
        supervisor_id = make_supervisor(session).id

    def proposing(some: list[int]) -> Decision:
        return lambda session: propose_penalties(session, some, actor_id=MAKER)

    at_once(database, *(proposing(ids[start::3]) for start in range(3)))
    with database.session(writes=True) as session:
        lines = [Shown(*row) for row in session.execute(sa.select(Penalty.id, Penalty.content_sha256))]
        results = approve(session, lines, actor_id=supervisor_id)

    assert [result.refusal for result in results] == [None] * 6


def test_two_judges_decide_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalties = [make_approved_penalty(session, charged=charged) for _ in range(6)]
        judges = [make_supervisor(session, username=f"judge{place}").id for place in range(2)]
        filed = [
            file_objection(session, penalty.id, "不成立", Scope.everything(), actor_id=931).id for penalty in penalties
        ]

    for objection_id in filed:
        outcomes = at_once(
            database,
            partial(
                decide_objection,
                objection_id=objection_id,
                decision=ObjectionState.UPHELD,
                note="成立",
                actor_id=judges[0],
            ),
            partial(
                decide_objection,
                objection_id=objection_id,
                decision=ObjectionState.REJECTED,
                note="不成立",
                actor_id=judges[1],
            ),
        )
        assert sum(isinstance(outcome, AlreadyDecidedError) for outcome in outcomes) == 1

    with database.session(writes=False) as session:
        for objection in session.scalars(sa.select(Objection)):
            penalty = session.get_one(Penalty, objection.penalty_id)
            upheld = objection.state is ObjectionState.UPHELD
            assert (penalty.state is PenaltyState.VOIDED) is upheld
            key = f"objection:decided:{objection.id}"
            assert count(session, JournalEntry, JournalEntry.idempotency_key == key) == int(upheld)
        assert out_of_balance_fen(session) == 0


def test_two_contacts_file_one_objection(database: Database) -> None:
    with database.session(writes=True) as session:
        penalty_id = make_approved_penalty(session, charged=make_charged_partner(session)).id

    def filing(contact_id: int) -> Decision:
        return lambda session: file_objection(session, penalty_id, "不成立", Scope.everything(), actor_id=contact_id)

    outcomes = at_once(database, filing(931), filing(932))

    assert sum(isinstance(outcome, ObjectionOpenError) for outcome in outcomes) == 1
    with database.session(writes=False) as session:
        assert count(session, Objection) == 1


def test_an_objection_and_a_verdict_change_do_not_lock_each_other_out(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalties = [make_approved_penalty(session, charged=charged) for _ in range(6)]
        judge_id = make_supervisor(session, username="judge").id
        filed = [
            file_objection(session, penalty.id, "不成立", Scope.everything(), actor_id=931).id for penalty in penalties
        ]

    for penalty, objection_id in zip(penalties, filed, strict=True):
        upheld, overturned = at_once(
            database,
            partial(
                decide_objection,
                objection_id=objection_id,
                decision=ObjectionState.UPHELD,
                note="成立",
                actor_id=judge_id,
            ),
            partial(otherwise, incident_id=penalty.incident_id),
        )
        assert isinstance(upheld, Objection)
        # Before the void the finding is held; after it, it is overturned and may be found otherwise.
        assert isinstance(overturned, MoneyHangsOnItError | list)


def test_a_late_objection_and_a_reversal_at_once_never_lift_more_than_is_left(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalties = [make_approved_penalty(session, charged=charged) for _ in range(5)]
        judges = [make_supervisor(session, username=f"judge{place}").id for place in range(3)]
        ids = [penalty.id for penalty in penalties]
        acknowledge(session, ids, Scope.everything(), actor_id=931)
        for penalty in penalties:
            penalty.objection_until_on = clock.today() - dt.timedelta(days=1)
        session.flush()
        assert finalise_due(session, clock.today()) == ids
        for penalty in penalties:
            penalty.settled_fen = 15000
        filed = [file_objection(session, one, "不成立", Scope.everything(), actor_id=931).id for one in ids]
        for objection_id in filed:
            admit_late(session, objection_id, admitted=True, reason="邮件故障", actor_id=judges[0])
        asked = [propose_reversal(session, one, amount_fen=15000, reason="重复计扣", actor_id=941).id for one in ids]

    for objection_id, request_id in zip(filed, asked, strict=True):
        at_once(
            database,
            partial(
                decide_objection,
                objection_id=objection_id,
                decision=ObjectionState.REDUCED,
                note="部分成立",
                actor_id=judges[1],
                reduced_fen=12000,
            ),
            partial(approve_reversal, request_id=request_id, actor_id=judges[2]),
        )

    with database.session(writes=False) as session:
        for penalty in session.scalars(sa.select(Penalty)):
            # Whoever came second found less than they wanted to take: only one of the two was done.
            assert penalty.lifted_fen in (12000, 15000)
            assert penalty.settled_fen == 20000 - penalty.lifted_fen
        refunds_fen = session.scalars(sa.select(sa.func.sum(PenaltyRefund.amount_fen))).one()
        assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -refunds_fen
        assert out_of_balance_fen(session) == 0


def test_accepting_and_objecting_at_once_leaves_one_of_the_two(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        ids = [make_approved_penalty(session, charged=charged).id for _ in range(6)]

    def accepting(penalty_id: int) -> Decision:
        return lambda session: accept(session, [penalty_id], Scope.everything(), actor_id=931)

    def objecting(penalty_id: int) -> Decision:
        return lambda session: file_objection(session, penalty_id, "不成立", Scope.everything(), actor_id=932)

    for penalty_id in ids:
        at_once(database, accepting(penalty_id), objecting(penalty_id))

    with database.session(writes=False) as session:
        accepted = set(session.scalars(sa.select(PenaltyAcceptance.penalty_id)))
        objected = set(session.scalars(sa.select(Objection.penalty_id)))
        assert accepted.isdisjoint(objected)
        assert accepted | objected == set(ids)


def test_two_calls_of_one_unit_proposed_at_once_are_charged_once(database: Database) -> None:
    with database.session(writes=True) as session:
        monthly = {"basis": "per_number_month", "amount_fen": 500_00}
        charged = make_charged_partner(session, parameters=monthly)
        calls = [
            make_proven_incident(
                session,
                party=charged.party,
                occurred_at=CALLED_AT + dt.timedelta(hours=place),
                caller_number="02155556666",
            ).id
            for place in range(4)
        ]

    at_once(database, *(partial(propose_penalties, incident_ids=[call], actor_id=MAKER) for call in calls))

    with database.session(writes=False) as session:
        assert count(session, Penalty, Penalty.state.in_(LIVE_PENALTY_STATES)) == 1


def test_a_credit_is_recovered_once_however_many_propose_and_approve_it(database: Database) -> None:
    with database.session(writes=True) as session:
        rule = {"basis": "per_offence", "amount_fen": 200_00, "recovery_bp": 10_000}
        charged = make_charged_partner(session, parameters=rule)
        incident = make_proven_incident(session, party=charged.party)
        incident_id, party_id = incident.id, charged.party.id
        pay(session, incident, 50_00)
        approvers = [make_supervisor(session, username=f"supervisor{place}").id for place in range(3)]
    at_once(database, *[partial(propose_recoveries, incident_ids=[incident_id], actor_id=MAKER)] * 3)
    with database.session(writes=False) as session:
        lines = [(one.id, one.content_sha256) for one in session.scalars(sa.select(Recovery))]

    at_once(database, *(partial(approve_recoveries, shown=lines, actor_id=approver) for approver in approvers))

    with database.session(writes=False) as session:
        assert len(lines) == 1
        assert balance_fen(session, AccountCode.COMPENSATION_RECOVERABLE, party_id) == 50_00
        assert out_of_balance_fen(session) == 0
