"""Parties from a file; who stands above a party may come in the same file, in any order."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_boolean, parse_day, parse_text
from supervise.labels import N_
from supervise.parties.credit_code import normalise_credit_code
from supervise.parties.imports.order import parents_first
from supervise.parties.imports.register_file import Judgement, KnownParty, error, member_named, parties_by_code
from supervise.parties.models import PartyKind, RelationRole
from supervise.parties.register import Tie, add_alias, enter_party


class PartyRow(NamedTuple):
    """A party and the one it is tied to."""

    row_number: int
    code: str
    name: str
    kind: PartyKind
    credit_code: str | None
    above_code: str
    role: RelationRole
    valid_from: dt.date
    is_person: bool
    aliases: tuple[str, ...]
    contact: str | None
    note: str | None


class PartyFile:
    """The file of parties that are no branches."""

    kind = ImportKind.PARTIES
    mapping = ColumnMapping(
        fields={
            "code": ("责任方编码", "Party code"),
            "name": ("责任方名称", "名称", "Party name"),
            "kind": ("类型", "责任方类型", "Kind"),
            "credit_code": ("统一社会信用代码", "Credit code"),
            "above": ("上级编码", "归属编码", "Works for"),
            "role": ("关系", "Relation"),
            "valid_from": ("生效日期", "Valid from"),
            "is_person": ("自然人", "Natural person"),
            "aliases": ("别名", "Other names"),
            "contact": ("联系方式", "Contact"),
            "note": ("备注", "Note"),
        },
        required=frozenset({"code", "name", "kind", "above", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; without a relation a party is sponsored by the branch above it."""
        code, name = values.required("code", parse_text), values.required("name", parse_text)
        kind = values.required("kind", lambda text: member_named(PartyKind, text))
        if kind is PartyKind.ORG_UNIT:
            values.add("kind", N_("A branch is imported as an org unit"))
        above_code, valid_from = values.required("above", parse_text), values.required("valid_from", parse_day)
        role = values.optional("role", lambda text: member_named(RelationRole, text)) or RelationRole.SPONSORED_BY
        credit_code = values.optional("credit_code", normalise_credit_code)
        is_person = values.optional("is_person", parse_boolean) or False
        aliases = tuple(filter(None, map(str.strip, (values.optional("aliases", _one_separator) or "").split(";"))))
        contact, note = values.optional("contact", parse_text), values.optional("note", parse_text)
        if code is None or name is None or kind is None or above_code is None or valid_from is None:
            return None
        return PartyRow(
            row_number, code, name, kind, credit_code, above_code, role, valid_from, is_person, aliases, contact, note
        )

    def judge(self, session: Session, rows: Sequence[PartyRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; a row below one that is wrong is wrong as well."""
        codes = {row.code for row in rows} | {row.above_code for row in rows}
        known = parties_by_code(session, codes | {row.credit_code for row in rows if row.credit_code})
        judged: dict[int, Judgement] = {}
        seen: dict[str, int] = {}
        for row in rows:
            judged[row.row_number] = _judge_alone(row, known, seen)
            for code in filter(None, (row.code, row.credit_code)):
                seen.setdefault(code, row.row_number)
        new = [row for row in rows if judged[row.row_number].verdict is RowVerdict.NEW]
        usable = {code for code, party in known.items() if not party.is_merged}
        ordered = set(parents_first(((row.code, row.above_code) for row in new), usable))
        for row in new:
            if row.code not in ordered:
                judged[row.row_number] = error(remark(N_("No party has the code %(code)s"), code=row.above_code))
        return judged

    def write(
        self,
        session: Session,
        rows: Sequence[PartyRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Enter the parties, those above first; a carrier has a few thousand, so one by one will do."""
        new = {row.code: row for row in rows if judgements[row.row_number].verdict is RowVerdict.NEW}
        known = parties_by_code(session, {row.above_code for row in new.values()})
        ids = {code: party.id for code, party in known.items()}
        for code in parents_first(((row.code, row.above_code) for row in new.values()), set(known)):
            row = new[code]
            party = enter_party(
                session,
                code=row.code,
                kind=row.kind,
                name=row.name,
                tie=Tie(ids[row.above_code], row.role, row.valid_from),
                credit_code=row.credit_code,
                is_person=row.is_person,
                contact=row.contact,
                note=row.note,
                actor_id=actor_id,
            )
            ids[code] = party.id
            for alias in row.aliases:
                add_alias(session, party.id, name=alias, source=f"{batch_id}", actor_id=actor_id)
        return {row.row_number: ids[row.code] for row in new.values()}


def _one_separator(text: str) -> str:
    for separator in ("；", "、", "\n"):  # noqa: RUF001 - as people type lists in Chinese
        text = text.replace(separator, ";")
    return text


def _judge_alone(row: PartyRow, known: Mapping[str, KnownParty], seen: Mapping[str, int]) -> Judgement:
    for code in filter(None, (row.code, row.credit_code)):
        if code in seen:
            return error(remark(N_("Row %(row)d has the same code"), row=seen[code]))
    party = known.get(row.code)
    if party is not None:
        if party.name == row.name and party.kind is row.kind:
            return Judgement(RowVerdict.KNOWN, subject_id=party.id)
        return error(remark(N_("The code %(code)s is taken by %(name)s"), code=row.code, name=party.name))
    owner = known.get(row.credit_code) if row.credit_code else None
    if owner is not None:
        return error(remark(N_("The credit code is already registered for %(name)s"), name=owner.name))
    return Judgement(RowVerdict.NEW)
