"""Create penalties, objections, steps and reversal requests; what a penalty amounts to is never rewritten.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("reversal_request", "penalty_step", "objection", "penalty")
#: What a row says from the first; its state, its dates and who decided may follow.
FROZEN = {
    "penalty": (
        "reference",
        "finding_id",
        "incident_id",
        "offence_code",
        "family",
        "party_id",
        "unit_id",
        "contract_id",
        "rule_version_id",
        "gross_fen",
        "capped_fen",
        "amount_fen",
        "loss_basis_fen",
        "nature",
        "direction",
        "tax_label",
        "gl_account_code",
        "cost_centre",
        "explanation",
        "content_sha256",
        "occurred_on",
        "period",
        "maker_id",
        "proposed_at",
    ),
    "penalty_step": ("penalty_id", "at", "actor_id", "to_state", "reason"),
    "objection": ("penalty_id", "body", "filed_by", "filed_for_party", "filed_at"),
    "reversal_request": ("entry_id", "penalty_id", "amount_fen", "reason", "proposed_by", "proposed_at"),
}


def upgrade() -> None:
    """Create the tables, then refuse edits by dialect."""
    _create_penalty()
    _create_objection()
    _create_penalty_step()
    _create_reversal_request()
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table, columns in FROZEN.items():
        freeze(table, columns)


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not."""
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


