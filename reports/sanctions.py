"""Sanctions as workbook or CSV, and as JSON for the systems that carry them out."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from reports.registers import day_text
from reports.workbook import CellKind, Column
from supervise import clock
from supervise.labels import N_
from supervise.parties.sanctions import SanctionLine
from supervise.parties.scope import Scope
from supervise.penalties.sanction_queries import InForce, SanctionFilters, sanctions_newest_first, stage_of
from supervise.penalties.sanction_words import because

_SLICE = 1_000

SANCTION_COLUMNS = (
    Column[SanctionLine](N_("Sanction no."), lambda line: line.row.id, CellKind.INTEGER, width=12),
    Column[SanctionLine](N_("Party code"), lambda line: line.party.code if line.party else ""),
    Column[SanctionLine](N_("Party name"), lambda line: line.party.name if line.party else "", width=32),
    Column[SanctionLine](N_("Number"), lambda line: line.number.digits if line.number else "", width=18),
    Column[SanctionLine](N_("Sanction"), lambda line: line.row.kind.label, width=24),
    Column[SanctionLine](N_("Standing"), lambda line: stage_of(line, clock.today()).label, width=20),
    Column[SanctionLine](N_("From"), lambda line: day_text(line.row.from_on), width=12),
    Column[SanctionLine](N_("First day without it"), lambda line: day_text(line.end_on), width=12),
    Column[SanctionLine](N_("On what it stands"), because, width=48),
)


def sanction_lines(session: Session, scope: Scope, filters: SanctionFilters) -> Iterator[SanctionLine]:
    """Yield every sanction that fits, the newest first."""
    after: int | None = None
    while rows := sanctions_newest_first(session, scope, filters, after=after, limit=_SLICE):
        yield from rows
        after = rows[-1].row.id


def as_json(found: InForce, on: dt.date) -> dict[str, Any]:
    """Return what is in force on the day as other systems read it: codes, digits, days; names in no language."""
    return {
        "on": on.isoformat(),
        "suspensions": [_party(line) for line in found.suspensions],
        "number_shutdowns": [_number(line) for line in found.shutdowns],
        "restored_numbers": [_number(line) for line in found.restored],
    }


def _period(line: SanctionLine) -> dict[str, Any]:
    end_on = line.end_on
    return {
        "sanction_id": line.row.id,
        "kind": line.row.kind.value,
        "from": line.row.from_on.isoformat(),
        "until": None if end_on is None else end_on.isoformat(),
    }


def _party(line: SanctionLine) -> dict[str, Any]:
    return {"party_code": line.party.code if line.party else None, **_period(line)}


def _number(line: SanctionLine) -> dict[str, Any]:
    return {"number": line.number.digits if line.number else None, **_party(line)}
