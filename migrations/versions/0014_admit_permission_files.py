"""Admit files of refusals and consents, and let the register of them be paged by time and by party.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KINDS_BEFORE = ("complaints", "numbers", "staff", "parties", "org_units", "subscribers", "billing_returns")
KINDS = (*KINDS_BEFORE, "permissions")
CHECK = "ck_import_batch_importkind"


def upgrade() -> None:
    """Widen the CHECK on the kind of a file, then add the indexes."""
    _replace_check(KINDS_BEFORE, KINDS)
    op.create_index("ix_permission_event_said_at_id", "permission_event", ["said_at", "id"])
    op.create_index("ix_permission_event_party_id_said_at_id", "permission_event", ["party_id", "said_at", "id"])


def downgrade() -> None:
    """Take both away again; refused while an import of that kind is kept, which the narrow CHECK would forbid."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM import_batch WHERE kind = 'permissions'"))
    if kept:
        raise RuntimeError(f"{kept} imports of refusals and consents are kept: the older schema has no place for them")
    op.drop_index("ix_permission_event_party_id_said_at_id", table_name="permission_event")
    op.drop_index("ix_permission_event_said_at_id", table_name="permission_event")
    _replace_check(KINDS, KINDS_BEFORE)


def _one_of(kinds: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"kind IN ({listed})"


def _replace_check(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE import_batch DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({_one_of(after)})")
    else:
        _replace_check_on_sqlite(_one_of(before), _one_of(after))


def _replace_check_on_sqlite(before: str, after: str) -> None:
    """Change the stored text of the table, as SQLite's manual does where no row changes (lang_altertable, 7).

    The other way builds the table anew, which rows that refer to it forbid inside a transaction.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'import_batch' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table import_batch does not say: {before}")
