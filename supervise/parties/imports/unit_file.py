"""Org units from a file: a tree whose parents may stand in the same file, in any order."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_day, parse_text
from supervise.labels import N_
from supervise.parties.imports.order import parents_first
from supervise.parties.imports.register_file import Judgement, error, member_named
from supervise.parties.models import OrgUnit, Party, UnitKind
from supervise.parties.units import found_unit


class UnitRow(NamedTuple):
    """A unit and the one above it."""

    row_number: int
    code: str
    name: str
    kind: UnitKind
    parent_code: str | None
    valid_from: dt.date
    cost_centre: str | None


class _Known(NamedTuple):
    id: int
    name: str
    is_gone: bool


class UnitFile:
    """The file of org units."""

    kind = ImportKind.ORG_UNITS
    mapping = ColumnMapping(
        fields={
            "code": ("机构编码", "Unit code"),
            "name": ("机构名称", "Unit name"),
            "kind": ("层级", "机构类型", "Level"),
            "parent": ("上级机构编码", "Parent code"),
            "valid_from": ("生效日期", "Valid from"),
            "cost_centre": ("成本中心", "Cost centre"),
        },
        required=frozenset({"code", "name", "kind", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; an empty parent is a root."""
        code, name = values.required("code", parse_text), values.required("name", parse_text)
        kind, valid_from = (
            values.required("kind", lambda text: member_named(UnitKind, text)),
            values.required("valid_from", parse_day),
        )
        parent_code = values.optional("parent", parse_text)
        cost_centre = values.optional("cost_centre", parse_text)
        if code is None or name is None or kind is None or valid_from is None:
            return None
        return UnitRow(row_number, code, name, kind, parent_code, valid_from, cost_centre)

    def judge(self, session: Session, rows: Sequence[UnitRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; a row below one that is wrong is wrong as well."""
        codes = {row.code for row in rows} | {row.parent_code for row in rows if row.parent_code}
        units, parties = _known_units(session, codes), _known_parties(session, {row.code for row in rows})
        judged: dict[int, Judgement] = {}
        first_rows: dict[str, UnitRow] = {}
        for row in rows:
            judged[row.row_number] = _judge_alone(row, units, parties, first_rows.get(row.code))
            first_rows.setdefault(row.code, row)
        new = [row for row in rows if judged[row.row_number].verdict is RowVerdict.NEW]
        usable = {code for code, unit in units.items() if not unit.is_gone}
        ordered = parents_first(((row.code, row.parent_code) for row in new), usable)
        for row in new:
            if row.code not in ordered:
                judged[row.row_number] = error(
                    remark(N_("The unit above, %(code)s, is not there"), code=row.parent_code or "")
                )
        return judged

    def write(
        self,
        session: Session,
        rows: Sequence[UnitRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,  # noqa: ARG002 - a unit is written by its own decision, which knows no file
        actor_id: int,
    ) -> Mapping[int, int]:
        """Found the units, those above first; a carrier has hundreds, so one by one will do."""
        new = {row.code: row for row in rows if judgements[row.row_number].verdict is RowVerdict.NEW}
        known = _known_units(session, {row.parent_code for row in new.values() if row.parent_code})
        ids = {code: unit.id for code, unit in known.items()}
        for code in parents_first(((row.code, row.parent_code) for row in new.values()), set(known)):
            row = new[code]
            unit = found_unit(
                session,
                code=row.code,
                name=row.name,
                kind=row.kind,
                parent_id=ids[row.parent_code] if row.parent_code else None,
                valid_from=row.valid_from,
                cost_centre=row.cost_centre,
                actor_id=actor_id,
            )
            ids[code] = unit.id
        return {row.row_number: ids[row.code] for row in new.values()}


def _known_units(session: Session, codes: Iterable[str]) -> dict[str, _Known]:
    found = {}
    for some in slices(codes):
        query = sa.select(OrgUnit.code, OrgUnit.id, OrgUnit.name, OrgUnit.merged_into_id, OrgUnit.closed_on)
        for code, unit_id, name, into_id, closed_on in session.execute(query.where(OrgUnit.code.in_(some))):
            found[code] = _Known(unit_id, name, into_id is not None or closed_on is not None)
    return found


def _known_parties(session: Session, codes: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in slices(codes):
        query = sa.select(Party.code, Party.name).where(Party.code.in_(some), Party.org_unit_id.is_(None))
        found.update((row.code, row.name) for row in session.execute(query))
    return found


def _judge_alone(
    row: UnitRow, units: Mapping[str, _Known], parties: Mapping[str, str], earlier: UnitRow | None
) -> Judgement:
    if earlier is not None:
        return error(remark(N_("Row %(row)d has the same code"), row=earlier.row_number))
    unit = units.get(row.code)
    if unit is not None and unit.name == row.name:
        return Judgement(RowVerdict.KNOWN, subject_id=unit.id)
    taken = unit.name if unit is not None else parties.get(row.code)
    if taken is not None:
        return error(remark(N_("The code %(code)s is taken by %(name)s"), code=row.code, name=taken))
    return Judgement(RowVerdict.NEW)
