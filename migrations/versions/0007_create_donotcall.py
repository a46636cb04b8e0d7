"""Create refusals and consents: dated facts that nothing alters.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
PERMISSION_SCOPE = ("marketing_calls", "marketing_sms")
MESSAGE = "permission_event is append-only: record the newer word of the subscriber"


def upgrade() -> None:
    """Create the table, then close it by triggers."""
    _create_permission_event()
    if op.get_bind().dialect.name == "postgresql":
        _close_on_postgresql()
    else:
        _close_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, the function does not."""
    op.drop_table("permission_event")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION permission_event_refuse_change()")


def _one_of(table: str, column: str, name: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{name}"))


def _create_permission_event() -> None:
    op.create_table(
        "permission_event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ticket_id", KEY, nullable=True),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("recorded_by", KEY, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.CheckConstraint("NOT given OR purpose IS NOT NULL", name=op.f("ck_permission_event_consent_has_purpose")),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name="fk_permission_event_number_id"),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name="fk_permission_event_party_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_permission_event_ticket_id"),
        _one_of("permission_event", "scope", "permissionscope", PERMISSION_SCOPE),
        sa.PrimaryKeyConstraint("id", name="pk_permission_event"),
    )
    op.create_index(
        "ix_permission_event_number_id_scope_said_at", "permission_event", ["number_id", "scope", "said_at"]
    )
    op.create_index("ix_permission_event_ticket_id", "permission_event", ["ticket_id"])


def _close_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION permission_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER permission_event_no_change BEFORE UPDATE OR DELETE ON permission_event "
        "FOR EACH ROW EXECUTE FUNCTION permission_event_refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER permission_event_no_truncate BEFORE TRUNCATE ON permission_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION permission_event_refuse_change()"
    )
    for trigger in ("permission_event_no_change", "permission_event_no_truncate"):
        op.execute(f"ALTER TABLE permission_event ENABLE ALWAYS TRIGGER {trigger}")


def _close_on_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER permission_event_no_{action.lower()} BEFORE {action} ON permission_event "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
    op.execute(
        "CREATE TRIGGER permission_event_no_replace BEFORE INSERT ON permission_event "
        "WHEN EXISTS (SELECT 1 FROM permission_event WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    )
