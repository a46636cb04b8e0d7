"""The ranking of a month as workbook or CSV: every figure with what it was counted from."""

from collections.abc import Callable

from reports.workbook import CellKind, Column
from supervise.labels import N_
from supervise.penalties.card_ranking import RankedCard
from supervise.penalties.score_words import value_of
from supervise.penalties.scoring import Criterion, Part


def _part(criterion: Criterion) -> Callable[[RankedCard], Part]:
    return lambda row: next(part for part in row.card.parts if part.criterion is criterion)


def _value(criterion: Criterion) -> Callable[[RankedCard], str]:
    find = _part(criterion)
    return lambda row: "" if find(row).hundredths is None else value_of(find(row)).replace(",", "")


_calls, _orders = _part(Criterion.OFFENCES_PER_CALLS), _part(Criterion.OFFENCES_PER_ORDERS)

SCORECARD_COLUMNS = (
    Column[RankedCard](N_("Place"), lambda row: row.place, CellKind.INTEGER, width=8),
    Column[RankedCard](N_("Party code"), lambda row: row.party.code),
    Column[RankedCard](N_("Party name"), lambda row: row.party.name, width=32),
    Column[RankedCard](N_("Kind"), lambda row: row.party.kind.label),
    Column[RankedCard](N_("Month"), lambda row: row.card.month, width=10),
    Column[RankedCard](N_("Score"), lambda row: row.card.score, CellKind.INTEGER, width=8),
    Column[RankedCard](N_("Standing"), lambda row: row.card.standing.label, width=12),
    Column[RankedCard](N_("Offences proven"), lambda row: _calls(row).figure.counted, CellKind.INTEGER, width=12),
    Column[RankedCard](N_("Answered calls"), lambda row: _calls(row).figure.of or None, CellKind.INTEGER, width=12),
    Column[RankedCard](N_("Orders"), lambda row: _orders(row).figure.of or None, CellKind.INTEGER, width=12),
    Column[RankedCard](N_("Offences per 10,000 answered calls"), _value(Criterion.OFFENCES_PER_CALLS), width=20),
    Column[RankedCard](N_("Offences per 1,000 orders"), _value(Criterion.OFFENCES_PER_ORDERS), width=20),
    Column[RankedCard](N_("Offences after a refusal (per cent)"), _value(Criterion.AFTER_REFUSAL), width=20),
    Column[RankedCard](N_("Objections lost (per cent)"), _value(Criterion.OBJECTIONS_LOST), width=20),
    Column[RankedCard](N_("Late answers to inquiries (per cent)"), _value(Criterion.LATE_ANSWERS), width=20),
    Column[RankedCard](
        N_("Subscribers with two or more offences (per cent)"), _value(Criterion.REPEAT_SUBSCRIBERS), width=20
    ),
)