def _create_penalty() -> None:
    op.create_table(
        "penalty",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("finding_id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("offence_code", sa.Text(), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("rule_version_id", KEY, nullable=False),
        sa.Column("gross_fen", KEY, nullable=False),
        sa.Column("capped_fen", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("lifted_fen", KEY, nullable=False),
        sa.Column("loss_basis_fen", KEY, nullable=False),
        sa.Column("nature", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(40), nullable=False),
        sa.Column("tax_label", sa.Text(), nullable=False),
        sa.Column("gl_account_code", sa.Text(), nullable=False),
        sa.Column("cost_centre", sa.Text(), nullable=True),
        sa.Column("explanation", sa.JSON(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("maker_id", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approver_id", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("listed_at", MOMENT, nullable=True),
        sa.Column("deemed_on", sa.Date(), nullable=True),
        sa.Column("window_start", sa.String(40), nullable=True),
        sa.Column("window_started_at", MOMENT, nullable=True),
        sa.Column("objection_until_on", sa.Date(), nullable=True),
        sa.Column("finalised_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(family = 'internal') = (direction = 'internal')", name=op.f("ck_penalty_family_has_direction")
        ),
        sa.CheckConstraint("family <> 'internal' OR unit_id IS NOT NULL", name=op.f("ck_penalty_internal_has_unit")),
        sa.CheckConstraint("state <> 'final' OR finalised_at IS NOT NULL", name=op.f("ck_penalty_final_complete")),
        sa.CheckConstraint(
            "state IN ('proposed', 'returned') OR (approver_id IS NOT NULL AND approved_at IS NOT NULL)",
            name=op.f("ck_penalty_approval_complete"),
        ),
        sa.CheckConstraint(
            "(window_start IS NULL) = (objection_until_on IS NULL)", name=op.f("ck_penalty_window_complete")
        ),
        sa.CheckConstraint(
            "amount_fen = gross_fen - capped_fen AND amount_fen >= 0", name=op.f("ck_penalty_amount_adds_up")
        ),
        sa.CheckConstraint("approver_id <> maker_id", name=op.f("ck_penalty_two_people")),
        sa.CheckConstraint("capped_fen >= 0", name=op.f("ck_penalty_capped_not_negative")),
        sa.CheckConstraint("gross_fen > 0", name=op.f("ck_penalty_gross_positive")),
        sa.CheckConstraint("lifted_fen BETWEEN 0 AND amount_fen", name=op.f("ck_penalty_lifted_within_amount")),
        sa.CheckConstraint("loss_basis_fen >= 0", name=op.f("ck_penalty_loss_not_negative")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_penalty_contract_id")),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_penalty_finding_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_penalty_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_penalty_party_id")),
        sa.ForeignKeyConstraint(["rule_version_id"], ["rule_version.id"], name=op.f("fk_penalty_rule_version_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_penalty_unit_id")),
        sa.CheckConstraint("family IN ('external', 'internal')", name=op.f("ck_penalty_penaltyfamily")),
        sa.CheckConstraint("direction IN ('we_buy', 'we_sell', 'internal')", name=op.f("ck_penalty_contractdirection")),
        sa.CheckConstraint(
            "state IN ('proposed', 'returned', 'approved', 'final', 'voided', 'reversed')",
            name=op.f("ck_penalty_penaltystate"),
        ),
        sa.CheckConstraint("window_start IN ('opened', 'acknowledged', 'deemed')", name=op.f("ck_penalty_windowstart")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty")),
        sa.UniqueConstraint("reference", name=op.f("uq_penalty_reference")),
    )
    op.create_index(op.f("ix_penalty_finding_id"), "penalty", ["finding_id"], unique=False)
    op.create_index(op.f("ix_penalty_objection_until_on"), "penalty", ["objection_until_on"], unique=False)
    op.create_index(op.f("ix_penalty_party_id_state_id"), "penalty", ["party_id", "state", "id"], unique=False)
    op.create_index(op.f("ix_penalty_period_party_id"), "penalty", ["period", "party_id"], unique=False)
    op.create_index(op.f("ix_penalty_rule_version_id"), "penalty", ["rule_version_id"], unique=False)
    op.create_index(op.f("ix_penalty_state_id"), "penalty", ["state", "id"], unique=False)
    op.create_index(op.f("ix_penalty_unit_id_state_id"), "penalty", ["unit_id", "state", "id"], unique=False)
    op.create_index(
        "uq_penalty_live",
        "penalty",
        ["incident_id", "offence_code", "party_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('proposed', 'approved', 'final')"),
        postgresql_where=sa.text("state IN ('proposed', 'approved', 'final')"),
    )


def _create_objection() -> None:
    op.create_table(
        "objection",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("filed_by", KEY, nullable=False),
        sa.Column("filed_for_party", sa.Boolean(), nullable=False),
        sa.Column("filed_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("reduced_fen", KEY, nullable=True),
        sa.CheckConstraint("(state = 'reduced') = (reduced_fen IS NOT NULL)", name=op.f("ck_objection_reduction_set")),
        sa.CheckConstraint(
            "(state IN ('upheld', 'reduced', 'rejected')) = (decided_by IS NOT NULL)",
            name=op.f("ck_objection_decided_by_set"),
        ),
        sa.CheckConstraint("body <> ''", name=op.f("ck_objection_has_text")),
        sa.CheckConstraint("decided_by <> filed_by", name=op.f("ck_objection_two_people")),
        sa.CheckConstraint("reduced_fen > 0", name=op.f("ck_objection_reduction_positive")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_objection_penalty_id")),
        sa.CheckConstraint(
            "state IN ('open', 'upheld', 'reduced', 'rejected', 'withdrawn')", name=op.f("ck_objection_objectionstate")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection")),
    )
    op.create_index(op.f("ix_objection_penalty_id"), "objection", ["penalty_id"], unique=False)
    op.create_index(
        "uq_objection_live",
        "objection",
        ["penalty_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_penalty_step() -> None:
    op.create_table(
        "penalty_step",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", KEY, nullable=True),
        sa.Column("to_state", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_penalty_step_penalty_id")),
        sa.CheckConstraint(
            "to_state IN ('proposed', 'returned', 'approved', 'final', 'voided', 'reversed')",
            name=op.f("ck_penalty_step_penaltystate"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty_step")),
    )
    op.create_index(op.f("ix_penalty_step_penalty_id"), "penalty_step", ["penalty_id"], unique=False)


def _create_reversal_request() -> None:
    op.create_table(
        "reversal_request",
        sa.Column("id", KEY, nullable=False),
        sa.Column("entry_id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=True),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approved_by", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.CheckConstraint("(state = 'open') = (approved_by IS NULL)", name=op.f("ck_reversal_request_decided_by_set")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_reversal_request_has_reason")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_reversal_request_amount_positive")),
        sa.CheckConstraint("approved_by <> proposed_by", name=op.f("ck_reversal_request_two_people")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_reversal_request_penalty_id")),
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected')", name=op.f("ck_reversal_request_reversalstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reversal_request")),
    )
    op.create_index(op.f("ix_reversal_request_penalty_id"), "reversal_request", ["penalty_id"], unique=False)
    op.create_index(
        "uq_reversal_request_open",
        "reversal_request",
        ["entry_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
