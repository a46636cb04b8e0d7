"""Writing the newest seal outside the database, after a decision that sealed was committed."""

from supervise import db
from supervise.ledger.seal import newest_anchor
from supervise.sealing import append_anchor
from supervise.views.background import surroundings


def anchor_newest_seal() -> None:
    """Append the newest seal to the anchor file, unless it stands there."""
    with db.reading() as session:
        anchor = newest_anchor(session)
    if anchor is not None:
        append_anchor(surroundings().anchor_file, anchor)
