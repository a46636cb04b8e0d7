"""Whose rows a user sees."""

import datetime as dt
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import UserSession
from supervise.access.roles import Role
from supervise.errors import NotFoundError
from supervise.parties.models import NumberHolder, OrgUnit, Party
from supervise.parties.refusals import NoSuchRowError
from supervise.parties.scope import Scope, change_scope
from supervise.parties.units import merge_unit, move_unit
from tests.factories.access import make_user
from tests.factories.parties import give_scope, make_holder, make_party, make_unit, unit_party

DAY = dt.timedelta(days=1)
_serial = count(1)


@dataclass(frozen=True)
class Somebody:
    """A user by id and role."""

    id: int
    role: Role


def scope_of(session: Session, role: Role, *, unit: OrgUnit | None = None, party: Party | None = None) -> Scope:
    user = make_user(session, role=role, username=f"{role.value}{next(_serial)}")
    give_scope(session, user_id=user.id, unit=unit, party=party)
    return Scope.of(session, Somebody(user.id, role))


def test_a_branch_manager_sees_the_own_unit_and_what_stands_below(session: Session) -> None:
    city = make_unit(session)
    hall, other = make_unit(session, parent=city), make_unit(session)

    scope = scope_of(session, Role.BRANCH_MANAGER, unit=city)

    assert scope.covers(city.id)
    assert scope.covers(hall.id)
    assert not scope.covers(other.id)


def test_a_user_of_units_without_one_sees_nothing(session: Session) -> None:
    city = make_unit(session)

    for role in (Role.BRANCH_MANAGER, Role.CLERK, Role.PARTNER_CONTACT, Role.ADMIN):
        scope = scope_of(session, role)
        assert not scope.covers(city.id, unit_party(session, city).id)
        assert session.scalars(scope.limit(select(OrgUnit), unit=OrgUnit.id)).all() == []


@pytest.mark.parametrize("role", [Role.TRIAGER, Role.SUPERVISOR, Role.AUDITOR, Role.FINANCE])
def test_the_office_sees_every_row(session: Session, role: Role) -> None:
    city = make_unit(session)

    scope = scope_of(session, role)

    assert scope.covers(city.id)
    assert city in session.scalars(scope.limit(select(OrgUnit), unit=OrgUnit.id)).all()


def test_an_admin_sees_no_business_even_with_a_unit(session: Session) -> None:
    city = make_unit(session)

    assert not scope_of(session, Role.ADMIN, unit=city).covers(city.id)


def test_a_move_takes_effect_at_the_next_look(session: Session) -> None:
    old, new = make_unit(session), make_unit(session)
    hall = make_unit(session, parent=old)

    move_unit(session, hall.id, parent_id=new.id, from_on=clock.today(), reason="调整", actor_id=1)

    assert not scope_of(session, Role.BRANCH_MANAGER, unit=old).covers(hall.id)
    assert scope_of(session, Role.BRANCH_MANAGER, unit=new).covers(hall.id)


def test_a_move_of_tomorrow_changes_nothing_today(session: Session) -> None:
    old, new = make_unit(session), make_unit(session)
    hall = make_unit(session, parent=old)

    move_unit(session, hall.id, parent_id=new.id, from_on=clock.today() + DAY, reason="调整", actor_id=1)

    assert scope_of(session, Role.BRANCH_MANAGER, unit=old).covers(hall.id)


def test_rows_of_a_merged_unit_are_seen_by_the_one_it_went_up_in(session: Session) -> None:
    root = make_unit(session)
    old, new = make_unit(session, parent=root), make_unit(session)

    merge_unit(session, old.id, into_id=new.id, on=clock.today(), reason="合并", actor_id=1)

    assert scope_of(session, Role.BRANCH_MANAGER, unit=new).covers(old.id)
    assert not scope_of(session, Role.BRANCH_MANAGER, unit=root).covers(old.id)


def test_in_the_registers_a_branch_sees_the_parties_that_work_for_it(session: Session) -> None:
    city = make_unit(session)
    hall = make_unit(session, parent=city)
    own, strange = make_party(session, sponsor=hall), make_party(session, sponsor=make_unit(session))
    for party, digits in ((own, "02988880001"), (strange, "02988880002"), (unit_party(session, hall), "02988880003")):
        make_holder(session, party=party, digits=digits)

    scope = scope_of(session, Role.BRANCH_MANAGER, unit=city)
    seen = session.scalars(scope.limit(select(NumberHolder.party_id), party=NumberHolder.party_id)).all()

    assert set(seen) == {own.id, unit_party(session, hall).id}


def test_a_partner_sees_the_own_party_and_never_a_branch_by_unit(session: Session) -> None:
    city = make_unit(session)
    own, strange = make_party(session, sponsor=city), make_party(session, sponsor=city)

    scope = scope_of(session, Role.PARTNER_CONTACT, party=own)

    assert scope.covers(city.id, own.id)
    assert not scope.covers(city.id, strange.id)
    assert not scope.covers(city.id)


def test_a_partner_sees_what_was_written_under_a_merged_id(session: Session) -> None:
    alias, own = make_party(session), make_party(session)
    alias.merged_into_id = own.id

    assert scope_of(session, Role.PARTNER_CONTACT, party=own).covers(None, alias.id)
    assert scope_of(session, Role.PARTNER_CONTACT, party=alias).covers(None, own.id)


def test_limit_and_covers_agree(session: Session) -> None:
    city = make_unit(session)
    inside, outside = make_party(session, sponsor=city), make_party(session)

    for role, unit, party in (
        (Role.BRANCH_MANAGER, city, None),
        (Role.PARTNER_CONTACT, None, inside),
        (Role.SUPERVISOR, None, None),
        (Role.ADMIN, None, None),
    ):
        scope = scope_of(session, role, unit=unit, party=party)
        seen = set(session.scalars(scope.limit(select(Party.id), party=Party.id)))
        for one in (inside, outside, unit_party(session, city)):
            assert (one.id in seen) == scope.covers(None, one.id)


def test_a_row_outside_is_refused_as_if_it_did_not_exist(session: Session) -> None:
    with pytest.raises(NotFoundError):
        Scope.nothing().check(make_unit(session).id)


def test_a_change_of_scope_ends_the_users_sessions_and_is_in_the_trail(session: Session) -> None:
    user, city = make_user(session, role=Role.BRANCH_MANAGER), make_unit(session)
    now = clock.now()
    session.add(
        UserSession(
            token_sha256="0" * 64,
            user_id=user.id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + DAY,
            is_confirmed=True,
        )
    )
    session.flush()

    change_scope(session, user.id, unit_ids=[city.id], party_ids=[], reason="调岗", actor_id=1)

    assert session.scalars(select(UserSession).where(UserSession.user_id == user.id)).all() == []
    assert Scope.of(session, Somebody(user.id, Role.BRANCH_MANAGER)).covers(city.id)


def test_a_scope_of_what_does_not_exist_is_refused(session: Session) -> None:
    user = make_user(session, role=Role.BRANCH_MANAGER)

    with pytest.raises(NoSuchRowError):
        change_scope(session, user.id, unit_ids=[987_654_321], party_ids=[], reason="x", actor_id=1)
