"""Monthly settlement runs: finance proposes one for all parties, a supervisor approves or finance cancels it.

Posting is ``posting``; docs/rules.md, section "Collection".
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.bulk import insert_rows, uncollected
from supervise.db import reserve_ids, take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.parties.models import Party
from supervise.penalties.belonging import ChargedUnits, OwnUnitError
from supervise.penalties.debts import DebtKey
from supervise.settlement.models import (
    CollectedFrom,
    LeftOut,
    RunState,
    Settlement,
    SettlementLine,
    SettlementRun,
    SettlementState,
)
from supervise.settlement.situation import Situation, situation_of
from supervise.settlement.waterfall import Shared, share_out

_UNPOSTED = (RunState.DRAFT, RunState.APPROVED)


class RunExistsError(ConflictError):
    """One run for a month; one unposted run at a time, else two would count on the same money."""

    message = N_("Run %(number)s of %(month)s is there already")


class NothingToSettleError(ConflictError):
    """Nothing is final and open, nothing is owed back, every deposit is complete."""

    message = N_("There is nothing to settle for %(month)s")


class RunChangedError(ConflictError):
    """The approver saw something else."""

    message = N_("The run is not what you were shown; reload and look again")


def propose_run(session: Session, month: str, *, actor_id: int) -> SettlementRun:
    """Compute the settlement of *month* (``2026-11``) for every party and keep it as a draft; nothing is posted.

    Raises:
        InvalidInputError: if the month is malformed or has not begun.
        RunExistsError: if the month has a run, or another run is not posted yet.
        NothingToSettleError: if there is nothing.
    """
    first, _next = clock.month_bounds(month)
    if first > clock.today():
        raise InvalidInputError(N_("The month has not begun"))
    take_turn(session, "settlement_run")
    _refuse_second(session, month)
    now = clock.now()
    with uncollected():
        situation = situation_of(session, month, now)
        shared = share_out(situation.payable, situation.orders, situation.means, situation.joint)
        settlements, lines = _rows(session, situation, shared)
    if not settlements:
        raise NothingToSettleError(month=month)
    run = SettlementRun(
        number=_next_number(session, month),
        month=month,
        cut_off_at=now,
        content_sha256=_sha256(settlements, lines),
        made_by=actor_id,
        made_at=now,
    )
    session.add(run)
    session.flush()  # the settlements refer to it
    insert_rows(session, Settlement.__table__, [{**row, "run_id": run.id} for row in settlements])
    insert_rows(session, SettlementLine.__table__, lines)
    _record(session, "settlement_run.proposed", run, actor_id, parties=len(settlements))
    return run


def approve_run(session: Session, run_id: int, content_sha256: str, *, actor_id: int) -> SettlementRun:
    """Approve a run as the second person; a job then posts it, party by party, as things stand by then.

    Raises:
        NotFoundError, AlreadyDecidedError: if it does not wait.
        RunChangedError: if *content_sha256* is not what was shown.
        SamePersonError: if the user proposed it.
        OwnUnitError: if it settles with the user's own party or unit.
        NotPermittedError: if its total is beyond the user's authority.
    """
    run = lock_run(session, run_id)
    if run.state is not RunState.DRAFT:
        raise AlreadyDecidedError
    if run.made_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    if run.content_sha256 != content_sha256:
        raise RunChangedError
    _refuse_own(session, run_id, actor_id)
    total_fen = _total_fen(session, run_id)
    require_authority(session, user_id=actor_id, amount_fen=total_fen)
    run.state, run.approved_by, run.approved_at = RunState.APPROVED, actor_id, clock.now()
    session.flush()
    _record(session, "settlement_run.approved", run, actor_id, total_fen=total_fen)
    return run


def cancel_run(session: Session, run_id: int, reason: str, *, actor_id: int) -> SettlementRun:
    """Take a draft back, or refuse it; its rows stay for who wants to know, and the month can have a new run.

    Raises:
        NotFoundError, AlreadyDecidedError: if it does not wait.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    run = lock_run(session, run_id)
    if run.state is not RunState.DRAFT:
        raise AlreadyDecidedError
    run.state, run.cancelled_by = RunState.CANCELLED, actor_id
    session.flush()
    _record(session, "settlement_run.cancelled", run, actor_id, reason=reason)
    return run


