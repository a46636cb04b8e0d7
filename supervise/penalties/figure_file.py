"""Answered calls and orders of parties from a file: one row for each party and month."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_count, parse_month, parse_text
from supervise.labels import N_, _
from supervise.parties.imports.register_file import Judgement, KnownParty, error, parties_by_code
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.monthly_figures import FigureFacts, FigureKey, latest_by_key, record_figures
from supervise.penalties.pricing import FigureKind

_COUNT_MAX = 10**12
_REMARKS = {
    FigureKind.ANSWERED_CALLS: N_("Answered calls recorded before: %(amount)d"),
    FigureKind.ORDERS: N_("Orders recorded before: %(amount)d"),
}


class FigureRow(NamedTuple):
    """What a row says of a party and month."""

    row_number: int
    month: str
    party_code: str
    counts: Mapping[FigureKind, int]
    #: None: the import itself.
    source: str | None


class FigureFile:
    """The file of answered calls and orders; commissions come by ``settlement.commission_file``."""

    kind = ImportKind.MONTH_FIGURES
    mapping = ColumnMapping(
        fields={
            "month": ("月份", "账期", "Month"),
            "party": ("责任方编码", "编码", "统一社会信用代码", "Party code"),
            "answered_calls": ("接通量", "接通数", "Answered calls"),
            "orders": ("订单量", "订单数", "Orders"),
            "source": ("来源", "数据来源", "Source"),
        },
        required=frozenset({"month", "party"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; it has one of the two counts at least."""
        month, code = values.required("month", parse_month), values.required("party", parse_text)
        counts = {kind: values.optional(kind.value, _count) for kind in _REMARKS}
        if month is not None and month > clock.month_of(clock.today()):
            values.add("month", N_("The month has not begun"))
        if not values.remarks and all(count is None for count in counts.values()):
            values.add("answered_calls", N_("The row has neither answered calls nor orders"))
        if month is None or code is None:
            return None
        known = {kind: count for kind, count in counts.items() if count is not None}
        return FigureRow(row_number, month, code, known, values.optional("source", parse_text))

    def judge(self, session: Session, rows: Sequence[FigureRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row: a few queries for all of them."""
        parties = parties_by_code(session, {row.party_code for row in rows})
        keys = [key for row in rows for key in _keys(row, parties).values()]
        before = latest_by_key(session, keys)
        first_rows: dict[FigureKey, int] = {}
        return {row.row_number: _judge(row, parties, before, first_rows) for row in rows}

    def write(
        self,
        session: Session,
        rows: Sequence[FigureRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Record the figures in one go; what the file repeats of the register changes nothing."""
        del judgements
        parties = parties_by_code(session, {row.party_code for row in rows})
        facts = [
            FigureFacts(kind, row.month, count, _source(row, batch_id), party_id=parties[row.party_code].id)
            for row in rows
            for kind, count in row.counts.items()
        ]
        record_figures(session, facts, actor_id=actor_id)
        return {row.row_number: parties[row.party_code].id for row in rows}


def _count(text: str) -> int:
    return parse_count(text.replace(",", ""), largest=_COUNT_MAX)


def _source(row: FigureRow, batch_id: int) -> str:
    place = _("File import %(id)d, row %(row)d", id=batch_id, row=row.row_number)
    return f"{row.source} ({place})" if row.source else place


def _keys(row: FigureRow, parties: Mapping[str, KnownParty]) -> dict[FigureKind, FigureKey]:
    party = parties.get(row.party_code)
    if party is None:
        return {}
    return {kind: FigureKey(party.id, None, row.month, kind) for kind in row.counts}


def _judge(
    row: FigureRow,
    parties: Mapping[str, KnownParty],
    before: Mapping[FigureKey, PartyMonthFigure],
    first_rows: dict[FigureKey, int],
) -> Judgement:
    # A terminated party is no obstacle: its last months have figures too.
    party = parties.get(row.party_code)
    if party is None:
        return error(remark(N_("No party has the code %(code)s"), code=row.party_code))
    if party.is_merged:
        return error(remark(N_("%(name)s was merged into another party; use that one's code"), name=party.name))
    keys = _keys(row, parties)
    twice = [first_rows[key] for key in keys.values() if key in first_rows]
    if twice:
        return error(remark(N_("Row %(row)d has this party and month already"), row=twice[0]))
    first_rows |= dict.fromkeys(keys.values(), row.row_number)
    changes: list[Remark] = [
        remark(_REMARKS[kind], amount=before[key].amount)
        for kind, key in keys.items()
        if key in before and before[key].amount != row.counts[kind]
    ]
    if changes:
        return Judgement(RowVerdict.CHANGED, changes, party.id)
    if all(key in before for key in keys.values()):
        return Judgement(RowVerdict.KNOWN, subject_id=party.id)
    return Judgement(RowVerdict.NEW)
