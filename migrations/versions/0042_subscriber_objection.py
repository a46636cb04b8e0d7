"""Create the subscribers' objections to replies, and mediations with their events.

What was recorded is not rewritten, and what has ended stays so: triggers.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHANNELS = ("hotline", "12321", "12300", "12345", "12315", "heimao", "media", "directive", "walk_in")
MEDIATORS = ("communications", "12315", "12345", "association")
#: In the order in which they can be dropped.
TABLES = ("mediation_event", "mediation", "ticket_objection")
#: What is never rewritten, and which columns of it.
FROZEN = {
    "ticket_objection": (
        *("id", "ticket_id", "number", "channel", "received_at", "reason", "due_on", "due_provisional"),
        *("recorded_by", "recorded_at"),
    ),
    "mediation": (
        *("id", "ticket_id", "mediator", "case_number", "opened_on", "due_on", "due_provisional"),
        *("recorded_by", "recorded_at"),
    ),
    "mediation_event": ("id", "mediation_id", "on_day", "words", "made_by", "made_at"),
}
#: What is written once, and then stays.
ONCE = {
    "ticket_objection": ("ended_by", "ended_at", "end_reason"),
    "mediation": ("ended_on", "outcome", "agreed_fen", "ended_by", "ended_at", "undertaking_id"),
    "mediation_event": (),
}


def upgrade() -> None:
    """Create the tables and guard them; a ticket remembers when its first reply was due."""
    op.execute("ALTER TABLE ticket ADD COLUMN first_due_on DATE")
    _create_objection()
    _create_mediation()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in TABLES:
        (_freeze_on_postgresql if on_postgresql else _freeze_on_sqlite)(table)


def downgrade() -> None:
    """Drop everything; refused once an objection or a mediation was recorded."""
    for table in ("ticket_objection", "mediation"):
        if count := op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table}")):
            raise RuntimeError(f"{count} rows stand in {table}: the older schema has no place for them")
    for table in TABLES:
        op.drop_table(table)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")
    op.execute("ALTER TABLE ticket DROP COLUMN first_due_on")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _one_of(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def _one_open(table: str) -> None:
    condition = sa.text("state = 'open'")
    op.create_index(
        f"uq_{table}_open", table, ["ticket_id"], unique=True, sqlite_where=condition, postgresql_where=condition
    )


def _create_objection() -> None:
    table = "ticket_objection"
    op.create_table(
        table,
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("channel", _one_of("channel", CHANNELS), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("state", _one_of("ticketobjectionstate", ("open", "answered", "withdrawn")), nullable=False),
        sa.Column("recorded_by", KEY, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("ended_by", KEY, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        _check(table, "number_positive", "number > 0"),
        _check(
            table,
            "end_complete",
            "(state = 'open') = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)",
        ),
        _check(table, "withdrawal_says_why", "(state = 'withdrawn') = (end_reason IS NOT NULL)"),
        _refers(table, "ticket_id", "ticket"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_objection")),
        sa.UniqueConstraint("ticket_id", "number", name=op.f("uq_ticket_objection_ticket_id_number")),
    )
    _one_open(table)


def _create_mediation() -> None:
    table = "mediation"
    rules = {
        "due_after_opened": "due_on >= opened_on",
        "ended_after_opened": "ended_on >= opened_on",
        "end_complete": "(state = 'open') = (ended_on IS NULL) AND (ended_on IS NULL) = (outcome IS NULL) "
        "AND (ended_on IS NULL) = (ended_by IS NULL) AND (ended_on IS NULL) = (ended_at IS NULL)",
        "amount_of_agreement": "agreed_fen IS NULL OR (agreed_fen > 0 AND state = 'agreed')",
        "promise_of_amount": "undertaking_id IS NULL OR agreed_fen IS NOT NULL",
    }
    op.create_table(
        table,
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("mediator", _one_of("mediator", MEDIATORS), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("state", _one_of("mediationstate", ("open", "agreed", "failed", "withdrawn")), nullable=False),
        sa.Column("recorded_by", KEY, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("agreed_fen", KEY, nullable=True),
        sa.Column("ended_by", KEY, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("undertaking_id", KEY, nullable=True),
        *(_check(table, name, rule) for name, rule in rules.items()),
        _refers(table, "ticket_id", "ticket"),
        _refers(table, "undertaking_id", "undertaking"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mediation")),
        sa.UniqueConstraint("mediator", "case_number", name=op.f("uq_mediation_mediator_case_number")),
    )
    op.create_index(op.f("ix_mediation_ticket_id"), table, ["ticket_id"])
    _one_open(table)
    op.create_table(
        "mediation_event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("mediation_id", KEY, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("made_by", KEY, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        _refers("mediation_event", "mediation_id", "mediation"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mediation_event")),
    )
    op.create_index(op.f("ix_mediation_event_mediation_id"), "mediation_event", ["mediation_id"])


def _freeze_on_postgresql(table: str) -> None:
    row = ", ".join(f"{{0}}.{column}" for column in FROZEN[table])
    rewritten = "".join(
        f" OR (OLD.{column} IS NOT NULL AND OLD.{column} IS DISTINCT FROM NEW.{column})" for column in ONCE[table]
    )
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}){rewritten} THEN "
        f"RAISE EXCEPTION '{table} is not rewritten' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str) -> None:
    differs = " OR ".join(
        (
            *(f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN[table]),
            *(f"(OLD.{column} IS NOT NULL AND OLD.{column} IS NOT NEW.{column})" for column in ONCE[table]),
        )
    )
    for action, when in (("UPDATE", f"WHEN {differs} "), ("DELETE", "")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} {when}"
            f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten'); END"
        )
