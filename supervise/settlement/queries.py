"""Named reads of settlement runs, of what they hold for each party, and of what is left to do."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise.bulk import among
from supervise.errors import NotFoundError
from supervise.parties.models import Party
from supervise.penalties.debts import DebtKind
from supervise.penalties.fine_models import FineRecourse, RegulatorFine
from supervise.penalties.models import JointPayment, Penalty
from supervise.penalties.recovery_models import Recovery
from supervise.settlement.models import (
    CollectedFrom,
    LeftOut,
    RunState,
    Settlement,
    SettlementLine,
    SettlementRun,
    SettlementState,
)

PAGE = 100
_SUMMED = ("owed", "deposit", "commission", "refund", "cash")


class RunRow(NamedTuple):
    """A run in the list; amounts in fen."""

    run: SettlementRun
    parties: int
    owed_fen: int
    deposit_fen: int
    commission_fen: int
    refund_fen: int
    cash_fen: int


class SourceTotal(NamedTuple):
    """What a run takes from one source, in fen."""

    source: CollectedFrom
    lines: int
    proposed_fen: int
    #: Posted by now; what is only asked for in cash never is.
    collected_fen: int
    #: Still to come: a set-off whose notice is under way, or cash that was asked for.
    waiting_fen: int


class DebtTotal(NamedTuple):
    """What a run settles of one kind of debt, in fen."""

    kind: DebtKind
    lines: int
    proposed_fen: int
    collected_fen: int


class LeftOutTotal(NamedTuple):
    """What a run leaves out for one reason, in fen."""

    reason: LeftOut
    lines: int
    fen: int


class SettlementRow(NamedTuple):
    """A party in a run, with what makes it an exception."""

    settlement: Settlement
    party_code: str
    party_name: str
    left_out: int
    fell_out: int

    @property
    def is_exception(self) -> bool:
        """Whether the approver should look at it first."""
        one = self.settlement
        held = one.state is SettlementState.HELD
        return bool(held or self.left_out or self.fell_out or one.joint_fen or one.payout_fen)


class LineRow(NamedTuple):
    """A line of a settlement, with its debt and whose it is."""

    line: SettlementLine
    reference: str
    #: Empty: no penalty.
    offence_code: str
    #: Day of the call; of a recourse line, of the decision on the fine.
    occurred_on: dt.date
    due_at: dt.datetime | None
    debtor_id: int
    debtor: str
    #: The incident of a penalty or recovery, the fine of a recourse line.
    origin_id: int


class RunCounts(NamedTuple):
    """Parties of a run by what became of them."""

    parties: int
    waiting: int
    posted: int
    held: int
    dropped: int
    undelivered: int


def runs_newest_first(session: Session) -> Sequence[RunRow]:
    """Return the runs with their sums, the newest first; there is one a month."""
    sums = (
        select(
            Settlement.run_id,
            func.count().label("parties"),
            *(func.sum(getattr(Settlement, f"{name}_fen")).label(name) for name in _SUMMED),
        )
        .group_by(Settlement.run_id)
        .subquery()
    )
    query = (
        select(
            SettlementRun, *(sums.c[name] for name in ("parties", "owed", "deposit", "commission", "refund", "cash"))
        )
        .join(sums, sums.c.run_id == SettlementRun.id)
        .order_by(SettlementRun.id.desc())
    )
    return [RunRow(row[0], *map(int, row[1:])) for row in session.execute(query)]


def run_by_id(session: Session, run_id: int) -> SettlementRun:
    """Return the run.

    Raises:
        NotFoundError: if there is none.
    """
    run = session.get(SettlementRun, run_id)
    if run is None:
        raise NotFoundError
    return run


def counts_of_run(session: Session, run_id: int) -> RunCounts:
    """Return how many parties of the run stand where."""
    state = Settlement.state
    undelivered = and_(Settlement.notice_at.is_not(None), Settlement.delivery.is_(None))
    query = select(
        func.count(),
        func.count().filter(state == SettlementState.PROPOSED),
        func.count().filter(state == SettlementState.POSTED),
        func.count().filter(state == SettlementState.HELD),
        func.count().filter(state == SettlementState.DROPPED),
        func.count().filter(undelivered),
    ).where(Settlement.run_id == run_id)
    return RunCounts._make(session.execute(query).one())


def totals_of_run(session: Session, run_id: int) -> Sequence[SourceTotal]:
    """Return what the run takes from each source, in the order of the waterfall; also sources that give nothing."""
    waits = func.sum(SettlementLine.proposed_fen).filter(SettlementLine.collected_fen.is_(None))
    query = (
        select(
            SettlementLine.source,
            func.count(),
            func.sum(SettlementLine.proposed_fen),
            func.coalesce(func.sum(SettlementLine.collected_fen), 0),
            func.coalesce(waits, 0),
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .where(Settlement.run_id == run_id, SettlementLine.source.is_not(None))
        .group_by(SettlementLine.source)
    )
    found = {
        source: SourceTotal(source, lines, int(proposed or 0), int(collected or 0), int(waiting or 0))
        for source, lines, proposed, collected, waiting in session.execute(query)
        if source is not None
    }
    return [found.get(source, SourceTotal(source, 0, 0, 0, 0)) for source in CollectedFrom]


def totals_by_debt(session: Session, run_id: int) -> Sequence[DebtTotal]:
    """Return what the run takes of each kind of debt that it settles, in the order of payment."""
    columns = zip(
        DebtKind, (SettlementLine.penalty_id, SettlementLine.recovery_id, SettlementLine.recourse_id), strict=True
    )
    kind = case(*((column.is_not(None), kind.value) for kind, column in columns))
    query = (
        select(
            kind,
            func.count(),
            func.sum(SettlementLine.proposed_fen),
            func.coalesce(func.sum(SettlementLine.collected_fen), 0),
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .where(Settlement.run_id == run_id, SettlementLine.source.is_not(None))
        .group_by(kind)
    )
    found = {row[0]: DebtTotal(DebtKind(row[0]), *map(int, row[1:])) for row in session.execute(query)}
    return [found[kind] for kind in DebtKind if kind in found]


def left_out_of_run(session: Session, run_id: int) -> Sequence[LeftOutTotal]:
    """Return what the run leaves out, by reason."""
    query = (
        select(SettlementLine.left_out, func.count(), func.sum(SettlementLine.proposed_fen))
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .where(Settlement.run_id == run_id, SettlementLine.left_out.is_not(None))
        .group_by(SettlementLine.left_out)
    )
    found = {
        reason: LeftOutTotal(reason, lines, int(fen))
        for reason, lines, fen in session.execute(query)
        if reason is not None
    }
    return [found[reason] for reason in LeftOut if reason in found]


def settlements_of_run(
    session: Session, run_id: int, *, only_exceptions: bool = False, offset: int = 0, limit: int | None = PAGE
) -> Sequence[SettlementRow]:
    """Return parties of the run, exceptions first, then by what they owe; *limit* None: all of them."""
    of_run = (
        select(
            SettlementLine.settlement_id,
            func.count().filter(SettlementLine.left_out.is_not(None)).label("left_out"),
            func.count().filter(SettlementLine.fell_out.is_not(None)).label("fell_out"),
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .where(Settlement.run_id == run_id)
        .group_by(SettlementLine.settlement_id)
        .subquery()
    )
    left_out, fell_out = func.coalesce(of_run.c.left_out, 0), func.coalesce(of_run.c.fell_out, 0)
    exception = or_(
        Settlement.state == SettlementState.HELD,
        left_out + fell_out + Settlement.joint_fen + Settlement.payout_fen > 0,
    )
    query = (
        select(Settlement, Party.code, Party.name, left_out, fell_out)
        .join(Party, Party.id == Settlement.party_id)
        .join(of_run, of_run.c.settlement_id == Settlement.id, isouter=True)
        .where(Settlement.run_id == run_id)
        .order_by(exception.desc(), Settlement.owed_fen.desc(), Settlement.id)
    )
    if only_exceptions:
        query = query.where(exception)
    if limit is not None:
        query = query.offset(offset).limit(limit)
    return [SettlementRow._make(row) for row in session.execute(query)]


def own_among(session: Session, settlement_ids: Collection[int], party_id: int) -> frozenset[int]:
    """Return those of the settlements that are the party's own, not a joint debtor's who paid for it."""
    query = select(Settlement.id).where(
        among(session, Settlement.id, list(settlement_ids)), Settlement.party_id == party_id
    )
    return frozenset(session.scalars(query))


def lines_of_settlement(session: Session, settlement_id: int) -> Sequence[LineRow]:
    """Return the lines of a settlement, in the order in which they were proposed."""
    return _line_rows(session, _lines().where(SettlementLine.settlement_id == settlement_id))


def lines_of_run(session: Session, run_id: int) -> Sequence[tuple[LineRow, str]]:
    """Return every line of a run with the payer's name, by party."""
    payer = aliased(Party)
    query = (
        _lines()
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .join(payer, payer.id == Settlement.party_id)
        .add_columns(payer.name)
        .where(Settlement.run_id == run_id)
        .order_by(SettlementLine.settlement_id, SettlementLine.id)
    )
    return [(LineRow._make(row[:-1]), row[-1]) for row in session.execute(query)]


