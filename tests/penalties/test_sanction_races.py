"""Sanctions on real connections: decided once, proposed once, points entered once, whoever comes at the same moment."""

import datetime as dt
from functools import partial

import sqlalchemy as sa

from supervise import clock
from supervise.db import Database
from supervise.errors import AlreadyDecidedError
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.penalties.ladder import propose_sanctions
from supervise.penalties.points import enter_points
from supervise.penalties.sanctions import (
    WaitingAlreadyError,
    approve_sanction,
    propose_sanction,
    reject_sanction,
)
from supervise.penalties.score_models import PointsEntry
from tests.factories.parties import make_party
from tests.factories.penalties import make_charged_partner
from tests.factories.points import make_final_penalty
from tests.penalties.test_races import at_once, count


def test_two_proposals_and_two_decisions_at_once_leave_one_of_each(database: Database) -> None:
    with database.session(writes=True) as session:
        party_id = make_party(session).id
    tomorrow = clock.today() + dt.timedelta(days=1)
    proposing = [
        partial(
            propose_sanction,
            kind=SanctionKind.OUTBOUND_SUSPENSION,
            party_id=party_id,
            from_on=tomorrow,
            until_on=None,
            reason="多次违规",
            actor_id=actor_id,
        )
        for actor_id in (951, 952)
    ]

    proposals = at_once(database, *proposing)

    assert [type(one) for one in proposals if not isinstance(one, Sanction)] == [WaitingAlreadyError]
    with database.session(writes=False) as session:
        sanction_id = session.scalars(sa.select(Sanction.id)).one()
    decisions = at_once(
        database,
        partial(approve_sanction, sanction_id=sanction_id, note=None, actor_id=961),
        partial(reject_sanction, sanction_id=sanction_id, note="证据不足", actor_id=962),
    )
    assert [type(one) for one in decisions if not isinstance(one, Sanction)] == [AlreadyDecidedError]
    with database.session(writes=False) as session:
        row = session.scalars(sa.select(Sanction)).one()
        assert (row.state, row.decided_by) in {(SanctionState.APPROVED, 961), (SanctionState.REJECTED, 962)}


def test_the_daily_job_twice_at_once_enters_and_proposes_once(database: Database) -> None:
    with database.session(writes=True) as session:
        charged = make_charged_partner(session)
        make_final_penalty(session, charged=charged, final_on=clock.today(), points=20)

    assert sorted(at_once(database, enter_points, enter_points)) == [0, 1]
    at_once(database, *[partial(propose_sanctions, on=clock.today())] * 2)

    with database.session(writes=False) as session:
        assert count(session, PointsEntry) == 1
        assert count(session, Sanction) == 1
