"""Create subscribers, tickets, incidents and their link, the taxonomy, deadlines, calendar and import profiles.

A number has one subscriber at a time, on both engines. The text of tickets is searched over stored bigrams:
a GIN index on PostgreSQL, an FTS5 table over ``ticket_search`` on SQLite.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHANNEL = ("hotline", "12321", "12300", "12345", "12315", "heimao", "media", "directive", "walk_in")
NUMBERING_PLAN = ("china", "other")
DAY_TYPE = ("natural", "working")
INCIDENT_KIND = ("call", "sms")
NUMBER_CLASS = (
    "mobile",
    "landline",
    "service_95",
    "service_96",
    "service_400",
    "port_106",
    "virtual",
    "official",
    "other",
)
PRECISION = ("second", "minute", "day")
CALLER_KIND = ("human", "robot", "unknown")
MESSAGE_CLASS = ("marketing", "service", "verification")
INCIDENT_STATE = ("reported", "confirmed", "unconfirmed", "private", "not_marketing", "merged")
TICKET_STATE = ("new", "accepted", "investigating", "replied", "closed", "refused", "transferred", "withdrawn")
LINK_HOW = ("reported", "matched", "linked")
DEMAND_HEAD = ("per_call", "history", "time", "apology", "other")
#: In the order of their foreign keys.
TABLES = (
    "calendar_day",
    "calendar_year",
    "import_profile",
    "offence_type",
    "subscriber_number",
    "deadline_rule",
    "incident",
    "subscriber",
    "ticket",
    "demand_line",
    "ticket_incident",
    "ticket_search",
    "ticket_step",
)
OVERLAP = "this number already has a subscriber in that period"


def upgrade() -> None:
    """Create the tables, then what only triggers and special indexes can promise."""
    _create_calendar()
    _create_import_profile()
    _create_offence_types_and_deadlines()
    _create_subscribers()
    _create_incident()
    _index_incident()
    _create_ticket()
    _index_ticket()
    _create_ticket_incident()
    _create_ticket_details()
    if op.get_bind().dialect.name == "postgresql":
        _finish_on_postgresql()
    else:
        _finish_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers and indexes go with their tables, the word index does not."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE ticket_words")
    for table in reversed(TABLES):
        op.drop_table(table)


def _one_of(table: str, column: str, name: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{name}"))


def _create_calendar() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_working", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("day", name="pk_calendar_day"),
    )
    op.create_table(
        "calendar_year",
        sa.Column("year", KEY, autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("loaded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_calendar_year"),
    )


def _create_import_profile() -> None:
    op.create_table(
        "import_profile",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("numbering_plan", sa.String(40), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("created_by", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        _one_of("import_profile", "channel", "channel", CHANNEL),
        _one_of("import_profile", "numbering_plan", "numberingplan", NUMBERING_PLAN),
        sa.PrimaryKeyConstraint("id", name="pk_import_profile"),
        sa.UniqueConstraint("code", "version", name="uq_import_profile_code_version"),
    )


def _create_offence_types_and_deadlines() -> None:
    op.create_table(
        "offence_type",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_offence_type_period_order")),
        sa.PrimaryKeyConstraint("id", name="pk_offence_type"),
        sa.UniqueConstraint("code", "valid_from", name="uq_offence_type_code_valid_from"),
    )
    op.create_table(
        "deadline_rule",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(40), nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("days", KEY, nullable=False),
        sa.Column("day_type", sa.String(40), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("days > 0", name=op.f("ck_deadline_rule_days_positive")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_deadline_rule_period_order")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name="fk_deadline_rule_unit_id"),
        _one_of("deadline_rule", "channel", "channel", CHANNEL),
        _one_of("deadline_rule", "day_type", "daytype", DAY_TYPE),
        sa.PrimaryKeyConstraint("id", name="pk_deadline_rule"),
    )
    op.create_index("ix_deadline_rule_channel_valid_from", "deadline_rule", ["channel", "valid_from"])


def _create_subscribers() -> None:
    op.create_table(
        "subscriber_number",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number_index", sa.Text(), nullable=False),
        sa.Column("number_cipher", sa.LargeBinary(), nullable=False),
        sa.Column("number_mask", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber_number"),
        sa.UniqueConstraint("number_index", name="uq_subscriber_number_number_index"),
    )
    op.create_table(
        "subscriber",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("account_ref", sa.Text(), nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("held_from", MOMENT, nullable=False),
        sa.Column("held_to", MOMENT, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("held_to IS NULL OR held_to > held_from", name=op.f("ck_subscriber_period_order")),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name="fk_subscriber_number_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name="fk_subscriber_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber"),
        sa.UniqueConstraint(
            "account_ref", "number_id", "held_from", name="uq_subscriber_account_ref_number_id_held_from"
        ),
    )
    op.create_index("ix_subscriber_account_ref", "subscriber", ["account_ref"])
    op.create_index("ix_subscriber_number_id_held_from", "subscriber", ["number_id", "held_from"])
    op.create_index("ix_subscriber_unit_id", "subscriber", ["unit_id"])


def _create_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("number_id", KEY, nullable=True),
        sa.Column("caller_number", sa.Text(), nullable=True),
        sa.Column("caller_class", sa.String(40), nullable=True),
        sa.Column("numbering_plan", sa.String(40), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("precision", sa.String(40), nullable=False),
        sa.Column("occurred_text", sa.Text(), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=True),
        sa.Column("seconds", KEY, nullable=True),
        sa.Column("caller_kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("sms_signature", sa.Text(), nullable=True),
        sa.Column("sms_class", sa.String(40), nullable=True),
        sa.Column("sms_text", sa.Text(), nullable=True),
        sa.Column("sms_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("opt_out_sent", sa.Boolean(), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("merged_into_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(state = 'merged') = (merged_into_id IS NOT NULL)", name=op.f("ck_incident_merged_into_set")
        ),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_incident_seconds_not_negative")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["incident.id"], name="fk_incident_merged_into_id"),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name="fk_incident_number_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name="fk_incident_unit_id"),
        _one_of("incident", "kind", "incidentkind", INCIDENT_KIND),
        _one_of("incident", "caller_class", "numberclass", NUMBER_CLASS),
        _one_of("incident", "numbering_plan", "numberingplan", NUMBERING_PLAN),
        _one_of("incident", "precision", "precision", PRECISION),
        _one_of("incident", "caller_kind", "callerkind", CALLER_KIND),
        _one_of("incident", "sms_class", "messageclass", MESSAGE_CLASS),
        _one_of("incident", "state", "incidentstate", INCIDENT_STATE),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
    )


def _index_incident() -> None:
    op.create_index("ix_incident_caller_number_occurred_at", "incident", ["caller_number", "occurred_at"])
    op.create_index("ix_incident_occurred_on", "incident", ["occurred_on"])
    op.create_index("ix_incident_state_id", "incident", ["state", "id"])
    op.create_index("ix_incident_unit_id", "incident", ["unit_id"])
    op.create_index(
        "uq_incident_same_call",
        "incident",
        ["number_id", "caller_number", "occurred_at", "kind"],
        unique=True,
        sqlite_where=sa.text("state <> 'merged'"),
        postgresql_where=sa.text("state <> 'merged'"),
    )


def _create_ticket() -> None:
    op.create_table(
        "ticket",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("row_key", sa.Text(), nullable=True),
        sa.Column("batch_id", KEY, nullable=True),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("number_id", KEY, nullable=True),
        sa.Column("region_text", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("complainant_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("claimed_party", sa.Text(), nullable=True),
        sa.Column("claimed_calls", KEY, nullable=True),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("stated_due_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_rule_id", KEY, nullable=True),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("first_replied_at", MOMENT, nullable=True),
        sa.Column("resolution_code", sa.Text(), nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "state <> 'closed' OR (closed_at IS NOT NULL AND resolution_code IS NOT NULL)",
            name=op.f("ck_ticket_closed_complete"),
        ),
        sa.CheckConstraint(
            "first_replied_at IS NULL OR first_replied_at >= received_at", name=op.f("ck_ticket_reply_after_receipt")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name="fk_ticket_batch_id"),
        sa.ForeignKeyConstraint(["due_rule_id"], ["deadline_rule.id"], name="fk_ticket_due_rule_id"),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name="fk_ticket_number_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name="fk_ticket_unit_id"),
        _one_of("ticket", "channel", "channel", CHANNEL),
        _one_of("ticket", "state", "ticketstate", TICKET_STATE),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.UniqueConstraint("channel", "external_ref", name="uq_ticket_channel_external_ref"),
        sa.UniqueConstraint("channel", "row_key", name="uq_ticket_channel_row_key"),
        sa.UniqueConstraint("reference", name="uq_ticket_reference"),
    )


def _index_ticket() -> None:
    op.create_index("ix_ticket_batch_id", "ticket", ["batch_id"])
    op.create_index("ix_ticket_channel_due_on_id", "ticket", ["channel", "due_on", "id"])
    op.create_index("ix_ticket_due_on_id", "ticket", ["due_on", "id"])
    op.create_index("ix_ticket_number_id", "ticket", ["number_id"])
    op.create_index("ix_ticket_state_due_on_id", "ticket", ["state", "due_on", "id"])
    op.create_index("ix_ticket_unit_id_due_on_id", "ticket", ["unit_id", "due_on", "id"])


def _create_ticket_incident() -> None:
    op.create_table(
        "ticket_incident",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("how", sa.String(40), nullable=False),
        sa.Column("reported_at", MOMENT, nullable=True),
        sa.Column("reported_precision", sa.String(40), nullable=True),
        sa.Column("linked_by", KEY, nullable=False),
        sa.Column("linked_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name="fk_ticket_incident_incident_id"),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_ticket_incident_ticket_id"),
        _one_of("ticket_incident", "how", "linkhow", LINK_HOW),
        _one_of("ticket_incident", "reported_precision", "precision", PRECISION),
        sa.PrimaryKeyConstraint("id", name="pk_ticket_incident"),
        sa.UniqueConstraint("ticket_id", "incident_id", name="uq_ticket_incident_ticket_id_incident_id"),
    )
    op.create_index("ix_ticket_incident_incident_id", "ticket_incident", ["incident_id"])


def _create_ticket_details() -> None:
    op.create_table(
        "ticket_search",
        sa.Column("ticket_id", KEY, autoincrement=False, nullable=False),
        sa.Column("grams", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_ticket_search_ticket_id"),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_ticket_search"),
    )
    op.create_table(
        "ticket_step",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", KEY, nullable=False),
        sa.Column("to_state", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_ticket_step_ticket_id"),
        _one_of("ticket_step", "to_state", "ticketstate", TICKET_STATE),
        sa.PrimaryKeyConstraint("id", name="pk_ticket_step"),
    )
    op.create_index("ix_ticket_step_ticket_id", "ticket_step", ["ticket_id"])
    op.create_table(
        "demand_line",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("head", sa.String(40), nullable=False),
        sa.Column("units", KEY, nullable=False),
        sa.Column("unit_fen", KEY, nullable=False),
        sa.Column("granted_fen", KEY, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("granted_fen >= 0", name=op.f("ck_demand_line_granted_not_negative")),
        sa.CheckConstraint("units >= 0 AND unit_fen >= 0", name=op.f("ck_demand_line_claim_not_negative")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_demand_line_ticket_id"),
        _one_of("demand_line", "head", "demandhead", DEMAND_HEAD),
        sa.PrimaryKeyConstraint("id", name="pk_demand_line"),
    )
    op.create_index("ix_demand_line_ticket_id", "demand_line", ["ticket_id"])


def _finish_on_postgresql() -> None:
    op.execute(
        "ALTER TABLE subscriber ADD CONSTRAINT ex_subscriber_overlap EXCLUDE USING gist "
        "(int8range(number_id, number_id, '[]') WITH &&, tstzrange(held_from, held_to) WITH &&)"
    )
    op.execute("CREATE INDEX ix_ticket_search_words ON ticket_search USING gin (string_to_array(grams, ' '))")


def _finish_on_sqlite() -> None:
    overlap = (
        "SELECT 1 FROM subscriber WHERE number_id = NEW.number_id {but} "
        "AND (held_to IS NULL OR held_to > NEW.held_from) AND (NEW.held_to IS NULL OR held_from < NEW.held_to)"
    )
    for action, but in (("INSERT", ""), ("UPDATE", "AND id <> NEW.id")):
        op.execute(
            f"CREATE TRIGGER subscriber_overlap_{action.lower()} BEFORE {action} ON subscriber "
            f"WHEN EXISTS ({overlap.format(but=but)}) BEGIN SELECT RAISE(ABORT, '{OVERLAP}'); END"
        )
    # No triggers: with trusted_schema off SQLite lets none write to a virtual table, and in bulk they would cost
    # several times the import. One module writes both tables; FTS5's integrity-check says whether they agree.
    op.execute(
        "CREATE VIRTUAL TABLE ticket_words USING fts5 "
        "(grams, content='ticket_search', content_rowid='ticket_id', detail=none, columnsize=0)"
    )
