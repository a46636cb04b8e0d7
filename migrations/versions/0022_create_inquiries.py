"""Create inquiries, their answers, the terms that they are asked with, and the conflicts between answers.

Answers are never rewritten: a later one supersedes. Written out here: a migration never imports the application,
which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("answer_conflict", "answer_attachment", "inquiry_answer", "inquiry", "inquiry_term")
TERMS = sa.table("inquiry_term", sa.column("working_days", KEY), sa.column("valid_from", sa.Date()))
#: The house's own default until somebody enters another.
FIRST_TERM = {"working_days": 5, "valid_from": dt.date(2020, 1, 1)}
#: What a row says from the first; only where it stands may follow. No row is ever deleted.
FROZEN = {
    "inquiry": ("incident_id", "party_id", "question", "asked_by", "asked_at", "working_days"),
    "inquiry_answer": (
        "inquiry_id",
        "number",
        "kind",
        "named_party_id",
        "named_text",
        "handed_on_at",
        "body",
        "is_late",
        "answered_by",
        "answered_at",
    ),
    "answer_attachment": ("answer_id", "attachment_id"),
    "answer_conflict": ("incident_id", "answer_ids", "reasons", "found_at"),
}


def upgrade() -> None:
    """Create the tables with the first term, then refuse edits by dialect."""
    _create_inquiry_term()
    _create_inquiry()
    _create_inquiry_answer()
    _create_answer_attachment()
    _create_answer_conflict()
    op.bulk_insert(TERMS, [FIRST_TERM])
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table, columns in FROZEN.items():
        freeze(table, columns)


def downgrade() -> None:
    """Take all of it away; refused while there are answers, which the older schema has no place for."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM inquiry_answer"))
    if kept:
        raise RuntimeError(f"{kept} answers were given to inquiries: the older schema has no place for them")
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    # json has no equality; its text does.
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} WHEN {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )


