"""The list of compliance files as workbook or CSV."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from reports.registers import day_text
from reports.workbook import CellKind, Column
from supervise.labels import N_
from supervise.parties.compliance_file import FileFilters, PartyFileLine, files_by_party
from supervise.parties.scope import Scope

FILE_COLUMNS = (
    Column[PartyFileLine](N_("Party code"), lambda row: row.party.code),
    Column[PartyFileLine](N_("Party name"), lambda row: row.party.name, width=32),
    Column[PartyFileLine](N_("Kind"), lambda row: row.party.kind.label, width=16),
    Column[PartyFileLine](N_("Entries on file"), lambda row: row.entries, CellKind.INTEGER, width=10),
    Column[PartyFileLine](N_("Last training"), lambda row: day_text(row.trained_on), width=12),
    Column[PartyFileLine](N_("Last act of supervision"), lambda row: day_text(row.supervised_on), width=12),
    Column[PartyFileLine](N_("The carrier knew from"), lambda row: day_text(row.knew_on), width=12),
)


def file_lines(session: Session, scope: Scope, filters: FileFilters) -> Iterator[PartyFileLine]:
    """Yield the parties outside the carrier with what is on file, by code."""
    after = ""
    while rows := files_by_party(session, scope, filters, after=after):
        yield from rows
        after = rows[-1].party.code
