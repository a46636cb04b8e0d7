"""Create the manifest of the records: sources, imports, refused rows, partitions; clocks, retention and holds.

Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "hold_request",
    "legal_hold",
    "record_retention",
    "evidence_clock",
    "record_partition",
    "refused_record",
    "record_import",
    "record_source",
)
CLOCKS = sa.table(
    "evidence_clock",
    sa.column("evidence", sa.String(40)),
    sa.column("keep_months", KEY),
    sa.column("keep_days", KEY),
    sa.column("legal_basis", sa.Text()),
    sa.column("valid_from", sa.Date()),
)
RETENTIONS = sa.table(
    "record_retention",
    sa.column("kind", sa.String(40)),
    sa.column("keep_months", KEY),
    sa.column("legal_basis", sa.Text()),
    sa.column("valid_from", sa.Date()),
)
#: Domain R14 and R11; the first days come from memory.
CLOCK_ROWS = (
    ("recording", 0, 30, "信管〔2020〕81号：呼叫中心录音至少保存30天（起始日待法务确认）", dt.date(2020, 6, 1)),
    ("sms_log", 5, 0, "《通信短信息服务管理规定》：短信息记录至少保存5个月（待法务确认）", dt.date(2015, 6, 30)),
)
#: A regulator's appeal may come two years after the event; a year more for its course.
RETENTION_ROWS = tuple(
    (kind, 36, "用户申诉时效两年，另留一年办理（待法务确认）", dt.date(2014, 3, 15))
    for kind in ("calls", "messages", "orders", "quality")
)
#: What a line of the manifest keeps for good, and what is never deleted.
FIXED = {
    "record_partition": ("import_id", "kind", "source_id", "on_day", "path", "rows", "size_bytes", "sha256"),
    "refused_record": ("import_id", "row_number"),
    "legal_hold": ("kind", "from_day", "to_day", "reason", "placed_by", "placed_at"),
}
#: A partition whose new row is dropped while a hold in force covers its day.
ON_HOLD = (
    "SELECT 1 FROM legal_hold AS hold WHERE hold.released_at IS NULL "
    "AND (hold.kind IS NULL OR hold.kind = NEW.kind) AND hold.from_day <= NEW.on_day "
    "AND (hold.to_day IS NULL OR hold.to_day > NEW.on_day)"
)
HELD = "records on legal hold are not dropped"
REWRITTEN = "the manifest is not rewritten"
STANDS = "a line of the manifest stands for good"


def upgrade() -> None:
    """Create the tables, the rows that the law gives, and what keeps the manifest as it was written."""
    _create_record_source()
    _create_record_import()
    _create_refused_record()
    _create_record_partition()
    _create_evidence_clock()
    _create_record_retention()
    _create_legal_hold()
    _create_hold_request()
    for table, rows in ((CLOCKS, CLOCK_ROWS), (RETENTIONS, RETENTION_ROWS)):
        names = [column.name for column in table.columns]
        op.bulk_insert(table, [dict(zip(names, row, strict=True)) for row in rows])
    guard = _guard_on_postgresql if op.get_bind().dialect.name == "postgresql" else _guard_on_sqlite
    guard()


def downgrade() -> None:
    """Take all of it away; refused while the manifest has lines, since the files would be orphans."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM record_partition"))
    if kept:
        raise RuntimeError(f"{kept} partitions of records stand in the manifest: the older schema cannot name them")
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION manifest_refuse()")
        op.execute("DROP FUNCTION record_partition_on_hold()")


