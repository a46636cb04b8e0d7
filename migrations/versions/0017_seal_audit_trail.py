"""Create the seals of the audit trail: a hash chain that only grows, each link holding events by their digests.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
APPEND_ONLY = "the seals of the audit trail are append-only"
CHAIN = "a seal of the audit trail follows the newest one"
TAKEN = "the seals of the audit trail are never replaced"
# What INSERT OR REPLACE would take away on SQLite.
KEYS = {
    "audit_seal": "id = NEW.id OR previous_mac = NEW.previous_mac OR mac = NEW.mac",
    "audit_seal_event": "event_id = NEW.event_id",
}


def upgrade() -> None:
    """Create the tables, then close them by triggers."""
    op.create_table(
        "audit_seal",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("previous_mac", sa.Text(), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.CheckConstraint("id > 0", name=op.f("ck_audit_seal_id_positive")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_seal"),
        sa.UniqueConstraint("previous_mac", name="uq_audit_seal_previous_mac"),
        sa.UniqueConstraint("mac", name="uq_audit_seal_mac"),
    )
    op.create_table(
        "audit_seal_event",
        sa.Column("event_id", KEY, autoincrement=False, nullable=False),
        sa.Column("seal_id", KEY, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_audit_seal_event"),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name="fk_audit_seal_event_event_id"),
        sa.ForeignKeyConstraint(["seal_id"], ["audit_seal.id"], name="fk_audit_seal_event_seal_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_audit_seal_event_seal_id", "audit_seal_event", ["seal_id"])
    if op.get_bind().dialect.name == "postgresql":
        _close_on_postgresql()
    else:
        _close_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not. The seals are lost, the events stay."""
    op.drop_table("audit_seal_event")
    op.drop_table("audit_seal")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_seal_refuse_change()")
        op.execute("DROP FUNCTION audit_seal_chain()")


def _close_on_postgresql() -> None:
    # The table is named with its schema: a temporary table of the same name would else be read instead.
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    _function("audit_seal_refuse_change", _refuse(APPEND_ONLY))
    _function(
        "audit_seal_chain",
        f"IF NEW.id <> 1 + coalesce((SELECT max(id) FROM {schema}.audit_seal), 0) OR NEW.previous_mac <> coalesce("
        f"(SELECT mac FROM {schema}.audit_seal WHERE id = NEW.id - 1), repeat('0', 64)) THEN {_refuse(CHAIN)} END IF;",
    )
    for table in KEYS:
        _trigger(table, "no_change", "BEFORE UPDATE OR DELETE OR TRUNCATE", "STATEMENT", "audit_seal_refuse_change")
    _trigger("audit_seal", "chain", "BEFORE INSERT", "ROW", "audit_seal_chain")


def _function(name: str, body: str) -> None:
    op.execute(
        sa.text(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$".replace(
                ":", r"\:"
            )
        )
    )


def _refuse(message: str) -> str:
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"


def _trigger(table: str, name: str, when: str, each: str, function: str) -> None:
    op.execute(f"CREATE TRIGGER {table}_{name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
    # Also under session_replication_role = replica, which switches ordinary triggers off.
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}")


def _close_on_sqlite() -> None:
    for table, taken in KEYS.items():
        _refuse_on_sqlite(table, "no_update", "UPDATE", "1", APPEND_ONLY)
        _refuse_on_sqlite(table, "no_delete", "DELETE", "1", APPEND_ONLY)
        _refuse_on_sqlite(table, "no_replace", "INSERT", f"EXISTS (SELECT 1 FROM {table} WHERE {taken})", TAKEN)
    _refuse_on_sqlite(
        "audit_seal",
        "chain",
        "INSERT",
        "NEW.id <> 1 + coalesce((SELECT max(id) FROM audit_seal), 0) OR NEW.previous_mac <> coalesce("
        f"(SELECT mac FROM audit_seal WHERE id = NEW.id - 1), '{'0' * 64}')",
        CHAIN,
    )


def _refuse_on_sqlite(table: str, name: str, action: str, when: str, refusal: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    )