def lock_run(session: Session, run_id: int) -> SettlementRun:
    """Return the run, its row locked.

    Raises:
        NotFoundError: if there is none.
    """
    run = session.get(SettlementRun, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFoundError
    return run


def _refuse_own(session: Session, run_id: int, actor_id: int) -> None:
    units = ChargedUnits(session, actor_id)
    if units.are_none:
        return
    settled = select(Party).join(Settlement, Settlement.party_id == Party.id).where(Settlement.run_id == run_id)
    for party in session.scalars(settled.order_by(Party.id)):
        if units.include_party(party):
            raise OwnUnitError(reference=party.name)


def _refuse_second(session: Session, month: str) -> None:
    in_the_way = select(SettlementRun).where(
        SettlementRun.state.in_(_UNPOSTED)
        | ((SettlementRun.month == month) & (SettlementRun.state != RunState.CANCELLED))
    )
    other = session.scalars(in_the_way.order_by(SettlementRun.id.desc()).limit(1)).one_or_none()
    if other is not None:  # the month also by a unique index
        raise RunExistsError(number=other.number, month=other.month)


def _next_number(session: Session, month: str) -> str:
    used = session.scalar(select(func.count(SettlementRun.id)).where(SettlementRun.month == month)) or 0
    return f"JS{month.replace('-', '')}-{used + 1:02d}"


def _total_fen(session: Session, run_id: int) -> int:
    # What leaves an account or a deposit: cash is only asked for.
    moved = Settlement.refund_fen + Settlement.deposit_fen + Settlement.commission_fen + Settlement.payout_fen
    return int(session.scalar(select(func.coalesce(func.sum(moved), 0)).where(Settlement.run_id == run_id)) or 0)


def _rows(session: Session, situation: Situation, shared: Shared) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of ``settlement`` without their run, and those of ``settlement_line``."""
    owed, disputed = _sums(situation)
    taken: dict[int, dict[CollectedFrom, int]] = defaultdict(lambda: defaultdict(int))
    joint: dict[int, int] = defaultdict(int)
    debtor_of = {debt.key: debt.party_id for debt in situation.debts}
    for take in shared.takes:
        taken[take.payer_id][take.source] += take.fen
        joint[take.payer_id] += take.fen if debtor_of[take.key] != take.payer_id else 0
    settlements: list[dict[str, Any]] = []
    for party_id in situation.means:
        sums = taken[party_id]
        row: dict[str, Any] = {
            "party_id": party_id,
            "state": SettlementState.HELD if party_id in situation.held else SettlementState.PROPOSED,
            "owed_fen": owed[party_id],
            **{f"{source.value}_fen": sums[source] for source in CollectedFrom},
            "joint_fen": joint[party_id],
            "payout_fen": _payout_fen(situation, party_id, disputed[party_id]),
            "top_up_fen": _top_up_fen(situation, party_id),
        }
        if any(row[name] for name in row if name.endswith("_fen")):
            settlements.append(row)
    ids = reserve_ids(session, Settlement.__table__, len(settlements))
    settlements = [{"id": id_, **row} for id_, row in zip(ids, settlements, strict=True)]
    id_of = {row["party_id"]: row["id"] for row in settlements}
    return settlements, list(_lines(situation, shared, id_of))


def _sums(situation: Situation) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Return what each party owes, and what of it is left out because somebody still has to decide."""
    owed: dict[int, int] = defaultdict(int)
    disputed: dict[int, int] = defaultdict(int)
    for debt in situation.debts:
        owed[debt.party_id] += debt.open_fen
        if debt.key in situation.left_out:
            disputed[debt.party_id] += debt.open_fen
    return owed, disputed


def _payout_fen(situation: Situation, party_id: int, disputed_fen: int) -> int:
    """Return what is owed to the party beyond all that it owes, disputed or not."""
    if party_id in situation.held:
        return 0
    return max(0, situation.means[party_id].refund_fen - disputed_fen)


def _top_up_fen(situation: Situation, party_id: int) -> int:
    """Return by how much the deposit, after the draws, falls short of what is required and not called for yet."""
    if party_id in situation.held:
        return 0
    wanted_fen = situation.required_fen.get(party_id, 0) - situation.called_fen.get(party_id, 0)
    return max(0, wanted_fen - situation.means[party_id].deposit_fen)


def _lines(situation: Situation, shared: Shared, id_of: Mapping[int, int]) -> Iterable[dict[str, Any]]:
    def line(party_id: int, key: DebtKey, fen: int, **why: Any) -> dict[str, Any]:
        row = {"settlement_id": id_of[party_id], **key.columns, "source": None, "left_out": None}
        return {**row, **why, "proposed_fen": fen}

    for take in shared.takes:
        yield line(take.payer_id, take.key, take.fen, source=take.source)
    for debt in situation.debts:
        if debt.key in situation.left_out:
            why = situation.left_out[debt.key]
            yield line(debt.party_id, debt.key, debt.open_fen, left_out=why)
        elif debt.key in shared.carried:
            carried_fen = shared.carried[debt.key]
            yield line(debt.party_id, debt.key, carried_fen, left_out=LeftOut.NO_SOURCE)


def _sha256(settlements: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> str:
    # In one piece: an encoder for each of tens of thousands of rows takes longer than writing them.
    return hashlib.sha256(
        json.dumps([*settlements, *lines], sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def _record(
    session: Session, action: str, run: SettlementRun, actor_id: int, *, reason: str | None = None, **changes: Any
) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="settlement_run",
        subject_id=run.id,
        changes={"number": run.number, "month": run.month, **changes},
        reason=reason,
    )
