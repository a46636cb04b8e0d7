"""Mask subscribers' numbers in words that people typed before their columns masked them.

From now on the application masks such words when it writes them. What was typed earlier is masked here: reasons of
deputies and proposals, notes and sources of the registers, signatures of messages, names and filters of saved views. A
view that searched for a full number finds nothing any more and is to be made anew. The audit trail and the ledger are
never changed, nor is what billing answered.
Going down brings no digit back: nobody has kept them.
Written out here: a migration never imports the application, which will have changed.
"""

import re
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = (
    ("deputy", "reason"),
    ("party", "note"),
    ("party_alias", "source"),
    ("phone_number", "note"),
    ("number_holder", "source"),
    ("register_proposal", "reason"),
    ("register_proposal", "decision_note"),
    ("subscriber", "source"),
    ("deadline_rule", "source"),
    ("calendar_day", "note"),
    ("incident", "sms_signature"),
    ("incident", "occurred_text"),
)

_GAP = r"[\s\u200b-\u200d\ufeff\-‐‑–—―－_()（）./·•]"
_NUMBER = re.compile(
    rf"""(?<![0-9])(?:
        (?:(?:\+|00)?86{_GAP}{{0,2}})?
        1[3-9][0-9](?:{_GAP}{{0,2}}[0-9]{{4}}{_GAP}{{0,2}}[0-9]{{4}}
            |{_GAP}{{1,2}}[0-9]{{3}}{_GAP}{{1,2}}(?:[0-9]{{5}}|[0-9]{{3}}{_GAP}{{1,2}}[0-9]{{2}}))
        |1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}
        |(?:0|(?:\+|00)86{_GAP}{{0,2}}0?)[1-9][0-9]{{1,2}}{_GAP}{{0,3}}[0-9]{{3,4}}{_GAP}{{0,2}}[0-9]{{4}}
    )(?![0-9])""",
    re.VERBOSE,
)
_FULL_WIDTH = {ord(wide): str(digit) for digit, wide in enumerate("０１２３４５６７８９")}


def upgrade() -> None:
    """Mask what stands in the typed words."""
    for table, column in COLUMNS:
        _mask_column(table, column)
    _mask_views()


def downgrade() -> None:
    """Leave the masks: the digits are gone."""


def _mask_column(table_name: str, column_name: str) -> None:
    connection = op.get_bind()
    column: sa.ColumnClause[str] = sa.column(column_name, sa.Text())
    table = sa.table(table_name, column)
    change = sa.update(table).where(column == sa.bindparam("before")).values({column_name: sa.bindparam("masked")})
    # Read to the end first: the same table is written to.
    words = connection.scalars(sa.select(column).where(column.is_not(None)).distinct()).all()
    changed = [{"before": text, "masked": masked} for text in words if (masked := _masked(text)) != text]
    if changed:
        connection.execute(change, changed)


def _mask_views() -> None:
    connection = op.get_bind()
    view = sa.table(
        "saved_view",
        sa.column("id", sa.BigInteger()),
        sa.column("name", sa.Text()),
        sa.column("query", sa.Text()),
    )
    for row in connection.execute(sa.select(view)).all():
        # A user's views have different names; two masked ones need not.
        name = row.name if _masked(row.name) == row.name else f"{_masked(row.name)} ({row.id})"
        filters = parse_qsl(row.query, keep_blank_values=True)
        masked = [(key, _masked(value)) for key, value in filters]
        query = row.query if masked == filters else urlencode(masked)
        if (name, query) != (row.name, row.query):
            connection.execute(sa.update(view).where(view.c.id == row.id).values(name=name, query=query))


def _masked(text: str) -> str:
    return _NUMBER.sub(lambda found: _mask(re.sub(r"\D", "", found[0])), text.translate(_FULL_WIDTH))


def _mask(digits: str) -> str:
    if len(digits) < 11:  # noqa: PLR2004 - a mobile number shows three and four digits, a shorter one less
        return f"{digits[:2]}****{digits[-2:]}"
    return f"{digits[:3]}****{digits[-4:]}"
