"""Users: made, changed, and never without somebody who can make more."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.access.models import User
from supervise.access.queries import UserFilters, users_by_name
from supervise.access.roles import ROLE_PERMISSIONS, Permission, Role
from supervise.access.usernames import UsernameError
from supervise.access.users import LastAdminError, UsernameTakenError, create_user, edit_user
from supervise.audit.models import AuditEvent
from supervise.db import Database
from supervise.errors import ConflictError, NotFoundError
from tests.factories.access import make_user

P = Permission


def demote(session: Session, user: User, *, actor_id: int = 1, version: int = 1) -> None:
    edit_user(
        session,
        actor_id=actor_id,
        user_id=user.id,
        version=version,
        display_name=user.display_name,
        role=Role.CLERK,
        active=True,
        locale="en",
    )


def make(session: Session, username: str = "wang.fang") -> User:
    return create_user(
        session, actor_id=1, username=username, display_name="王芳", role=Role.CLERK, password_hash="$argon2id$"
    )


def test_a_new_user_must_replace_the_password_and_is_recorded_without_the_name(session: Session) -> None:
    user = make(session, " Wang.Fang ")

    assert (user.username, user.display_name, user.password_is_initial) == ("wang.fang", "王芳", True)
    event = session.scalars(sa.select(AuditEvent)).one()
    assert (event.action, event.subject_id, event.changes) == ("user.created", str(user.id), {"role": "clerk"})


def test_names_differ_by_more_than_case_and_width(session: Session) -> None:
    make(session, "wang")

    with pytest.raises(UsernameTakenError):
        make(session, "ＷＡＮＧ")


@pytest.mark.parametrize("name", ["", "x", "two words", "a" * 41, "<script>"])
def test_what_is_no_name_is_refused(session: Session, name: str) -> None:
    with pytest.raises(UsernameError):
        make(session, name)


def test_a_change_on_an_old_picture_is_refused(session: Session) -> None:
    make_user(session, role=Role.ADMIN)
    user = make_user(session, role=Role.TRIAGER)
    demote(session, user)

    with pytest.raises(ConflictError):
        demote(session, user, version=1)


def test_an_unknown_user_is_not_found(session: Session) -> None:
    make_user(session, role=Role.ADMIN)

    with pytest.raises(NotFoundError):
        edit_user(
            session,
            actor_id=1,
            user_id=987_654,
            version=1,
            display_name="x",
            role=Role.CLERK,
            active=True,
            locale="en",
        )


def test_the_last_active_administrator_stays(session: Session) -> None:
    admin = make_user(session, role=Role.ADMIN)
    make_user(session, username="former", role=Role.ADMIN, active=False)

    with pytest.raises(LastAdminError):
        demote(session, admin)


def test_with_another_administrator_one_may_go(session: Session) -> None:
    admin = make_user(session, role=Role.ADMIN)
    make_user(session, username="second", role=Role.ADMIN)

    demote(session, admin)

    assert admin.role is Role.CLERK


def test_two_administrators_who_unseat_each_other_at_once_leave_one(database: Database) -> None:
    with database.session(writes=True) as session:
        admins = [make_user(session, username=name, role=Role.ADMIN) for name in ("first", "second")]
    together, refused = threading.Barrier(2), []

    def unseat(user: User) -> None:
        together.wait()
        try:
            with database.session(writes=True) as session:
                demote(session, user)
        except LastAdminError as error:
            refused.append(error)

    threads = [threading.Thread(target=unseat, args=(admin,)) for admin in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.session(writes=False) as session:
        left = session.scalar(sa.select(sa.func.count()).where(User.role == Role.ADMIN, User.active))
    assert (left, len(refused)) == (1, 1)


def test_users_are_found_by_name_role_and_standing(session: Session) -> None:
    make_user(session, username="li.wei", display_name="李伟", role=Role.CLERK)
    make_user(session, username="wang_fang", display_name="王芳", role=Role.FINANCE)
    make_user(session, username="zhao", display_name="赵", role=Role.CLERK, active=False)

    def found(**filters: object) -> list[str]:
        return [user.username for user in users_by_name(session, UserFilters(**filters))]  # type: ignore[arg-type]

    assert found() == ["li.wei", "wang_fang", "zhao"]
    assert found(text="李") == ["li.wei"]
    assert found(text="_") == ["wang_fang"]
    assert found(role=Role.CLERK) == ["li.wei", "zhao"]
    assert found(active=False) == ["zhao"]
    assert [user.username for user in users_by_name(session, UserFilters(), after="li.wei", limit=1)] == ["wang_fang"]


# The table of domain.md section 10, line by line

TABLE = {
    P.CREATE_TICKETS: {Role.CLERK, Role.TRIAGER},
    P.IMPORT_TICKETS: {Role.CLERK, Role.TRIAGER},
    P.TRIAGE: {Role.TRIAGER},
    P.APPROVE_MONEY: {Role.SUPERVISOR},
    P.READ_WATCH: {Role.TRIAGER, Role.SUPERVISOR, Role.AUDITOR},
    P.ANSWER_INQUIRIES: {Role.BRANCH_MANAGER, Role.PARTNER_CONTACT},
    P.ACKNOWLEDGE_PUSHES: {Role.BRANCH_MANAGER, Role.PARTNER_CONTACT},
    P.OBJECT: {Role.BRANCH_MANAGER, Role.PARTNER_CONTACT},
    P.OBJECT_FOR_PARTY: {Role.SUPERVISOR},
    P.DECIDE_APPEALS: {Role.SUPERVISOR},
    P.EXPORT_CREDITS: {Role.FINANCE},
    P.IMPORT_RETURNS: {Role.FINANCE},
    P.SETTLE: {Role.FINANCE},
    P.CLOSE_PERIODS: {Role.FINANCE},
    P.CONFIRM_REOPENINGS: {Role.SUPERVISOR, Role.FINANCE},
    P.REVEAL_NUMBERS: {Role.CLERK, Role.TRIAGER, Role.SUPERVISOR, Role.AUDITOR},
    P.READ_TICKETS: {Role.CLERK, Role.TRIAGER, Role.SUPERVISOR, Role.AUDITOR},
    P.MANAGE_USERS: {Role.ADMIN},
    P.EDIT_REFERENCE: {Role.ADMIN},
    P.EDIT_RULES: {Role.SUPERVISOR},
    P.EDIT_GL_MAP: {Role.FINANCE, Role.ADMIN},
    P.WRITE_REGISTERS: {Role.TRIAGER},
    P.ACCEPT_REGISTER_CHANGES: {Role.TRIAGER},
    P.PROPOSE_REGISTER_CHANGES: {Role.BRANCH_MANAGER, Role.PARTNER_CONTACT},
    P.DRAFT_CONTRACTS: {Role.TRIAGER},
    P.ACTIVATE_CONTRACTS: {Role.SUPERVISOR},
    P.AGREE_UNDERTAKINGS: {Role.SUPERVISOR},
    P.CONFIRM_OVERRIDES: {Role.SUPERVISOR},
    P.PROPOSE_REVERSALS: {Role.FINANCE},
    P.APPROVE_REVERSALS: {Role.SUPERVISOR},
    P.DELEGATE: {Role.SUPERVISOR},
    P.READ_AUDIT: {Role.AUDITOR},
}


@pytest.mark.parametrize("permission", TABLE)
def test_a_permission_belongs_to_the_roles_of_the_table(permission: Permission) -> None:
    assert {role for role in Role if permission in ROLE_PERMISSIONS[role]} == TABLE[permission]


def test_every_permission_belongs_to_somebody() -> None:
    assert set(Permission) == set().union(*ROLE_PERMISSIONS.values())


def test_nobody_both_proposes_and_approves_money() -> None:
    makers, approvers = {P.TRIAGE, P.PROPOSE_REVERSALS, P.DRAFT_CONTRACTS}, {P.APPROVE_MONEY, P.APPROVE_REVERSALS}

    both = [role for role in Role if ROLE_PERMISSIONS[role] & makers and ROLE_PERMISSIONS[role] & approvers]

    assert both == []


def test_an_administrator_sees_no_business_rows() -> None:
    reads = {permission for permission in ROLE_PERMISSIONS[Role.ADMIN] if permission.value.startswith("read_")}

    assert reads == {P.READ_REFERENCE}
