"""The plan catalogue as workbook or CSV; its headings are those that the import accepts."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from reports.registers import day_text
from reports.workbook import CellKind, Column
from supervise.contracts.plan_queries import PlanFilters, PlanLine, plans_by_code
from supervise.labels import N_

PLAN_COLUMNS = (
    Column[PlanLine](N_("Plan code"), lambda row: row.plan.code),
    Column[PlanLine](N_("Plan name"), lambda row: row.plan.name, width=32),
    Column[PlanLine](N_("Monthly price (yuan)"), lambda row: row.plan.monthly_price_fen, CellKind.YUAN, width=14),
    Column[PlanLine](N_("Published from"), lambda row: day_text(row.plan.published_from), width=12),
    Column[PlanLine](N_("Published until"), lambda row: day_text(row.plan.published_to), width=12),
    Column[PlanLine](N_("Kinds of channel"), lambda row: "; ".join(kind.label for kind in row.kinds), width=28),
    Column[PlanLine](N_("Channel codes"), lambda row: "; ".join(row.channel_codes), width=28),
)


def plan_lines(session: Session, filters: PlanFilters) -> Iterator[PlanLine]:
    """Yield the plans with every period, by code."""
    after: tuple[str, int] | None = None
    while rows := plans_by_code(session, filters, after=after):
        yield from rows
        after = (rows[-1].plan.code, rows[-1].plan.id)
