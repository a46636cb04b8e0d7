"""Issue notices, and let objections be late, answered and accompanied by files.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
