"""Trace spoofed calls back from operator to operator, and let bulk runs decide on incidents.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
