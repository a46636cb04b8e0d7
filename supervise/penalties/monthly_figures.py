"""Recording what a party earned or did in a month, and reading what is recorded; a correction supersedes, for good."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.audit.record import record_events
from supervise.bulk import among, slices
from supervise.contracts.models import Contract
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.money import FEN_MAX
from supervise.parties.models import Party
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.pricing import Figure, FigureKind, Offence, Subject, figures_needed

Owner = TypeVar("Owner", Party, Contract)


@dataclass(frozen=True)
class FigureFacts:
    """A figure as a source states it: whose (by contract for a commission), of which month, how much, from where."""

    kind: FigureKind
    month: str
    amount: int
    source: str
    party_id: int | None = None
    contract_id: int | None = None


class FigureKey(NamedTuple):
    """Which figure: of one key the latest row counts."""

    party_id: int
    #: Of a commission only.
    contract_id: int | None
    month: str
    kind: FigureKind


def record_figure(session: Session, facts: FigureFacts, *, actor_id: int) -> PartyMonthFigure:
    """Record one figure as ``record_figures`` does."""
    [figure] = record_figures(session, [facts], actor_id=actor_id)
    return figure


def record_figures(session: Session, figures: Sequence[FigureFacts], *, actor_id: int) -> list[PartyMonthFigure]:
    """Record figures, or correct those recorded before, in their order; the same amount again changes nothing.

    What was priced by the figure before keeps its amount; what waits for approval falls out there and is shown
    with both amounts (docs/rules.md, P-3).

    Raises:
        NotFoundError: if there is no such party or contract.
        InvalidInputError: for a month, an amount or a source that cannot be, or a figure that is named twice.
    """
    for facts in figures:
        _check(facts)
    keys = _keys(session, figures)
    if len(set(keys)) < len(keys):
        raise InvalidInputError(N_("One figure is named twice"))
    before = latest_by_key(session, keys)
    changed = {
        key: facts
        for key, facts in zip(keys, figures, strict=True)
        if key not in before or before[key].amount != facts.amount
    }
    recorded = {key: _row(key, facts, before.get(key), actor_id) for key, facts in changed.items()}
    session.add_all(recorded.values())
    session.flush()
    record_events(
        session,
        actor_id=actor_id,
        action="month_figure.recorded",
        subject="party",
        changes=((key.party_id, _told(key, row, before.get(key))) for key, row in recorded.items()),
    )
    current = {**before, **recorded}
    return [current[key] for key in keys]


def _row(key: FigureKey, facts: FigureFacts, before: PartyMonthFigure | None, actor_id: int) -> PartyMonthFigure:
    return PartyMonthFigure(
        party_id=key.party_id,
        contract_id=key.contract_id,
        month=key.month,
        kind=key.kind,
        amount=facts.amount,
        source=facts.source.strip(),
        supersedes_id=before.id if before is not None else None,
        recorded_by=actor_id,
        recorded_at=clock.now(),
    )


def _told(key: FigureKey, row: PartyMonthFigure, before: PartyMonthFigure | None) -> dict[str, object]:
    unit = "_fen" if key.kind is FigureKind.COMMISSION else ""
    return {
        "figure": key.kind.value,
        "month": key.month,
        f"amount{unit}": row.amount,
        f"before{unit}": before.amount if before is not None else None,
    }


class FigureOwner(NamedTuple):
    """Whose figure it is; a commission also names the contract."""

    party_id: int | None
    contract_id: int | None


class FigureLine(NamedTuple):
    """A recorded figure with the names that belong to it."""

    figure: PartyMonthFigure
    party: str
    contract: str | None


def owner_of_code(session: Session, kind: FigureKind, code: str) -> FigureOwner:
    """Return the contract with this number, for a commission, or else the party with this code.

    Raises:
        InvalidInputError: if there is none.
    """
    if kind is FigureKind.COMMISSION:
        contract_id = session.scalar(select(Contract.id).where(Contract.number == code))
        if contract_id is None:
            raise InvalidInputError(N_("There is no contract %(code)s"), code=code)
        return FigureOwner(None, contract_id)
    party_id = session.scalar(select(Party.id).where(Party.code == code))
    if party_id is None:
        raise InvalidInputError(N_("There is no party %(code)s"), code=code)
    return FigureOwner(party_id, None)


def figures_by_month(session: Session, month: str) -> list[FigureLine]:
    """Return the latest figures of *month*, by party, kind and contract."""
    query = (
        select(PartyMonthFigure, Party.name, Contract.number)
        .join(Party, Party.id == PartyMonthFigure.party_id)
        .join(Contract, Contract.id == PartyMonthFigure.contract_id, isouter=True)
        .where(PartyMonthFigure.month == month, _is_latest())
        .order_by(Party.name, PartyMonthFigure.kind, Contract.number, PartyMonthFigure.id)
    )
    return [FigureLine(*row) for row in session.execute(query)]


def figures_of(session: Session, party_ids: Collection[int], month: str) -> list[PartyMonthFigure]:
    """Return the latest figures of the parties for *month*, by party and kind."""
    query = _latest_ones().where(PartyMonthFigure.month == month)
    found: list[PartyMonthFigure] = []
    for some in slices(sorted(party_ids)):
        found += session.scalars(query.where(PartyMonthFigure.party_id.in_(some)))
    return sorted(found, key=lambda one: (one.party_id, one.kind, one.contract_id or 0))


def known_figures(session: Session, offences: Iterable[Offence]) -> dict[tuple[Subject, str, FigureKind], Figure]:
    """Return the latest recorded figures that the rules of *offences* read, in two queries."""
    needed = {
        (offence.subject, clock.month_of(offence.occurred_on), kind)
        for offence in offences
        for kind in figures_needed(offence)
    }
    if not needed:
        return {}
    contract_ids = {subject.contract_id for subject, _month, _kind in needed}
    of_contract = {
        row.id: row.party_id
        for row in session.execute(select(Contract.id, Contract.party_id).where(Contract.id.in_(contract_ids)))
    }
    owners = {subject: subject.party_id or of_contract.get(subject.contract_id) for subject, _month, _kind in needed}
    query = _latest_ones().where(
        PartyMonthFigure.party_id.in_({owner for owner in owners.values() if owner is not None}),
        PartyMonthFigure.month.in_({month for _subject, month, _kind in needed}),
    )
    recorded = {(row.party_id, row.contract_id, row.month, row.kind): row for row in session.scalars(query)}
    known = {}
    for subject, month, kind in needed:
        contract_id = subject.contract_id if kind is FigureKind.COMMISSION else None
        row = recorded.get((owners[subject] or 0, contract_id, month, kind))
        if row is not None:
            known[subject, month, kind] = Figure(row.id, row.amount)
    return known


def _check(facts: FigureFacts) -> None:
    try:
        clock.month_bounds(facts.month)
    except ValueError:
        raise InvalidInputError(N_("Enter a month, such as 2026-11")) from None
    if abs(facts.amount) > FEN_MAX or (facts.kind is not FigureKind.COMMISSION and facts.amount < 0):
        raise InvalidInputError(N_("This amount cannot be"))
    if not facts.source.strip():
        raise InvalidInputError(N_("Say where the figure comes from"))


def _keys(session: Session, figures: Sequence[FigureFacts]) -> list[FigureKey]:
    """Return which figures are meant; their owners are locked, so that two corrections follow each other."""
    commissions = {facts.contract_id or 0 for facts in figures if facts.kind is FigureKind.COMMISSION}
    parties = {facts.party_id or 0 for facts in figures if facts.kind is not FigureKind.COMMISSION}
    contracts = {row.id: row.party_id for row in _locked(session, Contract, commissions)}
    known = {row.id for row in _locked(session, Party, parties)}
    if parties - known or commissions - contracts.keys():
        raise NotFoundError
    keys = []
    for facts in figures:
        if facts.kind is FigureKind.COMMISSION:
            party_id = contracts[facts.contract_id or 0]
            if party_id is None:
                raise InvalidInputError(N_("An assessment policy earns no commission"))
            keys.append(FigureKey(party_id, facts.contract_id, facts.month, facts.kind))
        else:
            keys.append(FigureKey(facts.party_id or 0, None, facts.month, facts.kind))
    return keys


def _locked(session: Session, model: type[Owner], ids: Collection[int]) -> Sequence[Owner]:
    query = select(model).where(among(session, model.id, sorted(ids))).order_by(model.id)
    return session.scalars(query.with_for_update(key_share=True)).all()


def latest_by_key(session: Session, keys: Collection[FigureKey]) -> dict[FigureKey, PartyMonthFigure]:
    """Return what is recorded now of each of *keys*, if anything is."""
    wanted = set(keys)
    query = _latest_ones().where(PartyMonthFigure.month.in_({key.month for key in wanted}))
    found = {}
    for some in slices({key.party_id for key in wanted}):
        for row in session.scalars(query.where(PartyMonthFigure.party_id.in_(some))):
            key = FigureKey(row.party_id, row.contract_id, row.month, row.kind)
            if key in wanted:
                found[key] = row
    return found


def _latest_ones() -> Select[PartyMonthFigure]:
    return select(PartyMonthFigure).where(_is_latest())


def _is_latest() -> ColumnElement[bool]:
    later = aliased(PartyMonthFigure)
    return ~exists().where(later.supersedes_id == PartyMonthFigure.id)
