"""Decisions on sales channels: the code that an order names leads to the party that sold then (domain F31)."""

import datetime as dt
import functools

from sqlalchemy import and_
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.parties.locks import load, load_version
from supervise.parties.models import SalesChannel, SalesChannelKind
from supervise.parties.periods import check_order, first_overlap
from supervise.parties.refusals import SalesChannelOverlapError
from supervise.parties.standing import check_takes_new

_record = functools.partial(record_event, subject="sales_channel")


def assign_channel(
    session: Session,
    *,
    channel_code: str,
    name: str,
    kind: SalesChannelKind,
    party_id: int,
    valid_from: dt.date,
    actor_id: int,
    valid_to: dt.date | None = None,
) -> SalesChannel:
    """Note that a party sells under a channel code from a day on.

    Raises:
        NoSuchRowError, MergedError, TerminatedPartyError: if the party takes nothing new.
        PeriodOrderError: if the period is empty.
        SalesChannelOverlapError: if the code leads to a party in that period already.
    """
    check_order(valid_from, valid_to)
    check_takes_new(session, party_id)
    _check_free(session, channel_code, (valid_from, valid_to))
    row = SalesChannel(
        channel_code=channel_code,
        name=name,
        kind=kind,
        party_id=party_id,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    changes = {
        "code": channel_code,
        "name": name,
        "channel_kind": kind,
        "party_id": party_id,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    _record(session, subject_id=row.id, action="sales_channel.assigned", actor_id=actor_id, changes=changes)
    return row


def end_channel(session: Session, channel_id: int, *, on: dt.date, reason: str | None, actor_id: int) -> SalesChannel:
    """Let a party sell under a code no more; *on* is the first day without it.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        SalesChannelOverlapError: if a later end runs into the next party of the code.
    """
    row = load(session, SalesChannel, channel_id)
    check_order(row.valid_from, on)
    if row.valid_to is not None and on > row.valid_to:
        _check_free(session, row.channel_code, (row.valid_to, on))
    changes = {"valid_to": [row.valid_to, on]}
    row.valid_to = on
    row.version += 1
    _record(
        session,
        subject_id=channel_id,
        action="sales_channel.ended",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )
    return row


def correct_channel(
    session: Session,
    channel_id: int,
    *,
    name: str,
    kind: SalesChannelKind,
    party_id: int,
    valid_from: dt.date,
    valid_to: dt.date | None,
    reason: str,
    version: int,
    actor_id: int,
) -> SalesChannel:
    """Correct what was entered wrongly of a channel, the party too; the trail keeps it as it was.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        MergedError, TerminatedPartyError: if it would go to a party that takes nothing new.
        PeriodOrderError: for an empty period.
        SalesChannelOverlapError: if the code leads to a party in the new period already.
    """
    check_order(valid_from, valid_to)
    row = load_version(session, SalesChannel, channel_id, version)
    if party_id != row.party_id:
        check_takes_new(session, party_id)
    _check_free(session, row.channel_code, (valid_from, valid_to), besides=channel_id)
    before = _facts(row)
    row.name, row.kind, row.party_id = name, kind, party_id
    row.valid_from, row.valid_to = valid_from, valid_to
    session.flush()
    _record(
        session,
        subject_id=channel_id,
        action="sales_channel.corrected",
        actor_id=actor_id,
        changes=changed(before, _facts(row)),
        reason=reason,
    )
    return row


def _facts(row: SalesChannel) -> dict[str, object]:
    return {
        "name": row.name,
        "channel_kind": row.kind,
        "party_id": row.party_id,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


def _check_free(
    session: Session, channel_code: str, period: tuple[dt.date, dt.date | None], *, besides: int = 0
) -> None:
    # The database refuses the same: ex_sales_channel_overlap, sales_channel_no_overlap_*.
    same = and_(SalesChannel.channel_code == channel_code, SalesChannel.id != besides)
    dated = (SalesChannel.valid_from, SalesChannel.valid_to)
    taken = first_overlap(session, same, dated, period, SalesChannel.party_id)
    if taken is not None:
        raise SalesChannelOverlapError(code=channel_code, **taken)