def _create_inquiry_term() -> None:
    op.create_table(
        "inquiry_term",
        sa.Column("id", KEY, nullable=False),
        sa.Column("working_days", KEY, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_inquiry_term_period_order")),
        sa.CheckConstraint("working_days > 0", name=op.f("ck_inquiry_term_some_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiry_term")),
        sa.UniqueConstraint("valid_from", name=op.f("uq_inquiry_term_valid_from")),
    )


def _create_inquiry() -> None:
    op.create_table(
        "inquiry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_by", KEY, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("working_days", KEY, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("extension_days", KEY, nullable=True),
        sa.Column("extension_reason", sa.Text(), nullable=True),
        sa.Column("extended_by", KEY, nullable=True),
        sa.Column("extended_at", MOMENT, nullable=True),
        sa.Column("deemed_at", MOMENT, nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=True),
        sa.Column("withdrawn_by", KEY, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.CheckConstraint("state <> 'deemed' OR deemed_at IS NOT NULL", name=op.f("ck_inquiry_deemed_at_set")),
        sa.CheckConstraint("(extended_at IS NULL) = (extended_by IS NULL)", name=op.f("ck_inquiry_extended_by_set")),
        sa.CheckConstraint(
            "(extended_at IS NULL) = (extension_days IS NULL)", name=op.f("ck_inquiry_extension_has_days")
        ),
        sa.CheckConstraint(
            "(extended_at IS NULL) = (extension_reason IS NULL)", name=op.f("ck_inquiry_extension_has_reason")
        ),
        sa.CheckConstraint("question <> ''", name=op.f("ck_inquiry_has_question")),
        sa.CheckConstraint(
            "state IN ('open', 'answered', 'deemed', 'withdrawn')", name=op.f("ck_inquiry_inquirystate")
        ),
        sa.CheckConstraint("working_days > 0", name=op.f("ck_inquiry_some_days")),
        sa.CheckConstraint("extension_days > 0", name=op.f("ck_inquiry_some_more_days")),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawal_reason IS NULL)", name=op.f("ck_inquiry_withdrawal_has_reason")
        ),
        sa.CheckConstraint(
            "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name=op.f("ck_inquiry_withdrawn_at_set")
        ),
        sa.CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name=op.f("ck_inquiry_withdrawn_by_set")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_inquiry_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_inquiry_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiry")),
    )
    op.create_index(op.f("ix_inquiry_incident_id"), "inquiry", ["incident_id"], unique=False)
    op.create_index(op.f("ix_inquiry_party_id_state_due_on"), "inquiry", ["party_id", "state", "due_on"], unique=False)
    op.create_index(op.f("ix_inquiry_state_due_on_id"), "inquiry", ["state", "due_on", "id"], unique=False)
    op.create_index(
        "uq_inquiry_open",
        "inquiry",
        ["incident_id", "party_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_inquiry_answer() -> None:
    op.create_table(
        "inquiry_answer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("inquiry_id", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("named_party_id", KEY, nullable=True),
        sa.Column("named_text", sa.Text(), nullable=True),
        sa.Column("handed_on_at", MOMENT, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("answered_by", KEY, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('ours', 'agent', 'not_ours', 'handed_on')", name=op.f("ck_inquiry_answer_answerkind")
        ),
        sa.CheckConstraint(
            "(kind = 'handed_on') = (handed_on_at IS NOT NULL)", name=op.f("ck_inquiry_answer_handed_on_at_set")
        ),
        sa.CheckConstraint("body <> ''", name=op.f("ck_inquiry_answer_has_body")),
        sa.CheckConstraint("named_party_id IS NULL OR named_text IS NULL", name=op.f("ck_inquiry_answer_named_once")),
        sa.CheckConstraint(
            "(kind IN ('agent', 'handed_on')) = (named_party_id IS NOT NULL OR named_text IS NOT NULL)",
            name=op.f("ck_inquiry_answer_names_another"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_inquiry_answer_number_from_one")),
        sa.ForeignKeyConstraint(["inquiry_id"], ["inquiry.id"], name=op.f("fk_inquiry_answer_inquiry_id")),
        sa.ForeignKeyConstraint(["named_party_id"], ["party.id"], name=op.f("fk_inquiry_answer_named_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiry_answer")),
        sa.UniqueConstraint("inquiry_id", "number", name=op.f("uq_inquiry_answer_inquiry_id_number")),
    )
    op.create_index(op.f("ix_inquiry_answer_named_party_id"), "inquiry_answer", ["named_party_id"], unique=False)


def _create_answer_attachment() -> None:
    op.create_table(
        "answer_attachment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("answer_id", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["inquiry_answer.id"], name=op.f("fk_answer_attachment_answer_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_answer_attachment_attachment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_attachment")),
        sa.UniqueConstraint("attachment_id", name=op.f("uq_answer_attachment_attachment_id")),
    )
    op.create_index(op.f("ix_answer_attachment_answer_id"), "answer_attachment", ["answer_id"], unique=False)


def _create_answer_conflict() -> None:
    op.create_table(
        "answer_conflict",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("answer_ids", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("settled_by", KEY, nullable=True),
        sa.Column("settlement", sa.Text(), nullable=True),
        sa.Column("attribution_id", KEY, nullable=True),
        sa.CheckConstraint("state IN ('open', 'settled', 'dissolved')", name=op.f("ck_answer_conflict_conflictstate")),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f("ck_answer_conflict_ended_at_set")),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_by IS NOT NULL)", name=op.f("ck_answer_conflict_settled_by_set")
        ),
        sa.CheckConstraint(
            "(state = 'settled') = (attribution_id IS NOT NULL)", name=op.f("ck_answer_conflict_settled_by_verdict")
        ),
        sa.CheckConstraint(
            "(state = 'settled') = (settlement IS NOT NULL)", name=op.f("ck_answer_conflict_settlement_has_reason")
        ),
        sa.ForeignKeyConstraint(["attribution_id"], ["attribution.id"], name=op.f("fk_answer_conflict_attribution_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_answer_conflict_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_conflict")),
    )
    op.create_index(op.f("ix_answer_conflict_incident_id_id"), "answer_conflict", ["incident_id", "id"], unique=False)
    op.create_index(op.f("ix_answer_conflict_state_id"), "answer_conflict", ["state", "id"], unique=False)
    op.create_index(
        "uq_answer_conflict_open",
        "answer_conflict",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
