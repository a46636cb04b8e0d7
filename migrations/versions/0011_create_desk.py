"""Create replies to tickets, their templates and codes, and saved views.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)

TABLES = ("ticket_reply", "saved_view", "resolution_code", "reply_template")
#: The queue's own order, for open tickets alone.
OPEN_INDEXES = {
    "ix_ticket_open_due": ["due_on", "id", "state"],
    "ix_ticket_open_channel": ["channel", "due_on", "id"],
    "ix_ticket_open_unit": ["unit_id", "due_on", "id", "state"],
}
#: What the figures above the queue are counted from, and what hangs on a call whatever its state.
OTHER_INDEXES = {
    "ix_ticket_received": ("ticket", ["received_at", "unit_id"]),
    "ix_penalty_approved": ("penalty", ["approved_at", "state", "unit_id", "amount_fen", "lifted_fen"]),
    "ix_credit_approved": ("credit", ["approved_at", "state", "unit_id", "amount_fen"]),
    "ix_finding_incident": ("finding", ["incident_id"]),
    "ix_penalty_incident": ("penalty", ["incident_id"]),
    "ix_credit_incident": ("credit", ["incident_id"]),
}


def upgrade() -> None:
    """Create the tables."""
    _create_reply_template()
    _create_resolution_code()
    _create_saved_view()
    _create_ticket_reply()
    _index_open_tickets()
    for name, (table, columns) in OTHER_INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Drop the tables and the queue's indexes."""
    for name, (table, _columns) in OTHER_INDEXES.items():
        op.drop_index(name, table)
    for name in OPEN_INDEXES:
        op.drop_index(name, "ticket")
    for table in TABLES:
        op.drop_table(table)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _create_reply_template() -> None:
    op.create_table(
        "reply_template",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_template")),
        sa.UniqueConstraint("code", name=op.f("uq_reply_template_code")),
    )


def _create_resolution_code() -> None:
    op.create_table(
        "resolution_code",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("counts_as_solved", sa.Boolean(), nullable=False),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_resolution_code")),
    )


def _create_saved_view() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_saved_view_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_view_user_id_name")),
    )


def _create_ticket_reply() -> None:
    op.create_table(
        "ticket_reply",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("template_id", KEY, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("resolution_code", sa.Text(), nullable=False),
        sa.Column("replied_by", KEY, nullable=False),
        sa.Column("replied_at", MOMENT, nullable=False),
        sa.CheckConstraint("body <> ''", name=op.f("ck_ticket_reply_has_text")),
        sa.ForeignKeyConstraint(
            ["resolution_code"], ["resolution_code.code"], name=op.f("fk_ticket_reply_resolution_code")
        ),
        sa.ForeignKeyConstraint(["template_id"], ["reply_template.id"], name=op.f("fk_ticket_reply_template_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_reply_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_reply")),
    )
    op.create_index(op.f("ix_ticket_reply_ticket_id_id"), "ticket_reply", ["ticket_id", "id"])


def _index_open_tickets() -> None:
    is_open = sa.text("state IN ('new', 'accepted', 'investigating', 'replied')")
    for name, columns in OPEN_INDEXES.items():
        op.create_index(name, "ticket", columns, sqlite_where=is_open, postgresql_where=is_open)
