"""Keep what follows for other penalties when one is lifted: proposals, until a person takes or dismisses them.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLE = "adjustment"
#: What a row says from the first; its state and who decided may follow.
FROZEN = ("penalty_id", "cause_id", "kind", "amount_fen", "nth_before", "nth_now", "found_at")
REWRITTEN = f"{TABLE} is not rewritten: add a new row"


def upgrade() -> None:
    """Create the table, then refuse edits by dialect."""
    op.create_table(
        TABLE,
        sa.Column("id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("cause_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("nth_before", KEY, nullable=True),
        sa.Column("nth_now", KEY, nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_adjustment_amount_positive")),
        sa.CheckConstraint("cause_id <> penalty_id", name=op.f("ck_adjustment_another_penalty")),
        sa.CheckConstraint(
            "(kind = 'tier') = (nth_before IS NOT NULL AND nth_now IS NOT NULL)",
            name=op.f("ck_adjustment_tier_says_nth"),
        ),
        sa.CheckConstraint("(state = 'open') = (decided_by IS NULL)", name=op.f("ck_adjustment_decided_by_set")),
        sa.CheckConstraint("state <> 'dismissed' OR note IS NOT NULL", name=op.f("ck_adjustment_dismissal_has_note")),
        sa.CheckConstraint("kind IN ('tier', 'cap')", name=op.f("ck_adjustment_adjustmentkind")),
        sa.CheckConstraint("state IN ('open', 'taken', 'dismissed')", name=op.f("ck_adjustment_adjustmentstate")),
        sa.ForeignKeyConstraint(["penalty_id"], ["penalty.id"], name=op.f("fk_adjustment_penalty_id")),
        sa.ForeignKeyConstraint(["cause_id"], ["penalty.id"], name=op.f("fk_adjustment_cause_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment")),
    )
    op.create_index(op.f("ix_adjustment_cause_id"), TABLE, ["cause_id"])
    op.create_index(
        "uq_adjustment_open",
        TABLE,
        ["penalty_id", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _freeze_on_postgresql()
    else:
        _freeze_on_sqlite()


def downgrade() -> None:
    """Drop it; the trigger goes with its table, the function does not."""
    op.drop_table(TABLE)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {TABLE}_refuse_edit()")


def _freeze_on_postgresql() -> None:
    row = ", ".join(f"{{0}}.{column}" for column in FROZEN)
    op.execute(
        f"CREATE FUNCTION {TABLE}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{REWRITTEN}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_frozen BEFORE UPDATE OR DELETE ON {TABLE} "
        f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse_edit()"
    )


def _freeze_on_sqlite() -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN)
    for name, when in (("no_edit", f"UPDATE ON {TABLE} WHEN {differs}"), ("no_delete", f"DELETE ON {TABLE}")):
        op.execute(f"CREATE TRIGGER {TABLE}_{name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REWRITTEN}'); END")
