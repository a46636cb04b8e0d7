"""Record regulators' fines with their respondents and recourse, objections of subscribers, and mediation.

Written out here: a migration never imports the application, which will have changed.
"""

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