def _lines() -> Select[*tuple[object, ...]]:
    debtor_id = func.coalesce(Penalty.party_id, Recovery.party_id, FineRecourse.party_id)
    return (
        select(
            SettlementLine,
            func.coalesce(Penalty.reference, Recovery.reference, FineRecourse.reference),
            func.coalesce(Penalty.offence_code, ""),
            func.coalesce(Penalty.occurred_on, Recovery.occurred_on, RegulatorFine.decided_on),
            func.coalesce(Penalty.finalised_at, Recovery.approved_at, FineRecourse.approved_at),
            debtor_id,
            Party.name,
            func.coalesce(Penalty.incident_id, Recovery.incident_id, FineRecourse.fine_id),
        )
        .join(Penalty, Penalty.id == SettlementLine.penalty_id, isouter=True)
        .join(Recovery, Recovery.id == SettlementLine.recovery_id, isouter=True)
        .join(FineRecourse, FineRecourse.id == SettlementLine.recourse_id, isouter=True)
        .join(RegulatorFine, RegulatorFine.id == FineRecourse.fine_id, isouter=True)
        .join(Party, Party.id == debtor_id)
    )


def _line_rows(session: Session, query: Select[*tuple[object, ...]]) -> Sequence[LineRow]:
    return [LineRow._make(row) for row in session.execute(query.order_by(SettlementLine.id))]


