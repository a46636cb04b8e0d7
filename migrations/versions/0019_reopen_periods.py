"""Let finance hold a month (soft close), and let two people reopen the newest closed one.

A held month takes no entries and goes back to open by one person. A closed month opens again only if a reopening that
two people signed stands for that very closing, and no later month is closed.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHECK = "ck_period_periodstate"
STATES_BEFORE = "state IN ('open', 'closed')"
STATES = "state IN ('open', 'soft_closed', 'closed')"
TAKEN = "id = NEW.id OR (month = NEW.month AND state = 'open' AND NEW.state = 'open')"
#: What is refused; both engines say the same.
REFUSALS = {
    "append_only": "the ledger is append-only: post a reversing entry",
    "taken": "the ledger is append-only: this place is taken",
    "closing_before": "a period closes once and is otherwise never changed",
    "born": "a period is born open",
    "closing": "a period is opened, held and closed, and otherwise never changed",
    "repeated": "a period does not close at the moment of a closing that was reopened",
    "reopening": "a closed period opens again by two people, and only the newest one",
    "asked": "a reopening is asked for, of a closing that stands",
    "decided": "a reopening is decided once and is otherwise never changed",
}


def upgrade() -> None:
    """Admit the state, create the table, then close both by their triggers."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    _replace_check(STATES_BEFORE, STATES)
    _create_reopening()
    if is_postgresql:
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    """Take it away again; refused while a month is held or a reopening is kept, which explains a sealed closing."""
    kept = op.get_bind().scalar(
        sa.text(
            "SELECT (SELECT count(*) FROM period_reopening) + (SELECT count(*) FROM period WHERE state = 'soft_closed')"
        )
    )
    if kept:
        raise RuntimeError(f"{kept} held months or reopenings are kept: the older schema has no place for them")
    if op.get_bind().dialect.name == "postgresql":
        _replace_function("period_guard", PG_PERIOD_GUARD_BEFORE)
    else:
        for name in ("guard_update", "guard_repeated", "guard_reopening"):
            op.execute(f"DROP TRIGGER period_{name}")
        _refuse_on_sqlite("period", "guard_update", "UPDATE", SQLITE_PERIOD_CHANGED_BEFORE, "closing_before")
    op.drop_table("period_reopening")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION period_reopening_guard()")
    _replace_check(STATES, STATES_BEFORE)


