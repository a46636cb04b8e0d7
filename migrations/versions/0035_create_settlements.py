"""Create deposits, commissions, settlement runs and write-offs.

What was decided is frozen; a collected amount is written once. A deposit never goes below zero: the trigger locks the
party, so that of two draws at once the second sees the first.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: In the order of creation.
TABLES = (
    "settlement_run",
    "settlement",
    "settlement_line",
    "deposit_movement",
    "commission_statement",
    "bank_movement",
    "receipt_line",
    "top_up_call",
    "write_off",
)
#: What a row says from the first; states, who decided and when may follow.
FROZEN = {
    "settlement_run": ("number", "month", "cut_off_at", "content_sha256", "made_by", "made_at"),
    "settlement": (
        "run_id",
        "party_id",
        "owed_fen",
        "refund_fen",
        "deposit_fen",
        "commission_fen",
        "cash_fen",
        "joint_fen",
        "payout_fen",
        "top_up_fen",
    ),
    "settlement_line": ("settlement_id", "penalty_id", "source", "left_out", "proposed_fen"),
    "deposit_movement": (
        "party_id",
        "kind",
        "amount_fen",
        "evidence",
        "effective_on",
        "settlement_id",
        "made_by",
        "made_at",
    ),
    "commission_statement": ("contract_id", "party_id", "month", "due_fen", "deducted_fen", "made_by", "made_at"),
    "bank_movement": ("party_id", "direction", "amount_fen", "bank_reference", "effective_on", "made_by", "made_at"),
    "receipt_line": ("bank_movement_id", "penalty_id", "amount_fen"),
    "top_up_call": ("settlement_id", "party_id", "amount_fen", "due_on"),
    "write_off": ("penalty_id", "amount_fen", "reason", "proposed_by", "proposed_at"),
}
#: Written once, after the row was made.
ONCE = {
    "settlement_run": ("approved_by", "posted_at", "cancelled_by"),
    "settlement": ("notice_at", "deemed_on", "delivery", "delivered_on"),
    "settlement_line": ("collected_fen", "fell_out"),
    "commission_statement": ("superseded_at",),
    "top_up_call": ("met_on",),
    "write_off": ("first_by", "decided_by"),
}
BELOW_ZERO = "a deposit never goes below zero"
BALANCE = (
    "SELECT coalesce(sum(CASE WHEN kind = 'received' THEN amount_fen ELSE -amount_fen END), 0) "
    "FROM deposit_movement WHERE party_id = NEW.party_id"
)


def upgrade() -> None:
    """Create the tables, then refuse edits and overdrawn deposits by dialect."""
    for table in TABLES:
        globals()[f"_create_{table}"]()
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    freeze = _freeze_on_postgresql if is_postgresql else _freeze_on_sqlite
    for table in TABLES:
        freeze(table)
    if is_postgresql:
        _guard_deposits_on_postgresql()
    else:
        _guard_deposits_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not. Refused once something was collected."""
    for table in ("deposit_movement", "bank_movement", "settlement_run", "write_off"):
        if count := op.get_bind().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one():
            raise RuntimeError(f"{count} rows of {table}: the older schema has no place for them")
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")
        op.execute("DROP FUNCTION deposit_movement_guard()")


