"""Named reads of recoveries: what could be proposed, what was, and whether it agrees with credits and ledger."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from supervise.compensation.models import Credit, CreditKind, CreditNature, CreditState
from supervise.contracts.models import RuleVersion
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import unexplained_dimensions
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.recovery_models import LIVE_RECOVERY_STATES, Recovery, RecoveryState

PAGE = 100


class RecoveryLine(NamedTuple):
    """A recovery with the names that belong to it."""

    recovery: Recovery
    party: str
    #: Reference of the credit.
    credit: str


class DueRecovery(NamedTuple):
    """A paid credit that a rule recovers and nobody has proposed yet."""

    incident_id: int
    credit: str
    paid_fen: int


class RecoveryTotals(NamedTuple):
    """What the carrier has paid to subscribers, and what of it came back from those whose calls cost it; in fen."""

    #: Compensation that billing has accepted.
    paid_fen: int
    #: Approved recoveries.
    claimed_fen: int
    collected_fen: int

    @property
    def unrecovered_fen(self) -> int:
        """What of the compensation nobody has given back (domain F97)."""
        return self.paid_fen - self.collected_fen

    @property
    def rate_percent(self) -> int | None:
        """How much of what was paid came back, rounded down; None: nothing was paid."""
        return self.collected_fen * 100 // self.paid_fen if self.paid_fen else None


def recovery_totals(session: Session) -> RecoveryTotals:
    """Return the sums over all credits and recoveries, whosever they are."""
    paid = select(func.coalesce(func.sum(Credit.amount_fen), 0)).where(
        Credit.nature == CreditNature.COMPENSATION, Credit.state == CreditState.ACCEPTED
    )
    came = select(
        func.coalesce(func.sum(Recovery.amount_fen), 0), func.coalesce(func.sum(Recovery.settled_fen), 0)
    ).where(Recovery.state == RecoveryState.APPROVED)
    claimed_fen, collected_fen = session.execute(came).one()
    return RecoveryTotals(int(session.scalar(paid) or 0), int(claimed_fen), int(collected_fen))


def recoveries_newest_first(
    session: Session, scope: Scope, *, state: RecoveryState | None = None, before: int = 0, limit: int = PAGE
) -> Sequence[RecoveryLine]:
    """Return recoveries in *scope*, the newest first, after the one with the id *before*."""
    query = _lines().limit(limit)
    if state is not None:
        query = query.where(Recovery.state == state)
    if before:
        query = query.where(Recovery.id < before)
    return _in_scope(session, scope, query)


def recoveries_of_incident(session: Session, scope: Scope, incident_id: int) -> Sequence[RecoveryLine]:
    """Return the recoveries of an incident in *scope*, the newest first."""
    return _in_scope(session, scope, _lines().where(Recovery.incident_id == incident_id))


def due_recoveries(session: Session, *, limit: int = PAGE) -> Sequence[DueRecovery]:
    """Return paid credits whose call was charged by a rule that recovers, and that nobody recovers yet; by incident."""
    live = exists().where(Recovery.credit_id == Credit.id, Recovery.state.in_(LIVE_RECOVERY_STATES))
    by_rule = exists().where(
        Penalty.incident_id == Credit.incident_id,
        Penalty.state != PenaltyState.RETURNED,
        RuleVersion.id == Penalty.rule_version_id,
        RuleVersion.parameters["recovery_bp"].as_string().is_not(None),
    )
    query = (
        select(Credit.incident_id, Credit.reference, Credit.amount_fen)
        .where(
            Credit.kind == CreditKind.PER_CALL,
            Credit.nature == CreditNature.COMPENSATION,
            Credit.state == CreditState.ACCEPTED,
            ~live,
            by_rule,
        )
        .order_by(Credit.incident_id)
        .limit(limit)
    )
    return [DueRecovery(row[0] or 0, row[1], row[2]) for row in session.execute(query)]


def recoveries_beyond_paid(session: Session) -> Sequence[int]:
    """Return credits of which more is recovered than their rule takes, or more than was paid."""
    part = Recovery.paid_fen * Recovery.recovery_bp / 10_000
    query = (
        select(Recovery.credit_id)
        .join(Credit, Credit.id == Recovery.credit_id)
        .where(Recovery.state.in_(LIVE_RECOVERY_STATES))
        .group_by(Recovery.credit_id)
        .having(
            or_(
                func.sum(Recovery.amount_fen) > func.min(part),
                func.min(Recovery.paid_fen) > func.max(Credit.amount_fen),
            )
        )
        .order_by(Recovery.credit_id)
    )
    return session.scalars(query).all()


def recoveries_against_ledger(session: Session) -> Sequence[int]:
    """Return the parties whose approved recoveries, less what was collected, do not sum to what the ledger says."""
    query = (
        select(Recovery.party_id, func.sum(Recovery.amount_fen - Recovery.settled_fen))
        .where(Recovery.state == RecoveryState.APPROVED)
        .group_by(Recovery.party_id)
    )
    expected = {party_id: int(total) for party_id, total in session.execute(query)}
    return sorted(unexplained_dimensions(session, AccountCode.COMPENSATION_RECOVERABLE, expected))


def refunds_owed() -> Select[int, int]:
    """Return (party, amount) of what was collected of recoveries that are void since, negative: owed by us."""
    return select(Recovery.party_id, -Recovery.settled_fen).where(
        Recovery.state == RecoveryState.VOIDED, Recovery.settled_fen > 0
    )


def _lines() -> Select[*tuple[Any, ...]]:
    return (
        select(Recovery, Party.name, Credit.reference)
        .join(Party, Party.id == Recovery.party_id)
        .join(Credit, Credit.id == Recovery.credit_id)
        .order_by(Recovery.id.desc())
    )


def _in_scope(session: Session, scope: Scope, query: Select[*tuple[Any, ...]]) -> Sequence[RecoveryLine]:
    rows = session.execute(scope.limit(query, unit=Recovery.unit_id, party=Recovery.party_id))
    return [RecoveryLine(*row) for row in rows]
