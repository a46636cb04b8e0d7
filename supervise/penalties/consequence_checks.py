"""What points and frozen cards must agree on with what they were made from; read only, as ``checks``."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.score_models import PointsEntry, PointsReason, Scorecard, ScoreScheme
from supervise.penalties.scorecards import scheme_from
from supervise.penalties.scoring import Criterion, Figure, score_of

_LIFTED = (PenaltyState.REVERSED, PenaltyState.VOIDED)


def points_against_penalties(session: Session) -> Sequence[int]:
    """Return entries that do not say what the penalty's rule takes, or give back what was not lifted or not taken."""
    taken = aliased(PointsEntry)
    query = (
        select(PointsEntry, Penalty.state, Penalty.explanation["points"], taken.points)
        .join(Penalty, Penalty.id == PointsEntry.penalty_id)
        .outerjoin(taken, (taken.penalty_id == PointsEntry.penalty_id) & (taken.reason == PointsReason.TAKEN))
        .order_by(PointsEntry.id)
    )
    wrong = []
    for entry, state, points, taken_points in session.execute(query):
        if entry.reason is PointsReason.TAKEN:
            holds = points is not None and entry.points == points["each"] and state in {PenaltyState.FINAL, *_LIFTED}
        else:
            holds = taken_points is not None and entry.points == -taken_points and state in _LIFTED
        if not holds:
            wrong.append(entry.id)
    return wrong


def scores_against_figures(session: Session) -> Sequence[int]:
    """Return frozen cards whose score or standing is not what their figures and their scheme come to."""
    schemes = {row.id: scheme_from(row) for row in session.scalars(select(ScoreScheme))}
    query = select(Scorecard.id, Scorecard.figures, Scorecard.score, Scorecard.standing, Scorecard.scheme_id)
    wrong = []
    for card_id, figures, score, standing, scheme_id in session.execute(query.order_by(Scorecard.id)):
        scheme = schemes[scheme_id]
        counted = {criterion: Figure(*figures[criterion.value]) for criterion in Criterion}
        if (score, standing) != (expected := score_of(counted, scheme), scheme.standing(expected)):
            wrong.append(card_id)
    return wrong
