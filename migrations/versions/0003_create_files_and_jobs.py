"""Create uploads, the staging of imports, and background jobs.

A batch that is not committed has written nothing outside these tables; its rows are encrypted and can be emptied.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
IMPORTKIND = ("complaints", "numbers", "staff", "parties", "org_units", "subscribers", "billing_returns")
BATCHSTATE = ("uploaded", "reading", "previewed", "committing", "committed", "discarded", "refused")
ROWVERDICT = ("new", "known", "changed", "duplicate", "error")
JOBSTATE = ("queued", "running", "done", "failed")
ROW_COUNTS = ("rows_total", "rows_new", "rows_known", "rows_changed", "rows_duplicate", "rows_error")


def upgrade() -> None:
    """Create the tables."""
    _create_upload()
    _create_import_batch()
    _create_import_row()
    _create_job()


def downgrade() -> None:
    """Drop them again."""
    for table in ("job", "import_row", "import_batch", "upload"):
        op.drop_table(table)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _create_upload() -> None:
    op.create_table(
        "upload",
        sa.Column("id", KEY, nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", KEY, nullable=False),
        sa.Column("stored_as", sa.Text(), nullable=True),
        sa.Column("uploaded_by", KEY, nullable=False),
        sa.Column("uploaded_at", MOMENT, nullable=False),
        sa.Column("purged_at", MOMENT, nullable=True),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_upload_size_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_sha256"), "upload", ["sha256"])


def _create_import_batch() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("profile_id", KEY, nullable=True),
        sa.Column("upload_id", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in ROW_COUNTS),
        sa.Column("refusal_message", sa.Text(), nullable=True),
        sa.Column("refusal_parameters", sa.JSON(), nullable=True),
        sa.Column("job_id", KEY, nullable=True),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("committed_by", KEY, nullable=True),
        sa.Column("committed_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(_one_of("kind", IMPORTKIND), name=op.f("ck_import_batch_importkind")),
        sa.CheckConstraint(_one_of("state", BATCHSTATE), name=op.f("ck_import_batch_batchstate")),
        sa.CheckConstraint(
            "state <> 'committed' OR committed_at IS NOT NULL", name=op.f("ck_import_batch_committed_at_set")
        ),
        sa.CheckConstraint(
            "state <> 'refused' OR refusal_message IS NOT NULL", name=op.f("ck_import_batch_refusal_has_words")
        ),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name=op.f("fk_import_batch_upload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    op.create_index(op.f("ix_import_batch_upload_id"), "import_batch", ["upload_id"])
    op.create_index(op.f("ix_import_batch_kind_state"), "import_batch", ["kind", "state"])


def _create_import_row() -> None:
    op.create_table(
        "import_row",
        sa.Column("id", KEY, nullable=False),
        sa.Column("batch_id", KEY, nullable=False),
        sa.Column("row_number", KEY, nullable=False),
        sa.Column("row_key", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(40), nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.Column("cells_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("subject_id", KEY, nullable=True),
        sa.CheckConstraint(_one_of("verdict", ROWVERDICT), name=op.f("ck_import_row_rowverdict")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_import_row_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_row")),
        sa.UniqueConstraint("batch_id", "row_number", name=op.f("uq_import_row_batch_id_row_number")),
    )
    op.create_index(
        op.f("ix_import_row_batch_id_verdict_row_number"), "import_row", ["batch_id", "verdict", "row_number"]
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("steps_done", KEY, nullable=False),
        sa.Column("steps_total", KEY, nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("message_parameters", sa.JSON(), nullable=True),
        sa.Column("attempts", KEY, nullable=False),
        sa.Column("created_by", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("heartbeat_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint(_one_of("state", JOBSTATE), name=op.f("ck_job_jobstate")),
        sa.CheckConstraint("steps_done >= 0 AND steps_total >= 0", name=op.f("ck_job_steps_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_state_heartbeat_at"), "job", ["state", "heartbeat_at"])
