"""Keep in columns why a proposed penalty deserves a second look, so that the approver's page need not read JSON.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

DIFFERS = "OLD.tier_step {differs} NEW.tier_step OR OLD.is_joint {differs} NEW.is_joint"
REFUSAL = "the step and the mode of a penalty are not rewritten: add a new row"
#: How many steps of the rule's tiers the offence has reached, and whether its share is joint, as explained.
FILL = {
    "sqlite": """
        UPDATE penalty SET
            is_joint = coalesce(json_extract(explanation, '$.share.mode') = 'joint', 0),
            tier_step = (
                SELECT count(*) FROM rule_version, json_each(rule_version.parameters, '$.tiers.steps') AS step
                WHERE rule_version.id = penalty.rule_version_id
                AND json_extract(step.value, '$.from_count') <= json_extract(penalty.explanation, '$.tier.nth')
            )
        WHERE json_extract(explanation, '$.tier.nth') IS NOT NULL
        OR json_extract(explanation, '$.share.mode') = 'joint'""",
    "postgresql": """
        UPDATE penalty SET
            is_joint = coalesce(explanation #>> '{share,mode}' = 'joint', false),
            tier_step = (
                SELECT count(*) FROM rule_version, json_array_elements(rule_version.parameters #> '{tiers,steps}') step
                WHERE rule_version.id = penalty.rule_version_id
                AND (step ->> 'from_count')::bigint <= (penalty.explanation #>> '{tier,nth}')::bigint
            )
        WHERE explanation #>> '{tier,nth}' IS NOT NULL OR explanation #>> '{share,mode}' = 'joint'""",
}


def upgrade() -> None:
    """Add both columns, fill them from the explanations, then freeze them."""
    op.add_column("penalty", sa.Column("tier_step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("penalty", sa.Column("is_joint", sa.Boolean(), nullable=False, server_default=sa.false()))
    dialect = op.get_bind().dialect.name
    op.execute(FILL[dialect])
    if dialect == "postgresql":
        _freeze_on_postgresql()
    else:
        op.execute(
            f"CREATE TRIGGER penalty_no_look_edit BEFORE UPDATE ON penalty WHEN {DIFFERS.format(differs='IS NOT')} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def downgrade() -> None:
    """Let the explanations say it alone again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER penalty_looks_frozen ON penalty")
        op.execute("DROP FUNCTION penalty_refuse_look_edit()")
    else:
        op.execute("DROP TRIGGER penalty_no_look_edit")
    op.execute("ALTER TABLE penalty DROP COLUMN is_joint")
    op.execute("ALTER TABLE penalty DROP COLUMN tier_step")


def _freeze_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION penalty_refuse_look_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER penalty_looks_frozen BEFORE UPDATE ON penalty FOR EACH ROW "
        f"WHEN ({DIFFERS.format(differs='IS DISTINCT FROM')}) EXECUTE FUNCTION penalty_refuse_look_edit()"
    )