def _create_reopening() -> None:
    op.create_table(
        "period_reopening",
        sa.Column("id", KEY, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("closed_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("asked_by", KEY, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("mac", sa.Text(), nullable=True),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_period_reopening_two_people")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_period_reopening_has_reason")),
        sa.CheckConstraint("(state = 'open') = (decided_by IS NULL)", name=op.f("ck_period_reopening_decided_by_set")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_period_reopening_decided_at_set")),
        sa.CheckConstraint(
            "(state = 'refused') = (coalesce(refusal, '') <> '')", name=op.f("ck_period_reopening_refusal_has_reason")
        ),
        sa.CheckConstraint("(state = 'confirmed') = (mac IS NOT NULL)", name=op.f("ck_period_reopening_mac_set")),
        sa.CheckConstraint(
            "state IN ('open', 'confirmed', 'refused')", name=op.f("ck_period_reopening_reopeningstate")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_period_reopening"),
        sa.ForeignKeyConstraint(["month"], ["period.month"], name="fk_period_reopening_month"),
    )
    op.create_index(
        "uq_period_reopening_open",
        "period_reopening",
        ["month"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _replace_check(before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE period DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): to build the table anew would drop it,
    # which the entries that refer to it forbid inside a transaction.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'period' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table period does not say: {before}")


# PostgreSQL


def _refuse(refusal: str) -> str:
    return f"RAISE EXCEPTION '{REFUSALS[refusal]}' USING ERRCODE = 'integrity_constraint_violation';"


#: As migration 0002 made it.
PG_PERIOD_GUARD_BEFORE = f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN {_refuse("born")} END IF;
    ELSIF OLD.state <> 'open' OR NEW.state <> 'closed' OR NEW.month <> OLD.month
        OR NEW.opened_at <> OLD.opened_at OR NEW.opened_by IS DISTINCT FROM OLD.opened_by THEN
        {_refuse("closing_before")}
    END IF;
"""
PG_PERIOD_GUARD = f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN {_refuse("born")} END IF;
    ELSIF NEW.state = OLD.state OR (OLD.state = 'closed' AND NEW.state <> 'open') OR NEW.month <> OLD.month
        OR NEW.opened_at <> OLD.opened_at OR NEW.opened_by IS DISTINCT FROM OLD.opened_by THEN
        {_refuse("closing")}
    ELSIF NEW.state = 'closed' AND EXISTS (
        SELECT 1 FROM {{schema}}.period_reopening WHERE month = NEW.month AND closed_at = NEW.closed_at
    ) THEN
        {_refuse("repeated")}
    ELSIF OLD.state = 'closed' AND (
        NOT EXISTS (
            SELECT 1 FROM {{schema}}.period_reopening
            WHERE month = OLD.month AND closed_at = OLD.closed_at AND state = 'confirmed'
        ) OR EXISTS (SELECT 1 FROM {{schema}}.period WHERE month > OLD.month AND state = 'closed')
    ) THEN
        {_refuse("reopening")}
    END IF;
"""
PG_REOPENING_GUARD = f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' OR NOT EXISTS (
            SELECT 1 FROM {{schema}}.period WHERE month = NEW.month AND closed_at = NEW.closed_at
        ) THEN {_refuse("asked")} END IF;
    ELSIF OLD.state <> 'open' OR NEW.state = 'open' OR NEW.id <> OLD.id OR NEW.month <> OLD.month
        OR NEW.closed_at <> OLD.closed_at OR NEW.reason <> OLD.reason
        OR NEW.asked_by <> OLD.asked_by OR NEW.asked_at <> OLD.asked_at THEN
        {_refuse("decided")}
    END IF;
"""


def _guard_on_postgresql() -> None:
    # Tables are named with their schema: a temporary table of the same name would else be read instead.
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    _replace_function("period_guard", PG_PERIOD_GUARD.format(schema=schema))
    _replace_function("period_reopening_guard", PG_REOPENING_GUARD.format(schema=schema))
    _trigger("no_removal", "BEFORE DELETE OR TRUNCATE", "STATEMENT", "ledger_refuse_change")
    _trigger("guard", "BEFORE INSERT OR UPDATE", "ROW", "period_reopening_guard")


def _replace_function(name: str, body: str) -> None:
    op.execute(
        sa.text(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$  "
            f"BEGIN {body} RETURN NEW; END $$".replace(":", r"\:")
        )
    )


def _trigger(name: str, when: str, each: str, function: str) -> None:
    table = "period_reopening"
    op.execute(f"CREATE TRIGGER {table}_{name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
    # Also under session_replication_role = replica, which switches ordinary triggers off.
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}")


# SQLite


#: As migration 0002 made it.
SQLITE_PERIOD_CHANGED_BEFORE = (
    "OLD.state <> 'open' OR NEW.state <> 'closed' OR NEW.month IS NOT OLD.month "
    "OR NEW.opened_at IS NOT OLD.opened_at OR NEW.opened_by IS NOT OLD.opened_by"
)
SQLITE_PERIOD_CHANGED = (
    "NEW.state = OLD.state OR (OLD.state = 'closed' AND NEW.state <> 'open') OR NEW.month IS NOT OLD.month "
    "OR NEW.opened_at IS NOT OLD.opened_at OR NEW.opened_by IS NOT OLD.opened_by"
)
SQLITE_REPEATED = (
    "NEW.state = 'closed' "
    "AND EXISTS (SELECT 1 FROM period_reopening WHERE month = NEW.month AND closed_at = NEW.closed_at)"
)
SQLITE_REOPENED = (
    "OLD.state = 'closed' AND (NOT EXISTS (SELECT 1 FROM period_reopening "
    "WHERE month = OLD.month AND closed_at = OLD.closed_at AND state = 'confirmed') "
    "OR EXISTS (SELECT 1 FROM period WHERE month > OLD.month AND state = 'closed'))"
)
SQLITE_ASKED = (
    "NEW.state <> 'open' OR NOT EXISTS (SELECT 1 FROM period WHERE month = NEW.month AND closed_at = NEW.closed_at)"
)
SQLITE_DECIDED = (
    "OLD.state <> 'open' OR NEW.state = 'open' OR NEW.id IS NOT OLD.id OR NEW.month IS NOT OLD.month "
    "OR NEW.closed_at IS NOT OLD.closed_at OR NEW.reason IS NOT OLD.reason "
    "OR NEW.asked_by IS NOT OLD.asked_by OR NEW.asked_at IS NOT OLD.asked_at"
)


def _guard_on_sqlite() -> None:
    op.execute("DROP TRIGGER period_guard_update")
    _refuse_on_sqlite("period", "guard_update", "UPDATE", SQLITE_PERIOD_CHANGED, "closing")
    _refuse_on_sqlite("period", "guard_repeated", "UPDATE", SQLITE_REPEATED, "repeated")
    _refuse_on_sqlite("period", "guard_reopening", "UPDATE", SQLITE_REOPENED, "reopening")
    _refuse_on_sqlite("period_reopening", "no_delete", "DELETE", "1", "append_only")
    taken = f"EXISTS (SELECT 1 FROM period_reopening WHERE {TAKEN})"
    _refuse_on_sqlite("period_reopening", "no_replace", "INSERT", taken, "taken")
    _refuse_on_sqlite("period_reopening", "guard_insert", "INSERT", SQLITE_ASKED, "asked")
    _refuse_on_sqlite("period_reopening", "guard_update", "UPDATE", SQLITE_DECIDED, "decided")


def _refuse_on_sqlite(table: str, name: str, action: str, when: str, refusal: str) -> None:
    op.execute(
        sa.text(
            f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSALS[refusal]}'); END".replace(":", r"\:")
        )
    )
