"""Staff numbers from a file."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.audit.record import record_events
from supervise.bulk import slices
from supervise.db import reserve_ids
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_day, parse_text
from supervise.labels import N_
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, compared, without_overlaps
from supervise.parties.imports.register_file import (
    Judgement,
    KnownParty,
    error,
    parties_by_code,
    why_unusable,
)
from supervise.parties.models import Carrier, Party, StaffNumber
from supervise.parties.periods import in_words

_STAFF = cast("sa.Table", StaffNumber.__table__)


class StaffRow(NamedTuple):
    """A staff number, whose worker has it and when."""

    row_number: int
    carrier_code: str
    staff_number: str
    alias: str | None
    employer_code: str
    place_code: str | None
    valid_from: dt.date
    valid_to: dt.date | None

    @property
    def key(self) -> tuple[str, str]:
        """What nobody else has at the same time."""
        return self.carrier_code, self.staff_number


class StaffFile:
    """The file of staff numbers."""

    kind = ImportKind.STAFF
    mapping = ColumnMapping(
        fields={
            "carrier": ("运营商", "Carrier"),
            "staff_number": ("工号", "Staff number"),
            "alias": ("化名", "称呼", "Alias"),
            "employer": ("雇主编码", "用工单位编码", "Employer code"),
            "place": ("驻点编码", "Place code"),
            "valid_from": ("启用日期", "生效日期", "Valid from"),
            "valid_to": ("停用日期", "Valid until"),
        },
        required=frozenset({"carrier", "staff_number", "employer", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; the end is the first day on which the number is free."""
        carrier_code = values.required("carrier", lambda text: parse_text(text).upper())
        staff_number = values.required("staff_number", parse_text)
        employer_code = values.required("employer", parse_text)
        valid_from, valid_to = values.required("valid_from", parse_day), values.optional("valid_to", parse_day)
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            values.add("valid_to", N_("The end must be after the start"))
        alias, place_code = values.optional("alias", parse_text), values.optional("place", parse_text)
        if carrier_code is None or staff_number is None or employer_code is None or valid_from is None:
            return None
        return StaffRow(row_number, carrier_code, staff_number, alias, employer_code, place_code, valid_from, valid_to)

    def judge(self, session: Session, rows: Sequence[StaffRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row."""
        codes = {row.employer_code for row in rows} | {row.place_code for row in rows if row.place_code}
        parties = parties_by_code(session, codes)
        carriers = set(session.scalars(sa.select(Carrier.code)))
        assigned = _assigned(session, {row.staff_number for row in rows})
        claims = [_claim(row, parties.get(row.employer_code)) for row in rows]
        judged = compared(claims, assigned)
        for row in rows:
            if judged[row.row_number].verdict is RowVerdict.NEW:
                wrong = _wrong(row, carriers, parties)
                judged[row.row_number] = error(wrong) if wrong is not None else judged[row.row_number]
        return without_overlaps(judged, claims, assigned, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[StaffRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then add the new periods."""
        changed = [row for row in rows if judgements[row.row_number].verdict is RowVerdict.CHANGED]
        new = [row for row in rows if judgements[row.row_number].verdict is RowVerdict.NEW]
        ended = {row.row_number: judgements[row.row_number].subject_id or 0 for row in changed}
        _set_ends(session, changed, ended, actor_id)
        added = _add(session, new, batch_id, actor_id)
        return ended | added


def _claim(row: StaffRow, employer: KnownParty | None) -> Claim[tuple[str, str], dt.date]:
    owner, name = (employer.id, employer.name) if employer is not None else (None, "")
    return Claim(row.row_number, row.key, owner, name, row.valid_from, row.valid_to)


def _assigned(session: Session, numbers: Iterable[str]) -> dict[tuple[str, str], list[Held[dt.date]]]:
    found: dict[tuple[str, str], list[Held[dt.date]]] = defaultdict(list)
    for some in slices(numbers):
        query = (
            sa.select(
                StaffNumber.carrier_code,
                StaffNumber.staff_number,
                StaffNumber.id,
                StaffNumber.employer_id,
                Party.name,
                StaffNumber.valid_from,
                StaffNumber.valid_to,
            )
            .join(Party, Party.id == StaffNumber.employer_id)
            .where(StaffNumber.staff_number.in_(some))
        )
        for row in session.execute(query):
            found[row.carrier_code, row.staff_number].append(Held(*row[2:]))
    return found


def _wrong(row: StaffRow, carriers: set[str], parties: Mapping[str, KnownParty]) -> Remark | None:
    """Return why a new row cannot be taken; None: it can."""
    if row.carrier_code not in carriers:
        return remark(N_("There is no carrier %(code)s"), code=row.carrier_code)
    unusable = why_unusable(row.employer_code, parties.get(row.employer_code))
    if unusable is None and row.place_code is not None:
        unusable = why_unusable(row.place_code, parties.get(row.place_code))
    return unusable


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d gives this staff number to %(name)s from %(first)s until %(end)s")
        return remark(message, row=other.row_number, name=other.name, first=first, end=end)
    message = N_("In the register a worker of %(name)s has this number from %(first)s until %(end)s")
    return remark(message, name=other.name, first=first, end=end)


def _set_ends(session: Session, rows: Sequence[StaffRow], staff_ids: Mapping[int, int], actor_id: int) -> None:
    statement = (
        sa.update(_STAFF)
        .where(_STAFF.c.id == sa.bindparam("staff"))
        .values(valid_to=sa.bindparam("until"), version=_STAFF.c.version + 1)
    )
    for some in slices(rows):
        ends = {staff_ids[row.row_number]: row.valid_to for row in some}
        known = sa.select(_STAFF.c.id, _STAFF.c.valid_to).where(_STAFF.c.id.in_(ends))
        before = dict(iter(session.execute(known)))
        session.execute(statement, [{"staff": staff_id, "until": end} for staff_id, end in ends.items()])
        record_events(
            session,
            actor_id=actor_id,
            action="staff_number.ended",
            subject="staff_number",
            changes=((staff_id, {"valid_to": [before[staff_id], end]}) for staff_id, end in ends.items()),
        )


def _add(session: Session, rows: Sequence[StaffRow], batch_id: int, actor_id: int) -> dict[int, int]:
    codes = {row.employer_code for row in rows} | {row.place_code for row in rows if row.place_code}
    parties = parties_by_code(session, codes)
    ids = dict(zip((row.row_number for row in rows), reserve_ids(session, _STAFF, len(rows)), strict=True))
    for some in slices(rows):
        values: list[dict[str, Any]] = [
            {
                "id": ids[row.row_number],
                "carrier_code": row.carrier_code,
                "staff_number": row.staff_number,
                "alias": row.alias,
                "employer_id": parties[row.employer_code].id,
                "placed_at_id": parties[row.place_code].id if row.place_code else None,
                "valid_from": row.valid_from,
                "valid_to": row.valid_to,
                "version": 1,
            }
            for row in some
        ]
        session.execute(sa.insert(_STAFF), values)
        facts = ("carrier_code", "employer_id", "placed_at_id", "valid_from", "valid_to")
        record_events(
            session,
            actor_id=actor_id,
            action="staff_number.assigned",
            subject="staff_number",
            changes=((row["id"], {**{name: row[name] for name in facts}, "batch_id": batch_id}) for row in values),
        )
    return ids
