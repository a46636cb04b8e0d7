"""What the rows of penalties must agree on with each other, with findings and with the ledger; read only.

Each check returns the ids of the rows that do not hold, in order: none, unless something was damaged. The database
refuses most of it row by row; what spans several rows or tables is computed again here.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import unexplained_dimensions
from supervise.penalties.models import (
    LIVE_PENALTY_STATES,
    Objection,
    Penalty,
    PenaltyFamily,
    PenaltyState,
    PenaltyStep,
)
from supervise.penalties.notice_models import Notice, NoticeLine
from supervise.penalties.notices import hash_of, told_of
from supervise.penalties.spare_models import SparedFinding
from supervise.penalties.windows import is_fresh

_CHARGED = (PenaltyState.APPROVED, PenaltyState.FINAL)


def lifted_against_state(session: Session) -> Sequence[int]:
    """Return penalties whose lifted amount disagrees with their state.

    A voided or reversed penalty is lifted wholly; one that waits is not lifted at all.
    """
    waiting = Penalty.state.in_((PenaltyState.PROPOSED, PenaltyState.RETURNED))
    gone = Penalty.state.in_((PenaltyState.VOIDED, PenaltyState.REVERSED))
    query = select(Penalty.id).where(
        or_(and_(waiting, Penalty.lifted_fen != 0), and_(gone, Penalty.lifted_fen != Penalty.amount_fen))
    )
    return session.scalars(query.order_by(Penalty.id)).all()


def state_against_steps(session: Session) -> Sequence[int]:
    """Return penalties whose state is not the one that their last step led to."""
    last = select(PenaltyStep.penalty_id, func.max(PenaltyStep.id).label("step_id")).group_by(PenaltyStep.penalty_id)
    newest = last.subquery()
    query = (
        select(Penalty.id)
        .join(newest, newest.c.penalty_id == Penalty.id, isouter=True)
        .join(PenaltyStep, PenaltyStep.id == newest.c.step_id, isouter=True)
        .where(PenaltyStep.to_state.is_distinct_from(Penalty.state))
    )
    return session.scalars(query.order_by(Penalty.id)).all()


def charged_without_proof(session: Session) -> Sequence[int]:
    """Return approved and final penalties whose finding is not proven, or not held for them."""
    query = (
        select(Penalty.id)
        .join(Finding, Finding.id == Penalty.finding_id)
        .where(Penalty.state.in_(_CHARGED), or_(Finding.state != FindingState.PROVEN, ~Finding.held))
    )
    return session.scalars(query.order_by(Penalty.id)).all()


def charged_though_spared(session: Session) -> Sequence[int]:
    """Return live penalties whose finding is spared."""
    query = (
        select(Penalty.id)
        .join(SparedFinding, SparedFinding.finding_id == Penalty.finding_id)
        .where(Penalty.state.in_(LIVE_PENALTY_STATES), SparedFinding.brought_back_at.is_(None))
    )
    return session.scalars(query.order_by(Penalty.id)).all()


def judged_by_their_approver(session: Session) -> Sequence[int]:
    """Return penalties whose objection was decided by whoever had approved the penalty."""
    query = (
        select(Penalty.id)
        .join(Objection, Objection.penalty_id == Penalty.id)
        .where(Objection.decided_by == Penalty.approver_id)
        .distinct()
    )
    return session.scalars(query.order_by(Penalty.id)).all()


def notices_against_lines(session: Session) -> Sequence[int]:
    """Return notices whose number of lines, total or hash is not that of their penalties, or that miss one's window.

    With the delivery of a notice every line's window has started, unless the line was gone before.
    """
    rows = session.execute(
        select(Notice, Penalty)
        .join(NoticeLine, NoticeLine.notice_id == Notice.id, isouter=True)
        .join(Penalty, Penalty.id == NoticeLine.penalty_id, isouter=True)
        .order_by(Notice.id, NoticeLine.position)
        .execution_options(yield_per=1_000)
    )
    found = []
    for notice, group in groupby(rows, key=itemgetter(0)):
        lines = [penalty for penalty in map(itemgetter(1), group) if penalty is not None]
        told = hash_of(notice.reference, notice.party_id, map(told_of, lines))
        said = (len(lines), sum(line.amount_fen for line in lines), told)
        untold = notice.delivery is not None and any(is_fresh(line) for line in lines)
        if untold or said != (notice.lines, notice.total_fen, notice.content_sha256):
            found.append(notice.id)
    return found


def parties_against_ledger(session: Session) -> Sequence[int]:
    """Return the parties whose contract damages do not sum to what the ledger says they owe."""
    return _against_ledger(
        session,
        PenaltyFamily.EXTERNAL,
        {
            PenaltyState.APPROVED: AccountCode.PENALTY_CONTESTABLE,
            PenaltyState.FINAL: AccountCode.PENALTY_RECEIVABLE,
        },
    )


def units_against_ledger(session: Session) -> Sequence[int]:
    """Return the org units whose internal assessments do not sum to what the ledger says."""
    return _against_ledger(
        session,
        PenaltyFamily.INTERNAL,
        {
            PenaltyState.APPROVED: AccountCode.ASSESSMENT_CONTESTABLE,
            PenaltyState.FINAL: AccountCode.ASSESSMENT_FINAL,
        },
    )


def _against_ledger(
    session: Session, family: PenaltyFamily, accounts: Mapping[PenaltyState, AccountCode]
) -> Sequence[int]:
    # The dimension that penalties.postings posts to; an internal penalty has a unit (CHECK).
    debtor = Penalty.party_id if family is PenaltyFamily.EXTERNAL else func.coalesce(Penalty.unit_id, 0)
    differing: set[int] = set()
    for state, account in accounts.items():
        owed = (
            select(
                debtor,
                func.sum(Penalty.amount_fen - Penalty.lifted_fen - Penalty.settled_fen - Penalty.written_off_fen),
            )
            .where(Penalty.family == family, Penalty.state == state)
            .group_by(debtor)
        )
        expected = {row[0]: int(row[1]) for row in session.execute(owed)}
        differing |= unexplained_dimensions(session, account, expected)
    return sorted(differing)