def _freeze_on_postgresql(table: str) -> None:
    differs = [f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in FROZEN[table]]
    differs += [
        f"(OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in ONCE.get(table, ())
    ]
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR {' OR '.join(differs)} THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str) -> None:
    differs = [f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN[table]]
    differs += [f"(OLD.{column} IS NOT NULL AND OLD.{column} IS NOT NEW.{column})" for column in ONCE.get(table, ())]
    for name, when in (
        ("no_edit", f"UPDATE ON {table} WHEN {' OR '.join(differs)}"),
        ("no_delete", f"DELETE ON {table}"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
        )


def _guard_deposits_on_postgresql() -> None:
    # READ COMMITTED: the sum is read after the lock was won, so it sees what the winner before us committed.
    op.execute(
        "CREATE FUNCTION deposit_movement_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.kind = 'received' THEN RETURN NEW; END IF; "
        "PERFORM 1 FROM party WHERE id = NEW.party_id FOR NO KEY UPDATE; "
        f"IF ({BALANCE}) < NEW.amount_fen THEN "
        f"RAISE EXCEPTION '{BELOW_ZERO}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER deposit_movement_covered BEFORE INSERT ON deposit_movement "
        "FOR EACH ROW EXECUTE FUNCTION deposit_movement_guard()"
    )


def _guard_deposits_on_sqlite() -> None:
    op.execute(
        "CREATE TRIGGER deposit_movement_covered BEFORE INSERT ON deposit_movement "
        f"WHEN NEW.kind <> 'received' AND ({BALANCE}) < NEW.amount_fen "
        f"BEGIN SELECT RAISE(ABORT, '{BELOW_ZERO}'); END"
    )


def _create_settlement_run() -> None:
    op.create_table(
        "settlement_run",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("cut_off_at", MOMENT, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("approved_by", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("posted_at", MOMENT, nullable=True),
        sa.Column("cancelled_by", KEY, nullable=True),
        sa.Column("job_id", KEY, nullable=True),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_settlement_run_approval_complete")
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'posted')) = (approved_by IS NOT NULL)",
            name=op.f("ck_settlement_run_approved_by_set"),
        ),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancelled_by IS NOT NULL)", name=op.f("ck_settlement_run_cancelled_by_set")
        ),
        sa.CheckConstraint("month LIKE '____-__'", name=op.f("ck_settlement_run_month_format")),
        sa.CheckConstraint(
            "(state = 'posted') = (posted_at IS NOT NULL)", name=op.f("ck_settlement_run_posted_at_set")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'approved', 'posted', 'cancelled')", name=op.f("ck_settlement_run_runstate")
        ),
        sa.CheckConstraint("approved_by <> made_by", name=op.f("ck_settlement_run_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_run")),
        sa.UniqueConstraint("number", name=op.f("uq_settlement_run_number")),
    )
    op.create_index(
        "uq_settlement_run_month",
        "settlement_run",
        ["month"],
        unique=True,
        sqlite_where=sa.text("state <> 'cancelled'"),
        postgresql_where=sa.text("state <> 'cancelled'"),
    )


def _create_settlement() -> None:
    op.create_table(
        "settlement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("owed_fen", KEY, nullable=False),
        sa.Column("refund_fen", KEY, nullable=False),
        sa.Column("deposit_fen", KEY, nullable=False),
        sa.Column("commission_fen", KEY, nullable=False),
        sa.Column("cash_fen", KEY, nullable=False),
        sa.Column("joint_fen", KEY, nullable=False),
        sa.Column("payout_fen", KEY, nullable=False),
        sa.Column("top_up_fen", KEY, nullable=False),
        sa.Column("notice_at", MOMENT, nullable=True),
        sa.Column("deemed_on", sa.Date(), nullable=True),
        sa.Column("delivery", sa.String(40), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "delivery IS NULL OR notice_at IS NOT NULL", name=op.f("ck_settlement_delivered_after_notice")
        ),
        sa.CheckConstraint("(delivery IS NULL) = (delivered_on IS NULL)", name=op.f("ck_settlement_delivery_complete")),
        sa.CheckConstraint(
            "owed_fen >= 0 AND refund_fen >= 0 AND deposit_fen >= 0 AND commission_fen >= 0 AND cash_fen >= 0 "
            "AND payout_fen >= 0 AND joint_fen >= 0 AND top_up_fen >= 0",
            name=op.f("ck_settlement_not_negative"),
        ),
        sa.CheckConstraint("(notice_at IS NULL) = (deemed_on IS NULL)", name=op.f("ck_settlement_notice_complete")),
        sa.CheckConstraint(
            "delivery IN ('acknowledged', 'recorded', 'deemed')", name=op.f("ck_settlement_noticedelivery")
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'held', 'posted', 'dropped')", name=op.f("ck_settlement_settlementstate")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_settlement_party_id")),
        sa.ForeignKeyConstraint(["run_id"], ["settlement_run.id"], name=op.f("fk_settlement_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement")),
        sa.UniqueConstraint("run_id", "party_id", name=op.f("uq_settlement_run_id_party_id")),
    )
    op.create_index(
        "ix_settlement_undelivered",
        "settlement",
        ["deemed_on"],
        sqlite_where=sa.text("delivery IS NULL"),
        postgresql_where=sa.text("delivery IS NULL"),
    )
    op.create_index(op.f("ix_settlement_party_id_id"), "settlement", ["party_id", "id"])
    op.create_index(op.f("ix_settlement_run_id_state_id"), "settlement", ["run_id", "state", "id"])


