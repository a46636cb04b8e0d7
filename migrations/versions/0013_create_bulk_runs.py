"""Create bulk runs: one action over more rows than a request may hold locks for, with a result for every row.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)

ACTIONS = (
    "accept",
    "investigate",
    "suggestions",
    "findings",
    "amounts",
    "approve_penalties",
    "approve_credits",
    "send_credits",
)


def upgrade() -> None:
    """Create the tables."""
    listed = ", ".join(f"'{action}'" for action in ACTIONS)
    op.create_table(
        "bulk_run",
        sa.Column("id", KEY, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("offences", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("rows_total", KEY, nullable=False),
        sa.Column("rows_done", KEY, nullable=False),
        sa.Column("rows_refused", KEY, nullable=False),
        sa.Column("rows_sha256", sa.Text(), nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("credit_batch_id", KEY, nullable=True),
        sa.Column("ordered_by", KEY, nullable=False),
        sa.Column("ordered_at", MOMENT, nullable=False),
        sa.CheckConstraint(f"action IN ({listed})", name=op.f("ck_bulk_run_bulkaction")),
        sa.CheckConstraint("rows_done BETWEEN 0 AND rows_total", name=op.f("ck_bulk_run_done_within_total")),
        sa.CheckConstraint("rows_total > 0", name=op.f("ck_bulk_run_not_empty")),
        sa.ForeignKeyConstraint(["credit_batch_id"], ["credit_batch.id"], name=op.f("fk_bulk_run_credit_batch_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_bulk_run_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_run")),
    )
    op.create_index(op.f("ix_bulk_run_ordered_by_id"), "bulk_run", ["ordered_by", "id"])
    op.create_table(
        "bulk_run_row",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("place", KEY, nullable=False),
        sa.Column("subject_id", KEY, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=True),
        sa.Column("outcomes", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["bulk_run.id"], name=op.f("fk_bulk_run_row_run_id")),
        sa.PrimaryKeyConstraint("run_id", "place", name=op.f("pk_bulk_run_row")),
        sa.UniqueConstraint("run_id", "subject_id", name=op.f("uq_bulk_run_row_run_id_subject_id")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("bulk_run_row")
    op.drop_table("bulk_run")
