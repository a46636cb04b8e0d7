"""Let a penalty say how much of it was collected and written off; never more than objections and reversals left.

Written out here: a migration never imports the application, which will have changed.
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

COLUMNS = ("settled_fen", "written_off_fen")
WITHIN = "lifted_fen + settled_fen + written_off_fen <= amount_fen"


def upgrade() -> None:
    """Add both columns; the rule over all of them comes with the last: SQLite takes none by itself."""
    for column in COLUMNS:
        last = f" CONSTRAINT ck_penalty_collected_within_amount CHECK ({WITHIN})" if column == COLUMNS[-1] else ""
        op.execute(
            f"ALTER TABLE penalty ADD COLUMN {column} {_key()} DEFAULT '0' NOT NULL "
            f"CONSTRAINT ck_penalty_{column.removesuffix('_fen')}_not_negative CHECK ({column} >= 0){last}"
        )


def downgrade() -> None:
    """Drop both; refused once something was collected, which the older schema has no place for."""
    collected = op.get_bind().exec_driver_sql(
        "SELECT count(*) FROM penalty WHERE settled_fen > 0 OR written_off_fen > 0"
    )
    if count := collected.scalar_one():
        raise RuntimeError(f"{count} penalties were collected or written off: the older schema has no place for that")
    for column in reversed(COLUMNS):
        op.execute(f"ALTER TABLE penalty DROP COLUMN {column}")


def _key() -> str:
    return "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
