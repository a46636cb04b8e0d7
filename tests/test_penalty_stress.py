"""Several decisions on the same money at once: whatever comes first, exactly one effect each, and the books agree."""

import datetime as dt
from functools import partial
from typing import Any

import sqlalchemy as sa

from supervise import clock
from supervise.access.roles import Role
from supervise.db import Database
from supervise.errors import AlreadyDecidedError, RefusalError
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.penalties.adjust import NothingToAdjustError, take_adjustment
from supervise.penalties.adjustment_models import Adjustment
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState, ReversalRequest, WaiverReason
from supervise.penalties.objections import decide_objection
from supervise.penalties.recourse import RecourseOverFineError, approve_recourse, propose_recourse
from supervise.penalties.reversals import ReversalOpenError, approve_reversal, propose_reversal
from supervise.penalties.waivers import approve_waiver, propose_waiver
from supervise.settlement.bank import PaymentFacts, receive_payment
from supervise.settlement.posting import post_next
from supervise.settlement.write_offs import approve_write_off, propose_write_off
from tests.factories.access import make_user
from tests.factories.fines import make_fine
from tests.factories.penalties import make_approved_penalty, make_charged_partner, make_supervisor
from tests.factories.settlement import FINANCE, approved, draft_run, make_deposit, posted
from tests.factories.stress import (
    TIERED,
    assert_sound,
    make_collectable,
    object_late,
    object_to,
)
from tests.penalties.test_races import Decision, at_once


def deciding(objection_id: int, decision: ObjectionState, actor_id: int, reduced_fen: int | None = None) -> Decision:
    return partial(
        decide_objection,
        objection_id=objection_id,
        decision=decision,
        note="查实",
        actor_id=actor_id,
        reduced_fen=reduced_fen,
    )


def refused(outcomes: list[Any]) -> list[bool]:
    """Which of them were refused; whatever else went wrong is no refusal and fails here."""
    assert not [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, RefusalError)]
    return [isinstance(one, RefusalError) for one in outcomes]


def test_a_waiver_an_objection_and_a_reversal_never_take_more_than_is_left(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        make_deposit(session, charged=charged, amount_fen=150_00)
        penalties = [make_collectable(session, charged=charged) for _ in range(3)]
        posted(session, draft_run(session))
        judges = [make_supervisor(session, username=f"judge{place}").id for place in range(3)]
        asked = [
            (
                propose_waiver(
                    session, one.id, amount_fen=150_00, because=WaiverReason.HARDSHIP, reason="困难", actor_id=FINANCE
                ).id,
                propose_reversal(session, one.id, amount_fen=150_00, reason="重复计扣", actor_id=FINANCE).id,
                object_late(session, one),
            )
            for one in penalties
        ]

    for waiver_id, request_id, objection_id in asked:
        outcomes = at_once(
            database,
            partial(approve_waiver, waiver_id=waiver_id, actor_id=judges[0]),
            partial(approve_reversal, request_id=request_id, actor_id=judges[1]),
            deciding(objection_id, ObjectionState.REDUCED, judges[2], reduced_fen=120_00),
        )
        # 150, 150 and 120 of 200: whoever comes first leaves too little for the others.
        assert refused(outcomes).count(False) == 1

    with database.session(writes=False) as session:
        for penalty in session.scalars(sa.select(Penalty)):
            assert penalty.lifted_fen in (150_00, 120_00)
            assert penalty.open_fen >= 0
        assert_sound(session)


def test_two_reversals_of_one_penalty_reverse_it_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalty_id = make_collectable(session, charged=charged).id
        judges = [make_supervisor(session, username=f"judge{place}").id for place in range(2)]

    asking = partial(propose_reversal, penalty_id=penalty_id, amount_fen=None, reason="重复计扣", actor_id=FINANCE)
    asked = at_once(database, asking, asking)
    assert sorted(isinstance(one, ReversalOpenError) for one in asked) == [False, True]
    with database.session(writes=False) as session:
        request_id = session.scalars(sa.select(ReversalRequest.id)).one()
    outcomes = at_once(
        database, *(partial(approve_reversal, request_id=request_id, actor_id=judge) for judge in judges)
    )

    assert sorted(isinstance(one, AlreadyDecidedError) for one in outcomes) == [False, True]
    with database.session(writes=False) as session:
        assert session.get_one(Penalty, penalty_id).state is PenaltyState.REVERSED
        assert session.get_one(Penalty, penalty_id).lifted_fen == 200_00
        assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE) == 0
        assert_sound(session)


