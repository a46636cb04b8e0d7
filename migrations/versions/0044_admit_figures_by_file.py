"""Let figures of the month and commission statements come in as files, mediators' terms be dated rows, mergers wait.

Drafts of promises can be given up.

Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
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
MERGE_STATES = ("open", "approved", "rejected", "withdrawn")
#: What was proposed is not rewritten.
FROZEN = ("id", "party_id", "into_id", "open_fen", "reason", "proposed_by", "proposed_at")
#: What is drafted by one person and agreed to by another.
PROMISES = ("undertaking", "compensation_policy")
GIVEN_UP = (
    "(given_up_by IS NULL) = (given_up_at IS NULL) AND (given_up_by IS NULL) = (given_up_because IS NULL) "
    "AND (given_up_by IS NULL OR state = 'draft')"
)
TERM = sa.table(
    "mediation_term",
    *(sa.column(name) for name in ("mediator", "working_days", "source")),
    sa.column("valid_from", sa.Date()),
)
#: Domain R17: the market supervision ends its mediation within 45 working days.
TERMS = (("12315", 45, "《市场监督管理投诉举报处理办法》调解期限,待法务确认", dt.date(2020, 1, 1)),)


def upgrade() -> None:
    """Admit the kinds of file; create the terms, with the one that was a constant until now, and waiting mergers."""
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
    # From now on all orders are counted beside the irregular ones: the days are looked through again.
    op.execute("UPDATE watch_day SET partitions = 0, newest_partition_id = 0 WHERE kind = 'order_step_missing'")
    for table in PROMISES:
        _let_drafts_be_given_up(table)
    _create_party_merge()
    (_freeze_on_postgresql if _on_postgresql() else _freeze_on_sqlite)()


def downgrade() -> None:
    """Take all of it away; refused while an import of these kinds is kept, or a merger of open money."""
    listed = ", ".join(f"'{kind}'" for kind in KINDS_ADDED)
    kept = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM import_batch WHERE kind IN ({listed})"))
    if kept:
        raise RuntimeError(f"{kept} imports of {listed} are kept: the older schema has no place for them")
    if mergers := op.get_bind().scalar(sa.text("SELECT count(*) FROM party_merge")):
        raise RuntimeError(f"{mergers} mergers are kept: the older schema has no place for them")
    _refuse_given_up()
    op.drop_table("party_merge")
    if _on_postgresql():
        op.execute("DROP FUNCTION party_merge_refuse_edit()")
    op.drop_table("mediation_term")
    _replace_check(KINDS_BEFORE + KINDS_ADDED, KINDS_BEFORE)


def _let_drafts_be_given_up(table: str) -> None:
    moment, key = ("TIMESTAMP WITH TIME ZONE", "BIGINT") if _on_postgresql() else ("DATETIME", "INTEGER")
    op.execute(f"ALTER TABLE {table} ADD COLUMN given_up_by {key}")
    op.execute(f"ALTER TABLE {table} ADD COLUMN given_up_at {moment}")
    # The rule over all three comes with the last: SQLite takes none by itself.
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN given_up_because TEXT CONSTRAINT ck_{table}_only_drafts_are_given_up CHECK "
        f"({GIVEN_UP})"
    )


def _refuse_given_up() -> None:
    for table in PROMISES:
        if kept := op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table} WHERE given_up_at IS NOT NULL")):
            raise RuntimeError(f"{kept} rows of {table} are given up: the older schema has no place for that")
        for column in ("given_up_because", "given_up_at", "given_up_by"):
            op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _create_party_merge() -> None:
    op.create_table(
        "party_merge",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("into_id", KEY, nullable=False),
        sa.Column("open_fen", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", _one_of_kinds("mergestate", MERGE_STATES), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.CheckConstraint("open_fen > 0", name=op.f("ck_party_merge_money_is_open")),
        sa.CheckConstraint("party_id <> into_id", name=op.f("ck_party_merge_two_entries")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_party_merge_has_reason")),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_party_merge_decision_complete"),
        ),
        sa.CheckConstraint("state = 'withdrawn' OR decided_by <> proposed_by", name=op.f("ck_party_merge_two_people")),
        sa.ForeignKeyConstraint(["into_id"], ["party.id"], name=op.f("fk_party_merge_into_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_merge_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_merge")),
    )
    op.create_index(op.f("ix_party_merge_into_id"), "party_merge", ["into_id"], unique=False)
    op.create_index(
        "uq_party_merge_open",
        "party_merge",
        ["party_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _freeze_on_postgresql() -> None:
    row = ", ".join(f"{{0}}.{column}" for column in FROZEN)
    op.execute(
        "CREATE FUNCTION party_merge_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        "RAISE EXCEPTION 'party_merge is not rewritten: propose again' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER party_merge_frozen BEFORE UPDATE OR DELETE ON party_merge "
        "FOR EACH ROW EXECUTE FUNCTION party_merge_refuse_edit()"
    )


def _freeze_on_sqlite() -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN)
    op.execute(
        f"CREATE TRIGGER party_merge_no_edit BEFORE UPDATE ON party_merge WHEN {differs} "
        "BEGIN SELECT RAISE(ABORT, 'party_merge is not rewritten: propose again'); END"
    )
    op.execute(
        "CREATE TRIGGER party_merge_no_delete BEFORE DELETE ON party_merge "
        "BEGIN SELECT RAISE(ABORT, 'party_merge is not rewritten: propose again'); END"
    )


def _one_of_kinds(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _replace_check(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    if _on_postgresql():
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
