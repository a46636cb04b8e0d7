"""Create deposits, commissions, settlement runs and write-offs.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
