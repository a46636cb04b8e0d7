"""Official numbers from a file: a regulator's or a carrier's list, a few hundred rows at most."""

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
from supervise.files.values import parse_day, parse_digits, parse_text
from supervise.labels import N_, _
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, compared, without_overlaps
from supervise.parties.imports.register_file import Judgement, error, member_named
from supervise.parties.models import Carrier, OfficialNumber, OfficialUse
from supervise.parties.officials import declare_official, end_official
from supervise.parties.periods import in_words

Key = tuple[str, str, OfficialUse]


class OfficialRow(NamedTuple):
    """A number that a carrier declares official for a use."""

    row_number: int
    carrier_code: str
    digits: str
    use: OfficialUse
    legal_basis: str
    valid_from: dt.date
    valid_to: dt.date | None

    @property
    def key(self) -> Key:
        """What is declared once at a time."""
        return self.carrier_code, self.digits, self.use


class OfficialFile:
    """The file of official numbers."""

    kind = ImportKind.OFFICIAL_NUMBERS
    mapping = ColumnMapping(
        fields={
            "carrier": ("运营商", "Carrier"),
            "number": ("号码", "官方号码", "Number"),
            "use": ("用途", "Used for"),
            "legal_basis": ("法律依据", "依据", "Legal basis"),
            "valid_from": ("生效日期", "启用日期", "Valid from"),
            "valid_to": ("失效日期", "停用日期", "Valid until"),
        },
        required=frozenset({"carrier", "number", "use", "legal_basis", "valid_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; the end is the first day on which the number is official no more."""
        carrier_code = values.required("carrier", lambda text: parse_text(text).upper())
        digits = values.required("number", lambda text: parse_digits(text, digits_max=20))
        use = values.required("use", lambda text: member_named(OfficialUse, text))
        legal_basis = values.required("legal_basis", parse_text)
        valid_from, valid_to = values.required("valid_from", parse_day), values.optional("valid_to", parse_day)
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            values.add("valid_to", N_("The end must be after the start"))
        if carrier_code is None or digits is None or use is None or legal_basis is None or valid_from is None:
            return None
        return OfficialRow(row_number, carrier_code, digits, use, legal_basis, valid_from, valid_to)

    def judge(self, session: Session, rows: Sequence[OfficialRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row."""
        carriers = set(session.scalars(select(Carrier.code)))
        held = _declared(session, {row.digits for row in rows})
        claims = [
            Claim(row.row_number, row.key, row.carrier_code, row.carrier_code, row.valid_from, row.valid_to)
            for row in rows
        ]
        judged = compared(claims, held)
        for row in rows:
            if row.carrier_code not in carriers:
                judged[row.row_number] = error(remark(N_("There is no carrier %(code)s"), code=row.carrier_code))
        return without_overlaps(judged, claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[OfficialRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then declare the new ones, one by one."""
        written = {}
        by_verdict: dict[RowVerdict, list[OfficialRow]] = defaultdict(list)
        for row in rows:
            by_verdict[judgements[row.row_number].verdict].append(row)
        reason = _("File import %(id)d", id=batch_id)
        for row in by_verdict[RowVerdict.CHANGED]:
            official_id = judgements[row.row_number].subject_id or 0
            end_official(session, official_id, on=row.valid_to or dt.date.max, reason=reason, actor_id=actor_id)
            written[row.row_number] = official_id
        for row in by_verdict[RowVerdict.NEW]:
            declared = declare_official(
                session,
                carrier_code=row.carrier_code,
                digits=row.digits,
                use=row.use,
                legal_basis=row.legal_basis,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                actor_id=actor_id,
            )
            written[row.row_number] = declared.id
        return written


def _declared(session: Session, all_digits: set[str]) -> dict[Key, list[Held[dt.date]]]:
    found: dict[Key, list[Held[dt.date]]] = defaultdict(list)
    for some in slices(all_digits):
        for row in session.scalars(select(OfficialNumber).where(OfficialNumber.digits.in_(some))):
            held = Held(row.id, row.carrier_code, row.carrier_code, row.valid_from, row.valid_to)
            found[row.carrier_code, row.digits, row.use].append(held)
    return found


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d declares this number for the same use from %(first)s until %(end)s")
        return remark(message, row=other.row_number, first=first, end=end)
    return remark(N_("In the register it is declared for this use from %(first)s until %(end)s"), first=first, end=end)
