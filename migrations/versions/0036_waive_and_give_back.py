"""Let an amount be waived by two people, given back once it was collected, and approved by two above a limit.

Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ROLES = "'clerk', 'triager', 'supervisor', 'branch_manager', 'partner_contact', 'finance', 'auditor', 'admin'"
NOTE = (
    "《民法典》第五百八十五条、合同编通则司法解释第六十五条：约定的违约金超过造成损失的百分之三十的，人民法院一般可以认定为过分高于造成的损失。"
    "本系统仅作审批提示，不阻断；提示界线待法务确认。"
)
#: What a row says from the first; the state of a waiver, who decided and the end of a limit may follow.
FROZEN = {
    "penalty_refund": ("penalty_id", "amount_fen", "because", "approved_by", "at"),
    "waiver": ("penalty_id", "amount_fen", "because", "reason", "proposed_by", "proposed_at"),
    "authority_limit": ("role", "limit_fen", "valid_from"),
    "loss_ratio": ("ratio_bp", "legal_note", "valid_from"),
    "penalty_endorsement": ("penalty_id", "content_sha256", "endorsed_by", "at"),
}


def upgrade() -> None:
    """Create the tables, then refuse edits by dialect."""
    _create_penalty_refund()
    _create_waiver()
    _create_authority_limit()
    _create_loss_ratio()
    _create_penalty_endorsement()
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table, columns in FROZEN.items():
        freeze(table, columns)


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not."""
    for table in FROZEN:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    row = ", ".join(f"{{0}}.{column}" for column in columns)
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
    for name, when in (("no_edit", f"UPDATE ON {table} WHEN {differs}"), ("no_delete", f"DELETE ON {table}")):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
        )


def _create_penalty_refund() -> None:
    op.create_table(
        "penalty_refund",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("approved_by", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_penalty_refund_amount_positive")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_penalty_refund_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty_refund")),
        sa.UniqueConstraint("penalty_id", "because", name=op.f("uq_penalty_refund_penalty_id_because")),
    )


def _create_waiver() -> None:
    op.create_table(
        "waiver",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("because", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_waiver_amount_positive")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_waiver_has_reason")),
        sa.CheckConstraint("decided_by <> proposed_by", name=op.f("ck_waiver_two_people")),
        sa.CheckConstraint("(state = 'open') = (decided_by IS NULL)", name=op.f("ck_waiver_decided_by_set")),
        sa.CheckConstraint(
            "because IN ('over_loss', 'first_offence', 'put_right', 'our_share', 'hardship', 'other')",
            name=op.f("ck_waiver_waiverreason"),
        ),
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected')", name=op.f("ck_waiver_waiverstate")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_waiver_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver")),
    )
    op.create_index(op.f("ix_waiver_penalty_id"), "waiver", ["penalty_id"])
    op.create_index(
        "uq_waiver_open",
        "waiver",
        ["penalty_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_authority_limit() -> None:
    op.create_table(
        "authority_limit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("limit_fen", KEY, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("limit_fen > 0", name=op.f("ck_authority_limit_limit_positive")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_authority_limit_period_order")),
        sa.CheckConstraint(f"role IN ({ROLES})", name=op.f("ck_authority_limit_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authority_limit")),
        sa.UniqueConstraint("role", "valid_from", name=op.f("uq_authority_limit_role_valid_from")),
    )


def _create_loss_ratio() -> None:
    table = op.create_table(
        "loss_ratio",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ratio_bp", KEY, nullable=False),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("ratio_bp > 0", name=op.f("ck_loss_ratio_ratio_positive")),
        sa.CheckConstraint("legal_note <> ''", name=op.f("ck_loss_ratio_has_note")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_loss_ratio_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loss_ratio")),
        sa.UniqueConstraint("valid_from", name=op.f("uq_loss_ratio_valid_from")),
    )
    op.bulk_insert(table, [{"ratio_bp": 50_000, "legal_note": NOTE, "valid_from": dt.date(2020, 1, 1)}])


def _create_penalty_endorsement() -> None:
    op.create_table(
        "penalty_endorsement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("endorsed_by", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_penalty_endorsement_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty_endorsement")),
        sa.UniqueConstraint(
            "penalty_id",
            "content_sha256",
            "endorsed_by",
            name=op.f("uq_penalty_endorsement_penalty_id_content_sha256_endorsed_by"),
        ),
    )
