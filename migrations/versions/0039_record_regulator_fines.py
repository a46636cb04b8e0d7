"""Record fines that a regulator imposes on the carrier, and what of them is claimed back from the parties behind it.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: domain.md section 8 has none for a fine: id, code, family, type, dimension.
ACCOUNTS = (
    (21, "1221.04", "external", "asset", "party"),
    (22, "6711.04", "external", "contra_expense", "party"),
    (23, "9001.03", "internal", "asset", "unit"),
    (24, "9002.03", "internal", "offset", "unit"),
)
TABLES = ("recourse_receipt", "fine_recourse", "fine_paper", "fine_respondent", "regulator_fine")
#: What a row says from the first; its state, what was received and who decided follow.
FROZEN = {
    "regulator_fine": (
        "reference",
        "authority",
        "decision_number",
        "decided_on",
        "received_on",
        "unit_id",
        "subject",
        "legal_basis",
        "amount_fen",
        "due_on",
        "recorded_by",
        "recorded_at",
    ),
    "fine_respondent": ("fine_id", "party_id"),
    "fine_recourse": (
        "reference",
        "fine_id",
        "party_id",
        "unit_id",
        "family",
        "contract_id",
        "ground",
        "amount_fen",
        "maker_id",
        "proposed_at",
    ),
    "recourse_receipt": ("recourse_id", "amount_fen", "bank_reference", "received_on", "made_by", "made_at"),
}
MESSAGES = {
    "regulator_fine": "a recorded fine is not rewritten: cancel it and record it again",
    "fine_respondent": "a respondent of a fine is not rewritten",
    "fine_recourse": "a recourse line is not rewritten: reverse it and propose again",
    "recourse_receipt": "a receipt is not rewritten",
}
#: A line that has ended stays as it is.
ENDED = {"regulator_fine": "OLD.state = 'cancelled'", "fine_recourse": "OLD.state IN ('rejected', 'reversed')"}
TOO_MUCH = "more would be claimed back than the fine, or the fine is cancelled"
EXCEEDS = (
    "NEW.amount_fen + (SELECT coalesce(sum(amount_fen), 0) FROM fine_recourse "
    "WHERE fine_id = NEW.fine_id AND state IN ('proposed', 'approved')) > "
    "(SELECT CASE WHEN state = 'recorded' THEN amount_fen ELSE 0 END FROM regulator_fine WHERE id = NEW.fine_id)"
)


def upgrade() -> None:
    """Add the accounts and create the tables, then refuse edits and excess by dialect."""
    account = sa.table("account", *(sa.column(name) for name in ("id", "code", "family", "type", "dimension_kind")))
    op.bulk_insert(account, [dict(zip(account.c.keys(), row, strict=True)) for row in ACCOUNTS])
    _create_fine()
    _create_recourse()
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    """Drop everything; refused once something was posted, which the older chart has no account for."""
    codes = ", ".join(f"'{row[1]}'" for row in ACCOUNTS)
    ids = ", ".join(str(row[0]) for row in ACCOUNTS)
    bind = op.get_bind()
    if bind.exec_driver_sql(f"SELECT count(*) FROM posting WHERE account_id IN ({ids})").scalar_one():
        raise RuntimeError(f"something was posted on {codes}: the older chart has no account for it")
    for table in TABLES:
        op.drop_table(table)
    if bind.dialect.name == "postgresql":
        for function in (*(f"{table}_refuse_edit" for table in FROZEN), "fine_recourse_refuse_excess"):
            op.execute(f"DROP FUNCTION {function}()")
        op.execute("ALTER TABLE account DISABLE TRIGGER account_no_change")
        op.execute(f"DELETE FROM account WHERE id IN ({ids})")
        op.execute("ALTER TABLE account ENABLE ALWAYS TRIGGER account_no_change")
        return
    # The chart is append-only: its triggers step aside for what never was.
    triggers = bind.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'account'"
    )
    kept = triggers.all()
    for name, _sql in kept:
        op.execute(f"DROP TRIGGER {name}")
    op.execute(f"DELETE FROM account WHERE id IN ({ids})")
    for _name, sql in kept:
        op.execute(sa.text(sql.replace(":", r"\:")))


def _guard_on_postgresql() -> None:
    violation = "USING ERRCODE = 'integrity_constraint_violation'"
    for table, columns in FROZEN.items():
        old, new = (", ".join(f"{side}.{column}" for column in columns) for side in ("OLD", "NEW"))
        ended = f" OR {ENDED[table]}" if table in ENDED else ""
        op.execute(
            f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'DELETE'{ended} OR ROW({old}) IS DISTINCT FROM ROW({new}) THEN "
            f"RAISE EXCEPTION '{MESSAGES[table]}' {violation}; END IF; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuse_edit BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
        )
    op.execute(
        "CREATE FUNCTION fine_recourse_refuse_excess() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {EXCEEDS} THEN RAISE EXCEPTION '{TOO_MUCH}' {violation}; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER fine_recourse_refuse_excess BEFORE INSERT ON fine_recourse "
        "FOR EACH ROW EXECUTE FUNCTION fine_recourse_refuse_excess()"
    )


def _guard_on_sqlite() -> None:
    for table, columns in FROZEN.items():
        differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        ended = f"{ENDED[table]} OR " if table in ENDED else ""
        abort = f"BEGIN SELECT RAISE(ABORT, '{MESSAGES[table]}'); END"
        op.execute(f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} WHEN {ended}{differs} {abort}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {abort}")
    op.execute(
        f"CREATE TRIGGER fine_recourse_no_excess BEFORE INSERT ON fine_recourse WHEN {EXCEEDS} "
        f"BEGIN SELECT RAISE(ABORT, '{TOO_MUCH}'); END"
    )


def _create_fine() -> None:
    op.create_table(
        "regulator_fine",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("payment_reference", sa.Text(), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("recorded_by", KEY, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("cancelled_by", KEY, nullable=True),
        sa.Column("cancelled_at", MOMENT, nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_regulator_fine_amount_positive")),
        sa.CheckConstraint("received_on >= decided_on", name=op.f("ck_regulator_fine_received_after_decided")),
        sa.CheckConstraint(
            "(paid_on IS NULL) = (payment_reference IS NULL)", name=op.f("ck_regulator_fine_payment_complete")
        ),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancelled_by IS NOT NULL) AND (cancelled_by IS NULL) = (cancelled_at IS NULL) "
            "AND (cancelled_by IS NULL) = (cancel_reason IS NULL)",
            name=op.f("ck_regulator_fine_cancellation_complete"),
        ),
        sa.CheckConstraint("cancelled_by <> recorded_by", name=op.f("ck_regulator_fine_two_people")),
        sa.CheckConstraint("state IN ('recorded', 'cancelled')", name=op.f("ck_regulator_fine_finestate")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_regulator_fine_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regulator_fine")),
        sa.UniqueConstraint("reference", name=op.f("uq_regulator_fine_reference")),
    )
    live = sa.text("state = 'recorded'")
    op.create_index(
        "uq_regulator_fine_decision",
        "regulator_fine",
        ["authority", "decision_number"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_table(
        "fine_respondent",
        sa.Column("id", KEY, nullable=False),
        sa.Column("fine_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["fine_id"], ["regulator_fine.id"], name=op.f("fk_fine_respondent_fine_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_fine_respondent_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fine_respondent")),
        sa.UniqueConstraint("fine_id", "party_id", name=op.f("uq_fine_respondent_fine_id_party_id")),
    )
    op.create_table(
        "fine_paper",
        sa.Column("id", KEY, nullable=False),
        sa.Column("fine_id", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=False),
        sa.Column("added_by", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["fine_id"], ["regulator_fine.id"], name=op.f("fk_fine_paper_fine_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_fine_paper_attachment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fine_paper")),
        sa.UniqueConstraint("attachment_id", name=op.f("uq_fine_paper_attachment_id")),
    )
    op.create_index(op.f("ix_fine_paper_fine_id"), "fine_paper", ["fine_id"])


def _create_recourse() -> None:
    op.create_table(
        "fine_recourse",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("fine_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("contract_id", KEY, nullable=True),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("received_fen", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("maker_id", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approver_id", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("ended_by", KEY, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_fine_recourse_amount_positive")),
        sa.CheckConstraint(
            "received_fen BETWEEN 0 AND amount_fen", name=op.f("ck_fine_recourse_received_within_amount")
        ),
        sa.CheckConstraint(
            "received_fen = 0 OR family = 'external'", name=op.f("ck_fine_recourse_internal_receives_nothing")
        ),
        sa.CheckConstraint(
            "(family = 'internal') = (unit_id IS NOT NULL)", name=op.f("ck_fine_recourse_internal_has_unit")
        ),
        sa.CheckConstraint("approver_id <> maker_id", name=op.f("ck_fine_recourse_two_people")),
        sa.CheckConstraint(
            "(approver_id IS NULL) = (approved_at IS NULL)", name=op.f("ck_fine_recourse_approval_complete")
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'reversed') OR approver_id IS NOT NULL",
            name=op.f("ck_fine_recourse_approved_by_set"),
        ),
        sa.CheckConstraint(
            "(state IN ('rejected', 'reversed')) = (ended_by IS NOT NULL) AND (ended_by IS NULL) = (ended_at IS NULL) "
            "AND (ended_by IS NULL) = (end_reason IS NULL)",
            name=op.f("ck_fine_recourse_end_complete"),
        ),
        sa.CheckConstraint("ended_by <> approver_id", name=op.f("ck_fine_recourse_reversed_by_another")),
        sa.CheckConstraint("family IN ('external', 'internal')", name=op.f("ck_fine_recourse_penaltyfamily")),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'rejected', 'reversed')", name=op.f("ck_fine_recourse_recoursestate")
        ),
        sa.ForeignKeyConstraint(["fine_id"], ["regulator_fine.id"], name=op.f("fk_fine_recourse_fine_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_fine_recourse_party_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_fine_recourse_unit_id")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_fine_recourse_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fine_recourse")),
        sa.UniqueConstraint("reference", name=op.f("uq_fine_recourse_reference")),
    )
    op.create_index(op.f("ix_fine_recourse_fine_id"), "fine_recourse", ["fine_id"])
    op.create_index(op.f("ix_fine_recourse_party_id_state"), "fine_recourse", ["party_id", "state"])
    op.create_table(
        "recourse_receipt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recourse_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_recourse_receipt_amount_positive")),
        sa.CheckConstraint("bank_reference <> ''", name=op.f("ck_recourse_receipt_has_reference")),
        sa.ForeignKeyConstraint(["recourse_id"], ["fine_recourse.id"], name=op.f("fk_recourse_receipt_recourse_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recourse_receipt")),
        sa.UniqueConstraint("bank_reference", name=op.f("uq_recourse_receipt_bank_reference")),
    )
    op.create_index(op.f("ix_recourse_receipt_recourse_id"), "recourse_receipt", ["recourse_id"])
