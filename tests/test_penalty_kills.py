"""kill -9 and a cut connection in the decisions about money: all is there or nothing, and a retry has one effect."""

import gc
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.db import Base, Database
from supervise.errors import RefusalError
from supervise.penalties.adjust import take_adjustment
from supervise.penalties.adjustment_models import Adjustment
from supervise.penalties.approve import approve
from supervise.penalties.models import ObjectionState, WaiverReason
from supervise.penalties.objections import decide_objection
from supervise.penalties.recourse import approve_recourse
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.penalties.waivers import approve_waiver, propose_waiver
from supervise.settlement.commissions import CommissionFacts, record_commissions
from supervise.settlement.deposits import DepositFacts, return_deposit
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.posting import post_next
from supervise.settlement.write_offs import approve_write_off, propose_write_off
from tests.databases import opened
from tests.factories.access import make_user
from tests.factories.attribution import make_proven_incident
from tests.factories.fines import make_recourse
from tests.factories.penalties import make_approved_penalty, make_charged_partner, make_supervisor, propose, shown
from tests.factories.settlement import (
    FINANCE,
    approved,
    draft_run,
    make_commission,
    make_deposit,
    posted,
    settlement_of,
)
from tests.factories.stress import TIERED, assert_sound, make_collectable, object_late, object_to

Decision = Callable[[Session], Any]


def approval_with_its_notice(session: Session) -> Decision:
    charged = make_charged_partner(session)
    lines = shown(*propose(session, *(make_proven_incident(session, party=charged.party) for _ in range(2))))
    return partial(approve, shown=lines, actor_id=make_supervisor(session).id)


def waiver(session: Session) -> Decision:
    penalty = make_approved_penalty(session, charged=make_charged_partner(session))
    asked = propose_waiver(
        session, penalty.id, amount_fen=50_00, because=WaiverReason.HARDSHIP, reason="困难", actor_id=FINANCE
    )
    judge = make_supervisor(session, username="judge")
    return partial(approve_waiver, waiver_id=asked.id, actor_id=judge.id)


def write_off(session: Session) -> Decision:
    penalty = make_collectable(session, charged=make_charged_partner(session))
    wish = propose_write_off(session, penalty.id, amount_fen=None, reason="公司已注销", actor_id=FINANCE)
    approve_write_off(session, wish.id, actor_id=make_supervisor(session).id)
    second = make_user(session, username="second", role=Role.SUPERVISOR)
    return partial(approve_write_off, write_off_id=wish.id, actor_id=second.id)


def objection_after_settlement(session: Session) -> Decision:
    charged = make_charged_partner(session)
    penalty = make_collectable(session, charged=charged)
    make_deposit(session, charged=charged, amount_fen=500_00)
    posted(session, draft_run(session))
    return _upheld(object_late(session, penalty), make_supervisor(session, username="judge").id)


def adjustment(session: Session) -> Decision:
    charged = make_charged_partner(session, parameters=TIERED)
    first, *_others = [make_approved_penalty(session, charged=charged) for _ in range(2)]
    judge = make_supervisor(session, username="judge")
    _upheld(object_to(session, first), judge.id)(session)
    follows = session.scalars(sa.select(Adjustment)).one()
    return partial(take_adjustment, adjustment_id=follows.id, actor_id=judge.id)


def deposit_return(session: Session) -> Decision:
    charged = make_charged_partner(session)
    make_deposit(session, charged=charged, amount_fen=100_00)
    facts = DepositFacts(charged.party.id, 80_00, "BACK-1", clock.today())
    return partial(return_deposit, facts=facts, actor_id=FINANCE)


def settlement_posting(session: Session) -> Decision:
    charged = make_charged_partner(session)
    make_collectable(session, charged=charged)
    make_deposit(session, charged=charged, amount_fen=500_00)
    return partial(post_next, run_id=approved(session, draft_run(session)).id)


def claim_of_a_fine(session: Session) -> Decision:
    line = make_recourse(session, party_id=make_charged_partner(session).party.id)
    return partial(approve_recourse, recourse_id=line.id, actor_id=make_supervisor(session).id)


