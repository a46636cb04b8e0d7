"""What contracts earn their parties in a month: the source of set-offs, and what confirms them (C-4, C-10)."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import slices
from supervise.contracts.models import Contract
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.money import FEN_MAX, format_yuan
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.models import Penalty
from supervise.penalties.monthly_figures import FigureFacts, record_figure
from supervise.penalties.pricing import FigureKind
from supervise.penalties.recovery_models import Recovery
from supervise.settlement.accounts import lock_parties
from supervise.settlement.models import (
    CollectedFrom,
    CommissionStatement,
    Settlement,
    SettlementLine,
    SettlementRun,
    SettlementState,
)

#: Where the month's figure comes from, as the list of figures shows it.
SOURCE = "commission statement"


class BelowSetOffError(ConflictError):
    """What was set off against a commission cannot become less than nothing of it."""

    message = N_("%(amount)s yuan is set off against this commission already: it cannot be less")


class DeductionUnknownError(ConflictError):
    """The commission system deducted what nobody has set off; somebody has to look."""

    message = N_("The statement deducts %(deducted)s yuan, but only %(set_off)s yuan was set off and has taken effect")


class CommissionFacts(NamedTuple):
    """A line of the commission statement: contract, month, what is due, what it deducts for penalties; in fen."""

    contract_id: int
    month: str
    due_fen: int
    deducted_fen: int = 0


class SetOff(NamedTuple):
    """What was set off against the commission of a contract and month, in fen."""

    #: In effect, and still waiting for the notice to arrive.
    all_fen: int
    #: In effect: posted.
    posted_fen: int


def record_commission(session: Session, facts: CommissionFacts, *, actor_id: int) -> CommissionStatement:
    """Take over what the commission system says of a contract and month; what it newly deducts confirms set-offs.

    The same line again changes nothing.

    Raises:
        NotFoundError: if there is no such contract.
        InvalidInputError: if it is no contract with a party, or the amounts cannot be.
        BelowSetOffError: if more is set off already than would be due.
        DeductionUnknownError: if it deducts more than was set off.
    """
    contract = session.get(Contract, facts.contract_id)
    if contract is None:
        raise NotFoundError
    if contract.party_id is None:
        raise InvalidInputError(N_("An assessment policy earns no commission"))
    if abs(facts.due_fen) > FEN_MAX or not 0 <= facts.deducted_fen <= FEN_MAX:
        raise InvalidInputError(N_("This amount cannot be"))
    clock.month_bounds(facts.month)
    lock_parties(session, [contract.party_id])
    before = session.scalars(
        select(CommissionStatement).where(
            CommissionStatement.contract_id == contract.id,
            CommissionStatement.month == facts.month,
            CommissionStatement.superseded_at.is_(None),
        )
    ).one_or_none()
    if before is not None and (before.due_fen, before.deducted_fen) == (facts.due_fen, facts.deducted_fen):
        return before
    _check(session, facts, before)
    statement = _replaced(session, facts, contract.party_id, before, actor_id)
    # Caps by commission read the same figure (docs/rules.md, P-3).
    figure = FigureFacts(FigureKind.COMMISSION, facts.month, facts.due_fen, SOURCE, contract_id=contract.id)
    record_figure(session, figure, actor_id=actor_id)
    confirmed_fen = facts.deducted_fen - (before.deducted_fen if before else 0)
    if confirmed_fen:
        _confirm(session, statement, confirmed_fen, actor_id)
    record_event(
        session,
        actor_id=actor_id,
        action="commission.recorded",
        subject="contract",
        subject_id=contract.id,
        changes={"month": facts.month, "due_fen": facts.due_fen, "deducted_fen": facts.deducted_fen},
    )
    return statement


def set_off_by_contract(session: Session, months: Collection[str]) -> dict[tuple[int, str], SetOff]:
    """Return what was set off against the commissions of *months*, by contract and month."""
    posted = func.sum(func.coalesce(SettlementLine.collected_fen, 0))
    contract_id = func.coalesce(Penalty.contract_id, Recovery.contract_id, FineRecourse.contract_id)
    query = (
        select(
            contract_id,
            SettlementRun.month,
            func.sum(func.coalesce(SettlementLine.collected_fen, SettlementLine.proposed_fen)),
            posted,
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .join(SettlementRun, SettlementRun.id == Settlement.run_id)
        .join(Penalty, Penalty.id == SettlementLine.penalty_id, isouter=True)
        .join(Recovery, Recovery.id == SettlementLine.recovery_id, isouter=True)
        .join(FineRecourse, FineRecourse.id == SettlementLine.recourse_id, isouter=True)
        .where(
            SettlementLine.source == CollectedFrom.COMMISSION,
            Settlement.state == SettlementState.POSTED,
            SettlementRun.month.in_(months),
        )
        .group_by(contract_id, SettlementRun.month)
    )
    return {(row[0], row[1]): SetOff(int(row[2]), int(row[3])) for row in session.execute(query)}


def live_statements(session: Session, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], CommissionStatement]:
    """Return the statements in force of these contracts and months."""
    found = {}
    pair = tuple_(CommissionStatement.contract_id, CommissionStatement.month)
    for some in slices(sorted(keys), 1_000):
        query = select(CommissionStatement).where(CommissionStatement.superseded_at.is_(None), pair.in_(some))
        for statement in session.scalars(query):
            found[statement.contract_id, statement.month] = statement
    return found


def _check(session: Session, facts: CommissionFacts, before: CommissionStatement | None) -> None:
    used = set_off_by_contract(session, [facts.month]).get((facts.contract_id, facts.month), SetOff(0, 0))
    if used.all_fen and facts.due_fen < used.all_fen:
        raise BelowSetOffError(amount=format_yuan(used.all_fen))
    if facts.deducted_fen > used.posted_fen:
        raise DeductionUnknownError(deducted=format_yuan(facts.deducted_fen), set_off=format_yuan(used.posted_fen))
    if before is not None and facts.deducted_fen < before.deducted_fen:
        raise InvalidInputError(
            N_("The statement confirmed a deduction of %(amount)s yuan before: it cannot be less"),
            amount=format_yuan(before.deducted_fen),
        )


def _replaced(
    session: Session, facts: CommissionFacts, party_id: int, before: CommissionStatement | None, actor_id: int
) -> CommissionStatement:
    now = clock.now()
    if before is not None:
        before.superseded_at = now
        session.flush()  # one is in force at a time (unique index)
    statement = CommissionStatement(
        contract_id=facts.contract_id,
        party_id=party_id,
        month=facts.month,
        due_fen=facts.due_fen,
        deducted_fen=facts.deducted_fen,
        made_by=actor_id,
        made_at=now,
    )
    session.add(statement)
    session.flush()  # the entry's key names the row
    return statement


def _confirm(session: Session, statement: CommissionStatement, confirmed_fen: int, actor_id: int) -> None:
    draft = EntryDraft(
        key=f"commission:confirmed:{statement.id}",
        event="commission.confirmed",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.BILLING_CONTROL, None, confirmed_fen),
            Line(AccountCode.COMMISSION_CLEARING, statement.party_id, -confirmed_fen),
        ],
        actor_id=actor_id,
    )
    post(session, [draft])
