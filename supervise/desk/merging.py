"""Recognising two calls as one, with what hangs on either: answers that now stand beside each other are compared."""

from sqlalchemy.orm import Session

from supervise.attribution.conflicts import look_for_conflicts
from supervise.complaints import link


def merge_calls(session: Session, merged_id: int, into_id: int, *, reason: str, actor_id: int) -> None:
    """Make two incidents of one call one, as ``link.merge_incidents`` does, with the same refusals.

    What was asked, attached and verified of the merged one stays where it was entered, and is shown at the other; what
    parties answered about it counts there.
    """
    link.merge_incidents(session, merged_id, into_id, reason=reason, actor_id=actor_id)
    look_for_conflicts(session, [merged_id], actor_id=actor_id)
