"""Sales channels from a file: the channel list of the order system."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_day, parse_text
from supervise.labels import N_, _
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, compared, without_overlaps
from supervise.parties.imports.register_file import (
    Judgement,
    KnownParty,
    error,
    member_named,
    parties_by_code,
    why_unusable,
)
from supervise.parties.models import Party, SalesChannel, SalesChannelKind
from supervise.parties.periods import in_words
from supervise.parties.sales_channels import assign_channel, end_channel


class SalesChannelRow(NamedTuple):
    """A channel code and the party that sells under it in a period."""

    row_number: int
    channel_code: str
    name: str
    kind: SalesChannelKind
    party_code: str
    valid_from: dt.date
    valid_to: dt.date | None


class SalesChannelFile:
    """The file of sales channels."""

    kind = ImportKind.SALES_CHANNELS
    mapping = ColumnMapping(
        fields={
            "code": ("渠道编码", "Channel code"),
            "name": ("渠道名称", "Channel name"),
            "kind": ("渠道类型", "Kind of channel"),
            "party": ("责任方编码", "Party code"),
            "valid_from": ("生效日期", "Valid from"),
            "valid_to": ("停用日期", "失效日期", "终止日期", "Valid until"),
        },
        required=frozenset({"code", "name", "kind", "party", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; the end is the first day on which the code leads to the party no more."""
        code, name = values.required("code", parse_text), values.required("name", parse_text)
        kind = values.required("kind", lambda text: member_named(SalesChannelKind, text))
        party_code = values.required("party", parse_text)
        valid_from, valid_to = values.required("valid_from", parse_day), values.optional("valid_to", parse_day)
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            values.add("valid_to", N_("The end must be after the start"))
        if code is None or name is None or kind is None or party_code is None or valid_from is None:
            return None
        return SalesChannelRow(row_number, code, name, kind, party_code, valid_from, valid_to)

    def judge(self, session: Session, rows: Sequence[SalesChannelRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; a channel of another kind or name is no longer the one that is known."""
        parties = parties_by_code(session, {row.party_code for row in rows})
        judged = {
            row.row_number: error(wrong)
            for row in rows
            if (wrong := why_unusable(row.party_code, parties.get(row.party_code))) is not None
        }
        usable = [row for row in rows if row.row_number not in judged]
        held = _held(session, {row.channel_code for row in usable})
        claims = [_claim(row, parties[row.party_code]) for row in usable]
        return judged | without_overlaps(compared(claims, held), claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[SalesChannelRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then assign the new ones, one by one."""
        parties = parties_by_code(session, {row.party_code for row in rows})
        written = {}
        by_verdict: dict[RowVerdict, list[SalesChannelRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        reason = _("File import %(id)d", id=batch_id)
        for row in by_verdict[RowVerdict.CHANGED]:
            channel_id = judgements[row.row_number].subject_id or 0
            end_channel(session, channel_id, on=row.valid_to or dt.date.max, reason=reason, actor_id=actor_id)
            written[row.row_number] = channel_id
        for row in by_verdict[RowVerdict.NEW]:
            assigned = assign_channel(
                session,
                channel_code=row.channel_code,
                name=row.name,
                kind=row.kind,
                party_id=parties[row.party_code].id,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                actor_id=actor_id,
            )
            written[row.row_number] = assigned.id
        return written


def _claim(row: SalesChannelRow, party: KnownParty) -> Claim[str, dt.date]:
    owner = (party.id, row.kind, row.name)
    return Claim(row.row_number, row.channel_code, owner, party.name, row.valid_from, row.valid_to)


def _held(session: Session, codes: set[str]) -> dict[str, list[Held[dt.date]]]:
    found: dict[str, list[Held[dt.date]]] = defaultdict(list)
    for some in slices(codes):
        query = select(SalesChannel, Party.name).join(Party, Party.id == SalesChannel.party_id)
        for row, name in session.execute(query.where(SalesChannel.channel_code.in_(some))):
            owner = (row.party_id, row.kind, row.name)
            found[row.channel_code].append(Held(row.id, owner, name, row.valid_from, row.valid_to))
    return found


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d leads this channel to %(name)s from %(first)s until %(end)s")
        return remark(message, row=other.row_number, name=other.name, first=first, end=end)
    message = N_("In the register this channel leads to %(name)s from %(first)s until %(end)s; correct that row there")
    return remark(message, name=other.name, first=first, end=end)
