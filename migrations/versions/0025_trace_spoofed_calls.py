"""Trace spoofed calls back, note when incidents were last walked over, and let bulk runs decide on incidents.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHECK = "ck_bulk_run_bulkaction"
ACTIONS_BEFORE = (
    "action IN ('accept', 'investigate', 'suggestions', 'findings', 'amounts', "
    "'approve_penalties', 'approve_credits', 'send_credits')"
)
ACTIONS = ACTIONS_BEFORE.replace("'send_credits'", "'proven_calls', 'send_credits'")
#: What a row says from the first; the rest is written once, when the question or the task is closed.
FROZEN = {
    "traceback_task": (("incident_id", "attribution_id", "opened_by", "opened_at"), "state", "open"),
    "traceback_hop": (
        ("task_id", "number", "asked", "asked_on", "entered_by", "entered_at"),
        "outcome",
        "waiting",
    ),
}


def upgrade() -> None:
    """Admit the action, create the tables, then refuse edits by dialect."""
    _replace_check(ACTIONS_BEFORE, ACTIONS)
    op.create_table(
        "evidence_round",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_evidence_round")),
    )
    _create_traceback_task()
    _create_traceback_hop()
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table in FROZEN:
        freeze(table)


def downgrade() -> None:
    """Take all of it away; refused while a call is traced or a run accepted what records prove."""
    kept = op.get_bind().scalar(
        sa.text(
            "SELECT (SELECT count(*) FROM traceback_task) "
            "+ (SELECT count(*) FROM bulk_run WHERE action = 'proven_calls')"
        )
    )
    if kept:
        raise RuntimeError(f"{kept} tracebacks or runs are kept: the older schema has no place for them")
    for table in ("traceback_hop", "traceback_task", "evidence_round"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")
    _replace_check(ACTIONS, ACTIONS_BEFORE)


def _create_traceback_task() -> None:
    op.create_table(
        "traceback_task",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("attribution_id", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("opened_by", KEY, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("closed_by", KEY, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_traceback_task_closed_at_set")),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name=op.f("ck_traceback_task_closed_by_set")),
        sa.CheckConstraint(
            "(state IN ('traced', 'ended')) = (result IS NOT NULL)", name=op.f("ck_traceback_task_result_set")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'traced', 'ended', 'dropped')", name=op.f("ck_traceback_task_tracebackstate")
        ),
        sa.ForeignKeyConstraint(["attribution_id"], ["attribution.id"], name=op.f("fk_traceback_task_attribution_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_traceback_task_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traceback_task")),
        sa.UniqueConstraint("attribution_id", name=op.f("uq_traceback_task_attribution_id")),
    )
    op.create_index(op.f("ix_traceback_task_incident_id"), "traceback_task", ["incident_id"])
    op.create_index(op.f("ix_traceback_task_state_id"), "traceback_task", ["state", "id"])
    op.create_index(
        "uq_traceback_task_open",
        "traceback_task",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_traceback_hop() -> None:
    op.create_table(
        "traceback_hop",
        sa.Column("id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("next_hop", sa.Text(), nullable=True),
        sa.Column("entered_by", KEY, nullable=False),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("told_by", KEY, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.CheckConstraint("number > 0", name=op.f("ck_traceback_hop_number_positive")),
        sa.CheckConstraint("asked <> ''", name=op.f("ck_traceback_hop_asked_somebody")),
        sa.CheckConstraint("(outcome = 'waiting') = (told_at IS NULL)", name=op.f("ck_traceback_hop_told_at_set")),
        sa.CheckConstraint("(told_at IS NULL) = (told_by IS NULL)", name=op.f("ck_traceback_hop_told_by_set")),
        sa.CheckConstraint("(told_at IS NULL) = (told_on IS NULL)", name=op.f("ck_traceback_hop_told_on_set")),
        sa.CheckConstraint(
            "outcome <> 'answered' OR answer IS NOT NULL", name=op.f("ck_traceback_hop_answer_has_words")
        ),
        sa.CheckConstraint("next_hop IS NULL OR outcome = 'answered'", name=op.f("ck_traceback_hop_next_hop_was_told")),
        sa.CheckConstraint("outcome IN ('waiting', 'answered', 'refused')", name=op.f("ck_traceback_hop_hopoutcome")),
        sa.ForeignKeyConstraint(["task_id"], ["traceback_task.id"], name=op.f("fk_traceback_hop_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traceback_hop")),
        sa.UniqueConstraint("task_id", "number", name=op.f("uq_traceback_hop_task_id_number")),
    )


def _freeze_on_postgresql(table: str) -> None:
    columns, state, first = FROZEN[table]
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR OLD.{state} <> '{first}' "
        f"OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} is not rewritten' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str) -> None:
    columns, state, first = FROZEN[table]
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} WHEN OLD.{state} <> '{first}' OR {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten'); END"
    )


def _replace_check(before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE bulk_run DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): to build the table anew would drop it,
    # which the rows that refer to it forbid inside a transaction.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'bulk_run' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table bulk_run does not say: {before}")
