"""Let a proven offence be spared an amount, and a notice on paper be listed once its party can sign in.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
REASONS = ("no_term", "charged_elsewhere", "first_offence", "put_right", "our_share", "other")
#: What a row says from the first.
SAID = ("finding_id", "because", "reason", "spared_by", "spared_at")
#: What is added once, when it is brought back.
ADDED = ("brought_back_by", "brought_back_at", "bring_back_note")
#: What is added once, when a second person agrees.
AGREED = ("agreed_by", "agreed_at")
MESSAGE = "spared_finding is not rewritten: bring it back, then spare it anew"


#: What is added to a notice once, when it is listed in the application after all.
LISTED = ("listed_on", "listed_deemed_on", "listed_by")
LISTED_ONCE = "a notice is listed once, and before it is delivered"


def upgrade() -> None:
    """Create the table and the columns, then refuse edits by dialect."""
    _create_spared_finding()
    _list_notices()


def downgrade() -> None:
    """Drop both; refused once a notice was listed, which the older schema has no place for."""
    count = op.get_bind().exec_driver_sql("SELECT count(*) FROM notice WHERE listed_on IS NOT NULL").scalar_one()
    if count:
        raise RuntimeError(f"{count} notices were listed later: the older schema has no place for that")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER notice_listed_once ON notice")
        op.execute("DROP FUNCTION notice_refuse_listing()")
    else:
        op.execute("DROP TRIGGER notice_listed_once")
    for column in reversed(LISTED):
        op.execute(f"ALTER TABLE notice DROP COLUMN {column}")
    op.drop_table("spared_finding")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION spared_finding_refuse_edit()")


def _create_spared_finding() -> None:
    op.create_table(
        "spared_finding",
        sa.Column("id", KEY, nullable=False),
        sa.Column("finding_id", KEY, nullable=False),
        sa.Column(
            "because",
            sa.Enum(*REASONS, name="sparereason", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("spared_by", KEY, nullable=False),
        sa.Column("spared_at", MOMENT, nullable=False),
        sa.Column("agreed_by", KEY, nullable=True),
        sa.Column("agreed_at", MOMENT, nullable=True),
        sa.Column("brought_back_by", KEY, nullable=True),
        sa.Column("brought_back_at", MOMENT, nullable=True),
        sa.Column("bring_back_note", sa.Text(), nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_spared_finding_has_reason")),
        sa.CheckConstraint("(agreed_by IS NULL) = (agreed_at IS NULL)", name=op.f("ck_spared_finding_agreed_at_set")),
        sa.CheckConstraint("agreed_by <> spared_by", name=op.f("ck_spared_finding_two_people")),
        sa.CheckConstraint(
            "(brought_back_by IS NULL) = (brought_back_at IS NULL)", name=op.f("ck_spared_finding_brought_back_at_set")
        ),
        sa.CheckConstraint(
            "(brought_back_by IS NULL) = (bring_back_note IS NULL)", name=op.f("ck_spared_finding_says_why_back")
        ),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_spared_finding_finding_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spared_finding")),
    )
    op.create_index(
        "uq_spared_finding_live",
        "spared_finding",
        ["finding_id"],
        unique=True,
        sqlite_where=sa.text("brought_back_at IS NULL"),
        postgresql_where=sa.text("brought_back_at IS NULL"),
    )
    op.create_index(op.f("ix_spared_finding_finding_id"), "spared_finding", ["finding_id"])
    if op.get_bind().dialect.name == "postgresql":
        _freeze_on_postgresql()
    else:
        _freeze_on_sqlite()


def _list_notices() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.execute(
        "ALTER TABLE notice ADD COLUMN listed_on DATE "
        "CONSTRAINT ck_notice_listed_after_paper CHECK (listed_on IS NULL OR by_post)"
    )
    op.execute(
        "ALTER TABLE notice ADD COLUMN listed_deemed_on DATE "
        "CONSTRAINT ck_notice_listed_deemed_on_set CHECK ((listed_on IS NULL) = (listed_deemed_on IS NULL))"
    )
    op.execute(
        f"ALTER TABLE notice ADD COLUMN listed_by {'BIGINT' if is_postgresql else 'INTEGER'} "
        "CONSTRAINT ck_notice_listed_by_set CHECK ((listed_on IS NULL) = (listed_by IS NULL))"
    )
    distinct = "IS DISTINCT FROM" if is_postgresql else "IS NOT"
    differs = " OR ".join(f"OLD.{column} {distinct} NEW.{column}" for column in LISTED)
    late = f"({differs}) AND (OLD.listed_on IS NOT NULL OR OLD.delivery IS NOT NULL)"
    if is_postgresql:
        op.execute(
            "CREATE FUNCTION notice_refuse_listing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION '{LISTED_ONCE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER notice_listed_once BEFORE UPDATE ON notice "
            f"FOR EACH ROW WHEN ({late}) EXECUTE FUNCTION notice_refuse_listing()"
        )
    else:
        op.execute(
            f"CREATE TRIGGER notice_listed_once BEFORE UPDATE ON notice WHEN {late} "
            f"BEGIN SELECT RAISE(ABORT, '{LISTED_ONCE}'); END"
        )


def _freeze_on_postgresql() -> None:
    said, added, agreed = (", ".join(f"{{0}}.{column}" for column in columns) for columns in (SAID, ADDED, AGREED))
    op.execute(
        "CREATE FUNCTION spared_finding_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({said.format('OLD')}) IS DISTINCT FROM ROW({said.format('NEW')}) "
        f"OR (OLD.brought_back_at IS NOT NULL "
        f"AND ROW({added.format('OLD')}) IS DISTINCT FROM ROW({added.format('NEW')})) "
        f"OR ((OLD.agreed_at IS NOT NULL OR OLD.brought_back_at IS NOT NULL) "
        f"AND ROW({agreed.format('OLD')}) IS DISTINCT FROM ROW({agreed.format('NEW')})) THEN "
        f"RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER spared_finding_frozen BEFORE UPDATE OR DELETE ON spared_finding "
        "FOR EACH ROW EXECUTE FUNCTION spared_finding_refuse_edit()"
    )


def _freeze_on_sqlite() -> None:
    said, added, agreed = (
        " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns) for columns in (SAID, ADDED, AGREED)
    )
    differs = (
        f"({said}) OR (OLD.brought_back_at IS NOT NULL AND ({added})) "
        f"OR ((OLD.agreed_at IS NOT NULL OR OLD.brought_back_at IS NOT NULL) AND ({agreed}))"
    )
    for name, when in (
        ("no_edit", f"UPDATE ON spared_finding WHEN {differs}"),
        ("no_delete", "DELETE ON spared_finding"),
    ):
        op.execute(f"CREATE TRIGGER spared_finding_{name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END")
