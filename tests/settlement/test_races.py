"""Two at once on real connections: a run is approved once, a deposit is drawn once, a reversal never meets a collection."""

import os
import signal
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.db import Database
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, RefusalError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.models import Penalty
from supervise.penalties.recourse import ReceiptFacts, receive_recourse
from supervise.penalties.recoveries import void_recovery
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.settlement.commissions import CommissionFacts, record_commissions
from supervise.settlement.deposits import DepositFacts, return_deposit
from supervise.settlement.models import RunState, SettlementRun
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.posting import post_next
from supervise.settlement.runs import approve_run
from tests.databases import opened
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import make_charged_partner, make_supervisor
from tests.factories.settlement import (
    FINANCE,
    approved,
    draft_run,
    make_commission,
    make_deposit,
    make_due_recourse,
    make_due_recovery,
    make_final_penalty,
    posted,
    settlement_of,
)
from tests.penalties.test_races import at_once


def test_two_approvals_of_one_run_approve_it_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        make_final_penalty(session, charged=charged)
        run = draft_run(session)
        judges = [make_supervisor(session, username=name).id for name in ("one", "two")]

    outcomes = at_once(
        database,
        *(partial(approve_run, run_id=run.id, content_sha256=run.content_sha256, actor_id=one) for one in judges),
    )

    assert sorted(isinstance(one, AlreadyDecidedError) for one in outcomes) == [False, True]


def test_two_workers_and_a_reversal_leave_books_that_agree(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        penalties = [make_final_penalty(session, charged=charged, amount_fen=200_00) for _ in range(3)]
        make_deposit(session, charged=charged, amount_fen=1_000_00)
        run = draft_run(session)
        approved(session, run)
        request = propose_reversal(session, penalties[0].id, amount_fen=None, reason="重复", actor_id=FINANCE)
        judge = make_supervisor(session, username="judge").id

    at_once(
        database,
        partial(post_next, run_id=run.id),
        partial(approve_reversal, request_id=request.id, actor_id=judge),
        partial(post_next, run_id=run.id),
    )

    with database.session(writes=False) as session:
        assert session.get_one(SettlementRun, run.id).state is RunState.POSTED
        assert session.get_one(Penalty, penalties[0].id).open_fen == 0
        held_fen = -balance_fen(session, AccountCode.DEPOSITS_HELD, charged.party.id)
        refund_fen = -balance_fen(session, AccountCode.REFUND_DUE, charged.party.id)
        assert held_fen + refund_fen == 600_00
        assert out_of_balance_fen(session) == 0
        assert discrepancies(session) == []


def test_a_run_that_meets_a_recovery_being_voided_and_a_claim_being_paid_takes_nothing_twice(
    database: Database,
) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        recovery = make_due_recovery(session, charged=charged, paid_fen=50_00)
        claim = make_due_recourse(session, charged=charged, amount_fen=100_00)
        make_deposit(session, charged=charged, amount_fen=1_000_00)
        run = draft_run(session)
        approved(session, run)

    outcomes = at_once(
        database,
        partial(post_next, run_id=run.id),
        partial(void_recovery, recovery_id=recovery.id, reason="重复", actor_id=FINANCE),
        partial(
            receive_recourse,
            recourse_id=claim.id,
            facts=ReceiptFacts(100_00, "ICBC-1", clock.today()),
            actor_id=FINANCE,
        ),
    )

    assert [type(one).__name__ for one in outcomes if isinstance(one, RefusalError)] in ([], ["NotOwedError"])
    with database.session(writes=False) as session:
        accounts = (AccountCode.COMPENSATION_RECOVERABLE, AccountCode.FINE_RECOVERABLE)
        assert [balance_fen(session, account, charged.party.id) for account in accounts] == [0, 0]
        assert session.get_one(FineRecourse, claim.id).received_fen == 100_00
        assert [one for one in discrepancies(session) if one.table != "credit"] == []


def test_of_two_who_return_one_deposit_one_wins(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        make_deposit(session, charged=charged, amount_fen=100_00)

    outcomes = at_once(
        database,
        *(
            partial(
                return_deposit,
                facts=DepositFacts(charged.party.id, 80_00, f"BACK-{turn}", clock.today()),
                actor_id=FINANCE,
            )
            for turn in range(2)
        ),
    )

    assert sorted(isinstance(one, RefusalError) for one in outcomes) == [False, True]


@pytest.mark.parametrize("statement", [9, 25])
def test_a_killed_worker_leaves_whole_parties_and_the_run_goes_on(
    database: Database, database_url: str, statement: int
) -> None:
    with database.session(writes=True) as session:
        several = [make_charged_partner(session) for _ in range(3)]
        for charged in several:
            make_final_penalty(session, charged=charged, amount_fen=200_00)
            make_deposit(session, charged=charged, amount_fen=500_00)
        run = draft_run(session)
        approved(session, run)
    database.engine.dispose()

    child = os.fork()
    if child == 0:
        _post_and_die(database_url, run.id, statement)
    _pid, status = os.waitpid(child, 0)

    assert os.WIFSIGNALED(status)
    with database.session(writes=False) as session:
        assert discrepancies(session) == []
    standing = post_all(database, run.id)
    with database.session(writes=False) as session:
        assert standing == (3, 3)
        assert session.get_one(SettlementRun, run.id).state is RunState.POSTED
        assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE) == 0
        assert discrepancies(session) == []


def _post_and_die(database_url: str, run_id: int, statement: int) -> None:
    # Never returns: no fixture of the parent may be torn down here.
    try:
        with opened(database_url) as database:
            seen = 0

            def strike(*_: object) -> None:
                nonlocal seen
                seen += 1
                if seen == statement:
                    os.kill(os.getpid(), signal.SIGKILL)

            sa.event.listen(database.engine, "before_cursor_execute", strike)
            post_all(database, run_id)
    finally:
        os._exit(1)


def post_all(database: Database, run_id: int) -> tuple[int, int]:
    """Post one party at a time, as a job does some hundred."""
    while True:
        with database.session(writes=True) as session:
            standing = _post_one(session, run_id)
        if standing[0] == standing[1]:
            return standing


def _post_one(session: Session, run_id: int) -> tuple[int, int]:
    return tuple(post_next(session, run_id, limit=1))  # type: ignore[return-value]


def test_a_statement_that_two_people_take_over_confirms_what_was_set_off_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        make_final_penalty(session, charged=charged, amount_fen=200_00)
        make_commission(session, charged=charged, due_fen=500_00)
        run = posted(session, draft_run(session))
        acknowledge_notice(session, settlement_of(session, run, charged).id, actor_id=931)
        lines = [CommissionFacts(charged.contract.id, run.month, 500_00, 200_00)]

    at_once(database, *(partial(record_commissions, lines=lines, actor_id=FINANCE) for _ in range(3)))

    with database.session(writes=False) as session:
        assert balance_fen(session, AccountCode.BILLING_CONTROL) == 200_00
        assert [one.table for one in discrepancies(session) if one.table != "credit"] == []
