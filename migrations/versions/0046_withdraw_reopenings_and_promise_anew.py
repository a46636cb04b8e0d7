"""Let who asked to reopen a month take the request back, and what a mediation agreed be drafted anew.

A mediation names one undertaking; another takes its place only once that one was given up as a draft.

Written out here: a migration never imports the application, which will have changed.
"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


class Check(NamedTuple):
    """A rule of the table, and what it was."""

    name: str
    before: str
    after: str


CHECKS = (
    Check(
        "reopeningstate",
        "state IN ('open', 'confirmed', 'refused')",
        "state IN ('open', 'confirmed', 'refused', 'withdrawn')",
    ),
    Check("two_people", "decided_by <> asked_by", "(state = 'withdrawn') = (decided_by = asked_by)"),
    Check(
        "refusal_has_reason",
        "(state = 'refused') = (coalesce(refusal, '') <> '')",
        "(state IN ('refused', 'withdrawn')) = (coalesce(refusal, '') <> '')",
    ),
)


#: As migration 0042 froze them.
FROZEN = (
    *("id", "ticket_id", "mediator", "case_number", "opened_on", "due_on", "due_provisional"),
    *("recorded_by", "recorded_at"),
)
ONCE = ("ended_on", "outcome", "agreed_fen", "ended_by", "ended_at")
NOT_REWRITTEN = "mediation is not rewritten"


def upgrade() -> None:
    """Admit the state, of the asker alone, and another undertaking after one that was given up."""
    for check in CHECKS:
        _replace_check(f"ck_period_reopening_{check.name}", check.before, check.after)
    _guard_mediation(
        "NEW.undertaking_id IS NULL OR NOT EXISTS (SELECT 1 FROM {schema}undertaking "
        "WHERE id = OLD.undertaking_id AND given_up_at IS NOT NULL)"
    )


def downgrade() -> None:
    """Take it away again; refused while a withdrawn request is kept."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM period_reopening WHERE state = 'withdrawn'"))
    if kept:
        raise RuntimeError(f"{kept} withdrawn requests are kept: the older schema has no place for them")
    for check in reversed(CHECKS):
        _replace_check(f"ck_period_reopening_{check.name}", check.after, check.before)
    _guard_mediation(None)


def _replace_check(name: str, before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE period_reopening DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): built anew, the table would lose its triggers.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'period_reopening' AND instr(sql, ?) > 0",
        (f"{name} CHECK ({before})", f"{name} CHECK ({after})", f"{name} CHECK ({before})"),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table period_reopening does not say: {before}")


def _guard_mediation(stays: str | None) -> None:
    """Guard what a mediation says; its undertaking stays while *stays* holds, always for None."""
    if op.get_bind().dialect.name == "postgresql":
        _guard_mediation_on_postgresql(stays)
    else:
        _guard_mediation_on_sqlite(stays)


def _guard_mediation_on_postgresql(stays: str | None) -> None:
    # The table is named with its schema: a temporary table of the same name would else be read instead.
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    row = ", ".join(f"{{0}}.{column}" for column in FROZEN)
    rewritten = _rewritten("IS DISTINCT FROM", stays and stays.format(schema=f"{schema}."))
    op.execute(
        "CREATE OR REPLACE FUNCTION mediation_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}){rewritten} THEN "
        f"RAISE EXCEPTION '{NOT_REWRITTEN}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )


def _guard_mediation_on_sqlite(stays: str | None) -> None:
    frozen = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in FROZEN)
    rewritten = _rewritten("IS NOT", stays and stays.format(schema=""))
    op.execute("DROP TRIGGER mediation_no_update")
    op.execute(
        f"CREATE TRIGGER mediation_no_update BEFORE UPDATE ON mediation WHEN {frozen}{rewritten} "
        f"BEGIN SELECT RAISE(ABORT, '{NOT_REWRITTEN}'); END"
    )


def _rewritten(differs: str, stays: str | None) -> str:
    rules = [
        f"OLD.{column} IS NOT NULL AND OLD.{column} {differs} NEW.{column}" for column in (*ONCE, "undertaking_id")
    ]
    if stays is not None:
        rules[-1] += f" AND ({stays})"
    return "".join(f" OR ({rule})" for rule in rules)
