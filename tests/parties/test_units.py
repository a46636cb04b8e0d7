"""Org units: a dated tree that keeps its history."""

import datetime as dt

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import ConflictError
from supervise.parties.chain import chain_at, sponsoring_unit
from supervise.parties.holders import holders_at
from supervise.parties.models import OrgUnit, OrgUnitPlacement, Party, PartyKind, UnitKind
from supervise.parties.refusals import (
    ClosedUnitError,
    CodeTakenError,
    CycleError,
    MergedError,
    NoSuchRowError,
    OverlapError,
    UnitHasChildrenError,
)
from supervise.parties.tree import branch_ids, path_to_root, tree_at
from supervise.parties.units import close_unit, found_unit, merge_unit, move_unit, rename_unit
from tests.factories.parties import make_holder, make_party, make_staff_number, staff_number_at, unit_party

MARCH = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)


def found(session: Session, code: str, parent_id: int | None = None) -> OrgUnit:
    return found_unit(
        session, code=code, name=f"机构{code}", kind=UnitKind.CITY, parent_id=parent_id, valid_from=MARCH, actor_id=1
    )


def test_each_unit_has_exactly_one_party(session: Session) -> None:
    unit = found(session, "029")

    party = session.scalars(select(Party).where(Party.org_unit_id == unit.id)).one()

    assert (party.kind, party.code, party.name) == (PartyKind.ORG_UNIT, "029", "机构029")


def test_a_second_party_of_a_unit_is_refused_by_the_database(session: Session) -> None:
    unit = found(session, "029")

    session.add(Party(code="x", kind=PartyKind.ORG_UNIT, name="x", org_unit_id=unit.id))

    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_taken_code_is_refused_with_the_name_of_who_has_it(session: Session) -> None:
    make_party(session, code="029", name="宏鼎")

    with pytest.raises(CodeTakenError) as refusal:
        found(session, "029")

    assert refusal.value.parameters["name"] == "宏鼎"


def test_the_tree_is_as_of_the_day_asked_for(session: Session) -> None:
    old, new = found(session, "A"), found(session, "B")
    hall = found(session, "A1", old.id)

    move_unit(session, hall.id, parent_id=new.id, from_on=MARCH + 9 * DAY, reason="调整", actor_id=1)

    assert hall.id in branch_ids(session, old.id, MARCH + 8 * DAY)
    assert hall.id not in branch_ids(session, old.id, MARCH + 9 * DAY)
    assert [unit.code for unit in path_to_root(session, hall.id, MARCH + 9 * DAY)] == ["A1", "B"]


def test_the_tree_is_listed_parents_before_children(session: Session) -> None:
    root = found(session, "1")
    second, first = found(session, "12", root.id), found(session, "11", root.id)
    found(session, "111", first.id)

    mine = branch_ids(session, root.id, MARCH)
    rows = tree_at(session, MARCH, within=mine)

    assert [(row.unit.code, row.depth) for row in rows] == [("1", 0), ("11", 1), ("111", 2), ("12", 1)]
    assert tree_at(session, MARCH, within={second.id})[0].depth == 0


def test_a_unit_never_stands_below_itself(session: Session) -> None:
    root = found(session, "1")
    city = found(session, "11", root.id)
    hall = found(session, "111", city.id)

    with pytest.raises(CycleError):
        move_unit(session, root.id, parent_id=hall.id, from_on=MARCH + DAY, reason="x", actor_id=1)


def test_a_circle_of_a_future_day_is_refused_too(session: Session) -> None:
    one, other = found(session, "1"), found(session, "2")
    move_unit(session, one.id, parent_id=other.id, from_on=MARCH + 30 * DAY, reason="x", actor_id=1)

    with pytest.raises(CycleError):
        move_unit(session, other.id, parent_id=one.id, from_on=MARCH + DAY, reason="x", actor_id=1)


def test_a_second_move_on_the_same_day_is_refused(session: Session) -> None:
    root, hall = found(session, "1"), found(session, "2")
    move_unit(session, hall.id, parent_id=root.id, from_on=MARCH + DAY, reason="x", actor_id=1)

    with pytest.raises(OverlapError):
        move_unit(session, hall.id, parent_id=None, from_on=MARCH + DAY, reason="x", actor_id=1)


