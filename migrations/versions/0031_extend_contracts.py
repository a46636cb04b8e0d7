"""Let a contract say its deposit, order of settlement, clauses and amendments, and a party have a compliance file.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
