"""Numbers and their holders from a file: tens of thousands of rows, checked and written in a few statements each."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_events
from supervise.bulk import slices
from supervise.db import reserve_ids
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_boolean, parse_moment, parse_text
from supervise.labels import N_, _
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, without_overlaps
from supervise.parties.imports.register_file import (
    Judgement,
    KnownParty,
    error,
    member_named,
    parties_by_code,
    why_unusable,
)
from supervise.parties.models import NumberHolder, Party, PhoneNumber
from supervise.parties.periods import in_words
from supervise.phone import NumberClass, NumberingPlan, classify, normalise

#: Core statements: the unit of work would hold every row.
_NUMBERS = cast("sa.Table", PhoneNumber.__table__)
_HOLDERS = cast("sa.Table", NumberHolder.__table__)


class NumberRow(NamedTuple):
    """A number, who holds it and when."""

    row_number: int
    digits: str
    number_class: NumberClass
    is_prefix: bool
    party_code: str
    held_from: dt.datetime
    held_to: dt.datetime | None
    source: str | None
    note: str | None


class _Registered(NamedTuple):
    number_id: int
    is_prefix: bool


class NumberFile:
    """The file of numbers and holders."""

    kind = ImportKind.NUMBERS
    mapping = ColumnMapping(
        fields={
            "number": ("号码", "电话号码", "端口号", "Number"),
            "party": ("责任方编码", "编码", "统一社会信用代码", "Party code"),
            "held_from": ("启用时间", "起始时间", "Held from"),
            "held_to": ("停用时间", "终止时间", "Held until"),
            "is_prefix": ("是否前缀", "前缀", "Prefix"),
            "plan": ("号码规则", "Numbering plan"),
            "source": ("来源", "Source"),
            "note": ("备注", "Note"),
        },
        required=frozenset({"number", "party", "held_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; a number without a plan is read by China's."""
        plan = values.optional("plan", lambda text: member_named(NumberingPlan, text)) or NumberingPlan.CHINA
        digits = values.required("number", lambda text: normalise(text, plan)) or ""
        number_class = classify(digits) if plan is NumberingPlan.CHINA else NumberClass.OTHER
        held_from = values.required("held_from", _at)
        held_to = values.optional("held_to", _at)
        if held_from is not None and held_to is not None and held_to <= held_from:
            values.add("held_to", N_("The end must be after the start"))
        is_prefix = values.optional("is_prefix", parse_boolean) or False
        if is_prefix and number_class is not NumberClass.PORT_106:
            values.add("is_prefix", N_("Only a 106 port can stand for all numbers that begin with it"))
        party_code = values.required("party", parse_text)
        source, note = values.optional("source", parse_text), values.optional("note", parse_text)
        if held_from is None or party_code is None:
            return None
        return NumberRow(row_number, digits, number_class, is_prefix, party_code, held_from, held_to, source, note)

    def judge(self, session: Session, rows: Sequence[NumberRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row: a few queries for all of them."""
        parties = parties_by_code(session, {row.party_code for row in rows})
        all_digits = {row.digits for row in rows}
        numbers, held = _registered(session, all_digits), _held(session, all_digits)
        judged = {row.row_number: _judge_alone(row, parties, numbers, held) for row in rows}
        claims = [_claim(row, parties.get(row.party_code)) for row in rows]
        return without_overlaps(judged, claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[NumberRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Enter the new numbers, set the ends that changed, then add the holders."""
        by_verdict: dict[RowVerdict, list[NumberRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        new, ended = by_verdict[RowVerdict.NEW], by_verdict[RowVerdict.CHANGED]
        numbers = _enter(session, new)
        parties = parties_by_code(session, {row.party_code for row in new})
        _set_ends(session, ended, judgements, actor_id)
        _add_holders(session, new, (parties, numbers), batch_id, actor_id)
        numbers |= {digits: row.number_id for digits, row in _registered(session, {r.digits for r in ended}).items()}
        return {row.row_number: numbers[row.digits] for row in (*new, *ended)}


def _at(text: str) -> dt.datetime:
    return parse_moment(text).at


def _registered(session: Session, all_digits: Iterable[str]) -> dict[str, _Registered]:
    found = {}
    for some in slices(all_digits):
        query = sa.select(PhoneNumber.digits, PhoneNumber.id, PhoneNumber.is_prefix)
        for digits, number_id, is_prefix in session.execute(query.where(PhoneNumber.digits.in_(some))):
            found[digits] = _Registered(number_id, is_prefix)
    return found


def _held(session: Session, all_digits: Iterable[str]) -> dict[str, list[Held[dt.datetime]]]:
    found: dict[str, list[Held[dt.datetime]]] = defaultdict(list)
    for some in slices(all_digits):
        query = (
            sa.select(
                PhoneNumber.digits,
                NumberHolder.id,
                NumberHolder.party_id,
                Party.name,
                NumberHolder.held_from,
                NumberHolder.held_to,
            )
            .join(NumberHolder, NumberHolder.number_id == PhoneNumber.id)
            .join(Party, Party.id == NumberHolder.party_id)
            .where(PhoneNumber.digits.in_(some))
        )
        for digits, holder_id, party_id, name, held_from, held_to in session.execute(query):
            found[digits].append(Held(holder_id, party_id, name, held_from, held_to))
    return found


def _judge_alone(
    row: NumberRow,
    parties: Mapping[str, KnownParty],
    numbers: Mapping[str, _Registered],
    held: Mapping[str, list[Held[dt.datetime]]],
) -> Judgement:
    party = parties.get(row.party_code)
    start = (party.id if party else None, row.held_from)
    same = next((one for one in held.get(row.digits, ()) if (one.owner, one.first) == start), None)
    number = numbers.get(row.digits)
    if number is not None and number.is_prefix != row.is_prefix:
        return error(remark(N_("In the register this number is a prefix, or it is none; the file says otherwise")))
    if same is not None and number is not None:
        if row.held_to == same.end:
            return Judgement(RowVerdict.KNOWN, subject_id=number.number_id)
        if row.held_to is None:
            ends = remark(N_("The register ends this on %(moment)s; it stays so"), moment=in_words(same.end))
            return Judgement(RowVerdict.KNOWN, [ends], number.number_id)
        moved = remark(N_("The end in the register is %(moment)s"), moment=in_words(same.end))
        return Judgement(RowVerdict.CHANGED, [moved], same.id)
    unusable = why_unusable(row.party_code, party)
    return error(unusable) if unusable is not None else Judgement(RowVerdict.NEW)


def _claim(row: NumberRow, party: KnownParty | None) -> Claim[str, dt.datetime]:
    owner, name = (party.id, party.name) if party is not None else (None, "")
    return Claim(row.row_number, row.digits, owner, name, row.held_from, row.held_to)


def _in_the_way(other: Span[dt.datetime]) -> tuple[str, dict[str, str | int]]:
    period: dict[str, str | int] = {
        "name": other.name,
        "first": in_words(other.first),
        "end": in_words(other.end),
    }
    if other.row_number:
        return N_("Row %(row)d gives this number to %(name)s from %(first)s until %(end)s"), {
            "row": other.row_number,
            **period,
        }
    return N_("In the register %(name)s holds this number from %(first)s until %(end)s"), period


def _enter(session: Session, rows: Sequence[NumberRow]) -> dict[str, int]:
    """Enter the numbers that are not in the register yet; return the ids of all, by digits.

    The audit event of their first holder tells of it.
    """
    known = {digits: row.number_id for digits, row in _registered(session, {row.digits for row in rows}).items()}
    first_rows: dict[str, NumberRow] = {}
    for row in rows:
        if row.digits not in known:
            first_rows.setdefault(row.digits, row)
    ids = reserve_ids(session, _NUMBERS, len(first_rows))
    entered = dict(zip(first_rows, ids, strict=True))
    for some in slices(first_rows.values()):
        values = [
            {
                "id": entered[row.digits],
                "digits": row.digits,
                "number_class": row.number_class,
                "is_prefix": row.is_prefix,
                "note": row.note,
                "version": 1,
            }
            for row in some
        ]
        session.execute(sa.insert(_NUMBERS), values)
    return known | entered


def _set_ends(session: Session, rows: Sequence[NumberRow], judgements: Mapping[int, Judgement], actor_id: int) -> None:
    numbers = _registered(session, {row.digits for row in rows})
    statement = (
        sa.update(_HOLDERS)
        .where(_HOLDERS.c.id == sa.bindparam("holder"))
        .values(held_to=sa.bindparam("until"), version=_HOLDERS.c.version + 1)
    )
    for some in slices(rows):
        ends = [{"holder": judgements[row.row_number].subject_id, "until": row.held_to} for row in some]
        known = sa.select(_HOLDERS.c.id, _HOLDERS.c.held_to).where(_HOLDERS.c.id.in_([end["holder"] for end in ends]))
        before = dict(iter(session.execute(known)))
        session.execute(statement, ends)
        record_events(
            session,
            actor_id=actor_id,
            action="phone_number.holding_ended",
            subject="phone_number",
            changes=(
                (
                    numbers[row.digits].number_id,
                    {"holder_id": end["holder"], "held_to": [before[end["holder"]], end["until"]]},
                )
                for row, end in zip(some, ends, strict=True)
            ),
        )


def _add_holders(
    session: Session,
    rows: Sequence[NumberRow],
    known: tuple[Mapping[str, KnownParty], Mapping[str, int]],
    batch_id: int,
    actor_id: int,
) -> None:
    parties, numbers = known
    now, from_file = clock.now(), _("File import %(id)d", id=batch_id)
    ids = iter(reserve_ids(session, _HOLDERS, len(rows)))
    for some in slices(rows):
        values: list[dict[str, Any]] = [
            {
                "id": next(ids),
                "number_id": numbers[row.digits],
                "party_id": parties[row.party_code].id,
                "held_from": row.held_from,
                "held_to": row.held_to,
                "source": row.source or from_file,
                "recorded_at": now,
                "version": 1,
            }
            for row in some
        ]
        session.execute(sa.insert(_HOLDERS), values)
        record_events(
            session,
            actor_id=actor_id,
            action="phone_number.held",
            subject="phone_number",
            changes=((row["number_id"], _told(row, batch_id)) for row in values),
        )


def _told(row: Mapping[str, Any], batch_id: int) -> dict[str, Any]:
    facts = {name: row[name] for name in ("party_id", "held_from", "held_to")}
    return {"holder_id": row["id"], **facts, "batch_id": batch_id}
