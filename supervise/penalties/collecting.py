"""Collecting what is due: what is open of each debt, in the order of payment, and the only change of what is settled.

Whoever books the money in the ledger calls ``collect`` in the same transaction; ``penalties.lift`` takes back what was
collected of a penalty that is lifted.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, select, text
from sqlalchemy.orm import Session

from supervise.bulk import among, array_literal, read_known_again
from supervise.contracts.rules import RecoveryBase
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.penalties.debts import DebtKey, DebtKind, OpenDebt
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.penalties.models import (
    Objection,
    ObjectionState,
    Penalty,
    PenaltyFamily,
    PenaltyState,
    ReversalRequest,
    ReversalState,
)
from supervise.penalties.recovery_models import Recovery, RecoveryState

_TABLES: Mapping[DebtKind, type[Penalty | Recovery | FineRecourse]] = {
    DebtKind.PENALTY: Penalty,
    DebtKind.RECOVERY: Recovery,
    DebtKind.RECOURSE: FineRecourse,
}
#: Who has to look whether a row changed since says so by its version.
_VERSIONED = {DebtKind.PENALTY: ", version = version + 1"}
#: Where each says what was collected of it.
_COLLECTED = {
    DebtKind.PENALTY: Penalty.settled_fen.key,
    DebtKind.RECOVERY: Recovery.settled_fen.key,
    DebtKind.RECOURSE: FineRecourse.received_fen.key,
}


class NotCollectableError(ConflictError):
    """Only what is final and open can be collected or written off."""

    message = N_("%(reference)s is not final, or nothing of it is open")


def open_rest() -> ColumnElement[int]:
    """Return what of a penalty is open; agrees with ``Penalty.open_fen``."""
    return Penalty.amount_fen - Penalty.lifted_fen - Penalty.settled_fen - Penalty.written_off_fen


def open_debts(
    session: Session,
    *,
    until: dt.datetime,
    party_ids: Collection[int] | None = None,
    keys: Collection[DebtKey] | None = None,
) -> Sequence[OpenDebt]:
    """Return what parties outside the carrier owe that was due by *until*, by party and in the order of payment.

    The order of the law where nobody names a debt (Civil Code 560): what is due first, then by kind and number.
    """
    ids = None if keys is None else ids_by_kind(keys)
    found = []
    for kind, read in ((DebtKind.PENALTY, _penalties), (DebtKind.RECOVERY, _recoveries), (DebtKind.RECOURSE, _lines)):
        if ids is not None and kind not in ids:
            continue
        table, query = _TABLES[kind], read(until)
        if party_ids is not None:
            query = query.where(among(session, table.party_id, party_ids))
        if ids is not None:
            query = query.where(among(session, table.id, ids[kind]))
        since = query.selected_columns[4]
        rows = session.execute(query.order_by(table.party_id, since, table.id))
        if debts := [_debt(kind, row) for row in rows]:
            found.append(debts)
    if len(found) == 1:
        return found[0]
    # By kind before: the order stays where party and moment are the same.
    return sorted(chain.from_iterable(found), key=_in_order)


def _in_order(debt: OpenDebt) -> tuple[int, dt.datetime]:
    return debt.party_id, debt.due_at


def _penalties(until: dt.datetime) -> Select[*tuple[Any, ...]]:
    objection = select(Objection.id).where(Objection.penalty_id == Penalty.id, Objection.state == ObjectionState.OPEN)
    reversal = select(ReversalRequest.id).where(
        ReversalRequest.penalty_id == Penalty.id, ReversalRequest.state == ReversalState.OPEN
    )
    return select(
        Penalty.id,
        Penalty.reference,
        Penalty.party_id,
        Penalty.contract_id,
        Penalty.finalised_at,
        open_rest().label("open_fen"),
        Penalty.finding_id,
        # Of most there is nothing to read in the explanation.
        case((Penalty.is_joint, Penalty.explanation["share"])).label("joint_share"),
        objection.exists().label("has_objection"),
        reversal.exists().label("has_reversal"),
    ).where(
        Penalty.family == PenaltyFamily.EXTERNAL,
        Penalty.state == PenaltyState.FINAL,
        open_rest() > 0,
        Penalty.finalised_at <= until,
    )


def _recoveries(until: dt.datetime) -> Select[*tuple[Any, ...]]:
    rest = Recovery.amount_fen - Recovery.settled_fen
    # It falls with the penalty: what may lift the penalty may lift it.
    falls = and_(
        Recovery.base == RecoveryBase.FINDING,
        select(Objection.id)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .where(Penalty.finding_id == Recovery.finding_id, Objection.state == ObjectionState.OPEN)
        .exists(),
    )
    return select(
        Recovery.id,
        Recovery.reference,
        Recovery.party_id,
        Recovery.contract_id,
        Recovery.approved_at,
        rest.label("open_fen"),
        falls.label("has_objection"),
    ).where(Recovery.state == RecoveryState.APPROVED, rest > 0, Recovery.approved_at <= until)


def _lines(until: dt.datetime) -> Select[*tuple[Any, ...]]:
    rest = FineRecourse.amount_fen - FineRecourse.received_fen
    return select(
        FineRecourse.id,
        FineRecourse.reference,
        FineRecourse.party_id,
        FineRecourse.contract_id,
        FineRecourse.approved_at,
        rest.label("open_fen"),
    ).where(
        FineRecourse.family == PenaltyFamily.EXTERNAL,
        FineRecourse.state == RecourseState.APPROVED,
        rest > 0,
        FineRecourse.approved_at <= until,
    )


def _debt(kind: DebtKind, row: Row[*tuple[Any, ...]]) -> OpenDebt:
    debt = OpenDebt(DebtKey(kind, row[0]), row[1], row[2], row[3], row[4], row[5])
    if kind is DebtKind.RECOURSE:
        return debt
    if kind is DebtKind.RECOVERY:
        return debt._replace(has_objection=bool(row.has_objection))
    return OpenDebt(
        *debt[:6],
        row.finding_id if row.joint_share else None,
        row.joint_share.get("limit_fen") if row.joint_share else None,
        bool(row.has_objection),
        bool(row.has_reversal),
    )


def ids_by_kind(keys: Collection[DebtKey]) -> dict[DebtKind, list[int]]:
    """Return the ids of the debts by kind, in order; kinds of which there is none are left out."""
    found: dict[DebtKind, list[int]] = defaultdict(list)
    for kind, debt_id in keys:
        found[kind].append(debt_id)
    return {kind: sorted(found[kind]) for kind in DebtKind if kind in found}


def lock_for_collection(session: Session, keys: Collection[DebtKey]) -> None:
    """Lock the rows by kind and id, as every decision on them does; read what they say afterwards."""
    for kind, ids in ids_by_kind(keys).items():
        table = _TABLES[kind]
        rows = select(table.id).where(among(session, table.id, ids)).order_by(table.id)
        session.execute(rows.with_for_update(key_share=True)).all()


def collect(session: Session, amounts: Mapping[DebtKey, int]) -> None:
    """Say of each debt that so much more of it was collected, in fen; their rows are locked here.

    Raises:
        NotCollectableError: if one is not final, or has less left open: nothing is changed.
    """
    _change(session, amounts, _COLLECTED)


def write_off(session: Session, amounts: Mapping[int, int]) -> None:
    """Say of each penalty that so much more of it was given up, in fen; their rows are locked here.

    Raises:
        NotCollectableError: if one is not final, or has less left open: nothing is changed.
    """
    penalties = {DebtKey(DebtKind.PENALTY, penalty_id): fen for penalty_id, fen in amounts.items()}
    _change(session, penalties, {DebtKind.PENALTY: Penalty.written_off_fen.key})


def _change(session: Session, amounts: Mapping[DebtKey, int], columns: Mapping[DebtKind, str]) -> None:
    if not amounts:
        return
    if any(fen <= 0 for fen in amounts.values()):
        raise InvalidInputError(N_("An amount must be above zero"))
    lock_for_collection(session, amounts)
    session.flush()
    for kind, ids in ids_by_kind(amounts).items():
        fens = {debt_id: amounts[DebtKey(kind, debt_id)] for debt_id in ids}
        # The CHECKs of migrations 0030, 0039 and 0043 say the same; this names the debt.
        for debt_id, reference, open_fen in _open_now(session, kind, ids):
            if open_fen < fens[debt_id]:
                raise NotCollectableError(reference=reference)
        _add(session, kind, columns[kind], fens)
        read_known_again(session, _TABLES[kind], fens)


def _open_now(session: Session, kind: DebtKind, ids: Sequence[int]) -> Iterator[tuple[int, str, int]]:
    """Yield id, reference and open rest of each; nothing is open of what is not due."""
    table: Any = _TABLES[kind]
    due = {DebtKind.PENALTY: PenaltyState.FINAL, DebtKind.RECOVERY: RecoveryState.APPROVED}.get(
        kind, RecourseState.APPROVED
    )
    rest = open_rest() if kind is DebtKind.PENALTY else table.amount_fen - getattr(table, _COLLECTED[kind])
    query = select(table.id, table.reference, table.state, rest).where(among(session, table.id, ids))
    for debt_id, reference, state, open_fen in session.execute(query):
        yield debt_id, reference, open_fen if state is due else 0


def _add(session: Session, kind: DebtKind, column: str, amounts: Mapping[int, int]) -> None:
    table, also = _TABLES[kind].__tablename__, _VERSIONED.get(kind, "")
    if session.get_bind().dialect.name == "postgresql":
        lists = text(
            f"UPDATE {table} SET {column} = {column} + pair.fen{also} "  # noqa: S608 - our own names
            f"FROM unnest(CAST(:ids AS bigint[]), CAST(:fens AS bigint[])) AS pair (id, fen) WHERE {table}.id = pair.id"
        )
        session.execute(lists, {"ids": array_literal(amounts), "fens": array_literal(amounts.values())})
        return
    statement = f"UPDATE {table} SET {column} = {column} + ?{also} WHERE id = ?"  # noqa: S608 - our own names
    session.connection().exec_driver_sql(statement, [(fen, debt_id) for debt_id, fen in amounts.items()])


def check_open(penalty: Penalty, amount_fen: int) -> None:
    """Refuse to take more of a locked penalty than is open.

    Raises:
        NotCollectableError: if it is not final, or nothing of it is open.
        InvalidInputError: if *amount_fen* is nothing, or more than that.
    """
    if penalty.state is not PenaltyState.FINAL or penalty.open_fen == 0:
        raise NotCollectableError(reference=penalty.reference)
    if not 0 < amount_fen <= penalty.open_fen:
        raise InvalidInputError(N_("At most %(amount)s yuan is open"), amount=format_yuan(penalty.open_fen))
