"""Ties between parties from a file: who works for whom in which role, dated; circles are errors of their rows."""

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
from supervise.parties.models import Party, PartyKind, PartyRelation, RelationRole
from supervise.parties.periods import in_words
from supervise.parties.relations import end_relation, relate
from supervise.parties.tree import Edge, first_day_of_circle

Key = tuple[int, RelationRole]


class RelationRow(NamedTuple):
    """A party and the one that it stands below in a period."""

    row_number: int
    child_code: str
    parent_code: str
    role: RelationRole
    valid_from: dt.date
    valid_to: dt.date | None


class RelationFile:
    """The file of ties between parties."""

    kind = ImportKind.RELATIONS
    mapping = ColumnMapping(
        fields={
            "child": ("责任方编码", "Party code"),
            "role": ("关系", "Relation"),
            "parent": ("上级编码", "归属编码", "Works for"),
            "valid_from": ("生效日期", "Valid from"),
            "valid_to": ("停用日期", "失效日期", "终止日期", "Valid until"),
        },
        required=frozenset({"child", "role", "parent", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; the end is the first day without the tie."""
        child_code, parent_code = values.required("child", parse_text), values.required("parent", parse_text)
        role = values.required("role", lambda text: member_named(RelationRole, text))
        valid_from, valid_to = values.required("valid_from", parse_day), values.optional("valid_to", parse_day)
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            values.add("valid_to", N_("The end must be after the start"))
        if child_code is None or parent_code is None or role is None or valid_from is None:
            return None
        return RelationRow(row_number, child_code, parent_code, role, valid_from, valid_to)

    def judge(self, session: Session, rows: Sequence[RelationRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; of rows that would close a circle the last one is wrong."""
        parties = _named(session, rows)
        judged = {row.row_number: error(wrong) for row in rows if (wrong := _wrong(row, parties)) is not None}
        usable = [row for row in rows if row.row_number not in judged]
        held = _held(session, {parties[row.child_code].id for row in usable})
        claims = [_claim(row, parties) for row in usable]
        judged |= without_overlaps(compared(claims, held), claims, held, _in_the_way)
        edges = _edges(session)
        for row in usable:
            if judged[row.row_number].verdict is RowVerdict.NEW:
                edge = (parties[row.child_code].id, parties[row.parent_code].id, row.valid_from, row.valid_to)
                day = first_day_of_circle(edge, lambda nodes: [up for node in nodes for up in edges[node.node_id]])
                if day is None:
                    edges[edge[0]].append(edge)
                else:
                    name = parties[row.child_code].name
                    circle = remark(N_("%(name)s would stand above itself from %(day)s"), name=name, day=f"{day}")
                    judged[row.row_number] = error(circle)
        return judged

    def write(
        self,
        session: Session,
        rows: Sequence[RelationRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then add the new ties; a carrier has a few thousand, so one by one will do."""
        parties = _named(session, rows)
        by_verdict: dict[RowVerdict, list[RelationRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        reason = _("File import %(id)d", id=batch_id)
        for row in by_verdict[RowVerdict.CHANGED]:
            relation_id = judgements[row.row_number].subject_id or 0
            end_relation(session, relation_id, on=row.valid_to or dt.date.max, reason=reason, actor_id=actor_id)
        for row in by_verdict[RowVerdict.NEW]:
            relate(
                session,
                child_id=parties[row.child_code].id,
                parent_id=parties[row.parent_code].id,
                role=row.role,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                actor_id=actor_id,
            )
        written = (*by_verdict[RowVerdict.CHANGED], *by_verdict[RowVerdict.NEW])
        return {row.row_number: parties[row.child_code].id for row in written}


def _named(session: Session, rows: Sequence[RelationRow]) -> dict[str, KnownParty]:
    return parties_by_code(session, {row.child_code for row in rows} | {row.parent_code for row in rows})


def _wrong(row: RelationRow, parties: Mapping[str, KnownParty]) -> Remark | None:
    child, parent = parties.get(row.child_code), parties.get(row.parent_code)
    if child is not None and child.kind is PartyKind.ORG_UNIT:
        return remark(N_("%(name)s is a branch: change the org unit instead"), name=child.name)
    return why_unusable(row.child_code, child) or why_unusable(row.parent_code, parent)


def _claim(row: RelationRow, parties: Mapping[str, KnownParty]) -> Claim[Key, dt.date]:
    parent = parties[row.parent_code]
    key = (parties[row.child_code].id, row.role)
    return Claim(row.row_number, key, parent.id, parent.name, row.valid_from, row.valid_to)


def _held(session: Session, child_ids: set[int]) -> dict[Key, list[Held[dt.date]]]:
    found: dict[Key, list[Held[dt.date]]] = defaultdict(list)
    for some in slices(child_ids):
        query = select(PartyRelation, Party.name).join(Party, Party.id == PartyRelation.parent_id)
        for row, name in session.execute(query.where(PartyRelation.child_id.in_(some))):
            held = Held(row.id, row.parent_id, name, row.valid_from, row.valid_to)
            found[row.child_id, row.role].append(held)
    return found


def _edges(session: Session) -> dict[int, list[Edge]]:
    """Return every tie of the register by the party below: a circle may lead through any of them."""
    edges: dict[int, list[Edge]] = defaultdict(list)
    query = select(PartyRelation.child_id, PartyRelation.parent_id, PartyRelation.valid_from, PartyRelation.valid_to)
    for child_id, parent_id, valid_from, valid_to in session.execute(query):
        edges[child_id].append((child_id, parent_id, valid_from, valid_to))
    return edges


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d puts the party below %(name)s in this role from %(first)s until %(end)s")
        return remark(message, row=other.row_number, name=other.name, first=first, end=end)
    message = N_("In this role the party already stands below %(name)s from %(first)s until %(end)s")
    return remark(message, name=other.name, first=first, end=end)
