"""Let PostgreSQL compare frozen rows column by column before it calls a function, and keep room for their next version.

Each approval and each yuan collected updates a penalty, each approval holds a finding. To turn two dozen columns of the
old and the new row into text and compare both cost a quarter of such an update, the entries in every index for a
version that found no room on its page another quarter. What is frozen, and how it is refused, stays.

Written out here: a migration never imports the application, which will have changed.
"""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

#: As migrations 0008 and 0009 froze them.
FROZEN = {
    "finding": (
        *("incident_id", "attribution_id", "offence_type_id", "offence_code", "party_id", "evidence_note"),
        *("found_by", "found_at"),
    ),
    "penalty": (
        *("reference", "finding_id", "incident_id", "offence_code", "family", "party_id", "unit_id", "contract_id"),
        *("rule_version_id", "gross_fen", "capped_fen", "amount_fen", "loss_basis_fen", "nature", "direction"),
        *("tax_label", "gl_account_code", "cost_centre", "explanation", "content_sha256", "occurred_on", "period"),
        *("maker_id", "proposed_at"),
    ),
}
#: json has no equality; its text does.
JSON = frozenset({"explanation"})
#: Percent of a page that new rows fill; the rest is for their next versions.
FILLED = {"penalty": 70, "settlement_line": 80}


def upgrade() -> None:
    """Ask which columns differ in the triggers' conditions; SQLite's always did."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in FROZEN.items():
        op.execute(f"DROP TRIGGER {table}_frozen ON {table}")
        _create_function(table, "")
        differs = " OR ".join(f"{_of('OLD', column)} IS DISTINCT FROM {_of('NEW', column)}" for column in columns)
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({differs}) EXECUTE FUNCTION {table}_refuse_edit()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
        )
    for table, percent in FILLED.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def downgrade() -> None:
    """Compare in the functions again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in FILLED:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
    for table, columns in FROZEN.items():
        for trigger in ("frozen", "kept"):
            op.execute(f"DROP TRIGGER {table}_{trigger} ON {table}")
        row = ", ".join(f"{{0}}.{column}::text" for column in columns)
        differs = f"ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')})"
        _create_function(table, f"IF TG_OP = 'UPDATE' AND NOT ({differs}) THEN RETURN NEW; END IF; ")
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
        )


def _of(version: str, column: str) -> str:
    return f"{version}.{column}::text" if column in JSON else f"{version}.{column}"


def _create_function(table: str, unless: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{unless}RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
