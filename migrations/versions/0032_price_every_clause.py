"""Keep the monthly figures that clauses read, and what parties give back of the credits that their calls cost.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: What a recovery says from the first; its state, and who approved or voided it, follow.
RECOVERY_FROZEN = (
    "reference",
    "credit_id",
    "incident_id",
    "finding_id",
    "party_id",
    "unit_id",
    "contract_id",
    "rule_version_id",
    "base",
    "paid_fen",
    "recovery_bp",
    "amount_fen",
    "content_sha256",
    "occurred_on",
    "period",
    "maker_id",
    "proposed_at",
)
FIGURE_MESSAGE = "a recorded figure is never changed: record a correction"
RECOVERY_MESSAGE = "a recovery is not rewritten: void it and propose again"
TOO_MUCH = "more would be recovered than the rule takes of what was paid"
#: Live recoveries of a credit with the new one, against the part of it that the rule takes.
EXCEEDS = (
    "NEW.amount_fen + (SELECT coalesce(sum(amount_fen), 0) FROM recovery "
    "WHERE credit_id = NEW.credit_id AND state <> 'voided') > NEW.paid_fen * NEW.recovery_bp / 10000"
)


def upgrade() -> None:
    """Create both tables, then refuse edits and excess by dialect."""
    _create_figure()
    _create_recovery()
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not."""
    op.drop_table("recovery")
    op.drop_table("party_month_figure")
    if op.get_bind().dialect.name == "postgresql":
        for function in ("party_month_figure_refuse_edit", "recovery_refuse_edit", "recovery_refuse_excess"):
            op.execute(f"DROP FUNCTION {function}()")


def _guard_on_postgresql() -> None:
    old = ", ".join(f"OLD.{column}" for column in RECOVERY_FROZEN)
    new = ", ".join(f"NEW.{column}" for column in RECOVERY_FROZEN)
    violation = "USING ERRCODE = 'integrity_constraint_violation'"
    op.execute(
        "CREATE FUNCTION party_month_figure_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{FIGURE_MESSAGE}' {violation}; END $$"
    )
    op.execute(
        "CREATE FUNCTION recovery_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR OLD.state = 'voided' OR ROW({old}) IS DISTINCT FROM ROW({new}) THEN "
        f"RAISE EXCEPTION '{RECOVERY_MESSAGE}' {violation}; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE FUNCTION recovery_refuse_excess() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {EXCEEDS} THEN RAISE EXCEPTION '{TOO_MUCH}' {violation}; END IF; RETURN NEW; END $$"
    )
    for table, function, when in (
        ("party_month_figure", "party_month_figure_refuse_edit", "UPDATE OR DELETE"),
        ("recovery", "recovery_refuse_edit", "UPDATE OR DELETE"),
        ("recovery", "recovery_refuse_excess", "INSERT"),
    ):
        op.execute(f"CREATE TRIGGER {function} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()")


def _guard_on_sqlite() -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in RECOVERY_FROZEN)
    for name, when, message in (
        ("party_month_figure_no_edit", "UPDATE ON party_month_figure", FIGURE_MESSAGE),
        ("party_month_figure_no_delete", "DELETE ON party_month_figure", FIGURE_MESSAGE),
        ("recovery_no_edit", f"UPDATE ON recovery WHEN OLD.state = 'voided' OR {differs}", RECOVERY_MESSAGE),
        ("recovery_no_delete", "DELETE ON recovery", RECOVERY_MESSAGE),
        ("recovery_no_excess", f"INSERT ON recovery WHEN {EXCEEDS}", TOO_MUCH),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _create_figure() -> None:
    op.create_table(
        "party_month_figure",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=True),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("amount", KEY, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("supersedes_id", KEY, nullable=True),
        sa.Column("recorded_by", KEY, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind = 'commission' OR amount >= 0", name=op.f("ck_party_month_figure_count_not_negative")),
        sa.CheckConstraint(
            "(kind = 'commission') = (contract_id IS NOT NULL)",
            name=op.f("ck_party_month_figure_commission_has_contract"),
        ),
        sa.CheckConstraint("source <> ''", name=op.f("ck_party_month_figure_has_source")),
        sa.CheckConstraint("length(month) = 7", name=op.f("ck_party_month_figure_month_is_whole")),
        sa.CheckConstraint(
            "kind IN ('commission', 'orders', 'answered_calls')", name=op.f("ck_party_month_figure_figurekind")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_month_figure_party_id")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_party_month_figure_contract_id")),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["party_month_figure.id"], name=op.f("fk_party_month_figure_supersedes_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_month_figure")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_party_month_figure_supersedes_id")),
    )
    op.create_index(op.f("ix_party_month_figure_party_id_month"), "party_month_figure", ["party_id", "month"])
    for name, columns, which in (
        ("commission", ["contract_id", "month"], "kind = 'commission'"),
        ("count", ["party_id", "month", "kind"], "kind <> 'commission'"),
    ):
        first = sa.text(f"supersedes_id IS NULL AND {which}")
        op.create_index(
            f"uq_party_month_figure_{name}",
            "party_month_figure",
            columns,
            unique=True,
            sqlite_where=first,
            postgresql_where=first,
        )


def _create_recovery() -> None:
    op.create_table(
        "recovery",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("credit_id", KEY, nullable=False),
        sa.Column("incident_id", KEY, nullable=False),
        sa.Column("finding_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("rule_version_id", KEY, nullable=False),
        sa.Column("base", sa.String(40), nullable=False),
        sa.Column("paid_fen", KEY, nullable=False),
        sa.Column("recovery_bp", KEY, nullable=False),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.Column("explanation", sa.JSON(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("maker_id", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approver_id", KEY, nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("voided_by", KEY, nullable=True),
        sa.Column("voided_at", MOMENT, nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        *_recovery_checks(),
        sa.ForeignKeyConstraint(["credit_id"], ["credit.id"], name=op.f("fk_recovery_credit_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_recovery_incident_id")),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_recovery_finding_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_recovery_party_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_recovery_unit_id")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_recovery_contract_id")),
        sa.ForeignKeyConstraint(["rule_version_id"], ["rule_version.id"], name=op.f("fk_recovery_rule_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
        sa.UniqueConstraint("reference", name=op.f("uq_recovery_reference")),
    )
    for columns in (["incident_id"], ["finding_id"], ["rule_version_id"], ["state", "id"], ["party_id", "state", "id"]):
        op.create_index(op.f(f"ix_recovery_{'_'.join(columns)}"), "recovery", columns)
    live = sa.text("state <> 'voided'")
    op.create_index(
        "uq_recovery_live",
        "recovery",
        ["credit_id", "party_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _recovery_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_recovery_{name}"))
        for name, rule in (
            ("amount_positive", "amount_fen > 0"),
            ("percentage", "recovery_bp BETWEEN 1 AND 10000"),
            ("within_paid", "amount_fen <= paid_fen * recovery_bp / 10000"),
            ("two_people", "approver_id <> maker_id"),
            ("approval_complete", "(approver_id IS NULL) = (approved_at IS NULL)"),
            ("approved_by_set", "state <> 'approved' OR approver_id IS NOT NULL"),
            ("void_has_reason", "(state = 'voided') = (void_reason IS NOT NULL)"),
            ("recoverybase", "base IN ('call_proven', 'finding')"),
            ("recoverystate", "state IN ('proposed', 'approved', 'voided')"),
        )
    ]
