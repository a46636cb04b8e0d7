"""Create undertakings, the compensation policy, credits and their batches.

Written out here: a migration never imports the application, which will have changed.
"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CALLUNIT = ("attempted", "answered")
CREDITNATURE = ("compensation", "reward")
PROMISESTATE = ("draft", "active", "ended")
CREDITBATCHSTATE = ("sent", "voided", "completed")
CREDITKIND = ("per_call", "lump")
CREDITSTATE = ("proposed", "returned", "approved", "batched", "accepted", "cancelled")
LINERESULT = ("accepted", "rejected", "voided")
CANCELLATIONSTATE = ("open", "confirmed", "withdrawn")
TABLES = ("credit_cancellation", "credit_batch_line", "credit", "undertaking", "credit_batch", "compensation_policy")


class Fixed(NamedTuple):
    """Columns that never change once the condition on the old row holds; JSON is compared as text."""

    table: str
    since: str
    columns: tuple[str, ...]


FIXED = (
    Fixed(
        "credit",
        "true",
        (
            "reference",
            "kind",
            "nature",
            "incident_id",
            "undertaking_id",
            "policy_id",
            "subscriber_id",
            "number_id",
            "amount_fen",
            "explanation",
            "content_sha256",
            "maker_id",
        ),
    ),
    Fixed("credit", "OLD.approver_id IS NOT NULL", ("approver_id", "approved_at")),
    Fixed(
        "undertaking",
        "OLD.state <> 'draft'",
        (
            "reference",
            "number_id",
            "subscriber_id",
            "starts_at",
            "per_call_fen",
            "call_unit",
            "calls_per_day_max",
            "lump_fen",
            "nature",
            "drafted_by",
            "agreed_by",
        ),
    ),
    Fixed(
        "compensation_policy",
        "OLD.state <> 'draft'",
        ("code", "starts_at", "per_call_fen", "call_unit", "calls_per_day_max", "nature", "drafted_by", "agreed_by"),
    ),
    Fixed(
        "credit_batch",
        "true",
        ("number", "period", "lines_total", "total_fen", "rows_sha256", "anchor", "locale", "frozen_by", "frozen_at"),
    ),
    Fixed("credit_batch_line", "true", ("batch_id", "line", "credit_id", "amount_fen", "frozen")),
    Fixed("credit_batch_line", "OLD.result IS NOT NULL", ("result", "failure_code", "billing_ref")),
)
#: From a state that was left there is no way back to the first one.
FIRST_STATES = {
    "credit": "proposed",
    "undertaking": "draft",
    "compensation_policy": "draft",
}
JSON_COLUMNS = ("explanation", "frozen")
NEVER_DELETED = ("credit", "undertaking", "compensation_policy", "credit_batch", "credit_batch_line")


def upgrade() -> None:
    """Create the tables."""
    _create_compensation_policy()
    _create_credit_batch()
    _create_undertaking()
    _create_credit()
    _create_credit_batch_line()
    _create_credit_cancellation()
    _refuse_overlaps()
    _fix_what_was_promised()


def downgrade() -> None:
    """Drop the tables; constraints and triggers go with them."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _create_compensation_policy() -> None:
    op.create_table(
        "compensation_policy",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("per_call_fen", KEY, nullable=False),
        sa.Column("call_unit", sa.String(40), nullable=False),
        sa.Column("calls_per_day_max", KEY, nullable=True),
        sa.Column("nature", sa.String(40), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("drafted_by", KEY, nullable=False),
        sa.Column("agreed_by", KEY, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "state = 'draft' OR agreed_by IS NOT NULL", name=op.f("ck_compensation_policy_agreed_by_set")
        ),
        sa.CheckConstraint("agreed_by <> drafted_by", name=op.f("ck_compensation_policy_two_people")),
        sa.CheckConstraint("calls_per_day_max > 0", name=op.f("ck_compensation_policy_limit_positive")),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_compensation_policy_period_order")),
        sa.CheckConstraint("per_call_fen > 0", name=op.f("ck_compensation_policy_amount_positive")),
        sa.CheckConstraint(_one_of("call_unit", CALLUNIT), name=op.f("ck_compensation_policy_callunit")),
        sa.CheckConstraint(_one_of("nature", CREDITNATURE), name=op.f("ck_compensation_policy_creditnature")),
        sa.CheckConstraint(_one_of("state", PROMISESTATE), name=op.f("ck_compensation_policy_promisestate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compensation_policy")),
        sa.UniqueConstraint("code", name=op.f("uq_compensation_policy_code")),
    )


def _create_credit_batch() -> None:
    op.create_table(
        "credit_batch",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("lines_total", KEY, nullable=False),
        sa.Column("total_fen", KEY, nullable=False),
        sa.Column("rows_sha256", sa.Text(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("frozen_by", KEY, nullable=False),
        sa.Column("frozen_at", MOMENT, nullable=False),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("void_proposed_by", KEY, nullable=True),
        sa.Column("voided_by", KEY, nullable=True),
        sa.Column("voided_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("(state = 'voided') = (voided_by IS NOT NULL)", name=op.f("ck_credit_batch_voided_by_set")),
        sa.CheckConstraint(
            "(void_proposed_by IS NULL) = (void_reason IS NULL)", name=op.f("ck_credit_batch_void_has_reason")
        ),
        sa.CheckConstraint("lines_total > 0 AND total_fen > 0", name=op.f("ck_credit_batch_not_empty")),
        sa.CheckConstraint("voided_by <> void_proposed_by", name=op.f("ck_credit_batch_two_people")),
        sa.CheckConstraint(_one_of("state", CREDITBATCHSTATE), name=op.f("ck_credit_batch_creditbatchstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_batch")),
        sa.UniqueConstraint("number", name=op.f("uq_credit_batch_number")),
    )


def _create_undertaking() -> None:
    op.create_table(
        "undertaking",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=True),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("per_call_fen", KEY, nullable=False),
        sa.Column("call_unit", sa.String(40), nullable=False),
        sa.Column("calls_per_day_max", KEY, nullable=True),
        sa.Column("lump_fen", KEY, nullable=False),
        sa.Column("nature", sa.String(40), nullable=False),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("drafted_by", KEY, nullable=False),
        sa.Column("drafted_at", MOMENT, nullable=False),
        sa.Column("agreed_by", KEY, nullable=True),
        sa.Column("agreed_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("state = 'draft' OR agreed_by IS NOT NULL", name=op.f("ck_undertaking_agreed_by_set")),
        sa.CheckConstraint("agreed_by <> drafted_by", name=op.f("ck_undertaking_two_people")),
        sa.CheckConstraint("calls_per_day_max > 0", name=op.f("ck_undertaking_limit_positive")),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_undertaking_period_order")),
        sa.CheckConstraint("per_call_fen > 0 OR lump_fen > 0", name=op.f("ck_undertaking_promises_something")),
        sa.CheckConstraint("per_call_fen >= 0 AND lump_fen >= 0", name=op.f("ck_undertaking_amounts_not_negative")),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name=op.f("fk_undertaking_number_id")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_undertaking_subscriber_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_undertaking_ticket_id")),
        sa.CheckConstraint(_one_of("call_unit", CALLUNIT), name=op.f("ck_undertaking_callunit")),
        sa.CheckConstraint(_one_of("nature", CREDITNATURE), name=op.f("ck_undertaking_creditnature")),
        sa.CheckConstraint(_one_of("state", PROMISESTATE), name=op.f("ck_undertaking_promisestate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_undertaking")),
        sa.UniqueConstraint("reference", name=op.f("uq_undertaking_reference")),
    )
    op.create_index(op.f("ix_undertaking_number_id_starts_at"), "undertaking", ["number_id", "starts_at"])
    op.create_index(op.f("ix_undertaking_subscriber_id"), "undertaking", ["subscriber_id"])
    op.create_index(op.f("ix_undertaking_ticket_id"), "undertaking", ["ticket_id"])


def _create_credit() -> None:
    op.create_table(
        "credit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("nature", sa.String(40), nullable=False),
        sa.Column("incident_id", KEY, nullable=True),
        sa.Column("undertaking_id", KEY, nullable=True),
        sa.Column("policy_id", KEY, nullable=True),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=True),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("explanation", sa.JSON(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("tax_label", sa.Text(), nullable=False),
        sa.Column("gl_account_code", sa.Text(), nullable=False),
        sa.Column("cost_centre", sa.Text(), nullable=True),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("maker_id", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approver_id", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("rejections", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(kind = 'per_call') = (incident_id IS NOT NULL)", name=op.f("ck_credit_per_call_has_incident")
        ),
        sa.CheckConstraint("kind <> 'lump' OR undertaking_id IS NOT NULL", name=op.f("ck_credit_lump_has_undertaking")),
        sa.CheckConstraint(
            "state IN ('proposed', 'returned', 'cancelled') OR (approver_id IS NOT NULL AND approved_at IS NOT NULL)",
            name=op.f("ck_credit_approval_complete"),
        ),
        sa.CheckConstraint("(undertaking_id IS NULL) <> (policy_id IS NULL)", name=op.f("ck_credit_one_promise")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_credit_amount_positive")),
        sa.CheckConstraint("approver_id <> maker_id", name=op.f("ck_credit_two_people")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_credit_incident_id")),
        sa.ForeignKeyConstraint(["number_id"], ["subscriber_number.id"], name=op.f("fk_credit_number_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_credit_party_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["compensation_policy.id"], name=op.f("fk_credit_policy_id")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_credit_subscriber_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_credit_ticket_id")),
        sa.ForeignKeyConstraint(["undertaking_id"], ["undertaking.id"], name=op.f("fk_credit_undertaking_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_credit_unit_id")),
        sa.CheckConstraint(_one_of("kind", CREDITKIND), name=op.f("ck_credit_creditkind")),
        sa.CheckConstraint(_one_of("nature", CREDITNATURE), name=op.f("ck_credit_creditnature")),
        sa.CheckConstraint(_one_of("state", CREDITSTATE), name=op.f("ck_credit_creditstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit")),
        sa.UniqueConstraint("reference", name=op.f("uq_credit_reference")),
    )
    op.create_index(op.f("ix_credit_number_id"), "credit", ["number_id"])
    op.create_index(op.f("ix_credit_party_id"), "credit", ["party_id"])
    op.create_index(op.f("ix_credit_period"), "credit", ["period"])
    op.create_index(op.f("ix_credit_state_id"), "credit", ["state", "id"])
    op.create_index(op.f("ix_credit_subscriber_id"), "credit", ["subscriber_id"])
    op.create_index(op.f("ix_credit_ticket_id"), "credit", ["ticket_id"])
    op.create_index(op.f("ix_credit_unit_id_state_id"), "credit", ["unit_id", "state", "id"])
    op.create_index(
        "uq_credit_lump",
        "credit",
        ["undertaking_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'lump' AND state NOT IN ('returned', 'cancelled')"),
        postgresql_where=sa.text("kind = 'lump' AND state NOT IN ('returned', 'cancelled')"),
    )
    op.create_index(
        "uq_credit_per_call",
        "credit",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'per_call' AND state NOT IN ('returned', 'cancelled')"),
        postgresql_where=sa.text("kind = 'per_call' AND state NOT IN ('returned', 'cancelled')"),
    )


def _create_credit_batch_line() -> None:
    op.create_table(
        "credit_batch_line",
        sa.Column("id", KEY, nullable=False),
        sa.Column("batch_id", KEY, nullable=False),
        sa.Column("line", KEY, nullable=False),
        sa.Column("credit_id", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("frozen", sa.JSON(), nullable=False),
        sa.Column("result", sa.String(40), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("billing_ref", sa.Text(), nullable=True),
        sa.Column("returned_at", MOMENT, nullable=True),
        sa.Column("returned_by", KEY, nullable=True),
        sa.CheckConstraint(
            "(result = 'rejected') = (failure_code IS NOT NULL)", name=op.f("ck_credit_batch_line_rejection_has_code")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_credit_batch_line_amount_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["credit_batch.id"], name=op.f("fk_credit_batch_line_batch_id")),
        sa.ForeignKeyConstraint(["credit_id"], ["credit.id"], name=op.f("fk_credit_batch_line_credit_id")),
        sa.CheckConstraint(_one_of("result", LINERESULT), name=op.f("ck_credit_batch_line_lineresult")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_batch_line")),
        sa.UniqueConstraint("batch_id", "line", name=op.f("uq_credit_batch_line_batch_id_line")),
    )
    op.create_index(op.f("ix_credit_batch_line_credit_id"), "credit_batch_line", ["credit_id"])
    op.create_index(
        "uq_credit_batch_line_live",
        "credit_batch_line",
        ["credit_id"],
        unique=True,
        sqlite_where=sa.text("result IS NULL OR result = 'accepted'"),
        postgresql_where=sa.text("result IS NULL OR result = 'accepted'"),
    )


def _create_credit_cancellation() -> None:
    op.create_table(
        "credit_cancellation",
        sa.Column("id", KEY, nullable=False),
        sa.Column("credit_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_credit_cancellation_has_reason")),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL)", name=op.f("ck_credit_cancellation_decided_by_set")
        ),
        sa.CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL)", name=op.f("ck_credit_cancellation_decided_at_set")
        ),
        sa.CheckConstraint(
            "state <> 'confirmed' OR decided_by <> proposed_by", name=op.f("ck_credit_cancellation_two_people")
        ),
        sa.ForeignKeyConstraint(["credit_id"], ["credit.id"], name=op.f("fk_credit_cancellation_credit_id")),
        sa.CheckConstraint(_one_of("state", CANCELLATIONSTATE), name=op.f("ck_credit_cancellation_cancellationstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_cancellation")),
    )
    op.create_index(op.f("ix_credit_cancellation_credit_id"), "credit_cancellation", ["credit_id"])
    op.create_index(
        "uq_credit_cancellation_open",
        "credit_cancellation",
        ["credit_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _refuse_overlaps() -> None:
    """Let a number have one agreed undertaking at a time; drafts may overlap until one is agreed."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE undertaking ADD CONSTRAINT ex_undertaking_overlap EXCLUDE USING gist "
            "(int8range(number_id, number_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&) "
            "WHERE (state <> 'draft')"
        )
        return
    overlap = (
        "NEW.state <> 'draft' AND EXISTS (SELECT 1 FROM undertaking other "
        "WHERE other.number_id = NEW.number_id AND other.state <> 'draft' AND other.id <> NEW.id "
        "AND (NEW.ends_at IS NULL OR other.starts_at < NEW.ends_at) "
        "AND (other.ends_at IS NULL OR other.ends_at > NEW.starts_at))"
    )
    for action in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER undertaking_no_overlap_{action.lower()} BEFORE {action} ON undertaking "
            f"WHEN {overlap} BEGIN SELECT RAISE(ABORT, 'the number has another undertaking in that period'); END"
        )


def _fix_what_was_promised() -> None:
    """Let the database itself refuse another amount, another person, or a deletion."""
    on_postgres = op.get_bind().dialect.name == "postgresql"
    if on_postgres:
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    for number, fixed in enumerate(FIXED, start=1):
        changed = " OR ".join(_differs(column, on_postgres=on_postgres) for column in fixed.columns)
        condition = changed if fixed.since == "true" else f"{fixed.since} AND ({changed})"
        _refuse(f"{fixed.table}_fixed_{number}", "UPDATE", fixed.table, condition, on_postgres=on_postgres)
    for table, state in FIRST_STATES.items():
        condition = f"OLD.state <> '{state}' AND NEW.state = '{state}'"
        _refuse(f"{table}_no_way_back", "UPDATE", table, condition, on_postgres=on_postgres)
    for table in NEVER_DELETED:
        _refuse(f"{table}_no_delete", "DELETE", table, "1 = 1", on_postgres=on_postgres)


def _differs(column: str, *, on_postgres: bool) -> str:
    if not on_postgres:
        return f"OLD.{column} IS NOT NEW.{column}"
    cast = "::text" if column in JSON_COLUMNS else ""
    return f"OLD.{column}{cast} IS DISTINCT FROM NEW.{column}{cast}"


def _refuse(name: str, action: str, table: str, condition: str, *, on_postgres: bool) -> None:
    message = f"{table}: what was decided is not changed; reverse it and decide anew"
    if on_postgres:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION refuse_change('{message}')"
        )
    else:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {action} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
