"""What contracts earn their parties in a month: the source of set-offs, and what confirms them (C-4, C-10)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_events
from supervise.bulk import among, slices
from supervise.contracts.models import Contract
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_, _
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.money import FEN_MAX, format_yuan
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.models import Penalty
from supervise.penalties.monthly_figures import FigureFacts, record_figures
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


class StatementRefusedError(ConflictError):
    """What the statement says cannot be, beside what was set off."""


class BelowSetOffError(StatementRefusedError):
    """What was set off against a commission cannot become less than nothing of it."""

    message = N_("%(amount)s yuan is set off against this commission already: it cannot be less")


class DeductionUnknownError(StatementRefusedError):
    """The commission system deducted what nobody has set off; somebody has to look."""

    message = N_("The statement deducts %(deducted)s yuan, but only %(set_off)s yuan was set off and has taken effect")


class DeductionTakenBackError(StatementRefusedError):
    """What a statement has confirmed once stays confirmed."""

    message = N_("The statement confirmed a deduction of %(amount)s yuan before: it cannot be less")


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
    """Take over one line of a statement as ``record_commissions`` does."""
    [statement] = record_commissions(session, [facts], actor_id=actor_id)
    return statement


def record_commissions(
    session: Session, lines: Sequence[CommissionFacts], *, actor_id: int
) -> list[CommissionStatement]:
    """Take over what the commission system says, each contract and month once; new deductions confirm set-offs.

    The same line again changes nothing.

    Raises:
        NotFoundError: if there is no such contract.
        InvalidInputError: if one is no contract with a party, the amounts cannot be, or a line is there twice.
        StatementRefusedError: a subclass, if more is set off already than would be due, more is deducted than was set
            off, or less than was confirmed.
    """
    parties = _parties_of(session, lines)
    lock_parties(session, sorted(set(parties.values())))
    keys = [line[:2] for line in lines]
    if len(set(keys)) < len(keys):
        raise InvalidInputError(N_("A contract and month stand in the statement twice"))
    before = live_statements(session, keys)
    changed = [line for line in lines if _is_changed(line, before.get(line[:2]))]
    used = set_off_by_contract(session, {line.month for line in changed})
    for line in changed:
        check_statement(line, before.get(line[:2]), used.get(line[:2], SetOff(0, 0)))
    recorded = _replaced(session, changed, parties, before, actor_id)
    # Caps by commission read the same figure (docs/rules.md, P-3).
    figures = [
        FigureFacts(
            FigureKind.COMMISSION, line.month, line.due_fen, _("Commission statement"), contract_id=line.contract_id
        )
        for line in changed
    ]
    record_figures(session, figures, actor_id=actor_id)
    _confirm(session, recorded.values(), before, actor_id)
    _record(session, changed, actor_id)
    current = {**before, **recorded}
    return [current[key] for key in keys]


def check_statement(facts: CommissionFacts, before: CommissionStatement | None, used: SetOff) -> None:
    """Refuse what cannot be beside the statement before, and what was set off.

    Raises:
        StatementRefusedError: a subclass, with the amounts.
    """
    if used.all_fen and facts.due_fen < used.all_fen:
        raise BelowSetOffError(amount=format_yuan(used.all_fen))
    if facts.deducted_fen > used.posted_fen:
        raise DeductionUnknownError(deducted=format_yuan(facts.deducted_fen), set_off=format_yuan(used.posted_fen))
    if before is not None and facts.deducted_fen < before.deducted_fen:
        raise DeductionTakenBackError(amount=format_yuan(before.deducted_fen))


def _parties_of(session: Session, lines: Sequence[CommissionFacts]) -> dict[int, int]:
    """Return who earns by each contract."""
    ids = sorted({line.contract_id for line in lines})
    found = dict(iter(session.execute(select(Contract.id, Contract.party_id).where(among(session, Contract.id, ids)))))
    if len(found) < len(ids):
        raise NotFoundError
    for line in lines:
        clock.month_bounds(line.month)
        if abs(line.due_fen) > FEN_MAX or not 0 <= line.deducted_fen <= FEN_MAX:
            raise InvalidInputError(N_("This amount cannot be"))
    earning = {contract_id: party_id for contract_id, party_id in found.items() if party_id is not None}
    if len(earning) < len(found):
        raise InvalidInputError(N_("An assessment policy earns no commission"))
    return earning


def _is_changed(line: CommissionFacts, before: CommissionStatement | None) -> bool:
    return before is None or (before.due_fen, before.deducted_fen) != line[2:]


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


def _replaced(
    session: Session,
    lines: Sequence[CommissionFacts],
    parties: Mapping[int, int],
    before: Mapping[tuple[int, str], CommissionStatement],
    actor_id: int,
) -> dict[tuple[int, str], CommissionStatement]:
    now = clock.now()
    for line in lines:
        if line[:2] in before:
            before[line[:2]].superseded_at = now
    session.flush()  # one is in force at a time (unique index)
    made = {
        line[:2]: CommissionStatement(
            contract_id=line.contract_id,
            party_id=parties[line.contract_id],
            month=line.month,
            due_fen=line.due_fen,
            deducted_fen=line.deducted_fen,
            made_by=actor_id,
            made_at=now,
        )
        for line in lines
    }
    session.add_all(made.values())
    session.flush()  # the entries' keys name the rows
    return made


def _confirm(
    session: Session,
    statements: Iterable[CommissionStatement],
    before: Mapping[tuple[int, str], CommissionStatement],
    actor_id: int,
) -> None:
    drafts = []
    for statement in statements:
        earlier = before.get((statement.contract_id, statement.month))
        confirmed_fen = statement.deducted_fen - (earlier.deducted_fen if earlier else 0)
        if confirmed_fen:
            drafts.append(_confirmation(statement, confirmed_fen, actor_id))
    post(session, drafts)


def _confirmation(statement: CommissionStatement, confirmed_fen: int, actor_id: int) -> EntryDraft:
    return EntryDraft(
        key=f"commission:confirmed:{statement.id}",
        event="commission.confirmed",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.BILLING_CONTROL, None, confirmed_fen),
            Line(AccountCode.COMMISSION_CLEARING, statement.party_id, -confirmed_fen),
        ],
        actor_id=actor_id,
    )


def _record(session: Session, lines: Iterable[CommissionFacts], actor_id: int) -> None:
    record_events(
        session,
        actor_id=actor_id,
        action="commission.recorded",
        subject="contract",
        changes=(
            (line.contract_id, {"month": line.month, "due_fen": line.due_fen, "deducted_fen": line.deducted_fen})
            for line in lines
        ),
    )
