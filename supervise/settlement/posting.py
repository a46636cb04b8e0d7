"""Posting an approved run: some hundred parties at a time, each as things stand at that moment, each exactly once.

A refund due and a deposit are taken at once; a commission only when the set-off notice has arrived (``notices``). What
was lifted, disputed or collected since the preview falls out and is named; the rest goes through.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows
from supervise.complaints.models import DayType
from supervise.complaints.workdays import load_calendar
from supervise.contracts.models import Contract, ContractState
from supervise.contracts.terms import ContractTermsAt, terms_at
from supervise.errors import ConflictError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.penalties.collecting import OpenDebt, collect, lock_for_collection, open_debts
from supervise.penalties.models import Penalty
from supervise.settlement.accounts import deposits_held, lock_parties, refunds_due
from supervise.settlement.models import (
    CollectedFrom,
    DepositKind,
    DepositMovement,
    FellOut,
    RunState,
    Settlement,
    SettlementLine,
    SettlementRun,
    SettlementState,
    TopUpCall,
)
from supervise.settlement.runs import lock_run

#: Parties of one transaction: about a second, and no page waits long for a lock.
PARTIES_AT_ONCE = 250
#: Working days after which a notice counts as delivered, where the contract says nothing.
DEEMED_DAYS = 3
TOP_UP_DAYS = 10
#: What gives the money, by source.
_DEBITS = {
    CollectedFrom.REFUND: AccountCode.REFUND_DUE,
    CollectedFrom.DEPOSIT: AccountCode.DEPOSITS_HELD,
    CollectedFrom.COMMISSION: AccountCode.COMMISSION_CLEARING,
}
#: Taken with the run itself; a set-off against a commission waits for its notice.
_AT_ONCE = (CollectedFrom.REFUND, CollectedFrom.DEPOSIT)


class NotApprovedError(ConflictError):
    """Only an approved run is posted."""

    message = N_("Run %(number)s is not approved")


class Standing(NamedTuple):
    """How far the posting of a run is, in parties."""

    done: int
    total: int


class LineNow(NamedTuple):
    """A line to be collected."""

    id: int
    settlement_id: int
    payer_id: int
    penalty_id: int
    #: Whose penalty it is: the payer's, or a joint debtor's.
    debtor_id: int
    contract_id: int
    source: CollectedFrom
    proposed_fen: int


class Collected(NamedTuple):
    """What a line has collected, and why it is less than proposed."""

    line: LineNow
    fen: int
    fell_out: FellOut | None


@dataclass
class Purse:
    """What is left of debts and of what pays them, as lines are taken one after the other; in fen."""

    debts: Mapping[int, OpenDebt]
    open_fen: dict[int, int]
    given: dict[CollectedFrom, dict[int, int]] = field(default_factory=dict)

    def take(self, line: LineNow) -> Collected:
        """Take what is still there for *line*."""
        debt = self.debts.get(line.penalty_id)
        if debt is not None and debt.is_disputed:
            return Collected(line, 0, FellOut.DISPUTED)
        wanted_fen = min(line.proposed_fen, self.open_fen.get(line.penalty_id, 0))
        source = self.given.get(line.source)
        fen = wanted_fen if source is None else min(wanted_fen, source.get(line.payer_id, 0))
        if source is not None:
            source[line.payer_id] = source.get(line.payer_id, 0) - fen
        if fen:
            self.open_fen[line.penalty_id] -= fen
        if fen == line.proposed_fen:
            return Collected(line, fen, None)
        return Collected(line, fen, FellOut.LIFTED if fen == wanted_fen else FellOut.DRAINED)


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
    waiting = select(Settlement).where(Settlement.run_id == run_id, Settlement.state == SettlementState.PROPOSED)
    settlements = session.scalars(waiting.order_by(Settlement.id).limit(limit)).all()
    if settlements:
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


def _post(session: Session, run: SettlementRun, settlements: Sequence[Settlement]) -> None:
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


def lines_to_collect(session: Session, settlement_ids: Collection[int]) -> list[LineNow]:
    """Return the lines that still have to collect something, in the order in which they were proposed."""
    query = (
        select(
            SettlementLine.id,
            SettlementLine.settlement_id,
            Settlement.party_id,
            SettlementLine.penalty_id,
            Penalty.party_id,
            Penalty.contract_id,
            SettlementLine.source,
            SettlementLine.proposed_fen,
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .join(Penalty, Penalty.id == SettlementLine.penalty_id)
        .where(
            among(session, SettlementLine.settlement_id, list(settlement_ids)),
            SettlementLine.source.in_(list(_DEBITS)),
            SettlementLine.collected_fen.is_(None),
        )
        .order_by(SettlementLine.id)
    )
    return [LineNow._make(row) for row in session.execute(query)]


def purse_for(session: Session, lines: Sequence[LineNow]) -> Purse:
    """Lock the penalties of *lines* and return what is open of them now."""
    penalty_ids = {line.penalty_id for line in lines}
    lock_for_collection(session, penalty_ids)
    debts = {debt.penalty_id: debt for debt in open_debts(session, until=clock.now(), penalty_ids=penalty_ids)}
    return Purse(debts, {penalty_id: debt.open_fen for penalty_id, debt in debts.items()})


def book(
    session: Session, run: SettlementRun, collected: Sequence[Collected], days: Mapping[int, dt.date] | None = None
) -> None:
    """Write what was collected into the lines, the penalties and the ledger: one entry for each party and source.

    *days* say when it took effect, by settlement; without them, today.
    """
    amounts: dict[int, int] = defaultdict(int)
    for one in collected:
        amounts[one.line.penalty_id] += one.fen
    collect(session, {penalty_id: fen for penalty_id, fen in amounts.items() if fen})
    if collected:
        session.execute(
            update(SettlementLine),
            [{"id": one.line.id, "collected_fen": one.fen, "fell_out": one.fell_out} for one in collected],
        )
    post(session, list(_drafts(run, collected, days or {})))


def _drafts(run: SettlementRun, collected: Sequence[Collected], days: Mapping[int, dt.date]) -> Iterable[EntryDraft]:
    entries: dict[tuple[int, CollectedFrom], dict[int, int]] = {}
    payers: dict[int, int] = {}
    for one in collected:
        if one.fen:
            line = one.line
            payers[line.settlement_id] = line.payer_id
            sums = entries.setdefault((line.settlement_id, line.source), {})
            sums[line.debtor_id] = sums.get(line.debtor_id, 0) + one.fen
    today = clock.today()
    for (settlement_id, source), sums in entries.items():
        payer_id = payers[settlement_id]
        yield EntryDraft(
            key=f"settlement:{settlement_id}:{source.value}",
            event=f"settlement.{source.value}",
            effective_on=days.get(settlement_id, today),
            lines=[
                Line(_DEBITS[source], payer_id, sum(sums.values())),
                # A joint debtor's share is paid off with that one's own receivable (domain section 8).
                *(Line(AccountCode.PENALTY_RECEIVABLE, debtor_id, -fen) for debtor_id, fen in sums.items()),
            ],
            actor_id=run.made_by,
            approver_id=run.approved_by,
            reason=run.number,
        )


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
    settlements: Sequence[Settlement],
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
    calendar, today, now = load_calendar(session), clock.today(), clock.now()
    terms = _terms_of(session, settlements)
    calls, changes = [], []
    for one in settlements:
        short_fen = one.top_up_fen - undrawn[one.id]
        if short_fen > 0:
            days = terms[one.party_id].top_up_days if one.party_id in terms else TOP_UP_DAYS
            due_on = calendar.add_days(today, days, DayType.WORKING).day
            calls.append({"settlement_id": one.id, "party_id": one.party_id, "amount_fen": short_fen, "due_on": due_on})
        lives = got[one.id] or one.id in later or one.cash_fen or one.payout_fen or short_fen > 0
        deemed = terms[one.party_id].deemed_days if one.party_id in terms else DEEMED_DAYS
        changes.append(
            {
                "id": one.id,
                "state": SettlementState.POSTED if lives else SettlementState.DROPPED,
                "notice_at": now if lives else None,
                "deemed_on": calendar.add_days(today, deemed, DayType.WORKING).day if lives else None,
            }
        )
    session.execute(update(Settlement), changes)
    insert_rows(session, TopUpCall.__table__, calls)
    record_event(
        session,
        actor_id=run.approved_by,
        action="settlements.posted",
        subject="settlement_run",
        subject_id=run.id,
        changes={"parties": len(settlements), "collected_fen": sum(got.values()), "calls": len(calls)},
    )


def _terms_of(session: Session, settlements: Sequence[Settlement]) -> dict[int, ContractTermsAt]:
    """Return the terms of each party's newest contract, also an ended one; parties without a contract are left out."""
    parties = {one.party_id for one in settlements}
    newest = select(Contract.party_id, func.max(Contract.id)).where(
        Contract.state != ContractState.DRAFT, among(session, Contract.party_id, list(parties))
    )
    rows = session.execute(newest.group_by(Contract.party_id))
    party_of = {contract_id: party_id for party_id, contract_id in rows if party_id is not None}
    terms = terms_at(session, list(party_of), clock.today())
    return {party_of[contract_id]: one for contract_id, one in terms.items()}
