"""Create the pushes of refusals to every branch and partner.

What was pushed is not rewritten, and what was acknowledged stays so: triggers.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: In the order in which they can be dropped.
TABLES = ("push_delivery", "push_entry", "push")
#: What is never rewritten, and which columns of it.
FROZEN = {
    "push": ("id", "made_at", "made_by", "grace_days"),
    "push_entry": ("event_id", "push_id"),
    "push_delivery": ("id", "push_id", "party_id", "sent_at", "deemed_at"),
}
#: What is written once, and then stays.
ONCE = ("downloaded_at", "downloaded_by", "acknowledged_at", "acknowledged_by", "told")


def upgrade() -> None:
    """Create the tables and guard them."""
    _create_push()
    _create_delivery()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table, columns in FROZEN.items():
        once = ONCE if table == "push_delivery" else ()
        (_freeze_on_postgresql if on_postgresql else _freeze_on_sqlite)(table, columns, once)


def downgrade() -> None:
    """Drop everything; refused once something was pushed: it proves what calls cost."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM push"))
    if kept:
        raise RuntimeError(f"{kept} pushes were made: the older schema has no place for them")
    for table in TABLES:
        op.drop_table(table)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def _create_push() -> None:
    op.create_table(
        "push",
        sa.Column("id", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("made_by", KEY, nullable=True),
        sa.Column("grace_days", KEY, nullable=False),
        _check("push", "some_grace", "grace_days > 0"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push")),
    )
    op.create_table(
        "push_entry",
        sa.Column("event_id", KEY, autoincrement=False, nullable=False),
        sa.Column("push_id", KEY, nullable=False),
        _refers("push_entry", "event_id", "permission_event"),
        _refers("push_entry", "push_id", "push"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_push_entry")),
    )
    op.create_index(op.f("ix_push_entry_push_id"), "push_entry", ["push_id"])


def _create_delivery() -> None:
    table = "push_delivery"
    rules = {
        "grace_after_sending": "deemed_at > sent_at",
        "download_complete": "(downloaded_at IS NULL) = (downloaded_by IS NULL)",
        "acknowledgement_complete": "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)",
        "told_somebody": "(acknowledged_at IS NULL) = (told IS NULL)",
        "acknowledged_after_sending": "acknowledged_at >= sent_at",
        "reminders_not_negative": "reminders >= 0",
    }
    op.create_table(
        table,
        sa.Column("id", KEY, nullable=False),
        sa.Column("push_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("sent_at", MOMENT, nullable=False),
        sa.Column("deemed_at", MOMENT, nullable=False),
        sa.Column("downloaded_at", MOMENT, nullable=True),
        sa.Column("downloaded_by", KEY, nullable=True),
        sa.Column("acknowledged_at", MOMENT, nullable=True),
        sa.Column("acknowledged_by", KEY, nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("reminders", KEY, nullable=False),
        sa.Column("reminded_on", sa.Date(), nullable=True),
        *(_check(table, name, rule) for name, rule in rules.items()),
        _refers(table, "push_id", "push"),
        _refers(table, "party_id", "party"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_delivery")),
        sa.UniqueConstraint("push_id", "party_id", name=op.f("uq_push_delivery_push_id_party_id")),
    )
    op.create_index(op.f("ix_push_delivery_party_id_push_id"), table, ["party_id", "push_id"])
    op.create_index(op.f("ix_push_delivery_deemed_at"), table, ["deemed_at"])


def _freeze_on_postgresql(table: str, columns: tuple[str, ...], once: tuple[str, ...]) -> None:
    row = ", ".join(f"{{0}}.{column}" for column in columns)
    rewritten = "".join(
        f" OR (OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in once
    )
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}){rewritten} THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: push again' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...], once: tuple[str, ...]) -> None:
    differs = " OR ".join(
        (
            *(f"OLD.{column} IS NOT NEW.{column}" for column in columns),
            *(f"(OLD.{column} IS NOT NULL AND OLD.{column} IS NOT NEW.{column})" for column in once),
        )
    )
    for action, when in (("UPDATE", f"WHEN {differs} "), ("DELETE", "")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} {when}"
            f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: push again'); END"
        )
