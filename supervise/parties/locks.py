"""Loading rows that a decision is about to change."""

from typing import TypeVar

from sqlalchemy.orm import Session

from supervise.errors import ConflictError
from supervise.parties.models import (
    NumberHolder,
    OfficialNumber,
    OrgUnit,
    Party,
    PartyCapability,
    PartyRelation,
    PhoneNumber,
    RegisterProposal,
    SalesChannel,
    StaffNumber,
)
from supervise.parties.refusals import NoSuchRowError

#: A cycle is no fact of one row: whoever adds to these trees waits for the one before (``db.take_turn``).
TREE_OF_UNITS = "parties.tree_of_units"
TREE_OF_PARTIES = "parties.tree_of_parties"


Row = TypeVar("Row")
VersionedRow = TypeVar(
    "VersionedRow",
    OrgUnit,
    Party,
    PartyRelation,
    PhoneNumber,
    NumberHolder,
    OfficialNumber,
    StaffNumber,
    RegisterProposal,
    PartyCapability,
    SalesChannel,
)


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
