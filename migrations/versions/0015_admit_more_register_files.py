"""Admit files of ties, official numbers and contracts; count the versions of ties and official numbers.

Both can be corrected from now on, and two people who correct the same row must notice each other.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS_BEFORE = (
    "complaints",
    "numbers",
    "staff",
    "parties",
    "org_units",
    "subscribers",
    "billing_returns",
    "permissions",
)
KINDS_ADDED = ("relations", "official_numbers", "contracts")
CHECK = "ck_import_batch_importkind"
VERSIONED = ("party_relation", "official_number")


def upgrade() -> None:
    """Widen the CHECK on the kind of a file, then add the columns."""
    _replace_check(KINDS_BEFORE, KINDS_BEFORE + KINDS_ADDED)
    for table in VERSIONED:
        op.add_column(table, sa.Column("version", KEY, nullable=False, server_default="1"))


def downgrade() -> None:
    """Take both away again; refused while an import of these kinds is kept, which the narrow CHECK would forbid."""
    listed = ", ".join(f"'{kind}'" for kind in KINDS_ADDED)
    kept = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM import_batch WHERE kind IN ({listed})"))
    if kept:
        raise RuntimeError(f"{kept} imports of {listed} are kept: the older schema has no place for them")
    for table in VERSIONED:
        op.drop_column(table, "version")
    _replace_check(KINDS_BEFORE + KINDS_ADDED, KINDS_BEFORE)


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
