"""Create attributions, the verdict in force, proposals and findings; verdicts and findings are never rewritten.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
VERDICTS = "'attributed', 'official_number', 'spoofed', 'private_dispute', 'other_network', 'insufficient'"
TABLES = ("finding", "reattribution_proposal", "incident_verdict", "attribution")
#: What a row says from the first; only its state, and who decided on that, may follow.
FROZEN = {
    "attribution": (
        "incident_id",
        "verdict",
        "method",
        "party_id",
        "unit_id",
        "chain",
        "reasons",
        "suggested_party_id",
        "reason",
        "decided_by",
        "decided_at",
        "supersedes_id",
    ),
    "finding": (
        "incident_id",
        "attribution_id",
        "offence_type_id",
        "offence_code",
        "party_id",
        "evidence_note",
        "found_by",
        "found_at",
    ),
}


def upgrade() -> None:
    """Create the tables, then refuse edits by dialect."""
    _create_attribution()
    _create_incident_verdict()
    _create_reattribution_proposal()
    _create_finding()
    freeze = _freeze_on_postgresql if op.get_bind().dialect.name == "postgresql" else _freeze_on_sqlite
    for table, columns in FROZEN.items():
        freeze(table, columns)


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    # json has no equality; its text does.
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} WHEN {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )


def _create_attribution() -> None:
    op.create_table(
        "attribution",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("verdict", sa.String(40), nullable=False),
        sa.Column("method", sa.String(40), nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("chain", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("suggested_party_id", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("decided_by", KEY, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("confirmed_by", KEY, nullable=True),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("supersedes_id", KEY, nullable=True),
        sa.CheckConstraint(
            "method <> 'override' OR reason IS NOT NULL", name=op.f("ck_attribution_override_has_reason")
        ),
        sa.CheckConstraint(
            "method <> 'override' OR state <> 'in_force' OR confirmed_by IS NOT NULL",
            name=op.f("ck_attribution_override_confirmed"),
        ),
        sa.CheckConstraint(
            "verdict NOT IN ('attributed', 'official_number') OR party_id IS NOT NULL",
            name=op.f("ck_attribution_chargeable_has_party"),
        ),
        sa.CheckConstraint("confirmed_by <> decided_by", name=op.f("ck_attribution_two_people")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_attribution_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_attribution_party_id")),
        sa.ForeignKeyConstraint(["supersedes_id"], ["attribution.id"], name=op.f("fk_attribution_supersedes_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_attribution_unit_id")),
        sa.CheckConstraint(f"verdict IN ({VERDICTS})", name=op.f("ck_attribution_verdict")),
        sa.CheckConstraint(
            "method IN ('number_holder', 'official_rule', 'override', 'person')", name=op.f("ck_attribution_method")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'in_force', 'rejected')", name=op.f("ck_attribution_attributionstate")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribution")),
    )
    op.create_index(op.f("ix_attribution_incident_id_id"), "attribution", ["incident_id", "id"], unique=False)
    op.create_index(op.f("ix_attribution_party_id"), "attribution", ["party_id"], unique=False)
    op.create_index(op.f("ix_attribution_state_id"), "attribution", ["state", "id"], unique=False)
    op.create_index(op.f("ix_attribution_unit_id"), "attribution", ["unit_id"], unique=False)
    op.create_index(
        "uq_attribution_first",
        "attribution",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("supersedes_id IS NULL AND state = 'in_force'"),
        postgresql_where=sa.text("supersedes_id IS NULL AND state = 'in_force'"),
    )
    op.create_index(
        "uq_attribution_supersedes",
        "attribution",
        ["supersedes_id"],
        unique=True,
        sqlite_where=sa.text("state = 'in_force'"),
        postgresql_where=sa.text("state = 'in_force'"),
    )
    op.create_index(
        "uq_attribution_waiting",
        "attribution",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _create_incident_verdict() -> None:
    op.create_table(
        "incident_verdict",
        sa.Column("incident_id", KEY, autoincrement=False, nullable=False),
        sa.Column("attribution_id", KEY, nullable=False),
        sa.Column("verdict", sa.String(40), nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["attribution_id"], ["attribution.id"], name=op.f("fk_incident_verdict_attribution_id")
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_verdict_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_incident_verdict_party_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_incident_verdict_unit_id")),
        sa.CheckConstraint(f"verdict IN ({VERDICTS})", name=op.f("ck_incident_verdict_verdict")),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident_verdict")),
        sa.UniqueConstraint("attribution_id", name=op.f("uq_incident_verdict_attribution_id")),
    )
    op.create_index(
        op.f("ix_incident_verdict_party_id_incident_id"), "incident_verdict", ["party_id", "incident_id"], unique=False
    )
    op.create_index(op.f("ix_incident_verdict_unit_id"), "incident_verdict", ["unit_id"], unique=False)
    op.create_index(
        op.f("ix_incident_verdict_verdict_incident_id"), "incident_verdict", ["verdict", "incident_id"], unique=False
    )


def _create_reattribution_proposal() -> None:
    op.create_table(
        "reattribution_proposal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL)", name=op.f("ck_reattribution_proposal_decided_by_set")
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_reattribution_proposal_incident_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_reattribution_proposal_party_id")),
        sa.CheckConstraint(
            "state IN ('open', 'taken', 'dismissed')", name=op.f("ck_reattribution_proposal_proposalstate")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reattribution_proposal")),
    )
    op.create_index(
        "uq_reattribution_open",
        "reattribution_proposal",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("attribution_id", KEY, nullable=False),
        sa.Column("offence_type_id", KEY, nullable=False),
        sa.Column("offence_code", sa.Text(), nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("evidence_note", sa.Text(), nullable=False),
        sa.Column("found_by", KEY, nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("overturned_by", KEY, nullable=True),
        sa.Column("overturned_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(state = 'overturned') = (overturned_at IS NOT NULL)", name=op.f("ck_finding_overturned_at_set")
        ),
        sa.CheckConstraint("evidence_note <> ''", name=op.f("ck_finding_has_evidence")),
        sa.CheckConstraint("state = 'proven' OR NOT held", name=op.f("ck_finding_held_is_proven")),
        sa.ForeignKeyConstraint(["attribution_id"], ["attribution.id"], name=op.f("fk_finding_attribution_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_finding_incident_id")),
        sa.ForeignKeyConstraint(["offence_type_id"], ["offence_type.id"], name=op.f("fk_finding_offence_type_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_finding_party_id")),
        sa.CheckConstraint("state IN ('proven', 'not_proven', 'overturned')", name=op.f("ck_finding_findingstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    op.create_index(op.f("ix_finding_attribution_id"), "finding", ["attribution_id"], unique=False)
    op.create_index(op.f("ix_finding_party_id_id"), "finding", ["party_id", "id"], unique=False)
    op.create_index(
        "uq_finding_live",
        "finding",
        ["incident_id", "offence_code", "party_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'overturned'"),
        postgresql_where=sa.text("state <> 'overturned'"),
    )
