"""Record regulator fines.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""


def downgrade() -> None:
    """Change nothing back."""
