"""Let a contract say its deposit and order of settlement, and let a dated amendment change what it says.

A party's compliance file is only added to; a wrong entry is struck out by another row.
What is in force is not rewritten: triggers freeze the terms of a contract as 0005 freezes the rest, and amendments
like rule versions.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ORDERS = (
    "settlement_order IN ('deposit_commission_cash', 'commission_deposit_cash', 'deposit_cash', 'commission_cash', "
    "'cash')"
)
DAYS = "BETWEEN 1 AND 365"
#: Column, type, default, name of its CHECK, what the CHECK says.
COLUMNS = (
    ("deposit_required_fen", "BIGINT", "0", "deposit_not_negative", "deposit_required_fen >= 0"),
    ("top_up_days", "BIGINT", "10", "top_up_days_range", f"top_up_days {DAYS}"),
    ("settlement_order", "VARCHAR(40)", "deposit_commission_cash", "settlementorder", ORDERS),
)
CHANGES = (
    "ends_on",
    "appeal_days",
    "appeal_day_type",
    "deemed_days",
    "deposit_required_fen",
    "top_up_days",
    "settlement_order",
)
ADDED_TO = "a compliance file is only added to: strike the entry out by another one"
KINDS = (
    "('training', 'warning_talk', 'inspection', 'correction_order', 'technical_control', 'clause_check', "
    "'first_knew', 'strike_out')"
)
#: What a row says once it is in force.
FROZEN = {
    "contract": ("contract_terms", tuple(column[0] for column in COLUMNS)),
    "contract_amendment": (
        "contract_amendment",
        (
            "contract_id",
            "number",
            "signed_on",
            "effective_from",
            "reason",
            *CHANGES,
            "drafted_by",
            "drafted_at",
            "decided_by",
            "decided_at",
        ),
    ),
}


def upgrade() -> None:
    """Add the terms and the amendments, then freeze by dialect."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for column, kind, default, name, check in COLUMNS:
        typed = "INTEGER" if kind == "BIGINT" and not on_postgresql else kind
        op.execute(
            f"ALTER TABLE contract ADD COLUMN {column} {typed} DEFAULT '{default}' NOT NULL "
            f"CONSTRAINT ck_contract_{name} CHECK ({check})"
        )
    _create_contract_amendment()
    freeze = _freeze_on_postgresql if on_postgresql else _freeze_on_sqlite
    for table, (name, columns) in FROZEN.items():
        freeze(table, name, columns)
    _create_party_file_entry()
    if on_postgresql:
        _append_only_on_postgresql()
    else:
        _append_only_on_sqlite()


def downgrade() -> None:
    """Take it away; refused once an amendment is in force or a deposit agreed, which the older schema cannot hold."""
    connection = op.get_bind()
    entries = connection.exec_driver_sql("SELECT count(*) FROM party_file_entry").scalar_one()
    if entries:
        raise RuntimeError(f"{entries} entries of compliance files: the older schema has no place for them")
    said = connection.exec_driver_sql(
        "SELECT (SELECT count(*) FROM contract_amendment WHERE state = 'active') "
        "+ (SELECT count(*) FROM contract WHERE deposit_required_fen > 0 OR top_up_days <> 10 "
        "OR settlement_order <> 'deposit_commission_cash')"
    ).scalar_one()
    if said:
        raise RuntimeError(f"{said} contracts or amendments say more than the older schema has a place for")
    op.drop_table("party_file_entry")
    op.drop_table("contract_amendment")
    if connection.dialect.name == "postgresql":
        op.execute("DROP FUNCTION party_file_entry_refuse_change()")
        op.execute("DROP TRIGGER contract_terms_frozen ON contract")
        for name, _columns in FROZEN.values():
            op.execute(f"DROP FUNCTION {name}_refuse_edit()")
    else:
        op.execute("DROP TRIGGER contract_terms_no_edit")
    for column, *_rest in reversed(COLUMNS):
        op.execute(f"ALTER TABLE contract DROP COLUMN {column}")


