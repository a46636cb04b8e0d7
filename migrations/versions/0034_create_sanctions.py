"""Create points, scorecards' weights and the sanction ladder.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
