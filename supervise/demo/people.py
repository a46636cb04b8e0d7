"""People for every role; their password is printed at every start, so nothing real may be kept beside them."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise.access import passwords
from supervise.access.roles import Role
from supervise.access.users import create_user


class Person(NamedTuple):
    """A demo login."""

    role: Role
    username: str
    display_name: str
    password: str


PASSWORD = "look-around-2026"

#: The first of each role is printed at the start; four eyes need a second supervisor, two branches two managers.
PEOPLE = (
    Person(Role.CLERK, "clerk", "陈晓雯", PASSWORD),
    Person(Role.TRIAGER, "triager", "李建国", PASSWORD),
    Person(Role.SUPERVISOR, "supervisor", "王丽华", PASSWORD),
    Person(Role.BRANCH_MANAGER, "manager", "赵志强", PASSWORD),
    Person(Role.PARTNER_CONTACT, "partner", "孙婷", PASSWORD),
    Person(Role.FINANCE, "finance", "周敏", PASSWORD),
    Person(Role.AUDITOR, "auditor", "吴海涛", PASSWORD),
    Person(Role.ADMIN, "admin", "郑凯", PASSWORD),
)
MORE_PEOPLE = (
    Person(Role.SUPERVISOR, "supervisor2", "林峰", PASSWORD),
    Person(Role.TRIAGER, "triager2", "何静", PASSWORD),
    Person(Role.BRANCH_MANAGER, "manager2", "徐海燕", PASSWORD),
    Person(Role.PARTNER_CONTACT, "partner2", "马超", PASSWORD),
    Person(Role.PARTNER_CONTACT, "partner3", "高洁", PASSWORD),
)


def make_people(session: Session) -> dict[str, int]:
    """Add the people and return each one's id by user name."""
    # One hash serves all: it takes a fifth of a second, and the password is no secret.
    password_hash = passwords.current().hash(PASSWORD)
    return {
        person.username: create_user(
            session,
            actor_id=None,
            username=person.username,
            display_name=person.display_name,
            role=person.role,
            password_hash=password_hash,
            password_is_initial=False,
        ).id
        for person in (*PEOPLE, *MORE_PEOPLE)
    }
