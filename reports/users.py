"""Who may do what, and whose rows they see: the list of users as workbook or CSV, for the yearly review of access."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy.orm import Session

from reports.registers import moment_text, yes_or_no
from reports.workbook import Column
from supervise.access import queries
from supervise.access.models import User
from supervise.access.queries import UserFilters
from supervise.labels import N_
from supervise.parties.given_scope import codes_given

_AT_ONCE = 500


class UserLine(NamedTuple):
    """A user and the codes of what they were given."""

    user: User
    codes: list[str]


USER_COLUMNS = (
    Column[UserLine](N_("User name"), lambda row: row.user.username),
    Column[UserLine](N_("Full name"), lambda row: row.user.display_name, width=20),
    Column[UserLine](N_("Role"), lambda row: row.user.role.label),
    Column[UserLine](N_("Scope"), lambda row: " ".join(row.codes), width=32),
    Column[UserLine](N_("May log in"), lambda row: yes_or_no(row.user.active), width=10),
    Column[UserLine](N_("Second factor"), lambda row: yes_or_no(row.user.second_factor_at is not None), width=10),
    Column[UserLine](N_("Last login"), lambda row: moment_text(row.user.signed_in_at), width=20),
)


def user_lines(session: Session, filters: UserFilters) -> Iterator[UserLine]:
    """Yield the users, by user name."""
    after = ""
    while rows := queries.users_by_name(session, filters, after=after, limit=_AT_ONCE):
        given = codes_given(session, [user.id for user in rows])
        for user in rows:
            yield UserLine(user, given.get(user.id, []))
        after = rows[-1].username
