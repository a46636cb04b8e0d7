"""Find what was recognised as an incident: its answers, log and evidence are shown there.

Chains of merges are shortened, as every merge does from now on: each merged incident names the one that lives.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INDEX = "ix_incident_merged_into_id"


def upgrade() -> None:
    """Shorten the chains, then add the index."""
    connection = op.get_bind()
    step = sa.text(
        "UPDATE incident SET merged_into_id ="
        " (SELECT further.merged_into_id FROM incident further WHERE further.id = incident.merged_into_id)"
        " WHERE merged_into_id IN (SELECT id FROM incident WHERE merged_into_id IS NOT NULL)"
    )
    while connection.execute(step).rowcount:
        pass
    op.create_index(INDEX, "incident", ["merged_into_id"])


def downgrade() -> None:
    """Drop the index; the chains stay short, which says the same."""
    op.drop_index(INDEX, "incident")