def _create_record_source() -> None:
    op.create_table(
        "record_source",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("carrier_code", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "kind IN ('calls', 'messages', 'orders', 'quality')", name=op.f("ck_record_source_recordkind")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_record_source_period_order")),
        sa.ForeignKeyConstraint(["carrier_code"], ["carrier.code"], name=op.f("fk_record_source_carrier_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_source")),
        sa.UniqueConstraint("code", name=op.f("uq_record_source_code")),
    )


def _create_record_import() -> None:
    op.create_table(
        "record_import",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", KEY, nullable=False),
        sa.Column("upload_id", KEY, nullable=True),
        sa.Column("job_id", KEY, nullable=True),
        sa.Column("source_id", KEY, nullable=True),
        sa.Column("corrects", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("rows_total", KEY, nullable=False),
        sa.Column("rows_new", KEY, nullable=False),
        sa.Column("rows_known", KEY, nullable=False),
        sa.Column("rows_refused", KEY, nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=True),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("refusal_message", sa.Text(), nullable=True),
        sa.Column("refusal_parameters", sa.JSON(), nullable=True),
        sa.Column("started_by", KEY, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("heartbeat_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "kind IN ('calls', 'messages', 'orders', 'quality')", name=op.f("ck_record_import_recordkind")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'committed', 'refused')", name=op.f("ck_record_import_recordimportstate")
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'running')) = (finished_at IS NULL)", name=op.f("ck_record_import_finished_at_set")
        ),
        sa.CheckConstraint(
            "state <> 'committed' OR rows_total = rows_new + rows_known + rows_refused",
            name=op.f("ck_record_import_rows_add_up"),
        ),
        sa.CheckConstraint(
            "state <> 'refused' OR refusal_message IS NOT NULL", name=op.f("ck_record_import_refusal_has_words")
        ),
        sa.CheckConstraint("covers_to IS NULL OR covers_to > covers_from", name=op.f("ck_record_import_period_order")),
        sa.CheckConstraint(
            "rows_total >= 0 AND rows_new >= 0 AND rows_known >= 0 AND rows_refused >= 0",
            name=op.f("ck_record_import_rows_not_negative"),
        ),
        sa.ForeignKeyConstraint(["source_id"], ["record_source.id"], name=op.f("fk_record_import_source_id")),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name=op.f("fk_record_import_upload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_import")),
    )
    op.create_index(op.f("ix_record_import_kind_id"), "record_import", ["kind", "id"], unique=False)
    op.create_index(op.f("ix_record_import_sha256"), "record_import", ["sha256"], unique=False)
    op.create_index(
        "uq_record_import_same_file",
        "record_import",
        ["kind", "sha256"],
        unique=True,
        sqlite_where=sa.text("state = 'committed' AND rows_total > 0"),
        postgresql_where=sa.text("state = 'committed' AND rows_total > 0"),
    )


def _create_refused_record() -> None:
    op.create_table(
        "refused_record",
        sa.Column("id", KEY, nullable=False),
        sa.Column("import_id", KEY, nullable=False),
        sa.Column("row_number", KEY, nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["record_import.id"], name=op.f("fk_refused_record_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_record")),
        sa.UniqueConstraint("import_id", "row_number", name=op.f("uq_refused_record_import_id_row_number")),
    )


