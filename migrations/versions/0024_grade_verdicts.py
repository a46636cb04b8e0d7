"""Let a verdict say how sure it is and which records it stands on, and keep what was last suggested for lists.

Verdicts from before keep no grade: nobody weighed records for them.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHECK = "ck_attribution_method"
METHODS_BEFORE = "method IN ('number_holder', 'official_rule', 'override', 'person')"
METHODS = "method IN ('record', 'number_holder', 'official_rule', 'override', 'person')"
GRADES = "grade IN ('A', 'B', 'C')"
REWRITTEN = "attribution is not rewritten: add a new row"


def upgrade() -> None:
    """Add the columns and freeze them like the rest of a verdict, then the suggestions."""
    _replace_check(METHODS_BEFORE, METHODS)
    op.execute(f"ALTER TABLE attribution ADD COLUMN grade VARCHAR(40) CONSTRAINT ck_attribution_grade CHECK ({GRADES})")
    op.add_column("attribution", sa.Column("grounds", sa.JSON(), nullable=True))
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    freeze()
    _create_incident_suggestion()


def downgrade() -> None:
    """Take all of it away; refused while a verdict stands on records, which the older schema has no place for."""
    graded = op.get_bind().scalar(sa.text("SELECT count(*) FROM attribution WHERE grade = 'A' OR method = 'record'"))
    if graded:
        raise RuntimeError(f"{graded} verdicts stand on records: the older schema has no place for them")
    op.drop_table("incident_suggestion")
    on_table = " ON attribution" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"DROP TRIGGER attribution_no_regrading{on_table}")
    if on_table:
        op.execute("DROP FUNCTION attribution_refuse_regrading()")
    op.drop_column("attribution", "grounds")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_column("attribution", "grade")
    else:
        op.execute("ALTER TABLE attribution DROP COLUMN grade")
    _replace_check(METHODS, METHODS_BEFORE)


def _replace_check(before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE attribution DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({after})")
        return
    # As SQLite's manual does where no row changes (lang_altertable, 7): to build the table anew would drop it,
    # which the rows that refer to it forbid inside a transaction.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'attribution' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table attribution does not say: {before}")


def _freeze_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION attribution_refuse_regrading() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REWRITTEN}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    # json has no equality; its text does.
    op.execute(
        "CREATE TRIGGER attribution_no_regrading BEFORE UPDATE ON attribution FOR EACH ROW "
        "WHEN (OLD.grade IS DISTINCT FROM NEW.grade OR OLD.grounds::text IS DISTINCT FROM NEW.grounds::text) "
        "EXECUTE FUNCTION attribution_refuse_regrading()"
    )


def _freeze_on_sqlite() -> None:
    op.execute(
        "CREATE TRIGGER attribution_no_regrading BEFORE UPDATE ON attribution "
        "WHEN OLD.grade IS NOT NEW.grade OR OLD.grounds IS NOT NEW.grounds "
        f"BEGIN SELECT RAISE(ABORT, '{REWRITTEN}'); END"
    )


def _create_incident_suggestion() -> None:
    op.create_table(
        "incident_suggestion",
        sa.Column("incident_id", KEY, autoincrement=False, nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("grade", sa.String(40), nullable=True),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("is_contradicted", sa.Boolean(), nullable=False),
        sa.Column("is_spoofing_suspected", sa.Boolean(), nullable=False),
        sa.Column("weighed_at", MOMENT, nullable=False),
        sa.CheckConstraint("grade IN ('A', 'B', 'C')", name=op.f("ck_incident_suggestion_grade")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_suggestion_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_incident_suggestion_party_id")),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident_suggestion")),
    )
    op.create_index(
        op.f("ix_incident_suggestion_is_automatic_incident_id"),
        "incident_suggestion",
        ["is_automatic", "incident_id"],
        unique=False,
    )
    op.create_index(op.f("ix_incident_suggestion_party_id"), "incident_suggestion", ["party_id"], unique=False)