def test_what_follows_of_an_objection_and_an_objection_of_its_own_lift_each_part_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session, parameters=TIERED)
        called = clock.now() - dt.timedelta(days=30)
        penalties = [
            make_approved_penalty(session, charged=charged, occurred_at=called + dt.timedelta(days=day))
            for day in range(3)
        ]
        judge = make_supervisor(session, username="judge").id
        deciding(object_to(session, penalties[0]), ObjectionState.UPHELD, judge)(session)
        adjustment = session.scalars(sa.select(Adjustment)).first()
        assert adjustment is not None
        objection_id = object_to(session, session.get_one(Penalty, adjustment.penalty_id))
        contested_id = adjustment.penalty_id

    taken, decided = at_once(
        database,
        partial(take_adjustment, adjustment_id=adjustment.id, actor_id=judge),
        deciding(objection_id, ObjectionState.UPHELD, judge),
    )

    # Upheld in any case; the adjustment found something to take off, or nothing any more.
    assert isinstance(decided, Objection)
    assert isinstance(taken, Adjustment | NothingToAdjustError | AlreadyDecidedError)
    with database.session(writes=False) as session:
        assert session.get_one(Penalty, contested_id).state is PenaltyState.VOIDED
        assert session.get_one(Penalty, contested_id).lifted_fen == session.get_one(Penalty, contested_id).amount_fen
        assert_sound(session)


def test_a_write_off_a_payment_and_a_settlement_take_a_debt_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalty_id = make_collectable(session, charged=charged).id
        make_deposit(session, charged=charged, amount_fen=500_00)
        run = approved(session, draft_run(session))
        wish = propose_write_off(session, penalty_id, amount_fen=None, reason="公司已注销", actor_id=FINANCE)
        approve_write_off(session, wish.id, actor_id=make_supervisor(session).id)
        second = make_user(session, username="second", role=Role.SUPERVISOR).id
        facts = PaymentFacts(charged.party.id, 200_00, "ICBC-1", clock.today())

    given_up, paid, collected = at_once(
        database,
        partial(approve_write_off, write_off_id=wish.id, actor_id=second),
        partial(receive_payment, facts=facts, actor_id=FINANCE),
        partial(post_next, run_id=run.id),
    )

    refused([given_up, paid, collected])
    with database.session(writes=False) as session:
        penalty = session.get_one(Penalty, penalty_id)
        assert penalty.open_fen == 0
        assert penalty.settled_fen + penalty.written_off_fen == 200_00
        gone_fen = balance_fen(session, AccountCode.WRITE_OFF)
        assert gone_fen == (0 if isinstance(given_up, RefusalError) else 200_00)
        # What was taken twice of the party, its payment and its deposit, is owed back to it.
        kept_fen = -balance_fen(session, AccountCode.DEPOSITS_HELD) - balance_fen(session, AccountCode.REFUND_DUE)
        assert kept_fen == 500_00 + 200_00 - penalty.settled_fen
        assert_sound(session)


def test_an_objection_and_the_settlement_of_its_penalty_never_both_keep_the_money(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalties = [make_collectable(session, charged=charged) for _ in range(2)]
        make_deposit(session, charged=charged, amount_fen=500_00)
        run = approved(session, draft_run(session))
        judge = make_supervisor(session, username="judge").id
        filed = [object_late(session, one) for one in penalties]

    outcomes = at_once(
        database,
        partial(post_next, run_id=run.id),
        *(deciding(one, ObjectionState.UPHELD, judge) for one in filed),
    )

    assert refused(outcomes) == [False, False, False]
    with database.session(writes=False) as session:
        assert {one.amount_fen - one.lifted_fen for one in session.scalars(sa.select(Penalty))} == {0}
        kept_fen = -balance_fen(session, AccountCode.DEPOSITS_HELD) - balance_fen(session, AccountCode.REFUND_DUE)
        assert kept_fen == 500_00
        keys = [f"objection:decided:{one}" for one in filed]
        postings = sa.select(sa.func.count()).where(JournalEntry.idempotency_key.in_(keys))
        assert session.scalars(postings).one() == 2
        assert_sound(session)


def test_claims_of_one_fine_at_once_never_exceed_it_and_each_is_approved_once(database: Database) -> None:
    with database.session(writes=True) as session:
        party_ids = [make_charged_partner(session).party.id for _ in range(2)]
        fine_id = make_fine(session, amount_fen=100_000_00).id
        judges = [make_supervisor(session, username=f"judge{place}").id for place in range(2)]

    claims = [
        partial(
            propose_recourse, fine_id=fine_id, party_id=party_id, amount_fen=60_000_00, ground="合同", actor_id=FINANCE
        )
        for party_id in party_ids
    ]
    outcomes = at_once(database, *claims)
    assert sorted(isinstance(one, RecourseOverFineError) for one in outcomes) == [False, True]
    with database.session(writes=False) as session:
        line_id = session.scalars(sa.select(FineRecourse.id)).one()
    approvals = [partial(approve_recourse, recourse_id=line_id, actor_id=judge) for judge in judges]

    outcomes = at_once(database, *approvals)

    assert sorted(isinstance(one, AlreadyDecidedError) for one in outcomes) == [False, True]
    with database.session(writes=False) as session:
        assert balance_fen(session, AccountCode.FINE_RECOVERABLE) == 60_000_00
        assert_sound(session)