def test_two_places_at_a_time_are_refused_by_the_database(session: Session) -> None:
    root, hall = found(session, "1"), found(session, "2")

    session.add(OrgUnitPlacement(unit_id=hall.id, parent_id=root.id, valid_from=MARCH + DAY))

    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_new_name_goes_to_the_party_as_well(session: Session) -> None:
    unit = found(session, "029")

    rename_unit(session, unit.id, name="长安分公司", cost_centre="C029", version=1, actor_id=1)

    assert unit_party(session, unit).name == "长安分公司"
    assert (unit.cost_centre, unit.version) == ("C029", 2)


def test_a_rename_over_somebody_elses_is_refused(session: Session) -> None:
    unit = found(session, "029")
    rename_unit(session, unit.id, name="长安分公司", cost_centre=None, version=1, actor_id=1)

    with pytest.raises(ConflictError):
        rename_unit(session, unit.id, name="城关分公司", cost_centre=None, version=1, actor_id=2)

    assert unit.name == "长安分公司"


def test_a_merger_leaves_the_past_with_the_old_unit(session: Session) -> None:
    old, new = found(session, "A"), found(session, "B")
    old_party, new_party = unit_party(session, old), unit_party(session, new)
    hall = found(session, "A1", old.id)
    agent = make_party(session, sponsor=old)
    make_holder(session, party=old_party, digits="02988880000")
    make_staff_number(session, employer=old_party, staff_number="8001")
    on = MARCH + 9 * DAY

    merge_unit(session, old.id, into_id=new.id, on=on, reason="合并", actor_id=1)

    at = clock.start_of_day(on)
    before, after = ("02988880000", at - dt.timedelta(seconds=1)), ("02988880000", at)
    holders = holders_at(session, [before, after])
    assert (holders[before].party_id, holders[after].party_id) == (old_party.id, new_party.id)
    assert sponsoring_unit(chain_at(session, agent.id, on - DAY)) == old.id
    assert sponsoring_unit(chain_at(session, agent.id, on)) == new.id
    workers = [staff_number_at(session, "CU", "8001", day) for day in (on - DAY, on)]
    assert [worker and worker.employer_id for worker in workers] == [old_party.id, new_party.id]
    assert hall.id in branch_ids(session, new.id, on)
    assert branch_ids(session, old.id, on) == {old.id}


def test_a_merged_unit_is_not_moved_any_more(session: Session) -> None:
    old, new = found(session, "A"), found(session, "B")
    merge_unit(session, old.id, into_id=new.id, on=MARCH + DAY, reason="合并", actor_id=1)

    with pytest.raises(MergedError):
        move_unit(session, old.id, parent_id=new.id, from_on=MARCH + 9 * DAY, reason="x", actor_id=1)


def test_a_unit_does_not_go_up_in_one_below_it(session: Session) -> None:
    city = found(session, "A")
    hall = found(session, "A1", city.id)

    with pytest.raises(CycleError):
        merge_unit(session, city.id, into_id=hall.id, on=MARCH + DAY, reason="x", actor_id=1)


def test_a_unit_with_others_below_it_is_not_closed(session: Session) -> None:
    city = found(session, "A")
    hall = found(session, "A1", city.id)

    with pytest.raises(UnitHasChildrenError):
        close_unit(session, city.id, on=MARCH + DAY, reason="x", actor_id=1)

    close_unit(session, hall.id, on=MARCH + DAY, reason="撤销", actor_id=1)
    assert close_unit(session, city.id, on=MARCH + DAY, reason="撤销", actor_id=1).closed_on == MARCH + DAY


def test_nothing_is_founded_below_a_closed_unit(session: Session) -> None:
    city = found(session, "A")
    close_unit(session, city.id, on=MARCH, reason="撤销", actor_id=1)

    with pytest.raises(ClosedUnitError):
        found(session, "A1", city.id)


def test_nothing_is_founded_below_a_unit_that_does_not_exist(session: Session) -> None:
    before = session.scalar(select(func.count(OrgUnit.id)))

    with pytest.raises(NoSuchRowError):
        found(session, "A1", 987_654_321)

    assert session.scalar(select(func.count(OrgUnit.id))) == before
