"""What the page of a party says of its points and sanctions."""

from typing import NamedTuple

from flask import url_for
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.identity import current_user
from supervise.access.roles import Permission
from supervise.parties.sanctions import SanctionLine, sanctions_of_party
from supervise.penalties.points import PointsLine, entries_of_party, points_left, start_on
from supervise.penalties.sanction_queries import SanctionStage, stage_of
from supervise.penalties.sanction_words import because
from supervise.views.sanctions.forms import sees_proposals


class Consequences(NamedTuple):
    """Points and sanctions of a party, as the reader may see them."""

    #: With where it stands, on what it stands, and its page; None: not the reader's to open.
    sanctions: list[tuple[SanctionLine, SanctionStage, str, str | None]]
    #: Those in force today.
    in_force: list[SanctionLine]
    #: How many are left of how many; None: no points are kept.
    points: tuple[int, int] | None
    entries: list[PointsLine]
    #: Where the entries' penalties can be opened.
    opens_penalties: bool
    opens_card: bool
    propose_url: str | None


def consequences_of(session: Session, party_id: int, code: str) -> Consequences:
    """Return the points and sanctions of a party whose page the user may see."""
    me, today = current_user(), clock.today()
    lines = sanctions_of_party(session, party_id, decided_only=not sees_proposals())
    opens = me.can(Permission.READ_SANCTIONS)
    start = start_on(session, today)
    return Consequences(
        [
            (
                line,
                stage_of(line, today),
                because(line),
                url_for("sanctions.detail", sanction_id=line.row.id) if opens else None,
            )
            for line in lines
        ],
        [line for line in lines if line.is_in_force(today)],
        (points_left(session, [party_id], today)[party_id], start.points) if start is not None else None,
        list(entries_of_party(session, party_id)),
        me.can(Permission.READ_PENALTIES),
        me.can(Permission.READ_SCORECARDS),
        url_for("sanctions.new", party=code) if me.can(Permission.PROPOSE_SANCTIONS) else None,
    )
