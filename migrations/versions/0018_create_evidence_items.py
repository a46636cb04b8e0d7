"""Create the checklist of an offence type: what a finding of it must say besides its note, and what findings answered.

Findings that were made before keep none; from now on what was answered is frozen like the rest of a finding.
Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ITEMS = sa.table(
    "evidence_item",
    sa.column("offence_code", sa.Text()),
    sa.column("code", sa.Text()),
    sa.column("kind", sa.String(40)),
    sa.column("name_zh", sa.Text()),
    sa.column("name_en", sa.Text()),
    sa.column("position", KEY),
    sa.column("valid_from", sa.Date()),
)
REWRITTEN = "finding is not rewritten: add a new row"
INCOMPLETE = "a proven finding answers the checklist of its offence type"
UNANSWERED = "NEW.state = 'proven' AND NEW.checklist IS NULL"
#: Whether the offence type has a checklist for calls of that day.
HAS_ITEMS = (
    "EXISTS (SELECT 1 FROM evidence_item i JOIN incident c ON c.id = NEW.incident_id "
    "WHERE i.offence_code = NEW.offence_code AND i.valid_from <= c.occurred_on "
    "AND (i.valid_to IS NULL OR c.occurred_on < i.valid_to))"
)
#: Each since its offence type is one. The four of ``concealment`` are what a seller of a plan must say.
ROWS = (
    ("concealment", "price", "disclosure", "资费标准", "Price", 1, "2025-08-01"),
    ("concealment", "applicable_scene", "disclosure", "适用范围", "Applicable scene", 2, "2025-08-01"),
    ("concealment", "validity", "disclosure", "有效期", "Validity", 3, "2025-08-01"),
    ("concealment", "limits", "disclosure", "限制条件", "Limits and conditions", 4, "2025-08-01"),
    (
        "after_refusal",
        "earlier_refusal",
        "proof",
        "有证据表明用户此前已明确拒绝",
        "There is evidence that the user clearly refused before",
        1,
        "2014-03-15",
    ),
    (
        "without_consent",
        "no_consent_found",
        "proof",
        "已核查，未发现用户同意的记录",
        "Consent was looked for and none is on record",
        1,
        "2014-03-15",
    ),
)


def upgrade() -> None:
    """Create the items with their rows, then the answers of findings and of bulk runs."""
    op.create_table(
        "evidence_item",
        sa.Column("id", KEY, nullable=False),
        sa.Column("offence_code", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("position", KEY, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("kind IN ('proof', 'disclosure')", name=op.f("ck_evidence_item_evidencekind")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_evidence_item_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_item")),
        sa.UniqueConstraint(
            "offence_code", "code", "valid_from", name=op.f("uq_evidence_item_offence_code_code_valid_from")
        ),
    )
    names = [column.name for column in ITEMS.columns]
    rows = [dict(zip(names, (*row[:-1], dt.date.fromisoformat(row[-1])), strict=True)) for row in ROWS]
    op.bulk_insert(ITEMS, rows)
    op.add_column("finding", sa.Column("checklist", sa.JSON(), nullable=True))
    op.add_column("bulk_run", sa.Column("checklists", sa.JSON(), nullable=True))
    guard = _guard_on_postgresql if op.get_bind().dialect.name == "postgresql" else _guard_on_sqlite
    guard()


def downgrade() -> None:
    """Take all of it away; refused while a finding keeps answers, which the older schema has no place for."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM finding WHERE checklist IS NOT NULL"))
    if kept:
        raise RuntimeError(f"{kept} findings answered a checklist: the older schema has no place for the answers")
    on_table = " ON finding" if op.get_bind().dialect.name == "postgresql" else ""
    for trigger in ("finding_no_checklist_edit", "finding_needs_checklist"):
        op.execute(f"DROP TRIGGER {trigger}{on_table}")
    if on_table:
        op.execute("DROP FUNCTION finding_refuse_checklist_edit()")
        op.execute("DROP FUNCTION finding_require_checklist()")
    op.drop_column("bulk_run", "checklists")
    op.drop_column("finding", "checklist")
    op.drop_table("evidence_item")


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION finding_refuse_checklist_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REWRITTEN}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    # json has no equality; its text does.
    op.execute(
        "CREATE TRIGGER finding_no_checklist_edit BEFORE UPDATE ON finding FOR EACH ROW "
        "WHEN (OLD.checklist::text IS DISTINCT FROM NEW.checklist::text) "
        "EXECUTE FUNCTION finding_refuse_checklist_edit()"
    )
    op.execute(
        "CREATE FUNCTION finding_require_checklist() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {HAS_ITEMS} THEN RAISE EXCEPTION '{INCOMPLETE}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER finding_needs_checklist BEFORE INSERT ON finding FOR EACH ROW "
        f"WHEN ({UNANSWERED}) EXECUTE FUNCTION finding_require_checklist()"
    )


def _guard_on_sqlite() -> None:
    op.execute(
        "CREATE TRIGGER finding_no_checklist_edit BEFORE UPDATE ON finding "
        f"WHEN OLD.checklist IS NOT NEW.checklist BEGIN SELECT RAISE(ABORT, '{REWRITTEN}'); END"
    )
    op.execute(
        "CREATE TRIGGER finding_needs_checklist BEFORE INSERT ON finding "
        f"WHEN {UNANSWERED} AND {HAS_ITEMS} BEGIN SELECT RAISE(ABORT, '{INCOMPLETE}'); END"
    )
