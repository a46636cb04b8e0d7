"""What watching the records found, as workbook or CSV: by party and day, and the records themselves."""

from collections.abc import Mapping
from typing import Any

from reports.registers import day_text, yes_or_no
from reports.workbook import CellKind, Column
from supervise.attribution.watching.queries import FindingLine
from supervise.labels import N_, _

FINDING_COLUMNS = (
    Column[FindingLine](N_("Day"), lambda row: day_text(row.finding.on_day), width=12),
    Column[FindingLine](N_("Irregularity"), lambda row: row.finding.kind.label, width=32),
    Column[FindingLine](N_("Code"), lambda row: row.party.code if row.party else None, width=16),
    Column[FindingLine](N_("Party"), lambda row: row.party.name if row.party else _("Nobody known"), width=28),
    Column[FindingLine](N_("Irregular records"), lambda row: row.finding.records, CellKind.INTEGER, width=12),
    Column[FindingLine](N_("Subscribers"), lambda row: row.finding.subscribers, CellKind.INTEGER, width=12),
    Column[FindingLine](N_("Of how many records"), lambda row: row.finding.looked_at, CellKind.INTEGER, width=14),
    Column[FindingLine](N_("Suspected"), lambda row: yes_or_no(row.finding.is_suspected), width=10),
)
Shown = Mapping[str, Any]
#: Rows as ``views.watch.records.shown`` gives them: no subscriber's number, only what may be shown of it.
RECORD_COLUMNS = (
    Column[Shown](N_("Time"), lambda row: row["time"], width=20),
    Column[Shown](N_("Platform"), lambda row: row["platform"], width=12),
    Column[Shown](N_("Record id"), lambda row: row["record_id"], width=24),
    Column[Shown](N_("Subscriber"), lambda row: row["subscriber"], width=16),
    Column[Shown](N_("Calling number or port"), lambda row: row["sender"], width=18),
    Column[Shown](N_("Staff number"), lambda row: row["staff_number"], width=14),
    Column[Shown](N_("Channel code"), lambda row: row["channel_code"], width=14),
    Column[Shown](N_("Plan code"), lambda row: row["plan"], width=14),
    Column[Shown](N_("What is wrong"), lambda row: row["wrong"], width=40),
    Column[Shown](N_("Incident"), lambda row: row["incident_id"], CellKind.INTEGER, width=10),
)
