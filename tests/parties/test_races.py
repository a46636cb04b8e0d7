"""Two people change the same part of a register at once: one wins, the other is told in words."""

import datetime as dt
import threading
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.db import Database
from supervise.errors import RefusalError
from supervise.parties.models import NumberHolder, PartyRelation, RelationRole, StaffNumber
from supervise.parties.numbers import hold
from supervise.parties.refusals import CycleError, HolderOverlapError, StaffOverlapError
from supervise.parties.relations import relate
from supervise.parties.staff import assign_staff_number
from tests.factories.parties import make_carrier, make_number, make_party

NOON = dt.datetime(2026, 3, 5, 12, 0, tzinfo=clock.CHINA).astimezone(dt.UTC)
MARCH = dt.date(2026, 3, 1)


def at_once(database: Database, *decisions: Callable[[Session], object]) -> list[RefusalError]:
    """Run the decisions in transactions that are open at the same time; return the refusals."""
    start, refusals = threading.Barrier(len(decisions)), []

    def run(decision: Callable[[Session], object]) -> None:
        start.wait()
        try:
            with database.session(writes=True) as session:
                decision(session)
        except RefusalError as refusal:
            refusals.append(refusal)

    threads = [threading.Thread(target=run, args=(decision,)) for decision in decisions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return refusals


def test_of_two_holders_at_once_one_is_refused(database: Database) -> None:
    with database.session(writes=True) as session:
        number_id, party_ids = make_number(session).id, [make_party(session).id for _ in range(2)]

    def holding(party_id: int) -> Callable[[Session], object]:
        return lambda session: hold(
            session, number_id=number_id, party_id=party_id, held_from=NOON, source="声明", actor_id=1
        )

    refusals = at_once(database, *map(holding, party_ids))

    assert [type(refusal) for refusal in refusals] == [HolderOverlapError]
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count(NumberHolder.id))) == 1


def test_two_halves_of_a_circle_are_not_both_written(database: Database) -> None:
    with database.session(writes=True) as session:
        one, other = make_party(session).id, make_party(session).id

    def tie(child_id: int, parent_id: int) -> Callable[[Session], object]:
        return lambda session: relate(
            session,
            child_id=child_id,
            parent_id=parent_id,
            role=RelationRole.CONTRACTED_BY,
            valid_from=MARCH,
            actor_id=1,
        )

    refusals = at_once(database, tie(one, other), tie(other, one))

    assert [type(refusal) for refusal in refusals] == [CycleError]
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count(PartyRelation.id))) == 1


def test_a_new_staff_number_goes_to_one_of_two_workers(database: Database) -> None:
    with database.session(writes=True) as session:
        make_carrier(session)
        employer_ids = [make_party(session).id for _ in range(2)]

    def assigning(employer_id: int) -> Callable[[Session], object]:
        return lambda session: assign_staff_number(
            session,
            carrier_code="CU",
            staff_number="8001",
            employer_id=employer_id,
            valid_from=MARCH,
            actor_id=1,
        )

    refusals = at_once(database, *map(assigning, employer_ids))

    assert [type(refusal) for refusal in refusals] == [StaffOverlapError]
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count(StaffNumber.id))) == 1