def _create_settlement_line() -> None:
    op.create_table(
        "settlement_line",
        sa.Column("id", KEY, nullable=False),
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("source", sa.String(40), nullable=True),
        sa.Column("left_out", sa.String(40), nullable=True),
        sa.Column("proposed_fen", KEY, nullable=False),
        sa.Column("collected_fen", KEY, nullable=True),
        sa.Column("fell_out", sa.String(40), nullable=True),
        sa.CheckConstraint(
            "collected_fen IS NULL OR (source IS NOT NULL AND source <> 'cash')",
            name=op.f("ck_settlement_line_collected_from_source"),
        ),
        sa.CheckConstraint(
            "collected_fen BETWEEN 0 AND proposed_fen", name=op.f("ck_settlement_line_collected_within_proposed")
        ),
        sa.CheckConstraint(
            "source IN ('refund', 'deposit', 'commission', 'cash')", name=op.f("ck_settlement_line_collectedfrom")
        ),
        sa.CheckConstraint(
            "collected_fen IS NULL OR (collected_fen < proposed_fen) = (fell_out IS NOT NULL)",
            name=op.f("ck_settlement_line_fell_out_set"),
        ),
        sa.CheckConstraint("fell_out IN ('lifted', 'disputed', 'drained')", name=op.f("ck_settlement_line_fellout")),
        sa.CheckConstraint(
            "left_out IN ('objection', 'reversal', 'write_off', 'held', 'no_source')",
            name=op.f("ck_settlement_line_leftout"),
        ),
        sa.CheckConstraint("proposed_fen > 0", name=op.f("ck_settlement_line_proposed_positive")),
        sa.CheckConstraint(
            "(source IS NULL) = (left_out IS NOT NULL)", name=op.f("ck_settlement_line_source_or_reason")
        ),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_settlement_line_penalty_id")),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlement.id"], name=op.f("fk_settlement_line_settlement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_line")),
        sa.UniqueConstraint(
            "settlement_id", "penalty_id", "source", name=op.f("uq_settlement_line_settlement_id_penalty_id_source")
        ),
    )
    op.create_index(op.f("ix_settlement_line_penalty_id"), "settlement_line", ["penalty_id"])


def _create_deposit_movement() -> None:
    op.create_table(
        "deposit_movement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("settlement_id", KEY, nullable=True),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_deposit_movement_amount_positive")),
        sa.CheckConstraint("kind IN ('received', 'drawn', 'returned')", name=op.f("ck_deposit_movement_depositkind")),
        sa.CheckConstraint(
            "(kind = 'drawn') = (settlement_id IS NOT NULL)", name=op.f("ck_deposit_movement_drawn_by_settlement")
        ),
        sa.CheckConstraint("evidence <> ''", name=op.f("ck_deposit_movement_has_evidence")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_deposit_movement_party_id")),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlement.id"], name=op.f("fk_deposit_movement_settlement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit_movement")),
        sa.UniqueConstraint("settlement_id", name=op.f("uq_deposit_movement_settlement_id")),
    )
    op.create_index(
        "uq_deposit_movement_evidence",
        "deposit_movement",
        ["kind", "evidence"],
        unique=True,
        sqlite_where=sa.text("settlement_id IS NULL"),
        postgresql_where=sa.text("settlement_id IS NULL"),
    )
    op.create_index(op.f("ix_deposit_movement_party_id_id"), "deposit_movement", ["party_id", "id"])


