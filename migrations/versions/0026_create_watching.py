"""Keep what watching the records found, by party and day, and which incidents were opened from it.

A subscriber whom only a record names has no number that anybody here could read: the cipher may be missing.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
KINDS = (
    "after_refusal",
    "outside_hours",
    "subscriber_too_often",
    "staff_pace",
    "number_burst",
    "number_rotation",
    "unofficial_number",
    "no_permission",
    "no_recording",
    "no_quality_check",
    "sms_burst",
    "port_volume",
    "order_step_missing",
    "order_steps_swapped",
    "plan_unpublished",
    "plan_not_on_channel",
    "plan_unknown",
)
RECORDS = ("calls", "messages", "orders", "quality")
TABLES = ("watched_incident", "watch_finding_day", "watch_day")


def upgrade() -> None:
    """Create the tables, then let a subscriber's number be known by its index alone."""
    _create_watch_day()
    _create_watch_finding_day()
    _create_watched_incident()
    _let_cipher_be_missing()


def downgrade() -> None:
    """Drop everything; refused while a number without a cipher is kept, which the older schema has no place for."""
    unread = op.get_bind().scalar(sa.text("SELECT count(*) FROM subscriber_number WHERE number_cipher IS NULL"))
    if unread:
        raise RuntimeError(f"{unread} subscribers are known from records alone: the older schema has no place for them")
    for table in TABLES:
        op.drop_table(table)
    _demand_cipher()


def _one_of(table: str, column: str, name: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{name}"))


def _create_watch_day() -> None:
    op.create_table(
        "watch_day",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("threshold_id", KEY, nullable=True),
        sa.Column("partitions", KEY, nullable=False),
        sa.Column("newest_partition_id", KEY, nullable=False),
        sa.Column("computed_at", MOMENT, nullable=False),
        _one_of("watch_day", "kind", "irregularity", KINDS),
        sa.ForeignKeyConstraint(["threshold_id"], ["watch_threshold.id"], name=op.f("fk_watch_day_threshold_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_day")),
        sa.UniqueConstraint("kind", "on_day", name=op.f("uq_watch_day_kind_on_day")),
    )
    op.create_index(op.f("ix_watch_day_threshold_id"), "watch_day", ["threshold_id"])


def _create_watch_finding_day() -> None:
    op.create_table(
        "watch_finding_day",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("records", KEY, nullable=False),
        sa.Column("subscribers", KEY, nullable=False),
        sa.Column("looked_at", KEY, nullable=True),
        sa.Column("is_suspected", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "records >= 0 AND subscribers >= 0 AND looked_at >= records",
            name=op.f("ck_watch_finding_day_counts_add_up"),
        ),
        _one_of("watch_finding_day", "kind", "irregularity", KINDS),
        sa.ForeignKeyConstraint(
            ["kind", "on_day"], ["watch_day.kind", "watch_day.on_day"], name=op.f("fk_watch_finding_day_kind_on_day")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_watch_finding_day_party_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_watch_finding_day_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_finding_day")),
        sa.UniqueConstraint("kind", "on_day", "party_id", name=op.f("uq_watch_finding_day_kind_on_day_party_id")),
    )
    nobody = sa.text("party_id IS NULL")
    op.create_index(
        op.f("uq_watch_finding_day_of_nobody"),
        "watch_finding_day",
        ["kind", "on_day"],
        unique=True,
        sqlite_where=nobody,
        postgresql_where=nobody,
    )
    for column in ("party_id", "unit_id"):
        op.create_index(op.f(f"ix_watch_finding_day_{column}_on_day"), "watch_finding_day", [column, "on_day"])


def _create_watched_incident() -> None:
    op.create_table(
        "watched_incident",
        sa.Column("id", KEY, nullable=False),
        sa.Column("records", sa.String(40), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("opened_by", KEY, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.CheckConstraint("records IN ('calls', 'messages')", name=op.f("ck_watched_incident_of_call_or_message")),
        _one_of("watched_incident", "records", "recordkind", RECORDS),
        _one_of("watched_incident", "kind", "irregularity", KINDS),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_watched_incident_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_incident")),
        sa.UniqueConstraint(
            "records", "platform", "record_id", name=op.f("uq_watched_incident_records_platform_record_id")
        ),
    )
    op.create_index(op.f("ix_watched_incident_incident_id"), "watched_incident", ["incident_id"])


def _let_cipher_be_missing() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriber_number ALTER COLUMN number_cipher DROP NOT NULL")
    else:
        _rewrite_on_sqlite("number_cipher BLOB NOT NULL", "number_cipher BLOB")


def _demand_cipher() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriber_number ALTER COLUMN number_cipher SET NOT NULL")
    else:
        _rewrite_on_sqlite("number_cipher BLOB", "number_cipher BLOB NOT NULL")


def _rewrite_on_sqlite(before: str, after: str) -> None:
    """Change the stored text of the table, as SQLite's manual does where no row changes (lang_altertable, 7).

    The other way builds the table anew, which rows that refer to it forbid inside a transaction.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'subscriber_number' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table subscriber_number does not say: {before}")
