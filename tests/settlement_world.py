"""Rows of settlement for the world of ``tests.authorisation``: a run, a notice to each of two partners, a write-off."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Party
from supervise.settlement.models import RunState, Settlement, SettlementRun, SettlementState, WriteOff


class SettlementIds(NamedTuple):
    """Keys of one row of each kind; notices are for partner and other partner."""

    run: int
    draft: int
    notices: list[int]
    write_off: int


def make_settlements(
    session: Session, *, partners: Sequence[Party], penalty_id: int, finance_id: int, supervisor_id: int
) -> SettlementIds:
    """Write the rows down as decisions leave them."""
    posted = _run(session, "2019-11", RunState.POSTED, finance_id, supervisor_id)
    draft = _run(session, "2019-12", RunState.DRAFT, finance_id, supervisor_id)
    notices = [_notice(session, posted, partner) for partner in partners]
    wish = WriteOff(
        penalty_id=penalty_id,
        amount_fen=1_00,
        reason="party dissolved",
        proposed_by=finance_id,
        proposed_at=clock.now(),
    )
    session.add(wish)
    session.flush()
    return SettlementIds(posted.id, draft.id, [notice.id for notice in notices], wish.id)


def _run(session: Session, month: str, state: RunState, finance_id: int, supervisor_id: int) -> SettlementRun:
    now, is_posted = clock.now(), state is RunState.POSTED
    run = SettlementRun(
        number=f"JS{month.replace('-', '')}-01",
        month=month,
        state=state,
        cut_off_at=now,
        content_sha256="0" * 64,
        made_by=finance_id,
        made_at=now,
        approved_by=supervisor_id if is_posted else None,
        approved_at=now if is_posted else None,
        posted_at=now if is_posted else None,
    )
    session.add(run)
    session.flush()
    return run


def _notice(session: Session, run: SettlementRun, party: Party) -> Settlement:
    sums = dict.fromkeys(("refund", "deposit", "commission", "joint", "payout", "top_up"), 0)
    notice = Settlement(
        run_id=run.id,
        party_id=party.id,
        state=SettlementState.POSTED,
        owed_fen=100_00,
        cash_fen=100_00,
        **{f"{name}_fen": fen for name, fen in sums.items()},
        notice_at=clock.now(),
        deemed_on=clock.today() + dt.timedelta(days=3),
    )
    session.add(notice)
    session.flush()
    return notice