def _freeze_on_postgresql(table: str, name: str, columns: tuple[str, ...]) -> None:
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {name}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'DELETE' THEN "
        f"RAISE EXCEPTION '{table} in force cannot be deleted' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; IF NEW.state = 'draft' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} in force cannot be edited' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name}_frozen BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        f"WHEN (OLD.state <> 'draft') EXECUTE FUNCTION {name}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, name: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {name}_no_edit BEFORE UPDATE ON {table} "
        f"WHEN OLD.state <> 'draft' AND (NEW.state = 'draft' OR {differs}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} in force cannot be edited'); END"
    )
    if name == table:  # 0005 refuses to delete a contract in force
        op.execute(
            f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {table} WHEN OLD.state <> 'draft' "
            f"BEGIN SELECT RAISE(ABORT, '{table} in force cannot be deleted'); END"
        )


def _append_only_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION party_file_entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{ADDED_TO}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER party_file_entry_append_only BEFORE UPDATE OR DELETE ON party_file_entry "
        "FOR EACH ROW EXECUTE FUNCTION party_file_entry_refuse_change()"
    )


def _append_only_on_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER party_file_entry_no_{action.lower()} BEFORE {action} ON party_file_entry "
            f"BEGIN SELECT RAISE(ABORT, '{ADDED_TO}'); END"
        )


def _create_party_file_entry() -> None:
    op.create_table(
        "party_file_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attachment_id", KEY, nullable=True),
        sa.Column("strikes_id", KEY, nullable=True),
        sa.Column("entered_by", KEY, nullable=False),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.CheckConstraint("body <> ''", name=op.f("ck_party_file_entry_has_body")),
        sa.CheckConstraint(
            "(kind = 'strike_out') = (strikes_id IS NOT NULL)", name=op.f("ck_party_file_entry_strikes_an_entry")
        ),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_party_file_entry_fileentrykind")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_file_entry_party_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_party_file_entry_attachment_id")),
        sa.ForeignKeyConstraint(["strikes_id"], ["party_file_entry.id"], name=op.f("fk_party_file_entry_strikes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_file_entry")),
        sa.UniqueConstraint("strikes_id", name=op.f("uq_party_file_entry_strikes_id")),
    )
    op.create_index(
        op.f("ix_party_file_entry_party_id_happened_on"), "party_file_entry", ["party_id", "happened_on"], unique=False
    )
    op.create_index(op.f("ix_party_file_entry_attachment_id"), "party_file_entry", ["attachment_id"], unique=False)


def _create_contract_amendment() -> None:
    changes = " OR ".join(f"{column} IS NOT NULL" for column in CHANGES)
    op.create_table(
        "contract_amendment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("appeal_days", KEY, nullable=True),
        sa.Column("appeal_day_type", sa.String(40), nullable=True),
        sa.Column("deemed_days", KEY, nullable=True),
        sa.Column("deposit_required_fen", KEY, nullable=True),
        sa.Column("top_up_days", KEY, nullable=True),
        sa.Column("settlement_order", sa.String(40), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("drafted_by", KEY, nullable=False),
        sa.Column("drafted_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint(changes, name=op.f("ck_contract_amendment_changes_something")),
        sa.CheckConstraint("effective_from >= signed_on", name=op.f("ck_contract_amendment_signed_before")),
        sa.CheckConstraint(f"appeal_days {DAYS}", name=op.f("ck_contract_amendment_appeal_days_range")),
        sa.CheckConstraint(f"deemed_days {DAYS}", name=op.f("ck_contract_amendment_deemed_days_range")),
        sa.CheckConstraint(f"top_up_days {DAYS}", name=op.f("ck_contract_amendment_top_up_days_range")),
        sa.CheckConstraint("deposit_required_fen >= 0", name=op.f("ck_contract_amendment_deposit_not_negative")),
        sa.CheckConstraint(
            "(state = 'draft') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_contract_amendment_decision_complete"),
        ),
        sa.CheckConstraint(
            "state <> 'active' OR decided_by <> drafted_by", name=op.f("ck_contract_amendment_two_people")
        ),
        sa.CheckConstraint("appeal_day_type IN ('natural', 'working')", name=op.f("ck_contract_amendment_daytype")),
        sa.CheckConstraint(ORDERS, name=op.f("ck_contract_amendment_settlementorder")),
        sa.CheckConstraint(
            "state IN ('draft', 'active', 'withdrawn')", name=op.f("ck_contract_amendment_amendmentstate")
        ),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_amendment_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_amendment")),
        sa.UniqueConstraint("contract_id", "number", name=op.f("uq_contract_amendment_contract_id_number")),
    )
    op.create_index(
        "uq_contract_amendment_day",
        "contract_amendment",
        ["contract_id", "effective_from"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
