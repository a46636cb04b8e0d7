"""Posting an approved run: some hundred parties at a time, each as things stand at that moment, each exactly once.

A refund due and a deposit are taken at once; a commission only when the set-off notice has arrived (``notices``). What
was lifted, disputed or collected since the preview falls out and is named; the rest goes through.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows, uncollected
from supervise.complaints.models import DayType
from supervise.complaints.workdays import load_calendar
from supervise.contracts.models import Contract, ContractState
from supervise.contracts.terms import terms_at
from supervise.errors import ConflictError
from supervise.labels import N_
from supervise.settlement.accounts import deposits_held, lock_parties, refunds_due
from supervise.settlement.models import (
    CollectedFrom,
    DepositKind,
    DepositMovement,
    RunState,
    Settlement,
    SettlementRun,
    SettlementState,
    TopUpCall,
)
from supervise.settlement.runs import lock_run
from supervise.settlement.taking import Collected, book, lines_to_collect, purse_for

#: Parties of one transaction: about a second, and no page waits long for a lock.
PARTIES_AT_ONCE = 1_000
#: Working days after which a notice counts as delivered, where the contract says nothing.
DEEMED_DAYS = 3
TOP_UP_DAYS = 10
#: Taken with the run itself; a set-off against a commission waits for its notice.
_AT_ONCE = (CollectedFrom.REFUND, CollectedFrom.DEPOSIT)


class NotApprovedError(ConflictError):
    """Only an approved run is posted."""

    message = N_("Run %(number)s is not approved")


class Standing(NamedTuple):
    """How far the posting of a run is, in parties."""

    done: int
    total: int


class Waiting(NamedTuple):
    """A party of the run that is posted next; amounts in fen."""

    id: int
    party_id: int
    cash_fen: int
    payout_fen: int
    top_up_fen: int


def post_next(session: Session, run_id: int, *, limit: int = PARTIES_AT_ONCE) -> Standing:
    """Post the next parties of an approved run and say how far it is; call it until all are done.

    A party that is done is never done again, so a killed worker's run goes on where it stopped.

    Raises:
        NotFoundError: if there is no such run.
        NotApprovedError: if nobody has approved it, or it was cancelled.
    """
    run = lock_run(session, run_id)
    if run.state is RunState.POSTED:
        return _standing(session, run_id)
    if run.state is not RunState.APPROVED:
        raise NotApprovedError(number=run.number)
    columns = (Settlement.id, Settlement.party_id, Settlement.cash_fen, Settlement.payout_fen, Settlement.top_up_fen)
    waiting = select(*columns).where(Settlement.run_id == run_id, Settlement.state == SettlementState.PROPOSED)
    settlements = [Waiting._make(row) for row in session.execute(waiting.order_by(Settlement.id).limit(limit))]
    if settlements:
        with uncollected():
            _post(session, run, settlements)
    standing = _standing(session, run_id)
    if standing.done == standing.total:
        run.state, run.posted_at = RunState.POSTED, clock.now()
        session.flush()
        record_event(
            session,
            actor_id=run.approved_by,
            action="settlement_run.posted",
            subject="settlement_run",
            subject_id=run.id,
            changes={"number": run.number, "parties": standing.total},
        )
    return standing


def _standing(session: Session, run_id: int) -> Standing:
    waits = func.count().filter(Settlement.state == SettlementState.PROPOSED)
    total, waiting = session.execute(select(func.count(), waits).where(Settlement.run_id == run_id)).one()
    return Standing(total - waiting, total)


def _post(session: Session, run: SettlementRun, settlements: Sequence[Waiting]) -> None:
    ids = [one.id for one in settlements]
    lock_parties(session, {one.party_id for one in settlements})
    lines = lines_to_collect(session, ids)
    purse = purse_for(session, lines)
    parties = {one.party_id for one in settlements}
    purse.given = {
        CollectedFrom.REFUND: refunds_due(session, parties),
        CollectedFrom.DEPOSIT: deposits_held(session, parties),
    }
    now_lines = [line for line in lines if line.source in _AT_ONCE]
    collected = [purse.take(line) for line in now_lines]
    book(session, run, collected)
    _record_draws(session, run, collected)
    later = {line.settlement_id for line in lines if line.source is CollectedFrom.COMMISSION}
    _finish(session, run, settlements, collected, later)


def _record_draws(session: Session, run: SettlementRun, collected: Sequence[Collected]) -> None:
    drawn: dict[tuple[int, int], int] = defaultdict(int)
    for one in collected:
        if one.line.source is CollectedFrom.DEPOSIT and one.fen:
            drawn[one.line.settlement_id, one.line.payer_id] += one.fen
    today, now = clock.today(), clock.now()
    insert_rows(
        session,
        DepositMovement.__table__,
        [
            {
                "party_id": party_id,
                "kind": DepositKind.DRAWN,
                "amount_fen": fen,
                "evidence": run.number,
                "effective_on": today,
                "settlement_id": settlement_id,
                "made_by": run.approved_by,
                "made_at": now,
            }
            for (settlement_id, party_id), fen in drawn.items()
        ],
    )


def _finish(
    session: Session,
    run: SettlementRun,
    settlements: Sequence[Waiting],
    collected: Sequence[Collected],
    later: Collection[int],
) -> None:
    """Send the notices and the top-up calls of the parties, and say what became of each."""
    got: dict[int, int] = defaultdict(int)
    undrawn: dict[int, int] = defaultdict(int)
    for taken in collected:
        got[taken.line.settlement_id] += taken.fen
        if taken.line.source is CollectedFrom.DEPOSIT:
            undrawn[taken.line.settlement_id] += taken.line.proposed_fen - taken.fen
    term = _Terms(session, {one.party_id for one in settlements})
    calls, ends = [], defaultdict(list)
    for one in settlements:
        short_fen = one.top_up_fen - undrawn[one.id]
        if short_fen > 0:
            due_on = term.top_up_by(one.party_id)
            calls.append({"settlement_id": one.id, "party_id": one.party_id, "amount_fen": short_fen, "due_on": due_on})
        lives = got[one.id] or one.id in later or one.cash_fen or one.payout_fen or short_fen > 0
        ends[term.deemed_on(one.party_id) if lives else None].append(one.id)
    for deemed_on, ids in ends.items():
        _end(session, ids, deemed_on)
    insert_rows(session, TopUpCall.__table__, calls)
    record_event(
        session,
        actor_id=run.approved_by,
        action="settlements.posted",
        subject="settlement_run",
        subject_id=run.id,
        changes={"parties": len(settlements), "collected_fen": sum(got.values()), "calls": len(calls)},
    )


def _end(session: Session, ids: Sequence[int], deemed_on: dt.date | None) -> None:
    """Say of parties that they are posted, their notice under way; or that nothing was left of them."""
    state = SettlementState.DROPPED if deemed_on is None else SettlementState.POSTED
    notice_at = None if deemed_on is None else clock.now()
    these = update(Settlement).where(among(session, Settlement.id, ids))
    values = these.values(state=state, notice_at=notice_at, deemed_on=deemed_on)
    session.execute(values.execution_options(synchronize_session=False))


class _Terms:
    """When a notice counts as delivered and a deposit is to be complete, by each party's newest contract."""

    def __init__(self, session: Session, party_ids: Collection[int]) -> None:
        newest = select(Contract.party_id, func.max(Contract.id)).where(
            Contract.state != ContractState.DRAFT, among(session, Contract.party_id, list(party_ids))
        )
        rows = session.execute(newest.group_by(Contract.party_id))
        party_of = {contract_id: party_id for party_id, contract_id in rows}
        terms = terms_at(session, list(party_of), clock.today())
        self._terms = {party_of[contract_id]: one for contract_id, one in terms.items()}
        self._calendar, self._days = load_calendar(session), dict[int, dt.date]()

    def deemed_on(self, party_id: int) -> dt.date:
        """Return the day on which a notice of today counts as delivered."""
        terms = self._terms.get(party_id)
        return self._after(terms.deemed_days if terms else DEEMED_DAYS)

    def top_up_by(self, party_id: int) -> dt.date:
        """Return the last day of a call of today."""
        terms = self._terms.get(party_id)
        return self._after(terms.top_up_days if terms else TOP_UP_DAYS)

    def _after(self, days: int) -> dt.date:
        if days not in self._days:
            self._days[days] = self._calendar.add_days(clock.today(), days, DayType.WORKING).day
        return self._days[days]