def _create_commission_statement() -> None:
    op.create_table(
        "commission_statement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("due_fen", KEY, nullable=False),
        sa.Column("deducted_fen", KEY, nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("superseded_at", MOMENT, nullable=True),
        sa.CheckConstraint("deducted_fen >= 0", name=op.f("ck_commission_statement_deducted_not_negative")),
        sa.CheckConstraint("month LIKE '____-__'", name=op.f("ck_commission_statement_month_format")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_commission_statement_contract_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_commission_statement_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commission_statement")),
    )
    op.create_index(
        "uq_commission_statement_live",
        "commission_statement",
        ["contract_id", "month"],
        unique=True,
        sqlite_where=sa.text("superseded_at IS NULL"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(op.f("ix_commission_statement_party_id_month"), "commission_statement", ["party_id", "month"])


def _create_bank_movement() -> None:
    op.create_table(
        "bank_movement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("direction", sa.String(40), nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_bank_movement_amount_positive")),
        sa.CheckConstraint("direction IN ('received', 'refunded')", name=op.f("ck_bank_movement_bankdirection")),
        sa.CheckConstraint("bank_reference <> ''", name=op.f("ck_bank_movement_has_reference")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_bank_movement_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_movement")),
        sa.UniqueConstraint("bank_reference", name=op.f("uq_bank_movement_bank_reference")),
    )
    op.create_index(op.f("ix_bank_movement_party_id_id"), "bank_movement", ["party_id", "id"])


def _create_receipt_line() -> None:
    op.create_table(
        "receipt_line",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_movement_id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_receipt_line_amount_positive")),
        sa.ForeignKeyConstraint(
            ["bank_movement_id"], ["bank_movement.id"], name=op.f("fk_receipt_line_bank_movement_id")
        ),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_receipt_line_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_line")),
        sa.UniqueConstraint("bank_movement_id", "penalty_id", name=op.f("uq_receipt_line_bank_movement_id_penalty_id")),
    )
    op.create_index(op.f("ix_receipt_line_penalty_id"), "receipt_line", ["penalty_id"])


def _create_top_up_call() -> None:
    op.create_table(
        "top_up_call",
        sa.Column("id", KEY, nullable=False),
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("met_on", sa.Date(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_top_up_call_amount_positive")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_top_up_call_party_id")),
        sa.ForeignKeyConstraint(["settlement_id"], ["settlement.id"], name=op.f("fk_top_up_call_settlement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_top_up_call")),
        sa.UniqueConstraint("settlement_id", name=op.f("uq_top_up_call_settlement_id")),
    )
    op.create_index(op.f("ix_top_up_call_due_on"), "top_up_call", ["due_on"])
    op.create_index(op.f("ix_top_up_call_party_id_met_on"), "top_up_call", ["party_id", "met_on"])


def _create_write_off() -> None:
    op.create_table(
        "write_off",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("first_by", KEY, nullable=True),
        sa.Column("first_at", MOMENT, nullable=True),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_write_off_amount_positive")),
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)", name=op.f("ck_write_off_decided_by_set")
        ),
        sa.CheckConstraint(
            "state NOT IN ('endorsed', 'approved') OR first_by IS NOT NULL", name=op.f("ck_write_off_first_by_set")
        ),
        sa.CheckConstraint("first_by <> proposed_by", name=op.f("ck_write_off_first_differs")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_write_off_has_reason")),
        sa.CheckConstraint(
            "decided_by <> proposed_by AND (first_by IS NULL OR decided_by <> first_by)",
            name=op.f("ck_write_off_two_more"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'endorsed', 'approved', 'rejected')", name=op.f("ck_write_off_writeoffstate")
        ),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_write_off_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_off")),
    )
    op.create_index(
        "uq_write_off_open",
        "write_off",
        ["penalty_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'endorsed')"),
        postgresql_where=sa.text("state IN ('open', 'endorsed')"),
    )
    op.create_index(op.f("ix_write_off_penalty_id"), "write_off", ["penalty_id"])
    op.create_index(op.f("ix_write_off_state_id"), "write_off", ["state", "id"])
