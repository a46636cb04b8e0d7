"""Collect recoveries and recourse in settlements, and remember who paid a joint debtor's share.

A line of a settlement or receipt names one debt: a penalty, a recovery of a credit, or a recourse line of a fine.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: What names the other two kinds of debts on a line: column and table.
DEBTS = {"recovery_id": "recovery", "recourse_id": "fine_recourse"}
#: What a line of each table belongs to: with the debt, and the source of a settlement, it is there once.
LINES = {"settlement_line": ("settlement_id", "source"), "receipt_line": ("bank_movement_id",)}
ONE_DEBT = (
    "CASE WHEN penalty_id IS NULL THEN 0 ELSE 1 END + CASE WHEN recovery_id IS NULL THEN 0 ELSE 1 END + "
    "CASE WHEN recourse_id IS NULL THEN 0 ELSE 1 END = 1"
)
SETTLED = "settled_fen BETWEEN 0 AND amount_fen AND (settled_fen = 0 OR state <> 'proposed')"
FROZEN_PAYMENT = ("penalty_id", "payer_id", "amount_fen", "because", "at")
OF_OTHERS = (
    "INSERT INTO joint_payment (penalty_id, payer_id, amount_fen, returned_fen, because, at) "
    "SELECT line.penalty_id, settlement.party_id, line.collected_fen, 0, "
    "'settlement:' || settlement.id || ':' || line.source, settlement.notice_at "
    "FROM settlement_line AS line JOIN settlement ON settlement.id = line.settlement_id "
    "JOIN penalty ON penalty.id = line.penalty_id "
    "WHERE line.collected_fen > 0 AND penalty.party_id <> settlement.party_id ORDER BY line.id"
)


def upgrade() -> None:
    """Let lines name every kind of debt, recoveries say what was collected, and joint payers be known."""
    op.execute(
        f"ALTER TABLE recovery ADD COLUMN settled_fen {_key()} DEFAULT '0' NOT NULL "
        f"CONSTRAINT ck_recovery_settled_within_amount CHECK ({SETTLED})"
    )
    for table, scope in LINES.items():
        _allow_null(table)
        _name_debts(table, scope)
    _create_joint_payment()
    op.execute(OF_OTHERS)


def downgrade() -> None:
    """Take all of it away; refused once a recovery or a recourse line was collected by a settlement or a payment."""
    bind = op.get_bind()
    for table in LINES:
        if count := bind.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE penalty_id IS NULL").scalar_one():
            raise RuntimeError(f"{count} rows of {table} name no penalty: the older schema has no place for them")
    op.drop_table("joint_payment")
    if _on_postgresql():
        op.execute("DROP FUNCTION joint_payment_refuse_edit()")
    for table in LINES:
        _forget_debts(table)
        _forbid_null(table)
    op.execute("ALTER TABLE recovery DROP COLUMN settled_fen")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _key() -> str:
    return "BIGINT" if _on_postgresql() else "INTEGER"


def _name_debts(table: str, scope: tuple[str, ...]) -> None:
    for column, owner in DEBTS.items():
        # The rule over all three comes with the last: SQLite takes none by itself.
        last = f" CONSTRAINT ck_{table}_one_debt CHECK ({ONE_DEBT})" if column == "recourse_id" else ""
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} {_key()} "
            f"CONSTRAINT fk_{table}_{column} REFERENCES {owner} (id){last}"
        )
        named = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"uq_{table}_{column}",
            table,
            [column, *scope],
            unique=True,
            sqlite_where=named,
            postgresql_where=named,
        )
    message = f"{table} is not rewritten: add a new row"
    if not _on_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_keeps_debt BEFORE UPDATE OF recovery_id, recourse_id ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_keep_debt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps_debt BEFORE UPDATE OF recovery_id, recourse_id ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_keep_debt()"
    )


def _forget_debts(table: str) -> None:
    on_table = f" ON {table}" if _on_postgresql() else ""
    op.execute(f"DROP TRIGGER {table}_keeps_debt{on_table}")
    if on_table:
        op.execute(f"DROP FUNCTION {table}_keep_debt()")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_one_debt")
    for column in reversed(DEBTS):
        op.drop_index(f"uq_{table}_{column}", table)
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _allow_null(table: str) -> None:
    if _on_postgresql():
        op.execute(f"ALTER TABLE {table} ALTER COLUMN penalty_id DROP NOT NULL")
    else:
        _rewrite(table, "penalty_id INTEGER NOT NULL", "penalty_id INTEGER")


def _forbid_null(table: str) -> None:
    if _on_postgresql():
        op.execute(f"ALTER TABLE {table} ALTER COLUMN penalty_id SET NOT NULL")
    else:
        _rewrite(table, "penalty_id INTEGER", "penalty_id INTEGER NOT NULL")


def _rewrite(table: str, before: str, after: str) -> None:
    """Change a column's rule as SQLite's manual does where no row changes (lang_altertable, 7)."""
    connection = op.get_bind()
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


def _create_joint_payment() -> None:
    op.create_table(
        "joint_payment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("payer_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("returned_fen", KEY, nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_joint_payment_amount_positive")),
        sa.CheckConstraint(
            "returned_fen BETWEEN 0 AND amount_fen", name=op.f("ck_joint_payment_returned_within_amount")
        ),
        sa.ForeignKeyConstraint(["payer_id"], ["party.id"], name=op.f("fk_joint_payment_payer_id")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_joint_payment_penalty_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_payment")),
        sa.UniqueConstraint("penalty_id", "because", name=op.f("uq_joint_payment_penalty_id_because")),
    )
    op.create_index(op.f("ix_joint_payment_payer_id"), "joint_payment", ["payer_id"])
    message = "joint_payment is not rewritten: add a new row"
    if not _on_postgresql():
        differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN_PAYMENT)
        abort = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        less = "NEW.returned_fen < OLD.returned_fen"
        op.execute(
            f"CREATE TRIGGER joint_payment_no_edit BEFORE UPDATE ON joint_payment WHEN {less} OR {differs} {abort}"
        )
        op.execute(f"CREATE TRIGGER joint_payment_no_delete BEFORE DELETE ON joint_payment {abort}")
        return
    old, new = (", ".join(f"{side}.{column}" for column in FROZEN_PAYMENT) for side in ("OLD", "NEW"))
    op.execute(
        "CREATE FUNCTION joint_payment_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR NEW.returned_fen < OLD.returned_fen OR ROW({old}) IS DISTINCT FROM ROW({new}) THEN "
        f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER joint_payment_frozen BEFORE UPDATE OR DELETE ON joint_payment "
        "FOR EACH ROW EXECUTE FUNCTION joint_payment_refuse_edit()"
    )
