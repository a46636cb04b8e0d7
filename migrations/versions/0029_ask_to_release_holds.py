"""Let whoever placed a legal hold ask another person to release it, so that it is found with all that waits.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TABLE = "legal_hold"
CHECK = "ck_legal_hold_release_asked_with_reason"


def upgrade() -> None:
    """Add when and why, both or neither; the CHECK comes with its column, so that SQLite keeps the table's triggers."""
    op.add_column(TABLE, sa.Column("release_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        f"ALTER TABLE {TABLE} ADD COLUMN release_asked_reason TEXT "
        f"CONSTRAINT {CHECK} CHECK ((release_asked_at IS NULL) = (release_asked_reason IS NULL))"
    )


def downgrade() -> None:
    """Drop both; who asked stays in the audit trail."""
    op.drop_column(TABLE, "release_asked_reason")
    op.drop_column(TABLE, "release_asked_at")
