"""Let figures of the month and commission statements come in as files, and mediators' terms be dated rows.

Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
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
    "relations",
    "official_numbers",
    "contracts",
    "capabilities",
    "sales_channels",
    "plans",
)
KINDS_ADDED = ("month_figures", "commissions")
CHECK = "ck_import_batch_importkind"
MEDIATORS = ("communications", "12315", "12345", "association")
TERM = sa.table(
    "mediation_term",
    *(sa.column(name) for name in ("mediator", "working_days", "source")),
    sa.column("valid_from", sa.Date()),
)
#: Domain R17: the market supervision ends its mediation within 45 working days.
TERMS = (("12315", 45, "《市场监督管理投诉举报处理办法》调解期限,待法务确认", dt.date(2020, 1, 1)),)


def upgrade() -> None:
    """Admit the kinds of file; create the terms, with the one that was a constant until now."""
    _replace_check(KINDS_BEFORE, KINDS_BEFORE + KINDS_ADDED)
    op.create_table(
        "mediation_term",
        sa.Column("id", KEY, nullable=False),
        sa.Column("mediator", _one_of_kinds("mediator", MEDIATORS), nullable=False),
        sa.Column("working_days", KEY, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("source <> ''", name=op.f("ck_mediation_term_has_source")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_mediation_term_period_order")),
        sa.CheckConstraint("working_days > 0", name=op.f("ck_mediation_term_some_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mediation_term")),
        sa.UniqueConstraint("mediator", "valid_from", name=op.f("uq_mediation_term_mediator_valid_from")),
    )
    names = ("mediator", "working_days", "source", "valid_from")
    op.bulk_insert(TERM, [dict(zip(names, row, strict=True)) for row in TERMS])


def downgrade() -> None:
    """Take both away; refused while an import of these kinds is kept, which the narrow CHECK would forbid."""
    listed = ", ".join(f"'{kind}'" for kind in KINDS_ADDED)
    kept = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM import_batch WHERE kind IN ({listed})"))
    if kept:
        raise RuntimeError(f"{kept} imports of {listed} are kept: the older schema has no place for them")
    op.drop_table("mediation_term")
    _replace_check(KINDS_BEFORE + KINDS_ADDED, KINDS_BEFORE)


def _one_of_kinds(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _replace_check(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        rule = _one_of("kind", after)
        op.execute(f"ALTER TABLE import_batch DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({rule})")
    else:
        _replace_check_on_sqlite(_one_of("kind", before), _one_of("kind", after))


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


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"