class Recourse(NamedTuple):
    """A memo: what one joint debtor has paid for another, in fen; the carrier is not part of it."""

    settlement_id: int
    payer_id: int
    debtor_id: int
    fen: int


def recourses(session: Session, party_ids: Collection[int]) -> Sequence[Recourse]:
    """Return what these parties paid for joint debtors, or joint debtors for them (Civil Code 519), by settlement.

    What was owed back to the payer since is none of it.
    """
    query = (
        select(
            JointPayment.because,
            JointPayment.payer_id,
            Penalty.party_id,
            func.sum(JointPayment.amount_fen - JointPayment.returned_fen),
        )
        .join(Penalty, Penalty.id == JointPayment.penalty_id)
        .where(
            JointPayment.amount_fen > JointPayment.returned_fen,
            or_(
                among(session, JointPayment.payer_id, list(party_ids)),
                among(session, Penalty.party_id, list(party_ids)),
            ),
        )
        .group_by(JointPayment.because, JointPayment.payer_id, Penalty.party_id)
    )
    # The key of the entry names the settlement: ``taking``.
    rows = [
        Recourse(int(because.split(":")[1]), payer_id, debtor_id, int(fen))
        for because, payer_id, debtor_id, fen in session.execute(query)
    ]
    return sorted(rows)


def unposted_runs(session: Session, month: str, state: RunState) -> Sequence[str]:
    """Return the numbers of runs of *month* or before in *state*."""
    query = select(SettlementRun.number).where(SettlementRun.month <= month, SettlementRun.state == state)
    return session.scalars(query.order_by(SettlementRun.id)).all()