def _create_record_partition() -> None:
    op.create_table(
        "record_partition",
        sa.Column("id", KEY, nullable=False),
        sa.Column("import_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("rows", KEY, nullable=False),
        sa.Column("size_bytes", KEY, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("superseded_by_id", KEY, nullable=True),
        sa.Column("dropped_at", MOMENT, nullable=True),
        sa.Column("dropped_by", KEY, nullable=True),
        sa.Column("drop_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('calls', 'messages', 'orders', 'quality')", name=op.f("ck_record_partition_recordkind")
        ),
        sa.CheckConstraint(
            "(dropped_at IS NULL) = (drop_reason IS NULL)", name=op.f("ck_record_partition_drop_has_reason")
        ),
        sa.CheckConstraint("(rows = 0) = (path IS NULL)", name=op.f("ck_record_partition_path_of_rows")),
        sa.CheckConstraint("rows >= 0 AND size_bytes >= 0", name=op.f("ck_record_partition_size_not_negative")),
        sa.ForeignKeyConstraint(["import_id"], ["record_import.id"], name=op.f("fk_record_partition_import_id")),
        sa.ForeignKeyConstraint(["source_id"], ["record_source.id"], name=op.f("fk_record_partition_source_id")),
        sa.ForeignKeyConstraint(
            ["superseded_by_id"], ["record_import.id"], name=op.f("fk_record_partition_superseded_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_partition")),
        sa.UniqueConstraint(
            "import_id", "source_id", "on_day", name=op.f("uq_record_partition_import_id_source_id_on_day")
        ),
        sa.UniqueConstraint("path", name=op.f("uq_record_partition_path")),
    )
    op.create_index(
        "ix_record_partition_current",
        "record_partition",
        ["kind", "on_day"],
        unique=False,
        sqlite_where=sa.text("superseded_by_id IS NULL AND dropped_at IS NULL"),
        postgresql_where=sa.text("superseded_by_id IS NULL AND dropped_at IS NULL"),
    )
    op.create_index(
        op.f("ix_record_partition_source_id_on_day"), "record_partition", ["source_id", "on_day"], unique=False
    )
    op.create_index(
        op.f("ix_record_partition_superseded_by_id"), "record_partition", ["superseded_by_id"], unique=False
    )


def _create_evidence_clock() -> None:
    op.create_table(
        "evidence_clock",
        sa.Column("id", KEY, nullable=False),
        sa.Column("evidence", sa.String(40), nullable=False),
        sa.Column("keep_months", KEY, nullable=False),
        sa.Column("keep_days", KEY, nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("evidence IN ('recording', 'sms_log')", name=op.f("ck_evidence_clock_evidenceform")),
        sa.CheckConstraint(
            "keep_months >= 0 AND keep_days >= 0 AND keep_months + keep_days > 0",
            name=op.f("ck_evidence_clock_keeps_something"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_evidence_clock_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_clock")),
        sa.UniqueConstraint("evidence", "valid_from", name=op.f("uq_evidence_clock_evidence_valid_from")),
    )


def _create_record_retention() -> None:
    op.create_table(
        "record_retention",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("keep_months", KEY, nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('calls', 'messages', 'orders', 'quality')", name=op.f("ck_record_retention_recordkind")
        ),
        sa.CheckConstraint("keep_months > 0", name=op.f("ck_record_retention_keeps_something")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_record_retention_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_retention")),
        sa.UniqueConstraint("kind", "valid_from", name=op.f("uq_record_retention_kind_valid_from")),
    )


def _create_legal_hold() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=True),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", KEY, nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("released_by", KEY, nullable=True),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('calls', 'messages', 'orders', 'quality')", name=op.f("ck_legal_hold_recordkind")),
        sa.CheckConstraint(
            "(released_at IS NULL) = (release_reason IS NULL)", name=op.f("ck_legal_hold_release_has_reason")
        ),
        sa.CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name=op.f("ck_legal_hold_released_by_set")),
        sa.CheckConstraint("released_by <> placed_by", name=op.f("ck_legal_hold_two_people")),
        sa.CheckConstraint("to_day IS NULL OR to_day > from_day", name=op.f("ck_legal_hold_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )


def _create_hold_request() -> None:
    op.create_table(
        "hold_request",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("evidence", sa.String(40), nullable=False),
        sa.Column("asked_of", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("asked_by", KEY, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("answered_by", KEY, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("evidence IN ('recording', 'sms_log')", name=op.f("ck_hold_request_evidenceform")),
        sa.CheckConstraint("state IN ('asked', 'kept', 'lost', 'withdrawn')", name=op.f("ck_hold_request_holdstate")),
        sa.CheckConstraint("(state = 'asked') = (answered_at IS NULL)", name=op.f("ck_hold_request_answered_at_set")),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (answered_by IS NULL)", name=op.f("ck_hold_request_answered_by_set")
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_hold_request_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold_request")),
    )
    op.create_index(op.f("ix_hold_request_incident_id"), "hold_request", ["incident_id"], unique=False)
    op.create_index(op.f("ix_hold_request_state_expires_on"), "hold_request", ["state", "expires_on"], unique=False)
    op.create_index(
        "uq_hold_request_live",
        "hold_request",
        ["incident_id", "evidence"],
        unique=True,
        sqlite_where=sa.text("state IN ('asked', 'kept')"),
        postgresql_where=sa.text("state IN ('asked', 'kept')"),
    )


def _changes(table: str, operator: str) -> str:
    return " OR ".join(f"OLD.{column} {operator} NEW.{column}" for column in FIXED[table])


def _once(operator: str) -> str:
    """Return the condition that what is set once is set anew."""
    return " OR ".join(
        f"(OLD.{column} IS NOT NULL AND OLD.{column} {operator} NEW.{column})"
        for column in ("superseded_by_id", "dropped_at")
    )


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION manifest_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in FIXED:
        when = _changes(table, "IS DISTINCT FROM")
        if table == "record_partition":
            when += " OR " + _once("IS DISTINCT FROM")
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({when}) EXECUTE FUNCTION manifest_refuse('{REWRITTEN}')"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION manifest_refuse('{STANDS}')"
        )
    op.execute(
        "CREATE FUNCTION record_partition_on_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF EXISTS ({ON_HOLD}) THEN "
        f"RAISE EXCEPTION '{HELD}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER record_partition_on_hold BEFORE UPDATE ON record_partition FOR EACH ROW "
        "WHEN (OLD.dropped_at IS NULL AND NEW.dropped_at IS NOT NULL) EXECUTE FUNCTION record_partition_on_hold()"
    )


def _guard_on_sqlite() -> None:
    for table in FIXED:
        when = _changes(table, "IS NOT")
        if table == "record_partition":
            when += " OR " + _once("IS NOT")
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"WHEN {when} BEGIN SELECT RAISE(ABORT, '{REWRITTEN}'); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{STANDS}'); END"
        )
    op.execute(
        "CREATE TRIGGER record_partition_on_hold BEFORE UPDATE ON record_partition "
        f"WHEN OLD.dropped_at IS NULL AND NEW.dropped_at IS NOT NULL AND EXISTS ({ON_HOLD}) "
        f"BEGIN SELECT RAISE(ABORT, '{HELD}'); END"
    )
