"""Loading rows that a decision is about to change, and taking turns where a check spans many rows."""

from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from supervise.errors import ConflictError
from supervise.parties.models import NumberHolder, OrgUnit, Party, PhoneNumber, RegisterProposal, StaffNumber
from supervise.parties.refusals import NoSuchRowError

#: First half of the advisory lock's key on PostgreSQL; the second says which register.
_REGISTERS = 4_000_004
#: A cycle is no fact of one row: whoever adds to these trees waits for the one before.
TREE_OF_UNITS = 1
TREE_OF_PARTIES = 2


Row = TypeVar("Row")
VersionedRow = TypeVar("VersionedRow", OrgUnit, Party, PhoneNumber, NumberHolder, StaffNumber, RegisterProposal)


def load(session: Session, model: type[Row], row_id: int) -> Row:
    """Return the row, locked until the decision ends.

    Raises:
        NoSuchRowError: if there is none.
    """
    session.flush()  # populate_existing would forget what this decision has changed already
    row = session.get(model, row_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchRowError
    return row


def load_version(session: Session, model: type[VersionedRow], row_id: int, version: int) -> VersionedRow:
    """Return the row, locked, as the user saw it; its version counts one up.

    Raises:
        NoSuchRowError: if there is none.
        ConflictError: if somebody changed it since.
    """
    row = load(session, model, row_id)
    if row.version != version:
        raise ConflictError
    row.version += 1
    return row


def take_turn(session: Session, tree: int) -> None:
    """Let nobody else add to *tree* until this transaction ends; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:register, :tree)"), {"register": _REGISTERS, "tree": tree})