def reversal(session: Session) -> Decision:
    penalty = make_collectable(session, charged=make_charged_partner(session))
    asked = propose_reversal(session, penalty.id, amount_fen=None, reason="重复计扣", actor_id=FINANCE)
    return partial(approve_reversal, request_id=asked.id, actor_id=make_supervisor(session).id)


def commission_statement(session: Session) -> Decision:
    charged = make_charged_partner(session)
    make_collectable(session, charged=charged)
    make_commission(session, charged=charged, due_fen=500_00)
    run = posted(session, draft_run(session))
    settled = settlement_of(session, run, charged)
    acknowledge_notice(session, settled.id, actor_id=931)
    lines = [CommissionFacts(charged.contract.id, run.month, 500_00, settled.commission_fen)]
    return partial(record_commissions, lines=lines, actor_id=FINANCE)


def _upheld(objection_id: int, actor_id: int) -> Decision:
    return partial(
        decide_objection, objection_id=objection_id, decision=ObjectionState.UPHELD, note="查实", actor_id=actor_id
    )


DECISIONS = (
    approval_with_its_notice,
    waiver,
    write_off,
    objection_after_settlement,
    adjustment,
    deposit_return,
    settlement_posting,
    claim_of_a_fine,
    reversal,
    commission_statement,
)


def every_row(database: Database) -> dict[str, Counter[str]]:
    """What every table holds, to compare."""
    with database.session(writes=False) as session:
        return {
            table.name: Counter(map(repr, session.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
        }


def decide(database: Database, decision: Decision) -> Any:
    with database.session(writes=True) as session:
        return decision(session)


def dies_at(database: Database, url: str, decision: Decision, step: int | None) -> bool:
    """Take the decision in a child that kills itself at its n-th statement (None: at the commit); say if it died."""
    database.engine.dispose()
    child = os.fork()
    if child == 0:
        _decide_and_die(url, decision, step)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def _decide_and_die(url: str, decision: Decision, step: int | None) -> None:
    # Never returns: no fixture of the parent may be torn down here.
    gc.disable()
    code = 1
    try:
        with opened(url) as database:
            seen = 0

            def strike(*_: object) -> None:
                nonlocal seen
                seen += 1
                if step in (None, seen):
                    os.kill(os.getpid(), signal.SIGKILL)

            event = "commit" if step is None else "before_cursor_execute"
            sa.event.listen(database.engine, event, strike)
            decide(database, decision)
        code = 0
    finally:
        os._exit(code)


def assert_done_once(database: Database, decision: Decision, before: dict[str, Counter[str]]) -> None:
    """A retry does all of it; another one changes nothing."""
    decide(database, decision)
    done = every_row(database)
    assert done["journal_entry"].total() > before["journal_entry"].total()
    with database.session(writes=False) as session:
        assert_sound(session)
    with suppress(RefusalError):
        decide(database, decision)
    assert every_row(database) == done


@pytest.mark.parametrize("make", DECISIONS, ids=lambda make: make.__name__)
def test_a_killed_decision_leaves_nothing_and_its_retry_has_one_effect(
    database: Database, database_url: str, make: Callable[[Session], Decision]
) -> None:
    with database.session(writes=True) as session:
        decision = make(session)
    before = every_row(database)

    for step in (4, 9, None):
        assert dies_at(database, database_url, decision, step)
        assert every_row(database) == before

    assert_done_once(database, decision, before)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize("make", DECISIONS, ids=lambda make: make.__name__)
def test_a_connection_cut_before_the_commit_leaves_nothing_and_the_retry_has_one_effect(
    database: Database, database_url: str, make: Callable[[Session], Decision]
) -> None:
    with database.session(writes=True) as session:
        decision = make(session)
    before = every_row(database)

    def cut(connection: sa.Connection) -> None:
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    sa.event.listen(database.engine, "commit", cut, once=True)
    with pytest.raises(DBAPIError):
        decide(database, decision)
    assert every_row(database) == before

    assert_done_once(database, decision, before)
