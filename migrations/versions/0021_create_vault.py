"""Create the vault of attachments, the evidence and verification log of incidents, the thresholds of reporters.

From now on an offence is found proven only where the verification log of its incident confirms it; findings that were
made before stay as they are. Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "reporter_threshold",
    "verification_entry",
    "incident_attachment",
    "attachment_hold",
    "attachment",
)
THRESHOLDS = sa.table(
    "reporter_threshold",
    sa.column("counted_per", sa.String(40)),
    sa.column("subscribers", KEY),
    sa.column("within_days", KEY),
    sa.column("legal_note", sa.Text()),
    sa.column("valid_from", sa.Date()),
)
NOTE = "举报人次将作为重要标准之一（工信部相关负责人答复）；门槛由本单位确定，仅用于标记疑似"
#: Domain B12: the number of reporters counts. The figures are the carrier's own, to be set anew by its office.
THRESHOLD_ROWS = (
    ("number", 3, 30, NOTE, dt.date(2020, 1, 1)),
    ("party", 10, 30, NOTE, dt.date(2020, 1, 1)),
)
#: What may not change once written; the rest of the row tells what became of it.
FIXED = {
    "attachment": ("file_name", "media_type", "sha256", "size_bytes", "source", "added_by", "added_at"),
    "attachment_hold": ("attachment_id", "reason", "placed_by", "placed_at"),
    "incident_attachment": ("incident_id", "attachment_id", "kind", "added_by", "added_at"),
    "verification_entry": (
        "incident_id",
        "kind",
        "outcome",
        "what",
        "verified_at",
        "verified_by",
        "entered_at",
        "entered_by",
        "attachment_id",
    ),
}
#: What is set once and not set again.
ONCE = {
    "attachment": ("purged_at",),
    "attachment_hold": ("released_at", "released_by", "release_reason"),
    "incident_attachment": ("withdrawn_at", "withdrawn_by", "withdrawal_reason"),
    "verification_entry": (),
}
REWRITTEN = "evidence is not rewritten: add a new row"
STANDS = "evidence is not deleted: withdraw it or let its time end"
HELD = "this attachment is on hold: it is not purged"
UNVERIFIED = "an offence is found proven only where a verification confirms it"
MEDIA = "'pdf', 'png', 'jpeg', 'wav', 'mp3', 'amr', 'm4a', 'mp4', 'xlsx', 'docx', 'csv', 'text', 'eml'"
KINDS = "'recording', 'screenshot', 'letter', 'sms_log', 'other'"
IS_PURGED = "OLD.stored_as IS NOT NULL AND NEW.stored_as IS NULL"
IS_HELD = "EXISTS (SELECT 1 FROM attachment_hold h WHERE h.attachment_id = NEW.id AND h.released_at IS NULL)"
#: A purged file does not come back, nor is another put in its place.
IS_SWAPPED = "NEW.stored_as IS NOT NULL AND {}"
IS_UNVERIFIED = (
    "NOT EXISTS (SELECT 1 FROM verification_entry v WHERE v.incident_id = NEW.incident_id AND v.outcome = 'confirmed')"
)


def upgrade() -> None:
    """Create the tables, the first thresholds, and what keeps evidence as it was written."""
    _create_attachment()
    _create_attachment_hold()
    _create_incident_attachment()
    _create_verification_entry()
    _create_reporter_threshold()
    names = [column.name for column in THRESHOLDS.columns]
    op.add_column("bulk_run", sa.Column("verified_by", sa.Text(), nullable=True))
    op.bulk_insert(THRESHOLDS, [dict(zip(names, row, strict=True)) for row in THRESHOLD_ROWS])
    guard = _guard_on_postgresql if op.get_bind().dialect.name == "postgresql" else _guard_on_sqlite
    guard()


def downgrade() -> None:
    """Take all of it away; refused while there is evidence, which the older schema has no place for."""
    for table in ("attachment", "verification_entry"):
        kept = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table}"))
        if kept:
            raise RuntimeError(f"{kept} rows of {table}: the older schema has no place for them")
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.execute("DROP TRIGGER finding_needs_verification" + (" ON finding" if is_postgresql else ""))
    op.drop_column("bulk_run", "verified_by")
    for table in TABLES:
        op.drop_table(table)
    if is_postgresql:
        op.execute("DROP FUNCTION finding_require_verification()")
        op.execute("DROP FUNCTION attachment_refuse_held()")
        op.execute("DROP FUNCTION vault_refuse()")


def _create_attachment() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", KEY, nullable=False),
        sa.Column("stored_as", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("added_by", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("purged_at", MOMENT, nullable=True),
        sa.CheckConstraint(f"media_type IN ({MEDIA})", name=op.f("ck_attachment_mediatype")),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_attachment_size_positive")),
        sa.CheckConstraint("(stored_as IS NULL) = (purged_at IS NOT NULL)", name=op.f("ck_attachment_purged_at_set")),
        sa.CheckConstraint("source <> ''", name=op.f("ck_attachment_has_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index(op.f("ix_attachment_added_at"), "attachment", ["added_at"], unique=False)
    op.create_index(op.f("ix_attachment_sha256"), "attachment", ["sha256"], unique=False)


def _create_attachment_hold() -> None:
    op.create_table(
        "attachment_hold",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", KEY, nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("released_by", KEY, nullable=True),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_attachment_hold_has_reason")),
        sa.CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL)", name=op.f("ck_attachment_hold_released_by_set")
        ),
        sa.CheckConstraint(
            "(released_at IS NULL) = (release_reason IS NULL)", name=op.f("ck_attachment_hold_release_has_reason")
        ),
        sa.CheckConstraint("released_by <> placed_by", name=op.f("ck_attachment_hold_two_people")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_attachment_hold_attachment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment_hold")),
    )
    op.create_index(op.f("ix_attachment_hold_attachment_id"), "attachment_hold", ["attachment_id"], unique=False)
    op.create_index(
        "uq_attachment_hold_open",
        "attachment_hold",
        ["attachment_id"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )


def _create_incident_attachment() -> None:
    op.create_table(
        "incident_attachment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("added_by", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("withdrawn_by", KEY, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_incident_attachment_attachmentkind")),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name=op.f("ck_incident_attachment_withdrawn_by_set")
        ),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawal_reason IS NULL)",
            name=op.f("ck_incident_attachment_withdrawal_has_reason"),
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_attachment_incident_id")),
        sa.ForeignKeyConstraint(
            ["attachment_id"], ["attachment.id"], name=op.f("fk_incident_attachment_attachment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_attachment")),
        sa.UniqueConstraint("attachment_id", name=op.f("uq_incident_attachment_attachment_id")),
    )
    op.create_index(op.f("ix_incident_attachment_incident_id"), "incident_attachment", ["incident_id"], unique=False)


def _create_verification_entry() -> None:
    op.create_table(
        "verification_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("verified_at", MOMENT, nullable=False),
        sa.Column("verified_by", sa.Text(), nullable=True),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("entered_by", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=True),
        sa.CheckConstraint(
            "kind IN ('call_back', 'recording_review', 'monitoring', 'record_check')",
            name=op.f("ck_verification_entry_verificationkind"),
        ),
        sa.CheckConstraint(
            "outcome IN ('confirmed', 'not_confirmed', 'not_reached')",
            name=op.f("ck_verification_entry_verificationoutcome"),
        ),
        sa.CheckConstraint("what <> ''", name=op.f("ck_verification_entry_says_what")),
        sa.CheckConstraint("verified_at <= entered_at", name=op.f("ck_verification_entry_not_ahead")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_verification_entry_incident_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_verification_entry_attachment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_entry")),
    )
    op.create_index(op.f("ix_verification_entry_attachment_id"), "verification_entry", ["attachment_id"], unique=False)
    op.create_index(op.f("ix_verification_entry_incident_id"), "verification_entry", ["incident_id"], unique=False)


def _create_reporter_threshold() -> None:
    op.create_table(
        "reporter_threshold",
        sa.Column("id", KEY, nullable=False),
        sa.Column("counted_per", sa.String(40), nullable=False),
        sa.Column("subscribers", KEY, nullable=False),
        sa.Column("within_days", KEY, nullable=False),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("counted_per IN ('number', 'party')", name=op.f("ck_reporter_threshold_countedper")),
        sa.CheckConstraint("subscribers > 0", name=op.f("ck_reporter_threshold_subscribers_positive")),
        sa.CheckConstraint("within_days > 0", name=op.f("ck_reporter_threshold_days_positive")),
        sa.CheckConstraint("legal_note <> ''", name=op.f("ck_reporter_threshold_has_note")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_reporter_threshold_period_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reporter_threshold")),
        sa.UniqueConstraint("counted_per", "valid_from", name=op.f("uq_reporter_threshold_counted_per_valid_from")),
    )


def _changes(table: str, operator: str) -> str:
    fixed = [f"OLD.{column} {operator} NEW.{column}" for column in FIXED[table]]
    once = [f"(OLD.{column} IS NOT NULL AND OLD.{column} {operator} NEW.{column})" for column in ONCE[table]]
    swapped = [f"({IS_SWAPPED.format(f'OLD.stored_as {operator} NEW.stored_as')})"] if table == "attachment" else []
    return " OR ".join([*fixed, *once, *swapped])


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION vault_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({_changes(table, 'IS DISTINCT FROM')}) EXECUTE FUNCTION vault_refuse('{REWRITTEN}')"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION vault_refuse('{STANDS}')"
        )
    op.execute(
        "CREATE FUNCTION attachment_refuse_held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {IS_HELD} THEN RAISE EXCEPTION '{HELD}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER attachment_no_purge_on_hold BEFORE UPDATE ON attachment FOR EACH ROW "
        f"WHEN ({IS_PURGED}) EXECUTE FUNCTION attachment_refuse_held()"
    )
    op.execute(
        "CREATE FUNCTION finding_require_verification() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {IS_UNVERIFIED} THEN RAISE EXCEPTION '{UNVERIFIED}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER finding_needs_verification BEFORE INSERT ON finding FOR EACH ROW "
        "WHEN (NEW.state = 'proven') EXECUTE FUNCTION finding_require_verification()"
    )


def _guard_on_sqlite() -> None:
    for table in FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"WHEN {_changes(table, 'IS NOT')} BEGIN SELECT RAISE(ABORT, '{REWRITTEN}'); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{STANDS}'); END"
        )
    op.execute(
        "CREATE TRIGGER attachment_no_purge_on_hold BEFORE UPDATE ON attachment "
        f"WHEN {IS_PURGED} AND {IS_HELD} BEGIN SELECT RAISE(ABORT, '{HELD}'); END"
    )
    op.execute(
        "CREATE TRIGGER finding_needs_verification BEFORE INSERT ON finding "
        f"WHEN NEW.state = 'proven' AND {IS_UNVERIFIED} BEGIN SELECT RAISE(ABORT, '{UNVERIFIED}'); END"
    )
