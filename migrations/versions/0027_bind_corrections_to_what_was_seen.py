"""Let a correction replace days without its refused rows only as whoever looked at them says; let old bytes return.

A correction replaces, so its very bytes may be right again after another one proved wrong: once only is for deliveries.
Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TAKEN_OVER = "state = 'committed' AND rows_total > 0"


def upgrade() -> None:
    """Add the column, then leave corrections out of the index."""
    op.add_column("record_import", sa.Column("refused_accepted", KEY, nullable=False, server_default="0"))
    _replace_index(f"{TAKEN_OVER} AND NOT corrects")


def downgrade() -> None:
    """Take both away again; refused while the same bytes were taken over twice, which the older index forbids."""
    twice = op.get_bind().scalar(
        sa.text(f"SELECT kind FROM record_import WHERE {TAKEN_OVER} GROUP BY kind, sha256 HAVING count(*) > 1 LIMIT 1")
    )
    if twice:
        raise RuntimeError(f"a file of {twice} was taken over again as a correction: the older schema forbids that")
    _replace_index(TAKEN_OVER)
    op.drop_column("record_import", "refused_accepted")


def _replace_index(where: str) -> None:
    op.drop_index("uq_record_import_same_file", "record_import")
    op.create_index(
        "uq_record_import_same_file",
        "record_import",
        ["kind", "sha256"],
        unique=True,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
