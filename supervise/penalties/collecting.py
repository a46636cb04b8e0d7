"""Collecting final penalties: what is open of each, in the order of payment, and the only change of what is settled.

Whoever books the money in the ledger calls ``collect`` in the same transaction; ``penalties.lift`` takes back what was
collected of a penalty that is lifted.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, Select, select, text
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.contracts.rules import ShareMode
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.penalties.models import (
    Objection,
    ObjectionState,
    Penalty,
    PenaltyFamily,
    PenaltyState,
    ReversalRequest,
    ReversalState,
)


class NotCollectableError(ConflictError):
    """Only what is final and open can be collected or written off."""

    message = N_("%(reference)s is not final, or nothing of it is open")


class OpenDebt(NamedTuple):
    """A final penalty with an open rest, in fen."""

    penalty_id: int
    reference: str
    party_id: int
    contract_id: int
    finalised_at: dt.datetime
    open_fen: int
    #: The finding whose joint debtors may be asked for it; None: the party alone owes it.
    joint_finding_id: int | None
    #: The most that this party can be made to pay of the whole charge; None: all of it. Its own share included.
    joint_limit_fen: int | None
    #: An objection was admitted, or a reversal proposed: nothing is collected before it is decided.
    has_objection: bool
    has_reversal: bool

    @property
    def is_disputed(self) -> bool:
        """Whether somebody still has to decide about it."""
        return self.has_objection or self.has_reversal


def open_rest() -> ColumnElement[int]:
    """Return what of a penalty is open; agrees with ``Penalty.open_fen``."""
    return Penalty.amount_fen - Penalty.lifted_fen - Penalty.settled_fen - Penalty.written_off_fen


def open_debts(
    session: Session,
    *,
    until: dt.datetime,
    party_ids: Collection[int] | None = None,
    penalty_ids: Collection[int] | None = None,
) -> Sequence[OpenDebt]:
    """Return what parties outside the carrier owe that was final by *until*, by party and in the order of payment.

    The order of the law where nobody names a debt (Civil Code 560): what is due first, here what became final first,
    then by number.
    """
    query = _debts().where(Penalty.finalised_at <= until)
    if party_ids is not None:
        query = query.where(among(session, Penalty.party_id, party_ids))
    if penalty_ids is not None:
        query = query.where(among(session, Penalty.id, penalty_ids))
    rows = session.execute(query.order_by(Penalty.party_id, Penalty.finalised_at, Penalty.id))
    return [_debt(row) for row in rows]


def _debts() -> Select[*tuple[object, ...]]:
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
        Penalty.explanation["share"].label("share"),
        objection.exists().label("has_objection"),
        reversal.exists().label("has_reversal"),
    ).where(Penalty.family == PenaltyFamily.EXTERNAL, Penalty.state == PenaltyState.FINAL, open_rest() > 0)


def _debt(row: Row[*tuple[object, ...]]) -> OpenDebt:
    share = row.share or {}
    is_joint = share.get("mode") == ShareMode.JOINT
    return OpenDebt(
        row.id,
        row.reference,
        row.party_id,
        row.contract_id,
        row.finalised_at,
        row.open_fen,
        row.finding_id if is_joint else None,
        share.get("limit_fen") if is_joint else None,
        bool(row.has_objection),
        bool(row.has_reversal),
    )


def lock_for_collection(session: Session, penalty_ids: Collection[int]) -> None:
    """Lock the rows in the order of ids, as every decision on penalties does; read what they say afterwards."""
    session.execute(
        select(Penalty.id)
        .where(among(session, Penalty.id, sorted(penalty_ids)))
        .order_by(Penalty.id)
        .with_for_update(key_share=True)
    ).all()


def collect(session: Session, amounts: Mapping[int, int]) -> None:
    """Say of each penalty that so much more of it was collected, in fen; their rows are locked here.

    Raises:
        NotCollectableError: if one is not final, or has less left open: nothing is changed.
    """
    _change(session, amounts, Penalty.settled_fen.key)


def write_off(session: Session, amounts: Mapping[int, int]) -> None:
    """Say of each penalty that so much more of it was given up, in fen; their rows are locked here.

    Raises:
        NotCollectableError: if one is not final, or has less left open: nothing is changed.
    """
    _change(session, amounts, Penalty.written_off_fen.key)


def _change(session: Session, amounts: Mapping[int, int], column: str) -> None:
    if not amounts:
        return
    if any(fen <= 0 for fen in amounts.values()):
        raise InvalidInputError(N_("An amount must be above zero"))
    lock_for_collection(session, amounts)
    session.flush()
    # The CHECK of migration 0030 says the same; this names the penalty.
    enough = select(Penalty.id, Penalty.reference, Penalty.state, open_rest().label("open_fen"))
    for row in session.execute(enough.where(among(session, Penalty.id, list(amounts)))):
        if row.state is not PenaltyState.FINAL or row.open_fen < amounts[row.id]:
            raise NotCollectableError(reference=row.reference)
    _add(session, column, amounts)
    for known in session.identity_map.values():
        if isinstance(known, Penalty) and known.id in amounts:
            session.expire(known)


def _add(session: Session, column: str, amounts: Mapping[int, int]) -> None:
    if session.get_bind().dialect.name == "postgresql":
        lists = text(
            f"UPDATE penalty SET {column} = {column} + pair.fen, version = version + 1 "  # noqa: S608 - our own names
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:fens AS bigint[])) AS pair (id, fen) WHERE penalty.id = pair.id"
        )
        session.execute(lists, {"ids": list(amounts), "fens": list(amounts.values())})
        return
    statement = f"UPDATE penalty SET {column} = {column} + ?, version = version + 1 WHERE id = ?"  # noqa: S608
    session.connection().exec_driver_sql(statement, [(fen, penalty_id) for penalty_id, fen in amounts.items()])


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
