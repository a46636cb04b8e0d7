"""Hold subscribers' objections and regulators' mediation.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Not filled yet."""


def downgrade() -> None:
    """Not filled yet."""
