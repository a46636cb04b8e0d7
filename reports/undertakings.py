"""Undertakings as workbook or CSV: what was promised to whom, and what it has cost; numbers stay masked."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from reports.registers import moment_text
from reports.workbook import CellKind, Column
from supervise.compensation import promise_queries as queries
from supervise.compensation.promise_queries import UndertakingFilters, UndertakingRow
from supervise.labels import N_, _

_AT_ONCE = 2_000
_YUAN = CellKind.YUAN


def _state(row: UndertakingRow) -> str:
    return _("Given up") if row.undertaking.given_up_at is not None else row.undertaking.state.label


UNDERTAKING_COLUMNS = (
    Column[UndertakingRow](N_("Undertaking"), lambda row: row.undertaking.reference, width=20),
    Column[UndertakingRow](N_("Number"), lambda row: row.number_mask),
    Column[UndertakingRow](N_("Account"), lambda row: row.account_ref, width=20),
    Column[UndertakingRow](N_("Branch"), lambda row: row.unit, width=28),
    Column[UndertakingRow](N_("Begins at"), lambda row: moment_text(row.undertaking.starts_at), width=20),
    Column[UndertakingRow](N_("Ends at"), lambda row: moment_text(row.undertaking.ends_at), width=20),
    Column[UndertakingRow](N_("Each call (yuan)"), lambda row: row.undertaking.per_call_fen, _YUAN, width=12),
    Column[UndertakingRow](N_("Once (yuan)"), lambda row: row.undertaking.lump_fen, _YUAN, width=12),
    Column[UndertakingRow](N_("Granted so far (yuan)"), lambda row: row.credits_fen, _YUAN, width=14),
    Column[UndertakingRow](N_("State"), _state, width=12),
)


def undertaking_lines(session: Session, filters: UndertakingFilters) -> Iterator[UndertakingRow]:
    """Yield the undertakings, the newest first."""
    before_id: int | None = None
    while rows := queries.undertakings_newest(session, filters, before_id=before_id, limit=_AT_ONCE):
        yield from rows
        before_id = rows[-1].undertaking.id
