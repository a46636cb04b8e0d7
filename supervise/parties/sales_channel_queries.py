"""Named reads of sales channels, each within a scope; and the periods of all of them for a set-based run."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Party, SalesChannel, SalesChannelKind
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found
from supervise.parties.scope import Scope


class SalesChannelFilters(NamedTuple):
    """What the list is narrowed by; *text* fits code and name of the channel, name and code of the party."""

    text: str = ""
    kind: SalesChannelKind | None = None
    #: True: only those in force today.
    present: bool = False


class SalesChannelLine(NamedTuple):
    """A period of a channel code with its party."""

    row: SalesChannel
    party: Party


class SalesChannelPeriod(NamedTuple):
    """From when until when a channel code leads to a party."""

    channel_code: str
    kind: SalesChannelKind
    #: The party, or what it was merged into.
    party_id: int
    valid_from: dt.date
    valid_to: dt.date | None


def sales_channel_periods(session: Session) -> list[SalesChannelPeriod]:
    """Return every period of every channel code, by code and first day."""
    query = (
        select(
            SalesChannel.channel_code,
            SalesChannel.kind,
            func.coalesce(Party.merged_into_id, Party.id),
            SalesChannel.valid_from,
            SalesChannel.valid_to,
        )
        .join(Party, Party.id == SalesChannel.party_id)
        .order_by(SalesChannel.channel_code, SalesChannel.valid_from)
    )
    return [SalesChannelPeriod(*row) for row in session.execute(query)]


def channels_by_code(
    session: Session,
    scope: Scope,
    filters: SalesChannelFilters,
    *,
    after: tuple[str, int] | None = None,
    limit: int = AT_ONCE,
) -> list[SalesChannelLine]:
    """Return up to *limit* channels after (code, id) *after*, by code, each period a row."""
    query = _lines().order_by(SalesChannel.channel_code, SalesChannel.id).limit(limit)
    if after is not None:
        code, row_id = after
        same = and_(SalesChannel.channel_code == code, SalesChannel.id > row_id)
        query = query.where(or_(SalesChannel.channel_code > code, same))
    if filters.text:
        fields = (SalesChannel.channel_code, SalesChannel.name, Party.name, Party.code)
        query = query.where(or_(*(contains(field, filters.text) for field in fields)))
    if filters.kind is not None:
        query = query.where(SalesChannel.kind == filters.kind)
    if filters.present:
        query = query.where(holds_at(SalesChannel.valid_from, SalesChannel.valid_to, clock.today()))
    return [SalesChannelLine(*row) for row in session.execute(scope.limit(query, party=SalesChannel.party_id))]


def channels_of_party(session: Session, party_id: int, *, limit: int = 200) -> list[SalesChannelLine]:
    """Return the channel codes that lead or led to the party, the latest first."""
    order = (SalesChannel.valid_from.desc(), SalesChannel.channel_code)
    query = _lines().where(SalesChannel.party_id == party_id).order_by(*order).limit(limit)
    return [SalesChannelLine(*row) for row in session.execute(query)]


def channel_in_scope(session: Session, scope: Scope, channel_id: int) -> SalesChannelLine:
    """Return the channel.

    Raises:
        NotFoundError: if there is none, or its party is not the user's.
    """
    line = found(session.execute(_lines().where(SalesChannel.id == channel_id)).one_or_none())
    scope.check(None, line[0].party_id)
    return SalesChannelLine(*line)


def periods_of_channel(session: Session, scope: Scope, channel_code: str) -> list[SalesChannelLine]:
    """Return to which parties the code leads and led, the latest first; others' periods are not the user's to see."""
    query = _lines().where(SalesChannel.channel_code == channel_code).order_by(SalesChannel.valid_from.desc())
    return [SalesChannelLine(*row) for row in session.execute(scope.limit(query, party=SalesChannel.party_id))]


def _lines() -> Select[SalesChannel, Party]:
    return select(SalesChannel, Party).join(Party, Party.id == SalesChannel.party_id)
