"""What parties may do from a file: the carrier's list of authorised agents, a few thousand rows at most."""

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
from supervise.parties.capabilities import end_capability, grant_capability
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
from supervise.parties.models import Capability, OrgUnit, Party, PartyCapability
from supervise.parties.periods import in_words

Key = tuple[int, Capability, int | None]


class CapabilityRow(NamedTuple):
    """Something that a party may do in a period; without an area, everywhere."""

    row_number: int
    party_code: str
    capability: Capability
    area_code: str | None
    valid_from: dt.date
    valid_to: dt.date | None
    source: str


class CapabilityFile:
    """The file of what parties may do."""

    kind = ImportKind.CAPABILITIES
    mapping = ColumnMapping(
        fields={
            "party": ("责任方编码", "Party code"),
            "capability": ("权限", "业务权限", "May do"),
            "area": ("区域编码", "机构编码", "Area code"),
            "valid_from": ("生效日期", "Valid from"),
            "valid_to": ("停用日期", "失效日期", "终止日期", "Valid until"),
            "source": ("依据", "来源", "Source"),
        },
        required=frozenset({"party", "capability", "valid_from", "source"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; the end is the first day without the capability."""
        party_code, area_code = values.required("party", parse_text), values.optional("area", parse_text)
        capability = values.required("capability", lambda text: member_named(Capability, text))
        source = values.required("source", parse_text)
        valid_from, valid_to = values.required("valid_from", parse_day), values.optional("valid_to", parse_day)
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            values.add("valid_to", N_("The end must be after the start"))
        if party_code is None or capability is None or source is None or valid_from is None:
            return None
        return CapabilityRow(row_number, party_code, capability, area_code or None, valid_from, valid_to, source)

    def judge(self, session: Session, rows: Sequence[CapabilityRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row."""
        parties, areas = parties_by_code(session, {row.party_code for row in rows}), _areas(session, rows)
        judged = {row.row_number: error(wrong) for row in rows if (wrong := _wrong(row, parties, areas)) is not None}
        usable = [row for row in rows if row.row_number not in judged]
        held = _held(session, {parties[row.party_code].id for row in usable})
        claims = [_claim(row, parties, areas) for row in usable]
        return judged | without_overlaps(compared(claims, held), claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[CapabilityRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then grant the new ones, one by one."""
        parties, areas = parties_by_code(session, {row.party_code for row in rows}), _areas(session, rows)
        by_verdict: dict[RowVerdict, list[CapabilityRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        reason = _("File import %(id)d", id=batch_id)
        for row in by_verdict[RowVerdict.CHANGED]:
            capability_id = judgements[row.row_number].subject_id or 0
            end_capability(session, capability_id, on=row.valid_to or dt.date.max, reason=reason, actor_id=actor_id)
        for row in by_verdict[RowVerdict.NEW]:
            grant_capability(
                session,
                party_id=parties[row.party_code].id,
                capability=row.capability,
                area_unit_id=areas[row.area_code] if row.area_code else None,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                source=row.source,
                actor_id=actor_id,
            )
        written = (*by_verdict[RowVerdict.CHANGED], *by_verdict[RowVerdict.NEW])
        return {row.row_number: parties[row.party_code].id for row in written}


def _areas(session: Session, rows: Sequence[CapabilityRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in slices({row.area_code for row in rows if row.area_code}):
        query = select(OrgUnit.code, OrgUnit.id).where(OrgUnit.code.in_(some), OrgUnit.closed_on.is_(None))
        found.update((row.code, row.id) for row in session.execute(query))
    return found


def _wrong(row: CapabilityRow, parties: Mapping[str, KnownParty], areas: Mapping[str, int]) -> Remark | None:
    if row.area_code is not None and row.area_code not in areas:
        return remark(N_("There is no unit with the code %(code)s"), code=row.area_code)
    return why_unusable(row.party_code, parties.get(row.party_code))


def _claim(row: CapabilityRow, parties: Mapping[str, KnownParty], areas: Mapping[str, int]) -> Claim[Key, dt.date]:
    party = parties[row.party_code]
    key = (party.id, row.capability, areas[row.area_code] if row.area_code else None)
    return Claim(row.row_number, key, party.id, party.name, row.valid_from, row.valid_to)


def _held(session: Session, party_ids: set[int]) -> dict[Key, list[Held[dt.date]]]:
    found: dict[Key, list[Held[dt.date]]] = defaultdict(list)
    for some in slices(party_ids):
        query = select(PartyCapability, Party.name).join(Party, Party.id == PartyCapability.party_id)
        for row, name in session.execute(query.where(PartyCapability.party_id.in_(some))):
            held = Held(row.id, row.party_id, name, row.valid_from, row.valid_to)
            found[row.party_id, row.capability, row.area_unit_id].append(held)
    return found


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d says that %(name)s may do this in this area from %(first)s until %(end)s")
        return remark(message, row=other.row_number, name=other.name, first=first, end=end)
    message = N_("%(name)s may do this in this area already, from %(first)s until %(end)s")
    return remark(message, name=other.name, first=first, end=end)
