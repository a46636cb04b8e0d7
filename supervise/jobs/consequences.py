"""What follows from penalties beyond the money, day by day: points, proposals of the ladder, frozen scorecards."""

import datetime as dt

from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.jobs.surroundings import Surroundings
from supervise.penalties.ladder import propose_for_late_top_up, propose_sanctions
from supervise.penalties.points import enter_points
from supervise.penalties.scorecards import freeze_due
from supervise.settlement.top_ups import late_top_ups


def draw_consequences(_surroundings: Surroundings) -> None:
    """Enter the points of final penalties, propose what the ladder says, freeze the cards of a month that is over."""
    today = clock.today()
    while db.decide(enter_points):
        pass
    db.decide(propose_sanctions, today)
    db.decide(_propose_for_top_ups, today)
    db.decide(freeze_due, today)


def _propose_for_top_ups(session: Session, on: dt.date) -> None:
    propose_for_late_top_up(session, late_top_ups(session, on), on)
