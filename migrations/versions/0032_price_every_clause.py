"""Keep the monthly figures that clauses count by, and what joint debtors and recoveries need.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
