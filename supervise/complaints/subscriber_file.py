"""Subscribers from a file: number, account, home region and period, checked and written in a few statements."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import phone
from supervise.audit.record import record_events
from supervise.bulk import insert_rows, slices
from supervise.cipher import Keyring
from supervise.complaints.models import Subscriber
from supervise.complaints.subscribers import known_number_ids, number_ids
from supervise.db import reserve_ids, take_turn
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_moment, parse_text
from supervise.labels import N_, _
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, compared, without_overlaps
from supervise.parties.imports.register_file import Judgement, error
from supervise.parties.models import OrgUnit
from supervise.parties.periods import in_words

_SUBSCRIBERS = cast("sa.Table", Subscriber.__table__)


class SubscriberRow(NamedTuple):
    """A number, the account that it is billed to, where, and when."""

    row_number: int
    digits: str
    account_ref: str
    unit_code: str | None
    held_from: dt.datetime
    held_to: dt.datetime | None


class SubscriberFile:
    """The file of subscribers; numbers are compared by their blind index."""

    kind = ImportKind.SUBSCRIBERS
    mapping = ColumnMapping(
        fields={
            "number": ("手机号码", "用户号码", "号码", "Number"),
            "account_ref": ("账户号", "账户编号", "账号", "Account"),
            "unit_code": ("归属机构编码", "机构编码", "归属机构", "Unit code"),
            "held_from": ("启用时间", "入网时间", "起始时间", "Held from"),
            "held_to": ("停用时间", "销户时间", "终止时间", "Held until"),
        },
        required=frozenset({"number", "account_ref", "held_from"}),
    )

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; times without a time of day begin at midnight in China."""
        digits = values.required("number", phone.normalise)
        account_ref = values.required("account_ref", parse_text)
        held_from = values.required("held_from", _at)
        held_to = values.optional("held_to", _at)
        unit_code = values.optional("unit_code", parse_text)
        if held_from is not None and held_to is not None and held_to <= held_from:
            values.add("held_to", N_("The end must be after the start"))
        if digits is None or account_ref is None or held_from is None:
            return None
        return SubscriberRow(row_number, digits, account_ref, unit_code, held_from, held_to)

    def judge(self, session: Session, rows: Sequence[SubscriberRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row: a few queries for all of them."""
        units = _units(session, rows)
        held = self._held(session, rows)
        claims = [
            Claim(row.row_number, row.digits, row.account_ref, row.account_ref, row.held_from, row.held_to)
            for row in rows
        ]
        judged = compared(claims, held)
        for row in rows:
            if row.unit_code is not None and row.unit_code not in units:
                wrong = remark(N_("There is no unit with the code %(code)s"), code=row.unit_code)
                judged[row.row_number] = error(wrong)
        return without_overlaps(judged, claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[SubscriberRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then add the new subscribers."""
        take_turn(session, "subscribers")
        by_verdict: dict[RowVerdict, list[SubscriberRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        ended = {row.row_number: judgements[row.row_number].subject_id or 0 for row in by_verdict[RowVerdict.CHANGED]}
        _set_ends(session, by_verdict[RowVerdict.CHANGED], ended, actor_id)
        return ended | self._add(session, by_verdict[RowVerdict.NEW], batch_id, actor_id)

    def _held(self, session: Session, rows: Sequence[SubscriberRow]) -> dict[str, list[Held[dt.datetime]]]:
        ids = known_number_ids(session, self._keyring, {row.digits for row in rows})
        digits_of = {number_id: digits for digits, number_id in ids.items()}
        held: dict[str, list[Held[dt.datetime]]] = defaultdict(list)
        query = sa.select(
            Subscriber.number_id, Subscriber.id, Subscriber.account_ref, Subscriber.held_from, Subscriber.held_to
        )
        for piece in slices(sorted(digits_of)):
            for row in session.execute(query.where(Subscriber.number_id.in_(piece))):
                account = row.account_ref
                held[digits_of[row.number_id]].append(Held(row.id, account, account, row.held_from, row.held_to))
        return held

    def _add(self, session: Session, rows: Sequence[SubscriberRow], batch_id: int, actor_id: int) -> dict[int, int]:
        units = _units(session, rows)
        numbers = number_ids(session, self._keyring, {row.digits for row in rows})
        ids = reserve_ids(session, _SUBSCRIBERS, len(rows))
        source = _("File import %(id)d", id=batch_id)
        values: list[dict[str, Any]] = [
            {
                "id": subscriber_id,
                "number_id": numbers[row.digits],
                "account_ref": row.account_ref,
                "unit_id": units[row.unit_code] if row.unit_code else None,
                "held_from": row.held_from,
                "held_to": row.held_to,
                "source": source,
                "version": 1,
            }
            for subscriber_id, row in zip(ids, rows, strict=True)
        ]
        insert_rows(session, _SUBSCRIBERS, values)
        facts = ("account_ref", "unit_id", "held_from", "held_to")
        record_events(
            session,
            actor_id=actor_id,
            action="subscriber.created",
            subject="subscriber",
            changes=((row["id"], {name: row[name] for name in facts} | {"batch_id": batch_id}) for row in values),
        )
        return {row.row_number: subscriber_id for subscriber_id, row in zip(ids, rows, strict=True)}


def _at(text: str) -> dt.datetime:
    return parse_moment(text).at


def _units(session: Session, rows: Iterable[SubscriberRow]) -> dict[str, int]:
    codes = {row.unit_code for row in rows if row.unit_code}
    found: dict[str, int] = {}
    for piece in slices(sorted(codes)):
        query = sa.select(OrgUnit.code, OrgUnit.id).where(OrgUnit.code.in_(piece))
        found.update((row.code, row.id) for row in session.execute(query))
    return found


def _in_the_way(other: Span[dt.datetime]) -> Remark:
    period: dict[str, str | int] = {
        "account": other.name,
        "first": in_words(other.first),
        "end": in_words(other.end),
    }
    if other.row_number:
        return N_("Row %(row)d gives this number to account %(account)s from %(first)s until %(end)s"), {
            "row": other.row_number,
            **period,
        }
    return N_("In the register account %(account)s holds this number from %(first)s until %(end)s"), period


def _set_ends(session: Session, rows: Sequence[SubscriberRow], ended: Mapping[int, int], actor_id: int) -> None:
    if not rows:
        return
    statement = (
        sa.update(_SUBSCRIBERS)
        .where(_SUBSCRIBERS.c.id == sa.bindparam("subscriber"))
        .values(held_to=sa.bindparam("until"), version=_SUBSCRIBERS.c.version + 1)
    )
    session.execute(statement, [{"subscriber": ended[row.row_number], "until": row.held_to} for row in rows])
    record_events(
        session,
        actor_id=actor_id,
        action="subscriber.ended",
        subject="subscriber",
        changes=((ended[row.row_number], {"held_to": row.held_to}) for row in rows),
    )
