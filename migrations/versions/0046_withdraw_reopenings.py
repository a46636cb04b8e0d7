"""Let whoever asked to reopen a closed month take the request back while it waits for the second person.

Written out here: a migration never imports the application, which will have changed.
"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


class Check(NamedTuple):
    """A rule of the table, and what it was."""

    name: str
    before: str
    after: str


CHECKS = (
    Check(
        "reopeningstate",
        "state IN ('open', 'confirmed', 'refused')",
        "state IN ('open', 'confirmed', 'refused', 'withdrawn')",
    ),
    Check("two_people", "decided_by <> asked_by", "(state = 'withdrawn') = (decided_by = asked_by)"),
    Check(
        "refusal_has_reason",
        "(state = 'refused') = (coalesce(refusal, '') <> '')",
        "(state IN ('refused', 'withdrawn')) = (coalesce(refusal, '') <> '')",
    ),
)


def upgrade() -> None:
    """Admit the state, of the asker alone."""
    for check in CHECKS:
        _replace_check(f"ck_period_reopening_{check.name}", check.before, check.after)


def downgrade() -> None:
    """Take it away again; refused while a withdrawn request is kept."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM period_reopening WHERE state = 'withdrawn'"))
    if kept:
        raise RuntimeError(f"{kept} withdrawn requests are kept: the older schema has no place for them")
    for check in reversed(CHECKS):
        _replace_check(f"ck_period_reopening_{check.name}", check.after, check.before)


def _replace_check(name: str, before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE period_reopening DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): built anew, the table would lose its triggers.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'period_reopening' AND instr(sql, ?) > 0",
        (f"{name} CHECK ({before})", f"{name} CHECK ({after})", f"{name} CHECK ({before})"),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table period_reopening does not say: {before}")
