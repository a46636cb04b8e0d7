"""Issue notices, and let objections be late, answered and accompanied by files.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STARTS_BEFORE = "window_start IN ('opened', 'acknowledged', 'deemed')"
STARTS = "window_start IN ('opened', 'acknowledged', 'deemed', 'posted', 'handed_over')"
STATES_BEFORE = "state IN ('open', 'upheld', 'reduced', 'rejected', 'withdrawn')"
STATES = "state IN ('open', 'info_requested', 'late', 'not_admitted', 'upheld', 'reduced', 'rejected', 'withdrawn')"
LIVE_BEFORE = "state = 'open'"
LIVE = "state IN ('open', 'info_requested', 'late')"
#: In the order in which they go.
TABLES = (
    "objection_attachment",
    "objection_statement",
    "objection_admission",
    "penalty_acceptance",
    "notice_line",
    "notice",
)
#: What a row says from the first; of a notice, how it was delivered follows once.
FROZEN = {
    "notice": (
        "reference",
        "family",
        "party_id",
        "unit_id",
        "issued_at",
        "issued_by",
        "lines",
        "total_fen",
        "by_post",
        "deemed_on",
        "content_sha256",
    ),
    "notice_line": ("penalty_id", "notice_id", "position"),
    "penalty_acceptance": ("penalty_id", "accepted_by", "accepted_at"),
    "objection_admission": ("objection_id", "admitted", "reason", "decided_by", "decided_at"),
    "objection_statement": ("objection_id", "kind", "body", "made_by", "made_at"),
    "objection_attachment": ("objection_id", "attachment_id", "added_by", "added_at"),
}
DELIVERED = ("delivery", "delivered_on", "recorded_at", "recorded_by", "delivery_note", "objection_until_on")


def upgrade() -> None:
    """Create the tables, widen what an objection and a window may be, then refuse edits by dialect."""
    _create_notice()
    _create_notice_line()
    _create_penalty_acceptance()
    _create_objection_admission()
    _create_objection_statement()
    _create_objection_attachment()
    _replace_check("penalty", "ck_penalty_windowstart", STARTS_BEFORE, STARTS)
    _replace_check("objection", "ck_objection_objectionstate", STATES_BEFORE, STATES)
    _replace_live_index(LIVE)
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table, columns in FROZEN.items():
        freeze(table, columns)


def downgrade() -> None:
    """Take all of it away; refused while an objection or a window is what the older schema has no word for."""
    for table, known in (("penalty", STARTS_BEFORE), ("objection", STATES_BEFORE)):
        count = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table} WHERE NOT ({known})"))
        if count:
            raise RuntimeError(f"{count} rows of {table}: the older schema has no place for them")
    _replace_live_index(LIVE_BEFORE)
    _replace_check("objection", "ck_objection_objectionstate", STATES, STATES_BEFORE)
    _replace_check("penalty", "ck_penalty_windowstart", STARTS, STARTS_BEFORE)
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _replace_live_index(live: str) -> None:
    op.drop_index("uq_objection_live", table_name="objection")
    op.create_index(
        "uq_objection_live",
        "objection",
        ["penalty_id"],
        unique=True,
        sqlite_where=sa.text(live),
        postgresql_where=sa.text(live),
    )


def _replace_check(table: str, check: str, before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}, ADD CONSTRAINT {check} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): to build the table anew would drop it,
    # which the rows that refer to it forbid inside a transaction.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ? AND instr(sql, ?) > 0",
        (before, after, table, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table {table} does not say: {before}")


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    row = ", ".join(f"{{0}}.{column}" for column in columns)
    rewritten = f"ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')})"
    if table == "notice":
        told = ", ".join(f"{{0}}.{column}" for column in DELIVERED)
        again = f"ROW({told.format('OLD')}) IS DISTINCT FROM ROW({told.format('NEW')})"
        rewritten += f" OR (OLD.delivery IS NOT NULL AND {again})"
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR {rewritten} THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    if table == "notice":
        again = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in DELIVERED)
        differs += f" OR (OLD.delivery IS NOT NULL AND ({again}))"
    for name, when in (("no_edit", f"UPDATE ON {table} WHEN {differs}"), ("no_delete", f"DELETE ON {table}")):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
        )


def _create_notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("issued_by", KEY, nullable=False),
        sa.Column("lines", KEY, nullable=False),
        sa.Column("total_fen", KEY, nullable=False),
        sa.Column("by_post", sa.Boolean(), nullable=False),
        sa.Column("deemed_on", sa.Date(), nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("delivery", sa.String(40), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", MOMENT, nullable=True),
        sa.Column("recorded_by", KEY, nullable=True),
        sa.Column("delivery_note", sa.Text(), nullable=True),
        sa.Column("objection_until_on", sa.Date(), nullable=True),
        sa.CheckConstraint("lines > 0", name=op.f("ck_notice_has_lines")),
        sa.CheckConstraint("total_fen >= 0", name=op.f("ck_notice_total_not_negative")),
        sa.CheckConstraint("by_post = (deemed_on IS NULL)", name=op.f("ck_notice_deemed_on_set")),
        sa.CheckConstraint("family <> 'internal' OR unit_id IS NOT NULL", name=op.f("ck_notice_internal_has_unit")),
        sa.CheckConstraint("(delivery IS NULL) = (delivered_on IS NULL)", name=op.f("ck_notice_delivered_on_set")),
        sa.CheckConstraint("(delivery IS NULL) = (recorded_at IS NULL)", name=op.f("ck_notice_recorded_at_set")),
        sa.CheckConstraint("(delivery IS NULL) = (objection_until_on IS NULL)", name=op.f("ck_notice_window_complete")),
        sa.CheckConstraint(
            "(delivery IN ('posted', 'handed_over')) = (delivery_note IS NOT NULL)",
            name=op.f("ck_notice_delivery_has_note"),
        ),
        sa.CheckConstraint("family IN ('external', 'internal')", name=op.f("ck_notice_penaltyfamily")),
        sa.CheckConstraint(
            "delivery IN ('opened', 'acknowledged', 'deemed', 'posted', 'handed_over')",
            name=op.f("ck_notice_windowstart"),
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_notice_party_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_notice_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("reference", name=op.f("uq_notice_reference")),
    )
    op.create_index(op.f("ix_notice_delivery_id"), "notice", ["delivery", "id"])
    op.create_index(op.f("ix_notice_party_id_id"), "notice", ["party_id", "id"])
    op.create_index(op.f("ix_notice_unit_id_id"), "notice", ["unit_id", "id"])


def _create_notice_line() -> None:
    op.create_table(
        "notice_line",
        sa.Column("penalty_id", KEY, autoincrement=False, nullable=False),
        sa.Column("notice_id", KEY, nullable=False),
        sa.Column("position", KEY, nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_notice_line_position_positive")),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_line_notice_id")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_notice_line_penalty_id")),
        sa.PrimaryKeyConstraint("penalty_id", name=op.f("pk_notice_line")),
        sa.UniqueConstraint("notice_id", "position", name=op.f("uq_notice_line_notice_id_position")),
    )


def _create_penalty_acceptance() -> None:
    op.create_table(
        "penalty_acceptance",
        sa.Column("penalty_id", KEY, autoincrement=False, nullable=False),
        sa.Column("accepted_by", KEY, nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_penalty_acceptance_penalty_id")),
        sa.PrimaryKeyConstraint("penalty_id", name=op.f("pk_penalty_acceptance")),
    )


def _create_objection_admission() -> None:
    op.create_table(
        "objection_admission",
        sa.Column("objection_id", KEY, autoincrement=False, nullable=False),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", KEY, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_objection_admission_has_reason")),
        sa.ForeignKeyConstraint(["objection_id"], ["objection.id"], name=op.f("fk_objection_admission_objection_id")),
        sa.PrimaryKeyConstraint("objection_id", name=op.f("pk_objection_admission")),
    )


def _create_objection_statement() -> None:
    op.create_table(
        "objection_statement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("objection_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("body <> ''", name=op.f("ck_objection_statement_has_text")),
        sa.CheckConstraint(
            "kind IN ('question', 'answer', 'addition')", name=op.f("ck_objection_statement_statementkind")
        ),
        sa.ForeignKeyConstraint(["objection_id"], ["objection.id"], name=op.f("fk_objection_statement_objection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection_statement")),
    )
    op.create_index(op.f("ix_objection_statement_objection_id"), "objection_statement", ["objection_id"])


def _create_objection_attachment() -> None:
    op.create_table(
        "objection_attachment",
        sa.Column("attachment_id", KEY, autoincrement=False, nullable=False),
        sa.Column("objection_id", KEY, nullable=False),
        sa.Column("added_by", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"], ["attachment.id"], name=op.f("fk_objection_attachment_attachment_id")
        ),
        sa.ForeignKeyConstraint(["objection_id"], ["objection.id"], name=op.f("fk_objection_attachment_objection_id")),
        sa.PrimaryKeyConstraint("attachment_id", name=op.f("pk_objection_attachment")),
    )
    op.create_index(op.f("ix_objection_attachment_objection_id"), "objection_attachment", ["objection_id"])
